"""One judging: run it, once more alone if the time was up, and say in words what came of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from evaluation.problem import Verdict
from evaluation.sandbox.bubblewrap import NotStarted, Sandbox
from evaluation.sandbox.session import NoAnswer, Session

SHOWN = 200


class TimeUp(Exception):
    """The verdict is a time-out; `busy` when the program really computed all that time."""

    def __init__(self, detail: str, *, busy: bool = False) -> None:
        super().__init__(detail)
        self.busy = busy


def judged(attempt: Callable[[], Verdict], code: str, sandbox: Sandbox, *, count: int) -> Verdict:
    """The verdict of an attempt; of a second one, alone, where the time was up and the program may have had to wait."""
    if not count:
        return Verdict(status="harness_error", extracted=code, detail="the problem has no tests")
    try:
        verdict = _twice(attempt, sandbox)
    except TimeUp as error:
        verdict = Verdict(status="timeout", detail=str(error))
    except NotStarted as error:
        verdict = Verdict(status="harness_error", detail=f"the sandbox did not start: {error}")
    return replace(verdict, extracted=code)


def _twice(attempt: Callable[[], Verdict], sandbox: Sandbox) -> Verdict:
    try:
        with sandbox.turns.shared():
            return attempt()
    except TimeUp as first:
        if first.busy:
            raise
    try:
        with sandbox.turns.alone():
            return attempt()
    except TimeUp as second:
        raise TimeUp(f"{second}, also when run alone") from None


def ask(session: Session, message: dict[str, Any], timeout_s: float, name: str) -> Any:
    """The answer, or a verdict where there is none."""
    try:
        return session.ask(message, timeout_s=timeout_s)
    except NoAnswer as error:
        if error.why == "timeout":
            raise TimeUp(f"{name}: {error}") from None
        return wrong(f"{name}: {error}", noise(session))


def right(code: str, count: int) -> Verdict:
    return Verdict(status="right", extracted=code, detail=f"{count} of {count} tests passed")


def wrong(detail: str, heard: str = "") -> Verdict:
    tail = heard.strip()[-SHOWN * 2 :]
    return Verdict(status="wrong", detail=f"{detail}; {tail}" if tail else detail)


def noise(session: Session) -> str:
    try:
        return session.noise()
    except NoAnswer:
        return ""


def short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= SHOWN else f"{text[: SHOWN // 2]} ... {text[-SHOWN // 2 :]}"
