"""Rows of JSONL files and of data sets on the Hub, checked as they are read; odd ones are counted and left out.

    rows = Rows(["z1-107k.jsonl"])
    for row in rows: ...
    rows.bad  # Counter({"an id that came before": 1})

One row is in memory at a time. A set that nobody has read has odd rows: a few are passed over, and where they are more
than a share of all, the reading ends with one sentence that names the first of them.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from training.libraries import refusing
from z1_core.errors import BadInput
from z1_core.jsonl import Line, lines

if TYPE_CHECKING:
    from huggingface_hub import DatasetInfo

TRAJECTORY = ("question", "response")
QUESTION = ("question",)
ANSWERED = (*TRAJECTORY, "answer")
OPTIONAL = ("id", "answer")
NUMBER = (int, float)  # what an id or an answer may be besides a text; no bool is one
TOKENS = "token_num_qwen"
CONVERSATION = ("messages", "conversations")
HALF_CHARACTER = re.compile("[\ud800-\udfff]")
SHOWN_ROWS, SHOWN_CHARACTERS = 3, 100


@dataclass(frozen=True, slots=True)
class Row:
    """where: "line 7 of FILE"; begin: its byte in the file. tokens: of the response, as the row says; None where it does
    not. A text that was not asked for is ""."""

    where: str
    source: Path | DatasetInfo
    begin: int
    id: str
    question: str
    response: str
    answer: str
    tokens: int | None


class Rows:
    """What is in the sources, in order. After an iteration: read counts all rows, bad the odd ones by reason."""

    def __init__(
        self,
        source: Sequence[str | Path],
        *,
        fields: Sequence[str] = TRAJECTORY,
        max_bad: float = 0.01,
        tell: Callable[[str, str], None] = lambda where, fault: None,
    ) -> None:
        """source: paths, or names of files and of sets on the Hub. fields: what a row must have. max_bad: the share of odd
        rows that is borne; tell: called with each of them. Raises BadInput for a name that the Hub does not know."""
        self.sources = [name if isinstance(name, Path) else _source(name) for name in source]
        self.read, self.bad = 0, Counter()
        self._names = ", ".join(map(str, source))
        self._fields, self._max_bad, self._tell = fields, max_bad, tell

    def __iter__(self) -> Iterator[Row]:
        """Raises BadInput at the end for too many odd rows, and for none but odd ones."""
        self.read, self.bad = 0, Counter()
        first, ids = [], set()
        for source in self.sources:
            for line in _lines(source):
                self.read += 1
                fault = line.fault[:SHOWN_CHARACTERS] or _fault(line.row, self._fields)
                row = None if fault else _row(line, source)
                if row and row.id in ids:
                    fault = f"an id that came before: {row.id[:SHOWN_CHARACTERS]}"
                if fault:
                    self.bad[fault.partition(":")[0]] += 1
                    self._tell(line.where, fault)
                    first += [f"{line.where}: {fault}"] if len(first) < SHOWN_ROWS else []
                    continue
                if row.id != row.where:
                    ids.add(row.id)
                yield row
        self._check(first)

    def _check(self, first: Sequence[str]) -> None:
        wanted = f"give one JSON object with {', '.join(self._fields)} a line"
        if not self.read:
            raise BadInput(f"{self._names} holds no rows; {wanted}")
        bad = self.bad.total()
        too_many = f", more than --max-bad {100 * self._max_bad:g}%" if bad / self.read > self._max_bad else ""
        if too_many or bad == self.read:
            remedy = "mend them, or raise --max-bad to go on without them" if bad < self.read else wanted
            raise BadInput(f"{bad:,} of {self.read:,} rows cannot be used{too_many} ({'; '.join(first)}); {remedy}")

    def about(self) -> list[dict[str, str]]:
        """The sources with their hashes, for a record."""
        return [
            {"file": source.name, "sha256": hash_file(source)}
            if isinstance(source, Path)
            else {"hub": source.id, "revision": source.sha}
            for source in self.sources
        ]


def add_max_bad(options: argparse.ArgumentParser) -> None:
    options.add_argument(
        "--max-bad", type=share, default="1%", metavar="PERCENT", help="odd rows that are passed over (default 1%%)"
    )


def share(text: str) -> float:
    """0.01 of "1%" or "1"."""
    percent = float(text.removesuffix("%"))
    if not 0 <= percent <= 100:
        raise argparse.ArgumentTypeError(f"{text} is no share; it must be from 0% to 100%")
    return percent / 100


def draw_of(text: str) -> int:
    """A number below 2**64 that stands for the text; the same in every process."""
    encoded = text.encode()
    return int.from_bytes(hashlib.blake2b(len(encoded).to_bytes(8, "big") + encoded, digest_size=8).digest(), "big")


def hash_file(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _source(given: str) -> Path | DatasetInfo:
    """A file, or "owner/name" or "owner/name@revision" on the Hub, in the state that this name has now."""
    if Path(given).exists() or given.count("/") != 1 or given.startswith((".", "/")) or ".json" in given:
        return Path(given)
    from huggingface_hub import HfApi

    name, _, revision = given.partition("@")
    with _asked(given):
        return HfApi().dataset_info(name, revision=revision or None)


def _lines(source: Path | DatasetInfo) -> Iterator[Line]:
    if isinstance(source, Path):
        if source.exists() and not source.is_file():  # files are read again: for a choice, a hash, a second count
            raise BadInput(f"{source} is a folder, a pipe or a device; name a JSONL file")
        with refusing(f"{source} cannot be read", "name a JSONL file", OSError):
            yield from lines(source)
        return
    from datasets import load_dataset

    with _asked(source.id):
        rows = load_dataset(source.id, split="train", revision=source.sha, streaming=True)
        yield from (Line(f"{source.id}[{index}]", 0, row) for index, row in enumerate(rows))


def _asked(name: str) -> AbstractContextManager[None]:
    return refusing(f"{name} is no file here and cannot be had from the Hub", "check the name and the network")


def _row(line: Line, source: Path | DatasetInfo) -> Row:
    """A row without an id is named by its place."""
    held = (line.row.get(name) for name in ("id", *ANSWERED))
    id_, *texts = (str(value) if type(value) in (str, *NUMBER) else "" for value in held)
    return Row(line.where, source, line.begin, id_ or line.where, *texts, _tokens(line.row))


def _tokens(row: Mapping[str, Any]) -> int | None:
    """A table in which one is missing has 12.0 for 12."""
    value = row.get(TOKENS)
    return int(value) if type(value) in NUMBER and value > 0 and value % 1 == 0 else None


def _fault(row: Mapping[str, Any], fields: Sequence[str]) -> str:
    """Why the row cannot be used; "" where it can. What stands before a colon is the kind of fault."""
    if TOKENS in fields and not _tokens(row):
        return f'no "{TOKENS}", by which --budget, longest and shortest go'
    for name in ("id", *fields):
        value = row.get(name)
        if name == TOKENS or (name in OPTIONAL and (value is None or type(value) in NUMBER)):
            continue
        if value is None:
            held = next((other for other in CONVERSATION if other in row), None)
            return f'no "{name}"' + (f': it has a conversation under "{held}", one text is wanted' if held else "")
        if not isinstance(value, str):
            return f'"{name}" is no text: {json.dumps(value, ensure_ascii=False, default=str)[:SHOWN_CHARACTERS]}'
        if not value.strip():
            return f'"{name}" is empty'
        if HALF_CHARACTER.search(value):
            return f'half a character in "{name}"'
    return ""
