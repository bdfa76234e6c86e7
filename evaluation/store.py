"""The folder of a run: one JSON object a line, flushed as it is made, readable after kill -9; settings never mix.

OUT/run.json                    every setting and version
OUT/<task>/problems.jsonl       what was asked, with prompt ids and reference
OUT/<task>/answers.jsonl        one line for each problem, sample and window
OUT/<task>/verdicts.jsonl       the same lines judged (evaluation.judge)
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from filelock import FileLock, Timeout

from z1_core.errors import BadInput, Z1Error

Key = tuple[str, int, int]
"""problem_id, sample, thinking_tokens: what makes an answer one of its kind."""


def key_of(row: Mapping[str, Any]) -> Key:
    return row["problem_id"], row["sample"], row["thinking_tokens"]


@contextmanager
def opened(out: Path, settings: Mapping[str, Any], about: Mapping[str, Any]) -> Iterator[None]:
    """Hold the folder for one run with these settings: new, or begun with the very same ones.

    about: what is recorded beside the settings and may differ when a run is continued (versions, time, commit).
    Raises BadInput, naming what differs, for a folder of another run, and for one that another process is using.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInput(f"the folder {out} cannot be made: {error.strerror}; name another one with --out") from error
    try:
        with FileLock(out / ".lock", timeout=0):
            _check_same(out / "run.json", settings)
            write_json(out / "run.json", {**about, **settings})
            yield
    except Timeout as error:
        raise BadInput(f"another process is running in {out}; wait for it or name another --out") from error


def _check_same(path: Path, settings: Mapping[str, Any]) -> None:
    if not path.exists():
        if any(entry.name != ".lock" for entry in path.parent.iterdir()):
            raise BadInput(f"{path.parent} holds other files and no run.json; name an empty or new folder with --out")
        return
    before = read_json(path)
    now = json.loads(json.dumps(settings))
    different = [name for name in now if before.get(name) != now[name]]
    if different:
        name = different[0]
        raise BadInput(
            f"{path.parent} holds another run: its {name} is {_shown(before.get(name))}, not {_shown(now[name])}; "
            "give the same options to continue it, or name another folder with --out"
        )


class Lines:
    """A file to which finished rows are added, each written whole: a line torn by a crash is cut off when it opens, and
    one that does not fit on the disk is taken back."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._file = path.open("ab", buffering=0)
        self._file.truncate(_whole_bytes(path))

    def add(self, row: Mapping[str, Any]) -> None:
        """Raises Z1Error where the disk takes no more; what was there before stays whole."""
        line = (json.dumps(row, ensure_ascii=False) + "\n").encode()
        end = os.fstat(self._file.fileno()).st_size
        try:
            written = self._file.write(line)
            if written < len(line):
                self._file.write(line[written:])
        except OSError as error:
            self._file.truncate(end)
            raise Z1Error(
                f"{self.path} cannot be written: {error.strerror}; nothing finished is lost: free some space and give "
                "the same command again"
            ) from error

    def close(self) -> None:
        os.fsync(self._file.fileno())
        self._file.close()


def lines(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """The rows of a file of lines, each with its place, one at a time: hidden tests and token ids are megabytes. A file
    that is not there yet has none; a last line torn by a crash, or still being written, is not one. Raises BadInput for
    any other that is no row."""
    if not path.is_file():
        return
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if not line.endswith(b"\n"):
                return
            try:
                row = json.loads(line)
            except ValueError as error:
                raise BadInput(f"line {number} of {path} is no JSON ({error}); remove it to go on") from error
            if not isinstance(row, dict):
                raise BadInput(f"line {number} of {path} is no JSON object; remove it to go on")
            yield f"line {number} of {path}", row


def read_lines(path: Path) -> list[dict[str, Any]]:
    return [row for _, row in lines(path)]


def write_lines(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """One at a time: the hidden tests of LiveCodeBench are gigabytes. The file gets its name when it is whole."""
    with _replacing(path) as file:
        for row in rows:
            file.write(_encoded(json.dumps(row, ensure_ascii=False) + "\n"))


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    write(path, json.dumps(content, indent=1, ensure_ascii=False) + "\n")


def read_json(path: Path) -> dict[str, Any]:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise BadInput(f"there is no {path.name} in {path.parent}; name the --out folder of a run") from None
    except ValueError as error:
        raise BadInput(f"{path} is no JSON ({error}); restore it or start anew with another --out") from error


def write(path: Path, content: str | bytes) -> None:
    with _replacing(path) as file:
        file.write(content if isinstance(content, bytes) else _encoded(content))


@contextmanager
def _replacing(path: Path) -> Iterator[BinaryIO]:
    """A file that gets its name when it is whole. Raises Z1Error where it cannot be written."""
    draft = path.with_name(f"{path.name}.part")
    try:
        with draft.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except BaseException as error:
        draft.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise Z1Error(f"{path} cannot be written: {error.strerror}; free some space and try again") from error
        raise


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "backslashreplace")


def _whole_bytes(path: Path) -> int:
    """The length of the file up to the end of its last whole line."""
    size, block = path.stat().st_size, 1 << 16
    with path.open("rb") as file:
        for start in range((size - 1) // block * block, -1, -block) if size else ():
            file.seek(start)
            if (place := file.read(block).rfind(b"\n")) >= 0:
                return start + place + 1
    return 0


def _shown(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 80 else text[:77] + "..."
