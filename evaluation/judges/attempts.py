"""One judging: run it, and say in words what came of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from evaluation.judges.compare import SHOWN
from evaluation.problem import Verdict
from evaluation.sandbox.bubblewrap import NotStarted
from evaluation.sandbox.session import NoAnswer, Session, TimeUp


def judged(attempt: Callable[[], Verdict], code: str, *, count: int) -> Verdict:
    """The verdict of an attempt at so many tests."""
    if not count:
        return Verdict(status="harness_error", extracted=code, detail="the problem has no tests")
    try:
        return replace(attempt(), extracted=code)
    except NotStarted as error:
        return Verdict(status="harness_error", extracted=code, detail=f"the sandbox did not start: {error}")


def ask(session: Session, message: dict[str, Any], timeout_s: float, name: str) -> Any:
    """The answer, or a verdict where there is none."""
    try:
        return session.ask(message, timeout_s=timeout_s)
    except TimeUp as error:
        return Verdict(status="timeout", detail=f"{name}: {error}")
    except NoAnswer as error:
        return wrong(f"{name}: {error}", session.noise())


def has(answer: Any, **kinds: type) -> bool:
    """Whether an answer from inside has these fields: what runs there may write what it likes."""
    return isinstance(answer, dict) and all(isinstance(answer.get(name), kind) for name, kind in kinds.items())


def right(count: int) -> Verdict:
    return Verdict(status="right", detail=f"{count} of {count} tests passed")


def wrong(detail: str, heard: str = "") -> Verdict:
    tail = heard.strip()[-SHOWN * 2 :]
    return Verdict(status="wrong", detail=f"{detail}; {tail}" if tail else detail)
