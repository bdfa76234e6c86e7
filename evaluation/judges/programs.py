"""Verdicts on programs that read stdin and on functions, each run in the sandbox; expected values stay outside of it.

verdict = judge_stdin(code, [StdinTest("1 2\\n", "3")], sandbox=Sandbox(), time_limit_s=6)
"""

from __future__ import annotations

import base64
import marshal
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from evaluation.judges.attempts import Failed, ask, has, judged
from evaluation.judges.compare import read_returned, same_output, short
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


def judge_stdin(code: str, tests: Sequence[StdinTest], *, sandbox: Sandbox, time_limit_s: float) -> Verdict:
    """Runs the program once per test, until one fails. time_limit_s is for each test."""

    def run_tests(session: Session) -> None:
        _load(session, {"code": code})
        for number, test in enumerate(tests, 1):
            _stdin_test(session, test, f"test {number} of {len(tests)}", time_limit_s)

    return judged(run_tests, sandbox.start("programs"), count=len(tests))


def judge_function(
    code: str, tests: Sequence[FunctionTest], *, entry_point: str, sandbox: Sandbox, time_limit_s: float
) -> Verdict:
    """Calls the function once per test in one interpreter, until one fails. time_limit_s is for each test."""

    def run_tests(session: Session) -> None:
        _load(session, {"code": code, "entry_point": entry_point})
        for number, test in enumerate(tests, 1):
            _function_test(session, test, f"test {number} of {len(tests)}", time_limit_s)

    return judged(run_tests, sandbox.start("functions"), count=len(tests))


def _load(session: Session, setup: dict[str, Any]) -> None:
    answer = ask(session, setup, LOAD_TIMEOUT_S, "loading the code")
    if not has(answer, ready=bool):
        raise Failed("the code does not load", str(answer.get("error", "")))


def _stdin_test(session: Session, test: StdinTest, name: str, time_limit_s: float) -> None:
    kinds = {"exit": int, "flooded": bool, "stdout": str, "stderr": str}
    report = ask(session, {"stdin": test.input}, time_limit_s, name, **kinds)
    if report["flooded"]:
        raise Failed(f"{name}: printed without end")
    if report["exit"] != 0:
        raise Failed(f"{name}: ended with exit status {report['exit']}", report["stderr"])
    if not same_output(report["stdout"], test.output):
        printed, expected = short(report["stdout"]), short(test.output)
        raise Failed(f"{name}: printed {printed}, expected {expected}", report["stderr"])


def _function_test(session: Session, test: FunctionTest, name: str, time_limit_s: float) -> None:
    nonce = secrets.token_hex(8)
    arguments = base64.b64encode(marshal.dumps(test.arguments, MARSHAL_VERSION)).decode()
    answer = ask(session, {"arguments": arguments, "nonce": nonce}, time_limit_s, name, nonce=str)
    if answer["nonce"] != nonce:
        raise Failed(f"{name}: it wrote to the judge's channel")
    if not has(answer, value=str):
        raise Failed(f"{name}: {answer.get('error')}", str(answer.get("traceback", "")))
    try:
        value = read_returned(answer["value"])
    except (ValueError, RecursionError) as error:
        raise Failed(f"{name}: the result cannot be read: {error}") from None
    if value != test.expected:  # Python's own ==, as LiveCodeBench has it: exact floats, True == 1
        raise Failed(f"{name}: returned {short(value)}, expected {short(test.expected)}")
