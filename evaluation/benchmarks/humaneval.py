"""HumanEval: 164 functions to complete; no benchmark of the paper, but a small one for small models.

Rows: https://huggingface.co/datasets/openai/openai_humaneval, or HumanEval.jsonl of https://github.com/openai/human-eval
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from evaluation.data import Source, text_field
from evaluation.judges.extract import answering_code, with_head
from evaluation.judges.unit_tests import judge_check
from evaluation.problem import Judges, Problem, Verdict, conversation

REQUEST = (
    "Complete this Python function. Answer with the whole function in one Markdown code block.\n\n```python\n{}\n```\n"
)
TIME_LIMIT_S = 10.0
"""Official: 3 s in a warm process; here the start of an interpreter on a busy machine is in it."""
SOURCE = Source(
    repo="openai/openai_humaneval",
    revision="7dce6050a7d6d172f3cc5c32aa97f52fa1a2e544",
    files=("openai_humaneval/test-00000-of-00001.parquet",),
)


class HumanEval:
    name = "humaneval"
    title = "HumanEval"
    source = SOURCE
    gold_field = None

    def make_problem(self, row: Mapping[str, Any]) -> Problem:
        prompt = text_field(row, "prompt")
        return Problem(
            id=text_field(row, "task_id"),
            messages=conversation(REQUEST.format(prompt.strip())),
            reference={name: text_field(row, name) for name in ("prompt", "test", "entry_point")},
        )

    def judge(self, problem: Problem, text: str, judges: Judges) -> Verdict:
        """The prompt goes in front of both: some functions, and some tests, lean on helpers that stand there. The tests
        have their own copy, so that the code cannot change what they compare with."""
        entry_point = problem.reference["entry_point"]
        code = answering_code(text, entry_point)
        if code is None:
            return Verdict(status="no_answer", detail="no code block in the text")
        verdict = judge_check(
            with_head(problem.reference["prompt"], code, entry_point),
            f"{problem.reference['prompt']}\n\n{problem.reference['test']}",
            entry_point=entry_point,
            sandbox=judges.sandbox,
            time_limit_s=TIME_LIMIT_S,
        )
        return replace(verdict, extracted=code)
