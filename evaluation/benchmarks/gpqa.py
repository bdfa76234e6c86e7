"""GPQA-Diamond: 198 graduate questions with four options, asked as in the paper (arXiv 2504.00810, B.1).

Rows: https://huggingface.co/datasets/Idavidrein/gpqa (gated: its authors ask not to publish the questions in plain text)
or the same CSV given with --data.

The published evaluation read a file whose right option is "A" in every row, so that a model that likes A gains. Here the
options are shuffled per question by a stable hash, and their order is stored with the problem.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from evaluation.benchmarks.math500 import SYSTEM
from evaluation.data import Source, labels_of, text_field
from evaluation.judges.choice import letter_of
from evaluation.problem import Judges, Problem, Verdict, conversation

LETTERS = "ABCD"
REQUEST = r"Please put the letter of the right choice (A, B, C or D) in \boxed{}."
OPTIONS = ("Correct Answer", "Incorrect Answer 1", "Incorrect Answer 2", "Incorrect Answer 3")
LABELS = {"domain": "High-level domain", "subdomain": "Subdomain"}
SOURCE = Source(
    repo="Idavidrein/gpqa",
    revision="633f5ee89ab8ad4522a9f850766b73f62147ffdd",
    files=("gpqa_diamond.csv",),
)


class Gpqa:
    name = "gpqa"
    title = "GPQA-Diamond"
    source = SOURCE
    gold_field = "letter"

    def make_problem(self, row: Mapping[str, Any]) -> Problem:
        problem_id = text_field(row, "Record ID", may_be_number=True)
        question = text_field(row, "Question").strip()
        order = shuffled(problem_id, len(OPTIONS))
        options = [text_field(row, name, may_be_number=True).strip() for name in OPTIONS]
        lines = [f"{LETTERS[at]}. {options[index]}" for at, index in enumerate(order)]
        return Problem(
            id=problem_id,
            messages=conversation("\n\n".join((question, "\n".join(lines), REQUEST)), system=SYSTEM),
            reference={"letter": LETTERS[order.index(0)], "order": order},
            labels=labels_of({label: row.get(column) for label, column in LABELS.items()}, *LABELS),
        )

    def judge(self, problem: Problem, text: str, judges: Judges) -> Verdict:
        letter = letter_of(text, LETTERS)
        if letter is None:
            return Verdict(status="no_answer", detail="no choice letter in the text")
        right = problem.reference["letter"]
        status = "right" if letter == right else "wrong"
        return Verdict(status=status, extracted=letter, detail=f"the right choice is {right}")


def shuffled(problem_id: str, count: int) -> list[int]:
    """The options in the order of a hash of problem id and option index, the same everywhere and even over many.

    A hash and not random.shuffle: its order is part of the record and must not change with Python's version.
    """
    return sorted(range(count), key=lambda index: hashlib.sha256(f"{problem_id}:{index}".encode()).digest())
