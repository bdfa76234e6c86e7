"""MATH500: 500 competition problems with one final answer, asked as in the paper (arXiv 2504.00810, B.1).

Rows: https://huggingface.co/datasets/HuggingFaceH4/MATH-500
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from evaluation.data import Source, labels_of, text_field
from evaluation.problem import Judges, Problem, Verdict, conversation

SYSTEM = r"Please reason step by step, and put your final answer within \boxed{}."
SOURCE = Source(
    repo="HuggingFaceH4/MATH-500", revision="6e4ed1a2a79af7d8630a6b768ec859cb5af4d3be", files=("test.jsonl",)
)


class Math500:
    name = "math500"
    title = "MATH500"
    source = SOURCE
    gold_field = "answer"

    def make_problem(self, row: Mapping[str, Any]) -> Problem:
        return Problem(
            id=text_field(row, "unique_id", may_be_number=True),
            messages=conversation(text_field(row, "problem"), system=SYSTEM),
            reference={"answer": text_field(row, "answer", may_be_number=True)},
            labels=labels_of(row, "level", "subject"),
        )

    def judge(self, problem: Problem, text: str, judges: Judges) -> Verdict:
        return judges.math.verify(problem.reference["answer"], text)
