"""Verdicts on programs that read stdin and on functions, each run in the sandbox; expected values stay outside of it, and
are compared there. Integers may have any length, Python's limit of 4,300 digits notwithstanding.

verdict = judge_stdin(code, [StdinTest("1 2\\n", "3")], sandbox=Sandbox(), time_limit_s=6)
"""

from __future__ import annotations

import base64
import json
import marshal
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from evaluation.problem import Verdict
from evaluation.sandbox.bubblewrap import Sandbox
from evaluation.sandbox.session import NoAnswer, Session, TimeUp

LOAD_TIMEOUT_S = 30
MARSHAL_VERSION = 2
"""Read by every Python; with integers of any length."""
LONG = 4000
SHOWN = 200


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
    return _tested("programs", {"code": code}, tests, _stdin_test, sandbox, time_limit_s)


def judge_function(
    code: str, tests: Sequence[FunctionTest], *, entry_point: str, sandbox: Sandbox, time_limit_s: float
) -> Verdict:
    """Calls the function once per test in one interpreter, until one fails. time_limit_s is for each test."""
    setup = {"code": code, "entry_point": entry_point}
    return _tested("functions", setup, tests, _function_test, sandbox, time_limit_s)


class Failed(Exception):
    """A test did not pass. heard: what the program wrote besides, of which the end is shown."""

    def __init__(self, detail: str, heard: str = "", *, status: str = "wrong") -> None:
        tail = heard.strip()[-SHOWN * 2 :]
        self.verdict = Verdict(status=status, detail=f"{detail}; {tail}" if tail else detail)


def judged(run_tests: Callable[[Session], None], started: AbstractContextManager[Session], *, count: int) -> Verdict:
    """The verdict on so many tests."""
    if not count:
        return Verdict(status="harness_error", detail="the problem has no tests")
    try:
        with started as session:
            run_tests(session)
    except Failed as failed:
        return failed.verdict
    return Verdict(status="right", detail=f"{count} of {count} tests passed")


def ask(session: Session, message: dict[str, Any], timeout_s: float, name: str, **kinds: type) -> dict[str, Any]:
    """The answer, which has these fields: what runs inside may write what it likes."""
    try:
        answer = session.ask(message, timeout_s=timeout_s)
    except TimeUp as error:
        raise Failed(f"{name}: {error}", status="timeout") from None
    except NoAnswer as error:
        raise Failed(f"{name}: {error}", session.noise()) from None
    if not has(answer, **kinds):
        raise Failed(f"{name}: it wrote to the judge's channel")
    return answer


def has(answer: Any, **kinds: type) -> bool:
    return isinstance(answer, dict) and all(isinstance(answer.get(name), kind) for name, kind in kinds.items())


def _tested(
    driver: str,
    setup: dict[str, Any],
    tests: Sequence[Any],
    run_one: Callable[[Session, Any, str, float], None],
    sandbox: Sandbox,
    time_limit_s: float,
) -> Verdict:
    def run_tests(session: Session) -> None:
        answer = ask(session, setup, LOAD_TIMEOUT_S, "loading the code")
        if not has(answer, ready=bool):
            raise Failed("the code does not load", str(answer.get("error", "")))
        for number, test in enumerate(tests, 1):
            run_one(session, test, f"test {number} of {len(tests)}", time_limit_s)

    return judged(run_tests, sandbox.start(driver), count=len(tests))


def _stdin_test(session: Session, test: StdinTest, name: str, time_limit_s: float) -> None:
    report = ask(session, {"stdin": test.input}, time_limit_s, name, exit=int, stdout=str, stderr=str)
    if report["exit"] != 0:
        raise Failed(f"{name}: ended with exit status {report['exit']}", report["stderr"])
    if not same_output(report["stdout"], test.output):
        printed, expected = short(report["stdout"]), short(test.output)
        raise Failed(f"{name}: printed {printed}, expected {expected}", report["stderr"])


def _function_test(session: Session, test: FunctionTest, name: str, time_limit_s: float) -> None:
    arguments = base64.b64encode(marshal.dumps(test.arguments, MARSHAL_VERSION)).decode()
    answer = ask(session, {"arguments": arguments}, time_limit_s, name)
    if not has(answer, value=str):
        raise Failed(f"{name}: {answer.get('error')}")
    try:
        value = read_returned(answer["value"])
    except (ValueError, RecursionError) as error:
        raise Failed(f"{name}: the result cannot be read: {error}") from None
    if value != test.expected:  # Python's own ==, as LiveCodeBench has it: exact floats, True == 1
        raise Failed(f"{name}: returned {short(value)}, expected {short(test.expected)}")


def same_output(got: str, expected: str) -> bool:
    """LiveCodeBench's rule: stripped lines alike, or else each line's tokens the same decimal numbers."""
    got_lines = [line.strip() for line in got.strip().split("\n")]
    expected_lines = [line.strip() for line in expected.strip().split("\n")]
    if len(got_lines) != len(expected_lines):
        return False
    return all(a == b or _same_numbers(a, b) for a, b in zip(got_lines, expected_lines, strict=True))


def read_json(text: str) -> Any:
    """Of a test. Raises ValueError, RecursionError."""
    return json.loads(text, parse_int=lambda digits: int(digits if len(digits) < LONG else Decimal(digits)))


def read_returned(text: str) -> Any:
    """What inside/driver.py made of a result. A long integer stays a Decimal: to make one an int takes the square of
    its length in time, and it is equal all the same. Raises ValueError, RecursionError."""
    return json.loads(text, parse_int=lambda digits: (int if len(digits) < LONG else Decimal)(digits))


def short(value: Any) -> str:
    """For people."""
    try:
        text = repr(value)
    except ValueError:
        return "an integer too long to show"
    return text if len(text) <= SHOWN else f"{text[: SHOWN // 2]} ... {text[-SHOWN // 2 :]}"


def _same_numbers(got: str, expected: str) -> bool:
    try:
        return [Decimal(token) for token in got.split()] == [Decimal(token) for token in expected.split()]
    except InvalidOperation:  # a word, or the signalling NaN that may not even be compared
        return False
