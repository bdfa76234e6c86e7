"""Stand-ins for LiveCodeBench, which is too large to lie about: LeetCodeDataset and Codeforces problems."""

from __future__ import annotations

import ast
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from evaluation.judges.programs import FunctionTest, StdinTest, judge_function
from evaluation.judges.unit_tests import judge_check
from evaluation.problem import Verdict
from evaluation.sandbox.bubblewrap import Sandbox
from z1_core.record import Key


@dataclass(frozen=True)
class LeetCodeProblem:
    id: str
    statement: str
    starter_code: str
    prelude: str
    reference: str
    entry_point: str
    check: str

    @cached_property
    def tests(self) -> Sequence[FunctionTest] | None:
        """None where arguments are no JSON values (trees, lists); then its check() decides."""
        return _function_tests(self.check)

    def judge(self, code: str, sandbox: Sandbox, *, time_limit_s: float = 6) -> Verdict:
        code = f"{self.prelude}\n{code}"
        tools: dict[str, Any] = {"entry_point": self.entry_point, "sandbox": sandbox}
        if self.tests is not None:
            return judge_function(code, self.tests, time_limit_s=time_limit_s, **tools)
        return judge_check(code, f"{self.prelude}\n{self.check}", time_limit_s=5 * time_limit_s, **tools)


@cache
def leetcode_problems(folder: Path) -> list[LeetCodeProblem]:
    rows = (folder / "leetcode_dataset" / "LeetCodeDataset-v0.3.1-test.jsonl").read_text().splitlines()
    return [_leetcode_problem(json.loads(row)) for row in rows]


def _leetcode_problem(row: dict[str, Any]) -> LeetCodeProblem:
    return LeetCodeProblem(
        id=row["task_id"],
        statement=row["problem_description"],
        starter_code=row["starter_code"],
        prelude=row["prompt"],
        reference=row["completion"],
        entry_point=row["entry_point"].rpartition(".")[2],
        check=row["test"],
    )


def _function_tests(check: str) -> list[FunctionTest] | None:
    """`assert candidate(n = 7, queries = [[0, 5]]) == [2, 2]` as values, where every one of them is written so."""
    tests = []
    for statement in ast.parse(check).body[0].body:
        try:
            call, expected = statement.test.left, statement.test.comparators[0]
            arguments = [_literal(keyword.value) for keyword in call.keywords]
            tests.append(FunctionTest(arguments, _literal(expected)))
        except (AttributeError, ValueError):
            return None
    return tests


def _literal(node: ast.expr) -> Any:
    value = ast.literal_eval(node)
    if json.loads(json.dumps(value)) != value:
        raise ValueError(value)
    return value


@cache
def codeforces_problems(folder: Path) -> list[tuple[str, list[StdinTest]]]:
    rows = json.loads((folder / "codeforces_stdin" / "codeforces.json").read_text())
    return [(row["problem"], [StdinTest(t["input"], t["output"]) for t in row["tests"]]) for row in rows]


def key_of(row: Mapping[str, Any]) -> Key:
    """Of a line of answers.jsonl or verdicts.jsonl, as it stands there."""
    return Key(*(row[name] for name in Key._fields))
