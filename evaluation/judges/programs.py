"""Verdicts on programs that read stdin and on functions, each run in the sandbox; expected values stay outside of it.

verdict = judge_stdin(code, [StdinTest("1 2\\n", "3")], sandbox=Sandbox(), python=None, time_limit_s=6)
"""

from __future__ import annotations

import base64
import marshal
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from evaluation.judges.attempts import ask, has, judged, right, wrong
from evaluation.judges.compare import read_returned, same_output, same_value, short
from evaluation.problem import Verdict
from evaluation.sandbox.bubblewrap import Sandbox
from evaluation.sandbox.session import Session

LOAD_TIMEOUT_S = 30
MARSHAL_VERSION = 2
"""Read by every Python; with integers of any length."""


@dataclass(frozen=True, slots=True)
class StdinTest:
    input: str
    output: str


@dataclass(frozen=True, slots=True)
class FunctionTest:
    """arguments, expected: JSON values."""

    arguments: list[Any]
    expected: Any


def judge_stdin(
    code: str, tests: Sequence[StdinTest], *, sandbox: Sandbox, python: str | None, time_limit_s: float
) -> Verdict:
    """Runs the program once per test, until one fails. time_limit_s is for each test."""

    def attempt() -> Verdict:
        with sandbox.start("programs", python=python) as session:
            failed = _load(session, {"code": code})
            for number, test in enumerate(tests, 1):
                failed = failed or _stdin_test(session, test, f"test {number} of {len(tests)}", time_limit_s)
            return failed or right(len(tests))

    return judged(attempt, code, count=len(tests))


def judge_function(
    code: str,
    tests: Sequence[FunctionTest],
    *,
    entry_point: str,
    sandbox: Sandbox,
    python: str | None,
    time_limit_s: float,
) -> Verdict:
    """Calls the function once per test in one interpreter, until one fails. time_limit_s is for each test."""

    def attempt() -> Verdict:
        with sandbox.start("functions", python=python) as session:
            failed = _load(session, {"code": code, "entry_point": entry_point})
            for number, test in enumerate(tests, 1):
                failed = failed or _function_test(session, test, f"test {number} of {len(tests)}", time_limit_s)
            return failed or right(len(tests))

    return judged(attempt, code, count=len(tests))


def _load(session: Session, setup: dict[str, Any]) -> Verdict | None:
    answer = ask(session, setup, LOAD_TIMEOUT_S, "loading the code")
    if isinstance(answer, Verdict):
        return answer
    if not has(answer, ready=bool):
        return wrong("the code does not load", answer["error"] if has(answer, error=str) else "")
    return None


def _stdin_test(session: Session, test: StdinTest, name: str, time_limit_s: float) -> Verdict | None:
    report = ask(session, {"stdin": test.input}, time_limit_s, name)
    if isinstance(report, Verdict):
        return report
    if not has(report, exit=int, flooded=bool, stdout=str, stderr=str):
        return wrong(f"{name}: it wrote to the judge's channel")
    if report["flooded"]:
        return wrong(f"{name}: printed without end")
    if report["exit"] != 0:
        return wrong(f"{name}: ended with exit status {report['exit']}", report["stderr"])
    if not same_output(report["stdout"], test.output):
        return wrong(f"{name}: printed {short(report['stdout'])}, expected {short(test.output)}", report["stderr"])
    return None


def _function_test(session: Session, test: FunctionTest, name: str, time_limit_s: float) -> Verdict | None:
    nonce = secrets.token_hex(8)
    arguments = base64.b64encode(marshal.dumps(test.arguments, MARSHAL_VERSION)).decode()
    answer = ask(session, {"arguments": arguments, "nonce": nonce}, time_limit_s, name)
    if isinstance(answer, Verdict):
        return answer
    if not has(answer, nonce=str) or answer["nonce"] != nonce:
        return wrong(f"{name}: it wrote to the judge's channel")
    if not has(answer, value=str):
        return wrong(f"{name}: {answer.get('error')}", str(answer.get("traceback", "")))
    try:
        value = read_returned(answer["value"])
    except (ValueError, RecursionError) as error:
        return wrong(f"{name}: the result cannot be read: {error}")
    if not same_value(value, test.expected):
        return wrong(f"{name}: returned {short(value)}, expected {short(test.expected)}")
    return None
