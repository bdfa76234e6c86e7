"""Verdicts on programs, each run in the sandbox: stdin programs, functions, check() tests, unittest classes.

    verdict = judge_stdin(code, [StdinTest("1 2\\n", "3")], sandbox=Sandbox(), python=None, time_limit_s=6)

Expected values stay outside of the sandbox where they are data (stdin, functions), and in another sandbox than the code
where they are a test's own (check). Only a unittest class has to share an interpreter with the code it tests: see
inside/units.py for what keeps its verdict honest and what does not.

A test that ran out of time is repeated once with nothing else running, unless it used the processor all the while:
a busy machine is no fault of the program.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from evaluation.judges.attempts import TimeUp, ask, judged, right, short, wrong
from evaluation.judges.compare import same_output, same_value
from evaluation.judges.extract import extract_code
from evaluation.judges.unit_tests import judge_unittest
from evaluation.problem import Verdict
from evaluation.sandbox.bubblewrap import Limits, Sandbox
from evaluation.sandbox.session import Session

__all__ = [
    "FunctionTest",
    "StdinTest",
    "extract_code",
    "judge_check",
    "judge_function",
    "judge_stdin",
    "judge_unittest",
]

LOAD_TIMEOUT_S = 30
GRACE_S = 5
BUSY = 0.8
SIGXCPU = 24


@dataclass(frozen=True, slots=True)
class StdinTest:
    input: str
    output: str


@dataclass(frozen=True, slots=True)
class FunctionTest:
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
            return failed or right(code, len(tests))

    return judged(attempt, code, sandbox, count=len(tests))


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
    limits = Limits(cpu_s=int(LOAD_TIMEOUT_S + len(tests) * time_limit_s) + 1)

    def attempt() -> Verdict:
        with sandbox.start("functions", python=python, limits=limits) as session:
            failed = _load(session, {"code": code, "entry_point": entry_point})
            for number, test in enumerate(tests, 1):
                name = f"test {number} of {len(tests)}"
                failed = failed or _function_test(session, test, name, entry_point, time_limit_s)
            return failed or right(code, len(tests))

    return judged(attempt, code, sandbox, count=len(tests))


def judge_check(
    code: str, test_source: str, *, entry_point: str, sandbox: Sandbox, python: str | None, time_limit_s: float
) -> Verdict:
    """The test's check(candidate) in one sandbox, the code in another; between them plain values. time_limit_s is for all.

    Names that the test uses but does not define (HumanEval's helpers) are taken from the code; a benchmark that puts
    the prompt in front of the test keeps the helpers of the prompt.
    """

    def attempt() -> Verdict:
        with (
            sandbox.start(
                "functions", python=python, limits=Limits(cpu_s=int(time_limit_s) + LOAD_TIMEOUT_S)
            ) as programs,
            sandbox.start("checks", python=python) as checks,
        ):
            failed = _load(programs, {"code": code, "entry_point": entry_point})
            return failed or _check(checks, programs, code, test_source, entry_point, time_limit_s)

    return judged(attempt, code, sandbox, count=1)


def _load(session: Session, setup: dict[str, Any]) -> Verdict | None:
    answer = ask(session, setup, LOAD_TIMEOUT_S, "loading the code")
    if isinstance(answer, Verdict):
        return answer
    if not (isinstance(answer, dict) and answer.get("ready") is True):
        return wrong("the code does not load", str(answer.get("error") if isinstance(answer, dict) else answer))
    return None


def _stdin_test(session: Session, test: StdinTest, name: str, time_limit_s: float) -> Verdict | None:
    report = ask(session, {"stdin": test.input, "time_limit_s": time_limit_s}, time_limit_s + GRACE_S, name)
    if isinstance(report, Verdict):
        return report
    if report["flooded"]:
        return wrong(f"{name}: printed without end")
    if report["timed_out"] or report["exit"] == -SIGXCPU:
        busy = report["cpu_s"] >= BUSY * time_limit_s
        raise TimeUp(f"{name}: took longer than {time_limit_s:g} s", busy=busy)
    if report["exit"] != 0:
        return wrong(f"{name}: ended with exit status {report['exit']}", report["stderr"])
    if not same_output(report["stdout"], test.output):
        return wrong(f"{name}: printed {short(report['stdout'])}, expected {short(test.output)}", report["stderr"])
    return None


def _function_test(
    session: Session, test: FunctionTest, name: str, entry_point: str, time_limit_s: float
) -> Verdict | None:
    nonce = secrets.token_hex(8)
    request = {"name": entry_point, "arguments": test.arguments, "nonce": nonce}
    answer = ask(session, request, time_limit_s, name)
    if isinstance(answer, Verdict):
        return answer
    if not isinstance(answer, dict) or answer.get("nonce") != nonce:
        return wrong(f"{name}: it wrote to the judge's channel")
    if "value" not in answer:
        return wrong(f"{name}: {answer.get('error')}", str(answer.get("traceback", "")))
    if not same_value(answer["value"], test.expected):
        return wrong(f"{name}: returned {short(answer['value'])}, expected {short(test.expected)}")
    return None


def _check(
    checks: Session, programs: Session, code: str, test_source: str, entry_point: str, time_limit_s: float
) -> Verdict:
    """Carries calls from the test to the code and results back, until the test has its verdict."""
    deadline = time.monotonic() + time_limit_s
    message: dict[str, Any] = {"test": test_source, "entry_point": entry_point}
    while True:
        answer = ask(checks, message, max(0.01, deadline - time.monotonic()), "the test")
        if isinstance(answer, Verdict):
            return Verdict(status="harness_error", detail=answer.detail)
        if "call" not in answer:
            break
        nonce = secrets.token_hex(8)
        request = {"name": answer["call"], "packed": answer["packed"], "nonce": nonce}
        reply = ask(programs, request, max(0.01, deadline - time.monotonic()), "a call of the code")
        if isinstance(reply, Verdict):
            return reply
        if not isinstance(reply, dict) or reply.get("nonce") != nonce:
            return wrong("it wrote to the judge's channel")
        message = reply if "packed" in reply else {"error": str(reply.get("error"))}
    if not answer["calls"]:
        return Verdict(status="harness_error", detail=f"the test calls nothing: {answer.get('error', '')}")
    return right(code, answer["calls"]) if answer["passed"] is True else wrong(answer["error"], answer.get("test", ""))
