"""Files of one JSON object a line: read one line at a time, added to line by line, and replaced only as a whole.

Lines end at "\\n" alone: U+2028 and its like are text. What stands in them survives kill -9 and a full disk.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from z1_core.errors import BadInput, Z1Error


@dataclass(frozen=True, slots=True)
class Line:
    """where: "line 7 of FILE"; begin: its byte in the file; row: None where it is none, and fault says why.

    is_whole: it ends with a line break, as the last line of a file that is still written may not.
    """

    where: str
    begin: int
    row: dict[str, Any] | None
    fault: str = ""
    is_whole: bool = True


def lines(path: Path, *, name: str | None = None) -> Iterator[Line]:
    """Every line that is not blank, one in memory at a time, whatever is in it. name: of the file, as people are told.
    Raises OSError."""
    with path.open("rb") as file:
        begin = 0
        for number, line in enumerate(file, start=1):
            if line.strip():
                row, fault = _parsed(line)
                yield Line(f"line {number} of {name or path.name}", begin, row, fault, line.endswith(b"\n"))
            begin += len(line)


def own_lines(path: Path, *, name: str | None = None) -> Iterator[Line]:
    """The lines of a file that a program of the project writes; none where it is not there yet. A last line torn by a crash,
    or still being written, is not one. name: as people are told, its path by default. Raises BadInput for any other that is
    no row."""
    if not path.is_file():
        return
    for line in lines(path, name=name or str(path)):
        if not line.is_whole:
            return
        if line.row is None:
            raise BadInput(f"{line.where} is {line.fault}; remove it to go on")
        yield line


def rows(path: Path) -> list[dict[str, Any]]:
    """All of own_lines()."""
    return [line.row for line in own_lines(path)]


def row_at(path: Path, begin: int) -> dict[str, Any]:
    """The row of a line that was read before."""
    with path.open("rb") as file:
        file.seek(begin)
        return json.loads(file.readline())


class Lines:
    """A file to which finished rows are added, each written whole: a line torn by a crash is cut off when it opens, and
    one that does not fit on the disk is taken back."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._file = path.open("ab", buffering=0)
        self._file.truncate(_whole_bytes(path))

    def __enter__(self) -> Lines:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def add(self, row: Mapping[str, Any]) -> None:
        """Raises Z1Error where the disk takes no more; what was there before stays whole."""
        line = _encoded(json.dumps(row, ensure_ascii=False) + "\n")
        end = os.fstat(self._file.fileno()).st_size
        try:
            while line:
                line = line[self._file.write(line) :]
        except OSError as error:
            self._file.truncate(end)
            raise Z1Error(
                f"{self.path} cannot be written: {error.strerror}; nothing finished is lost: free some space and give "
                "the same command again"
            ) from error

    def close(self) -> None:
        os.fsync(self._file.fileno())
        self._file.close()


def write_lines(path: Path, content: Iterable[Mapping[str, Any]]) -> None:
    """One row in memory at a time."""
    with _replacing(path) as file:
        for row in content:
            file.write(_encoded(json.dumps(row, ensure_ascii=False) + "\n"))


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    write(path, json.dumps(content, indent=1, ensure_ascii=False) + "\n")


def read_json(path: Path) -> dict[str, Any]:
    """Raises BadInput where it is not there, or no JSON."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        raise BadInput(f"there is no {path.name} in {path.parent}; name the --out folder of a run") from None
    except ValueError as error:
        raise BadInput(f"{path} is no JSON ({error}); restore it or start anew with another --out") from error


def write(path: Path, content: str | bytes) -> None:
    with _replacing(path) as file:
        file.write(content if isinstance(content, bytes) else _encoded(content))


@contextmanager
def _replacing(path: Path) -> Iterator[BinaryIO]:
    """A file that gets its name when it is whole, whoever else writes it now. Raises Z1Error where it cannot be written."""
    draft = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with draft.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except BaseException as error:
        if draft.exists():
            draft.unlink()
        if isinstance(error, OSError):
            raise Z1Error(f"{path} cannot be written: {error.strerror}; free some space and try again") from error
        raise


def _parsed(line: bytes) -> tuple[dict[str, Any] | None, str]:
    try:
        row = json.loads(line.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        is_other = isinstance(error, UnicodeDecodeError) or 0 in line  # as UTF-16 has in nearly every character
        return None, "not JSON in UTF-8: another encoding, or no text" if is_other else f"not JSON: {error}"
    return (row, "") if isinstance(row, dict) else (None, f"not a row of named fields but {type(row).__name__}")


def _encoded(text: str) -> bytes:
    """Half a character is written as JSON's escape of it."""
    return text.encode("utf-8", "backslashreplace")


def _whole_bytes(path: Path) -> int:
    """The length of the file up to the end of its last whole line."""
    with path.open("rb") as file:
        return sum(len(line) for line in file if line.endswith(b"\n"))
