"""A result folder as tables: the settings, and every answer with its verdict, without texts and token ids.

results = read_results(Path("OUT")); results.benchmarks["math500"].answers.status
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from z1_core.errors import BadInput
from z1_core.record import Answer, Asked, Judged, RunRecord, TaskRecord, read, read_run

COLUMNS = ["problem_id", "sample", "thinking_tokens", "trace_tokens", "answer_tokens", "cut", "end_reason"]
COLUMNS += ["status", "judged", "sha256", "labels"]


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchmarkResults:
    """answers: COLUMNS; the verdict is None where the judge has not been yet. problems: how many were asked."""

    task: TaskRecord
    run: RunRecord
    problems: int
    answers: pd.DataFrame

    @property
    def plain_title(self) -> str:
        """Of the benchmark, whatever the method."""
        return self.task.title.removesuffix(f", {self.task.method.replace('-', ' ')}")

    @property
    def missing(self) -> int:
        """Answers that the run has still to give."""
        return max(0, self.problems * self.run.samples * len(self.run.windows) - len(self.answers))


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """One run, and its benchmarks by the names of their folders."""

    folder: Path
    run: RunRecord
    benchmarks: Mapping[str, BenchmarkResults]


def read_results(folder: Path) -> Results:
    """Read OUT. Raises BadInput, naming file and line, where it is no result folder or something is unreadable."""
    run = read_run(folder)
    benchmarks = {name: _benchmark(folder / name, run, task) for name, task in run.benchmarks.items()}
    return Results(folder=folder, run=run, benchmarks=benchmarks)


def _benchmark(folder: Path, run: RunRecord, task: TaskRecord) -> BenchmarkResults:
    problems = {each.problem_id: (each.sha256, each.labels) for _, each in read(folder / "problems.jsonl", Asked)}
    verdicts = {each.key: (each.status, each.judged) for _, each in read(folder / "verdicts.jsonl", Judged)}
    rows = {}
    for _, answer in read(folder / "answers.jsonl", Answer):
        if answer.problem_id not in problems:
            raise BadInput(
                f"{folder / 'problems.jsonl'} lacks problem {answer.problem_id!r}, which was answered; the command of the "
                "run restores it"
            )
        verdict = verdicts.get(answer.key, (None, None))
        rows[answer.key] = (*answer.key, *_figures(answer), *verdict, *problems[answer.problem_id])
    table = pd.DataFrame(list(rows.values()), columns=COLUMNS).astype({"status": object, "labels": object, "cut": bool})
    return BenchmarkResults(task=task, run=run, problems=len(problems), answers=table)


def _figures(answer: Answer) -> tuple[int, int, bool, str]:
    """Without a hint (--hint none) an answer of its own still tells a cut."""
    is_cut = bool(answer.hint_ids or answer.answer_ids) or answer.end_reason in ("cut", "answer_length")
    return len(answer.trace_ids), len(answer.answer_ids), is_cut, answer.end_reason
