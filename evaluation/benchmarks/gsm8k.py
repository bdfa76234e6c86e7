"""GSM8K: 1,319 grade-school word problems with a whole number as answer; no benchmark of the paper, but a small one for
small models, asked like MATH500.

Rows: https://huggingface.co/datasets/openai/gsm8k, or test.jsonl of https://github.com/openai/grade-school-math
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from evaluation.benchmarks.math500 import SYSTEM
from evaluation.data import Source, text_field
from evaluation.problem import Judges, Problem, Verdict, conversation
from z1_core.errors import BadInput

ANSWER_MARK = "####"
SOURCE = Source(
    repo="openai/gsm8k",
    revision="cc7b047b6e5bb11b4f1af84efc572db110a51b3c",
    files=("main/test-00000-of-00001.parquet",),
)


class Gsm8k:
    name = "gsm8k"
    title = "GSM8K"
    source = SOURCE
    gold_field = "answer"

    def make_problem(self, row: Mapping[str, Any]) -> Problem:
        """Rows have no id: the question's own hash is one that does not hang on the order of the file."""
        question = text_field(row, "question")
        return Problem(
            id="gsm8k-" + hashlib.sha256(question.encode()).hexdigest()[:12],
            messages=conversation(question, system=SYSTEM),
            reference={"answer": _answer(text_field(row, "answer"))},
        )

    def judge(self, problem: Problem, text: str, judges: Judges) -> Verdict:
        return judges.math.verify(problem.reference["answer"], text)


def _answer(solution: str) -> str:
    """The number behind the mark, without the commas that group its digits."""
    _, mark, answer = solution.rpartition(ANSWER_MARK)
    answer = answer.strip().replace(",", "")
    if not mark or not answer or "\n" in answer:
        raise BadInput(f"the field 'answer' does not end in {ANSWER_MARK!r} and a number")
    return answer
