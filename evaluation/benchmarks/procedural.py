"""Questions whose answers a program knows: letters to count, sums, numbers to sort, loops to trace; none of the paper's.
How long a working they take is known, too, so they show what a window does: easy ones end inside it, hard ones are cut.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from evaluation.data import text_field
from evaluation.problem import Judges, Problem, Verdict, conversation
from z1_core.final_answer import clause, final_answers

SOURCE = "python -m training.procedural --split test --rows 1000 --out test.jsonl"
GROUPED = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")


class Procedural:
    name = "procedural"
    title = "Procedural"
    source = SOURCE
    gold_field = "answer"

    def make_problem(self, row: Mapping[str, Any]) -> Problem:
        family, difficulty = text_field(row, "family"), text_field(row, "difficulty")
        return Problem(
            id=text_field(row, "id"),
            messages=conversation(text_field(row, "question")),
            reference={"answer": text_field(row, "answer")},
            labels={"family": family, "difficulty": f"{family} {difficulty}"},
        )

    def judge(self, problem: Problem, text: str, judges: Judges) -> Verdict:
        """Exact: the numbers of the surest final answer that has any, in order. Where one is asked for, it is the last of
        them, so that "12 + 5 = 17" answers, too."""
        gold = problem.reference["answer"].split(", ")
        for answer in final_answers(text):
            numbers = re.findall(r"-?\d+", GROUPED.sub("", clause(answer.content)))
            if numbers := numbers if len(gold) > 1 else numbers[-1:]:
                return Verdict(status="right" if numbers == gold else "wrong", extracted=", ".join(numbers))
        return Verdict(status="no_answer", detail="no number in it")
