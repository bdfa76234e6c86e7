"""GPQA-Diamond: 198 graduate questions with four options, asked as in the paper (arXiv 2504.00810, B.1).

Rows: https://huggingface.co/datasets/Idavidrein/gpqa (gated: its authors ask not to publish the questions in plain text)
or the same CSV given with --data.

The published evaluation read a file whose right option is "A" in every row, so that a model that likes A gains. Here the
options are shuffled per question by a stable hash, and their order is stored with the problem.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from evaluation.benchmarks.math500 import SYSTEM
from evaluation.data import Source, text_field
from evaluation.judges.choice import letter_of, shuffled
from evaluation.problem import Judges, Problem, Verdict

LETTERS = "ABCD"
REQUEST = r"Please put the letter of the right choice (A, B, C or D) in \boxed{}."
OPTIONS = ("Correct Answer", "Incorrect Answer 1", "Incorrect Answer 2", "Incorrect Answer 3")
LABELS = {"domain": "High-level domain", "subdomain": "Subdomain"}
SOURCE = Source(
    repo="Idavidrein/gpqa",
    revision="633f5ee89ab8ad4522a9f850766b73f62147ffdd",
    files=("gpqa_diamond.csv",),
    gated=True,
)


@dataclass(frozen=True, kw_only=True)
class Gpqa:
    name: str = "gpqa"
    title: str = "GPQA-Diamond"
    source: Source = SOURCE
    gold_field: str | None = "letter"

    def make_problem(self, row: Mapping[str, Any]) -> Problem:
        problem_id = text_field(row, "Record ID")
        question = text_field(row, "Question").strip()
        choices = shuffled([text_field(row, name).strip() for name in OPTIONS], problem_id=problem_id)
        lines = [f"{letter}. {option}" for letter, option in zip(LETTERS, choices.options, strict=True)]
        return Problem(
            id=problem_id,
            messages=(
                {"role": "system", "content": SYSTEM},
                {"role": "user", "content": "\n\n".join((question, "\n".join(lines), REQUEST))},
            ),
            reference={"letter": choices.letter, "order": list(choices.order)},
            labels={label: row[column] for label, column in LABELS.items() if row.get(column)},
        )

    def judge(self, problem: Problem, text: str, judges: Judges) -> Verdict:
        letter = letter_of(text, LETTERS)
        if letter is None:
            return Verdict(status="no_answer", detail="no choice letter in the text")
        right = problem.reference["letter"]
        if letter == right:
            return Verdict(status="right", extracted=letter)
        return Verdict(status="wrong", extracted=letter, detail=f"the right choice is {right}")
