"""Where a benchmark's rows come from: a file or folder of the user's, or the Hugging Face Hub at a recorded commit.

    paths = find(benchmark("math500"), data=Path("test.jsonl"))
    for problem in problems(benchmark("math500"), paths, limit=20): ...

One row is in memory at a time: LiveCodeBench's are gigabytes. One that cannot be used is named with its line and its
reason, and the others go on.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evaluation.problem import Benchmark, Problem
from evaluation.rows import BadRow, Row, read_rows
from z1_core.errors import BadInput
from z1_core.hub import explained


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A data set on the Hugging Face Hub.

    revision: a commit, so that every run reads the same rows.
    files: those that hold the rows, in the order of the problems.
    """

    repo: str
    revision: str
    files: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.repo}@{self.revision}"


def find(benchmark: Benchmark, *, data: Path | str | None = None) -> list[Path]:
    """data: a file, or a folder that holds the files named in the benchmark's source; without it the Hub is asked.
    Raises BadInput, or ModelUnavailable where the Hub does not give them.
    """
    source = benchmark.source
    if data is None and isinstance(source, str):
        raise BadInput(f"the rows of {benchmark.title} are made by {source}; give its file with --data")
    if data is None:
        return _from_hub(source)
    data = Path(data)
    if data.is_dir() and isinstance(source, str):
        raise BadInput(f"{data} is a folder; give --data the file itself")
    paths = [data / name for name in source.files] if data.is_dir() else [data]
    for path in paths:
        if not path.is_file():
            raise BadInput(f"there is no file {path}; check --data")
    return paths


def problems(
    benchmark: Benchmark,
    paths: Sequence[Path],
    *,
    limit: int | None = None,
    tell: Callable[[str], None] = lambda complaint: None,
) -> Iterator[Problem]:
    """The benchmark's problems, in the files' order.

    limit: only the first problems, the very same as in the full run; nothing behind them is read.
    tell: is called for each row that is left out.
    Raises BadInput where no row is usable.
    """
    ids: set[str] = set()
    first_fault = ""
    for row in (row for path in paths for row in read_rows(path)):
        outcome = _outcome(benchmark, row, ids)
        if isinstance(outcome, BadRow):
            first_fault = first_fault or f": {outcome}"
            tell(str(outcome))
            continue
        ids.add(outcome.id)
        yield outcome
        if len(ids) == limit:
            break
    if not ids:
        names = ", ".join(path.name for path in paths)
        raise BadInput(f"{names} has no usable row for {benchmark.title}{first_fault}")


def those(benchmark: Benchmark, ids: set[str], *, data: Path | str | None) -> Iterator[Problem]:
    """The problems of these ids, which are taken out of the set as they are found. Nothing behind the last is read, and
    nothing at all for none. data: as for find()."""
    for problem in problems(benchmark, find(benchmark, data=data)) if ids else ():
        if problem.id in ids:
            ids.remove(problem.id)
            yield problem
        if not ids:
            return


def _outcome(benchmark: Benchmark, row: Row | BadRow, ids: Container[str]) -> Problem | BadRow:
    """ids: of the problems that were there before."""
    if isinstance(row, BadRow):
        return row
    where, fields = row
    try:
        problem = benchmark.make_problem(fields)
    except BadInput as error:
        return BadRow(where, str(error))
    return BadRow(where, f"the id {problem.id!r} was there before") if problem.id in ids else problem


def text_field(row: Mapping[str, Any], name: str, *, may_be_empty: bool = False, may_be_number: bool = False) -> str:
    """A field of a row that must be text. may_be_empty: or missing; may_be_number: as programs that write rows make one of
    an answer or an id. Raises BadInput, naming the field."""
    value = row.get(name)
    if value is None and may_be_empty:
        return ""
    if value is None:
        raise BadInput(f"the field {name!r} is missing; the row has {', '.join(map(str, row))[:200]}")
    if may_be_number and type(value) in (int, float):
        return str(value)
    if not isinstance(value, str):
        raise BadInput(f"the field {name!r} is no text but {type(value).__name__}")
    if not may_be_empty and not value.strip():
        raise BadInput(f"the field {name!r} is empty")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise BadInput(f"the field {name!r} is not valid Unicode at position {error.start}") from error
    return value


def labels_of(row: Mapping[str, Any], *names: str) -> dict[str, str]:
    """What of these a row says about itself, as texts."""
    return {name: str(row[name]) for name in names if row.get(name) not in (None, "")}


def _from_hub(source: Source) -> list[Path]:
    """The files at a commit, from the cache or the network."""
    from huggingface_hub import hf_hub_download
    from huggingface_hub.utils import logging

    logging.set_verbosity_error()  # it would warn of each of its retries
    files = f"give its file{'s in one folder' if len(source.files) > 1 else ''} ({', '.join(source.files)}) with --data"
    with explained(f"datasets/{source.repo}", files):
        return [
            Path(hf_hub_download(source.repo, name, repo_type="dataset", revision=source.revision))
            for name in source.files
        ]
