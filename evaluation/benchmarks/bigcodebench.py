"""BigCodeBench-Hard, Instruct: 148 tasks that use libraries, with unit tests; asked as in the paper.

Rows: https://huggingface.co/datasets/bigcode/bigcodebench-hard (version v0.1.2, which the paper used)
Prompt: https://github.com/QwenLM/Qwen2.5-Coder qwencoder-eval/instruct/BigCodeBench/model.py, with the system text of
https://github.com/efficientscaling/Z1, without the stop strings and the <think> tag of that copy.
Judging: as https://github.com/bigcode-project/bigcodebench with `calibrated`: the task's head in front of the answer.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from evaluation.data import Source, text_field
from evaluation.judges.extract import answering_code, with_head
from evaluation.judges.unit_tests import judge_unittest
from evaluation.problem import Judges, Problem, Verdict, conversation
from z1_core.errors import BadInput

SYSTEM = "Please reason step by step."
REQUEST = (
    "Please provide a self-contained Python script that solves the following problem in a markdown code block:\n"
    "```\n{}\n```\n"
)
PREFILL = (
    "Below is a Python script with a self-contained function that solves the problem and passes corresponding tests:\n"
    "```python\n"
)
TIME_LIMIT_S = 240.0
SOURCE = Source(
    repo="bigcode/bigcodebench-hard",
    revision="298d2cc7b96612e15e47313c3603ee124cee0c1f",
    files=("data/v0.1.2-00000-of-00001.parquet",),
)


class BigCodeBench:
    name = "bigcodebench"
    title = "BigCodeBench-Hard-Instruct"
    source = SOURCE
    gold_field = None

    def make_problem(self, row: Mapping[str, Any]) -> Problem:
        return Problem(
            id=text_field(row, "task_id"),
            messages=conversation(REQUEST.format(text_field(row, "instruct_prompt").strip()), system=SYSTEM),
            prefill=PREFILL,
            reference={
                **{name: text_field(row, name) for name in ("code_prompt", "test", "entry_point")},
                "libs": _libs(row["libs"] if isinstance(row.get("libs"), list) else text_field(row, "libs")),
            },
        )

    def judge(self, problem: Problem, text: str, judges: Judges) -> Verdict:
        """The text goes on where the prefill stops, inside an open code block."""
        reference = problem.reference
        entry_point = reference["entry_point"]
        code = answering_code(problem.prefill + text, entry_point)
        if code is None:
            return Verdict(status="no_answer", detail="no code in the text")
        verdict = judge_unittest(
            with_head(reference["code_prompt"], code, entry_point),
            reference["test"],
            entry_point=entry_point,
            libs=reference["libs"],
            sandbox=judges.sandbox,
            time_limit_s=TIME_LIMIT_S,
        )
        return replace(verdict, extracted=code)


def _libs(stored: str | list[Any]) -> list[str]:
    """The Hub stores the list as the text of a Python list."""
    try:
        return [str(name) for name in (ast.literal_eval(stored) if isinstance(stored, str) else stored)]
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError) as error:
        raise BadInput(f"the field 'libs' is no list of names: {stored[:80]!r}") from error
