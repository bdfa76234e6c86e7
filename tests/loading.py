"""All problems of a file at once, for tests."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from evaluation.data import find, problems
from evaluation.problem import Benchmark, Problem


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    problems: list[Problem]
    bad_rows: list[str]
    origin: str


def load(benchmark: Benchmark, *, data: Path | str | None = None, limit: int | None = None) -> Loaded:
    files, bad_rows = find(benchmark, data=data), []
    found = list(problems(benchmark, files, limit=limit, tell=bad_rows.append))
    return Loaded(problems=found, bad_rows=bad_rows, origin=files.origin)
