"""One judging in the sandbox: the tests that it runs raise Failed, and what raises nothing is right."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from evaluation.judges.compare import SHOWN
from evaluation.problem import Verdict
from evaluation.sandbox.session import NoAnswer, Session, TimeUp


class Failed(Exception):
    """heard: what the program wrote besides, of which the end is shown."""

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
