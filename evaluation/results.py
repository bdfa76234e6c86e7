"""A result folder as tables: the settings, and every answer with its verdict, without texts and token ids.

results = read_results(Path("OUT")); results.benchmarks["math500"].answers.status
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from evaluation.record import VERDICT, Answer, answers, key_of, made_lines
from evaluation.store import run_record
from z1_core.errors import BadInput

WINDOW = "window"
"""The project's own method; others are named by what differs."""
KEY = ["problem_id", "sample", "thinking_tokens"]
FIGURES = ["trace_tokens", "answer_tokens", "cut", "end_reason"]
SHOWN = ("problem_id", "labels")
"""Of a problem, what a report needs."""
COLUMNS = [*KEY, *FIGURES, "status", "judged", "sha256", "labels"]


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchmarkResults:
    """facts: of the task, as in run.json; run: run.json itself. answers: COLUMNS; the verdict is None where the judge has
    not been yet. problems: how many were asked."""

    facts: Mapping[str, Any]
    run: Mapping[str, Any]
    problems: int
    answers: pd.DataFrame

    @property
    def plain_title(self) -> str:
        """Of the benchmark, whatever the method."""
        return self.facts["title"].removesuffix(f", {self.facts['method'].replace('-', ' ')}")

    @property
    def missing(self) -> int:
        """Answers that the run has still to give."""
        return max(0, self.problems * self.run["samples"] * len(self.run["windows"]) - len(self.answers))


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """One run: run.json as it is, and its benchmarks by the names of their folders, as given."""

    folder: Path
    run: Mapping[str, Any]
    benchmarks: Mapping[str, BenchmarkResults]


def read_results(folder: Path) -> Results:
    """Read OUT. Raises BadInput, naming file and line, where it is no result folder or something is unreadable."""
    if not folder.is_dir():
        raise BadInput(f"there is no folder {folder}; give the --out folder of python -m evaluation.run")
    run = run_record(folder)
    benchmarks = {name: _benchmark(folder / name, run, facts) for name, facts in run["benchmarks"].items()}
    return Results(folder=folder, run=run, benchmarks=benchmarks)


def _benchmark(folder: Path, run: Mapping[str, Any], facts: Mapping[str, Any]) -> BenchmarkResults:
    problems = {line.row["problem_id"]: _labels(line.row) for line in made_lines(folder / "problems.jsonl", SHOWN)}
    verdicts = {key_of(line.row): line.row for line in made_lines(folder / "verdicts.jsonl", VERDICT)}
    rows = []
    for _, answer in answers(folder / "answers.jsonl"):
        if answer.problem_id not in problems:
            raise BadInput(
                f"{folder / 'problems.jsonl'} lacks problem {answer.problem_id!r}, which was answered; the command of the "
                "run restores it"
            )
        verdict = verdicts.get(answer.key, {})
        judged = (verdict.get("status"), verdict.get("judged"))
        rows.append((*answer.key, *_figures(answer), *judged, *problems[answer.problem_id]))
    table = pd.DataFrame(rows, columns=COLUMNS).astype({"status": object, "labels": object, "cut": bool})
    return BenchmarkResults(facts=facts, run=run, problems=len(problems), answers=table)


def _labels(row: Mapping[str, Any]) -> tuple[str, dict[str, str]]:
    """And the hash, of a problem. Names and values come from data sets, and no table holds halves of characters."""
    return row.get("sha256"), {_plain(name): _plain(value) for name, value in row["labels"].items()}


def _plain(text: str) -> str:
    return text.encode("utf-8", "replace").decode()


def _figures(answer: Answer) -> tuple[int, int, bool, str]:
    """Without a hint (--hint none) an answer of its own still tells a cut."""
    is_cut = bool(answer.hint_ids or answer.answer_ids) or answer.end_reason in ("cut", "answer_length")
    return len(answer.trace_ids), len(answer.answer_ids), is_cut, answer.end_reason
