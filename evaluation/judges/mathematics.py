"""Judges mathematical answers with math-verify, in child processes that can be killed.

    with MathJudge() as judge:
        judge.verify("\\frac{3}{7}", "So the answer is $\\boxed{3/7}$.")  # Verdict(status="right", ...)

Why children: math-verify hands model text to sympy, which a text like 9**9**9**9 keeps busy for ever, and its own
timeouts need SIGALRM and thus the main thread (its issue #55: elsewhere they silently grade 0). So it runs without
them, and the parent kills and replaces a child that takes too long.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import re
import resource
import signal
from concurrent.futures import TimeoutError as TookTooLong
from importlib.metadata import version

from evaluation.judges.choice import letter_of
from evaluation.judges.math_answer import answered, read_reference
from evaluation.judges.math_equal import equal, parsed
from evaluation.problem import Verdict

CHILD_MEMORY_BYTES = 2 * 2**30
"""Of address space. A judgement takes some 0.2 GB; a text that makes sympy grow gets a MemoryError, not the machine."""

ORPHAN_GRACE_S = 2.0
"""How much later than the parent the kernel ends a child that takes too long."""

SHOWN = 200
OPTIONS = "ABCDEFGH"
OPTION = re.compile(rf"\s*(?:\\text\w*\s*\{{)?\s*\(([{OPTIONS}])\)\s*\}}?\s*")
"""A reference that is one of the problem's options, as \\text{(C)}."""


class MathJudge:
    """A pool of children that judge; several threads may call verify at once.

    workers: how many children (None: one a core). timeout_s: the longest a judgement may take, without start-up.
    """

    def __init__(self, *, workers: int | None = None, timeout_s: float = 10.0) -> None:
        """No child starts before the first verify. Raises ModuleNotFoundError here, and not in each child."""
        from pebble import ProcessPool

        version("math-verify")
        self._timeout_s = timeout_s
        spawn = multiprocessing.get_context("spawn")  # a fork would copy the threads' locks
        workers = workers or len(os.sched_getaffinity(0))
        self._pool = ProcessPool(max_workers=workers, initializer=_prepare_child, context=spawn)

    def __enter__(self) -> MathJudge:
        return self

    def __exit__(self, *_: object) -> None:
        """Ends the children; judgements still under way are cancelled."""
        self._pool.stop()
        self._pool.join()

    def verify(self, gold: str, text: str) -> Verdict:
        """Whether the final answer stated in the text equals the reference.

        gold: the reference as LaTeX or a plain number ("\\text{east}", "[1,2)", "10{,}000", "42").
        harness_error: the reference cannot be read, or the child died; it says nothing about the text.
        """
        from pebble import ProcessExpired

        try:
            return self._pool.schedule(
                _judge_in_child, args=(gold, text, self._timeout_s), timeout=self._timeout_s
            ).result()
        except (TookTooLong, MemoryError) as error:
            limit = f"{self._timeout_s:g} s" if isinstance(error, TookTooLong) else f"{CHILD_MEMORY_BYTES / 2**30:g} GB"
            status, detail = "timeout", f"comparing took more than {limit}; it was ended"
        except ProcessExpired as death:
            status = {-signal.SIGALRM: "timeout", -signal.SIGSEGV: "wrong"}.get(death.exitcode, "harness_error")
            detail = f"the judging process ended by itself with code {death.exitcode}"
        except Exception as error:  # on reading the reference; it must not end the judging of all others
            status, detail = "harness_error", f"the judge failed with {type(error).__name__}: {_cut(str(error))}"
        # no search for the answer, over which the parent might hang as a child may
        return Verdict(status=status, extracted=text.strip()[-SHOWN:], detail=detail)


def _prepare_child() -> None:
    """Runs once in each child: bound memory, import (a second) and parse once before any clock runs."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    bound = CHILD_MEMORY_BYTES if hard == resource.RLIM_INFINITY else min(hard, CHILD_MEMORY_BYTES)
    resource.setrlimit(resource.RLIMIT_AS, (bound, hard))
    logging.disable(logging.WARNING)  # math-verify warns that its own timeouts are off: that is the point
    parsed("1")


def _judge_in_child(gold: str, text: str, timeout_s: float) -> Verdict:
    """The parent ends a child in time; if the parent itself was killed, the kernel's alarm ends it a little later."""
    signal.setitimer(signal.ITIMER_REAL, timeout_s + ORPHAN_GRACE_S)
    try:
        return judge(gold, text)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def judge(gold: str, text: str) -> Verdict:
    """The verdict, made in this process; without any time limit, hence for children only."""
    reference = read_reference(gold)
    if not reference.words and not any(map(parsed, reference.parts)):
        return Verdict(status="harness_error", detail=f"the reference {_cut(gold)!r} cannot be read as mathematics")
    detail = f"reference is {_cut(gold)}"
    option = OPTION.fullmatch(gold)
    if option and (letter := letter_of(text, OPTIONS)):
        return Verdict(status="right" if letter == option[1] else "wrong", extracted=letter, detail=detail)
    try:
        answer = answered(text, reference)
        right = answer is not None and equal(reference, answer)
    except MemoryError:
        raise
    except Exception as error:  # sympy raises anything on what a model writes, and that is no fault of the reference
        detail = f"{detail}; comparing failed with {type(error).__name__}: {_cut(str(error))}"
        return Verdict(status="wrong", extracted=text.strip()[-SHOWN:], detail=detail)
    if answer is None:
        return Verdict(status="no_answer", detail="the text holds no complete answer")
    return Verdict(status="right" if right else "wrong", extracted=_cut(answer.shown), detail=detail)


def _cut(text: str) -> str:
    return text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"
