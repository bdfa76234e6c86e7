"""A result folder as tables: the settings, and every answer with its verdict, without texts and token ids.

results = read_results(Path("OUT")); results.benchmarks["math500"].answers.status
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from evaluation.store import run_record
from z1_core.errors import BadInput
from z1_core.jsonl import own_lines

CUT_REASONS = {"cut", "answer_length"}
WINDOW = "window"
KEY = ["problem_id", "sample", "thinking_tokens"]
"""Names one answer."""
PROBLEM = ["problem_id", "sha256", "labels"]
ANSWER = [*KEY, "trace_tokens", "answer_tokens", "cut", "end_reason"]
VERDICT = [*KEY, "status", "judged"]


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchmarkResults:
    """benchmark: what was asked, "math500"; method: "window" for the project's own, else in what the window differs.

    answers: ANSWER, VERDICT and PROBLEM; the verdict is NaN where the judge has not been yet. problems: how many were
    asked.
    """

    benchmark: str
    method: str
    title: str
    problems: int
    answers: pd.DataFrame
    windows: Sequence[int]
    samples: int
    bad_rows: Sequence[str]

    @property
    def plain_title(self) -> str:
        """Of the benchmark, whatever the method."""
        return self.title.removesuffix(f", {self.method.replace('-', ' ')}")

    @property
    def missing(self) -> int:
        """Answers that the run has still to give."""
        return max(0, self.problems * self.samples * len(self.windows) - len(self.answers))


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """One run: run.json as it is, and its benchmarks by the names of their folders, as given."""

    folder: Path
    run: Mapping[str, Any]
    benchmarks: Mapping[str, BenchmarkResults]

    @property
    def model(self) -> str:
        return self.run["model"]


def read_results(folder: Path) -> Results:
    """Read OUT. Raises BadInput, naming file and line, where it is no result folder or something is unreadable."""
    if not folder.is_dir():
        raise BadInput(f"there is no folder {folder}; give the --out folder of python -m evaluation.run")
    run = run_record(folder)
    benchmarks = {name: _benchmark(folder / name, run, facts) for name, facts in run["benchmarks"].items()}
    return Results(folder=folder, run=run, benchmarks=benchmarks)


def _benchmark(folder: Path, run: Mapping[str, Any], facts: Mapping[str, Any]) -> BenchmarkResults:
    problems = _table(folder / "problems.jsonl", PROBLEM, _asked)
    answers = _table(folder / "answers.jsonl", ANSWER, _answered).merge(problems, on="problem_id")
    answers = answers.merge(_table(folder / "verdicts.jsonl", VERDICT, _judged), how="left", on=KEY)
    return BenchmarkResults(
        benchmark=facts["benchmark"],
        method=facts["method"],
        title=facts["title"],
        problems=len(problems),
        answers=answers.astype({"trace_tokens": int, "answer_tokens": int, "cut": bool}),
        windows=run["windows"],
        samples=run["samples"],
        bad_rows=facts["bad_rows"],
    )


def _table(path: Path, columns: Sequence[str], make: Callable[[Mapping[str, Any]], list]) -> pd.DataFrame:
    """A row a line; where a key is there twice, as of what was judged again, the last one holds. Raises BadInput for a
    line that a run does not write."""
    rows = []
    for line in own_lines(path):
        try:
            rows.append(make(line.row))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise BadInput(f"{line.where} is not what a run writes ({error!r}); delete the line") from error
    key = [name for name in KEY if name in columns]
    return pd.DataFrame(rows, columns=list(columns), dtype=object).drop_duplicates(key, keep="last")


def _key(row: Mapping[str, Any]) -> list:
    return [row["problem_id"], row["sample"], row["thinking_tokens"]]


def _asked(row: Mapping[str, Any]) -> list:
    """Label names and values come from data sets, and no table holds halves of characters."""
    labels = {_plain(name): _plain(value) for name, value in row["labels"].items()}
    return [row["problem_id"], row.get("sha256"), labels]


def _plain(text: str) -> str:
    return text.encode("utf-8", "replace").decode()


def _answered(row: Mapping[str, Any]) -> list:
    """Without a hint (--hint none) an answer of its own still tells a cut."""
    answer_tokens, end_reason = len(row["answer_ids"]), row["end_reason"]
    cut = bool(row["hint_ids"] or answer_tokens) or end_reason in CUT_REASONS
    return [*_key(row), len(row["trace_ids"]), answer_tokens, cut, end_reason]


def _judged(row: Mapping[str, Any]) -> list:
    return [*_key(row), row["status"], row["judged"]]
