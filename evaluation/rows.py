"""Rows of .jsonl, .json, .csv and .parquet files, one at a time, each with the place it stands at."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from z1_core.errors import BadInput, first_sentence
from z1_core.jsonl import lines


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that cannot be used: where it stands ("line 7 of test.jsonl"), and why."""

    where: str
    reason: str

    def __str__(self) -> str:
        return f"{self.where}: {self.reason}"


Row = tuple[str, dict[str, Any]]


def read_rows(path: Path) -> Iterator[Row | BadRow]:
    """Each row with the place it stands at, or what is wrong with it. Raises BadInput where the file as a whole cannot be
    read."""
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        raise BadInput(f"{path} is none of {', '.join(READERS)}; give a file of one of these kinds")
    try:
        yield from reader(path)
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror or error}; check the path") from error
    except UnicodeError as error:
        raise BadInput(f"{path.name} is damaged text ({error}); save it again, as UTF-8") from error


def _jsonl(path: Path) -> Iterator[Row | BadRow]:
    for line in lines(path):
        yield (line.where, line.row) if line.row is not None else BadRow(line.where, line.fault)


def _json(path: Path) -> Iterator[Row | BadRow]:
    """A list of rows, or a dict whose values are the rows."""
    try:
        rows = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise BadInput(f"{path.name} is not JSON: {error}; one row a line is a .jsonl file") from error
    if not isinstance(rows, list | dict):
        raise BadInput(f"{path.name} holds neither a list nor a dict of rows")
    for number, row in enumerate(rows.values() if isinstance(rows, dict) else rows, start=1):
        where = f"row {number} of {path.name}"
        is_row = isinstance(row, dict)
        yield (where, row) if is_row else BadRow(where, f"not a row of named fields but {type(row).__name__}")


def _csv(path: Path) -> Iterator[Row | BadRow]:
    csv.field_size_limit(sys.maxsize)  # the module's own limit, 131,072 characters, is shorter than some questions
    with path.open("rb") as file:
        encoding = json.detect_encoding(file.read(4))  # Excel's "Unicode text" is UTF-16 with tabs
    with path.open(encoding=encoding, newline="") as file:
        header = file.readline()
        file.seek(0)
        reader = csv.DictReader(file, delimiter=max(",;\t", key=header.count))
        begin = 2
        for row in reader:
            where, begin = f"line {begin} of {path.name}", reader.line_num + 1
            is_whole = None not in row and None not in row.values()  # surplus columns, and missing ones
            yield (where, row) if is_whole else BadRow(where, "it has more or fewer columns than the first line")


def _parquet(path: Path) -> Iterator[Row | BadRow]:
    import pyarrow
    from pyarrow.parquet import ParquetFile

    try:
        with ParquetFile(path) as file:
            rows = (row for batch in file.iter_batches(batch_size=64) for row in batch.to_pylist())
            for number, row in enumerate(rows, start=1):
                yield f"row {number} of {path.name}", row
    except pyarrow.ArrowException as error:
        raise BadInput(f"{path.name} is no readable Parquet file: {first_sentence(error)}") from error


READERS: dict[str, Callable[[Path], Iterator[Row | BadRow]]] = {
    ".jsonl": _jsonl,
    ".json": _json,
    ".csv": _csv,
    ".parquet": _parquet,
}
