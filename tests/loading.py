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


def load(benchmark: Benchmark, *, data: Path | str | None = None, limit: int | None = None) -> Loaded:
    bad_rows: list[str] = []
    found = list(problems(benchmark, find(benchmark, data=data), limit=limit, tell=bad_rows.append))
    return Loaded(problems=found, bad_rows=bad_rows)
