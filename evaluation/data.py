"""Where a benchmark's rows come from: a file or folder of the user's, or the Hugging Face Hub at a recorded commit.

    files = find(benchmark("math500"), data=Path("test.jsonl"))
    for problem in problems(benchmark("math500"), files, limit=20): ...

One row is in memory at a time: LiveCodeBench's are gigabytes. One that cannot be used is named with its line and its
reason, and the others go on.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evaluation.problem import Benchmark, Problem
from evaluation.rows import BadRow, read_rows
from z1_core.errors import BadInput

COMMIT = re.compile(r"[0-9a-f]{40}")
MOST_TOLD = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A data set on the Hugging Face Hub.

    revision: a commit, so that every run reads the same rows; a branch or tag is looked up and its commit recorded.
    files: those that hold the rows, in the order of the problems.
    gated: the Hub asks for an account that was granted access.
    """

    repo: str
    revision: str
    files: tuple[str, ...]
    gated: bool = False

    @property
    def page(self) -> str:
        return f"https://huggingface.co/datasets/{self.repo}"


@dataclass(frozen=True, slots=True)
class Made:
    """Rows that a command writes, and nobody keeps."""

    command: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """Rows, file after file. origin: the file's name, or repo@commit, for people. With data and revision, find() finds
    them again: data is the file or folder of the user's, revision a commit of the Hub; the other one is None."""

    paths: tuple[Path, ...]
    origin: str
    data: Path | None = None
    revision: str | None = None


def find(benchmark: Benchmark, *, data: Path | str | None = None, revision: str | None = None) -> Files:
    """data: a file, or a folder that holds the files named in the benchmark's source; without it the Hub is asked.
    revision: another commit, branch or tag of the Hub's data set than the pinned one.
    Raises BadInput where the files cannot be had.
    """
    if data is not None and revision is not None:
        raise BadInput("--revision names a version on the Hub and --data a file; give one of the two")
    if data is None and isinstance(benchmark.source, Made):
        raise BadInput(
            f"the rows of {benchmark.title} are made by {benchmark.source.command}; give its file with --data"
        )
    return _local(benchmark.source, Path(data)) if data is not None else _from_hub(benchmark.source, revision)


def problems(
    benchmark: Benchmark,
    files: Files,
    *,
    limit: int | None = None,
    tell: Callable[[str], None] = lambda complaint: None,
) -> Iterator[Problem]:
    """The benchmark's problems, in the files' order.

    limit: only the first problems, the very same as in the full run; nothing behind them is read.
    tell: is called for each of the first rows that are left out, and once for all others.
    Raises BadInput where no row is usable.
    """
    if limit is not None and limit < 1:
        raise BadInput(f"--limit is {limit}; it must be at least 1")
    ids: set[str] = set()
    bad: list[str] = []
    more = 0
    for outcome in _outcomes(benchmark, files.paths, ids):
        if isinstance(outcome, Problem):
            ids.add(outcome.id)
            yield outcome
            if len(ids) == limit:
                break
        elif len(bad) < MOST_TOLD:
            bad.append(str(outcome))
            tell(bad[-1])
        else:
            more += 1
    if more:
        tell(f"{more:,} more rows of {files.origin}")
    if not ids:
        reason = f": {bad[0]}" if bad else " in it that was asked for"
        raise BadInput(f"{files.origin} has no usable row for {benchmark.title}{reason}")


def text_field(row: Mapping[str, Any], name: str, *, may_be_empty: bool = False) -> str:
    """A field of a row that must be text. Raises BadInput, naming the field."""
    value = row.get(name)
    if value is None:
        raise BadInput(f"the field {name!r} is missing")
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


def _outcomes(benchmark: Benchmark, paths: tuple[Path, ...], ids: Container[str]) -> Iterator[Problem | BadRow]:
    """ids: of the problems that were there before."""
    for path in paths:
        for row in read_rows(path):
            if isinstance(row, BadRow):
                yield row
                continue
            try:
                if (problem := benchmark.make_problem(row[1])) is None:
                    continue
            except BadInput as error:
                yield BadRow(row[0], str(error))
                continue
            yield problem if problem.id not in ids else BadRow(row[0], f"the id {problem.id!r} was there before")


def _local(source: Source | Made, data: Path) -> Files:
    if data.is_file():
        return Files(paths=(data,), origin=data.name, data=data.resolve())
    if not data.is_dir():
        raise BadInput(f"there is no file {data}; check --data")
    if isinstance(source, Made):
        raise BadInput(f"{data} is a folder; give --data the file itself")
    paths = tuple(data / name for name in source.files)
    if missing := [path.name for path in paths if not path.is_file()]:
        raise BadInput(f"the folder {data} lacks {', '.join(missing)}; give --data the file itself, or add them")
    return Files(paths=paths, origin=f"{data.name}: {', '.join(source.files)}", data=data.resolve())


def _from_hub(source: Source, revision: str | None) -> Files:
    """The files at a commit, from the cache or the network."""
    import huggingface_hub

    wanted = revision or source.revision
    huggingface_hub.utils.logging.set_verbosity_error()  # it would warn of each of its retries
    try:
        if not COMMIT.fullmatch(wanted):
            wanted = huggingface_hub.HfApi().dataset_info(source.repo, revision=wanted).sha
        paths = [
            Path(huggingface_hub.hf_hub_download(source.repo, name, repo_type="dataset", revision=wanted))
            for name in source.files
        ]
    except Exception as error:  # a full disk, or whatever the transports of the Hub's client raise
        raise BadInput(_refusal(error, source, wanted)) from error
    return Files(paths=tuple(paths), origin=f"{source.repo}@{wanted}", revision=wanted)


def _refusal(error: Exception, source: Source, wanted: str) -> str:
    from huggingface_hub import errors as hub

    names = ", ".join(source.files)
    files = f"give its file{'s in one folder' if len(source.files) > 1 else ''} ({names}) with --data"
    no_access = f"{source.repo} is gated: request access on {source.page} and run `hf auth login`, or {files}"
    match error:
        case hub.GatedRepoError():
            return no_access
        case hub.RevisionNotFoundError():
            return f"{source.repo} has no revision {wanted!r}; look it up on {source.page}/commits"
        case hub.LocalEntryNotFoundError() | hub.OfflineModeIsEnabled():
            return f"the Hub cannot be reached and {source.repo} is not in its cache; {files}, or try with a network"
        case hub.EntryNotFoundError():
            return f"{source.repo} has no {names} at {wanted!r}; leave out --revision"
        case hub.RepositoryNotFoundError():  # the Hub says the same of a gated set to someone who is not logged in
            return no_access if source.gated else f"the Hub knows no data set {source.repo}"
    reason = (str(error).strip() or type(error).__name__).splitlines()[0][:150]
    return f"{source.repo} could not be downloaded: {reason}; {files}, or try with a network"
