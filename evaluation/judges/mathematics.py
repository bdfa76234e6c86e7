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
import resource
import signal
from collections.abc import Sequence
from concurrent.futures import TimeoutError as TookTooLong
from importlib.util import find_spec
from types import TracebackType
from typing import TYPE_CHECKING, Any

from evaluation.judges.choice import letter_of
from evaluation.judges.math_answer import Stated, as_latex, base_of, is_words, option_of, stated, words_of
from evaluation.problem import Verdict
from z1_core.errors import BadInput, Z1Error

if TYPE_CHECKING:
    from pebble import ProcessPool

CHILD_MEMORY_BYTES = 2 * 2**30
"""Of address space. A judgement takes some 0.2 GB; a text that makes sympy grow gets a MemoryError, not the machine."""

ORPHAN_GRACE_S = 2.0
"""How much later than the parent the kernel ends a child that takes too long."""

SHOWN_CHARACTERS = 200
TINY, SAME_TINY = 1e-3, 1e-5
OPTIONS = "ABCDEFGH"


class MathJudge:
    """A pool of children that judge; several threads may call verify at once.

    workers: how many children (None: one a core). timeout_s: the longest a judgement may take, without start-up.
    Raises Z1Error where a package it needs is missing.
    """

    def __init__(self, *, workers: int | None = None, timeout_s: float = 10.0) -> None:
        if timeout_s <= 0:
            raise BadInput(f"the time to judge one answer is {timeout_s} s; give more than 0")
        if workers is not None and workers < 1:
            raise BadInput(f"judging by {workers} processes is impossible; give at least 1, or leave it out")
        self._timeout_s = timeout_s
        self._pool = _start_pool(workers or len(os.sched_getaffinity(0)))

    def __enter__(self) -> MathJudge:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Ends the children; judgements still under way are cancelled."""
        self._pool.stop()
        self._pool.join()

    def verify(self, gold: str, text: str) -> Verdict:
        """Whether the final answer stated in the text equals the reference.

        gold: the reference as LaTeX or a plain number ("\\text{east}", "[1,2)", "10{,}000", "42").
        harness_error: the reference cannot be read, or the child died; it says nothing about the text.
        """
        from pebble import ProcessExpired

        if not text.strip():
            return Verdict(status="no_answer", detail="the text is empty")
        try:
            return self._pool.schedule(
                _judge_in_child, args=(gold, text, self._timeout_s), timeout=self._timeout_s
            ).result()
        except TookTooLong:
            return self._took_too_long(text)
        except ProcessExpired as death:
            if death.exitcode == -signal.SIGALRM:
                return self._took_too_long(text)
            detail = f"the judging process ended by itself with code {death.exitcode}"
            return Verdict(status="harness_error", extracted=_end_of(text), detail=detail)
        except MemoryError:
            detail = f"comparing took more than {CHILD_MEMORY_BYTES / 2**30:g} GB"
            return Verdict(status="timeout", extracted=_end_of(text), detail=detail)
        except Exception as error:  # sympy raises anything, and one answer must not end the judging of all others
            detail = f"the judge failed with {type(error).__name__}: {_cut(str(error))}"
            return Verdict(status="harness_error", extracted=_end_of(text), detail=detail)

    def _took_too_long(self, text: str) -> Verdict:
        detail = f"comparing took longer than {self._timeout_s:g} s; the process was ended"
        return Verdict(status="timeout", extracted=_end_of(text), detail=detail)


def _start_pool(workers: int) -> ProcessPool:
    """No child starts before the first verify."""
    if missing := [name for name in ("math_verify", "antlr4", "pebble") if find_spec(name) is None]:
        raise Z1Error(
            f"judging mathematics needs packages that are missing ({', '.join(missing)}): "
            "pip install -r evaluation/requirements.txt"
        )
    from pebble import ProcessPool

    spawn = multiprocessing.get_context("spawn")  # a fork would copy the threads' locks
    return ProcessPool(max_workers=workers, initializer=_prepare_child, context=spawn)


def _prepare_child() -> None:
    """Runs once in each child: bound memory, import (a second) and parse once before any clock runs."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    bound = CHILD_MEMORY_BYTES if hard == resource.RLIM_INFINITY else min(hard, CHILD_MEMORY_BYTES)
    resource.setrlimit(resource.RLIMIT_AS, (bound, hard))
    logging.disable(logging.WARNING)  # math-verify warns that its own timeouts are off: that is the point
    _parsed("1")


def _judge_in_child(gold: str, text: str, timeout_s: float) -> Verdict:
    """The parent ends a child in time; if the parent itself was killed, the kernel's alarm ends it a little later."""
    signal.setitimer(signal.ITIMER_REAL, timeout_s + ORPHAN_GRACE_S)
    try:
        return judge(gold, text)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def judge(gold: str, text: str) -> Verdict:
    """The verdict, made in this process; without any time limit, hence for children only."""
    answer = stated(text)
    if answer is None:
        return Verdict(status="no_answer", detail="the text holds no complete answer")
    reference = stated(gold)
    if reference is None:
        return Verdict(status="harness_error", extracted=_shown(answer), detail="the reference is empty")
    reference_latex = reference.content
    option, letter = option_of(reference_latex), letter_of(text, OPTIONS)
    if option and letter:
        detail = f"reference is option {option}"
        return Verdict(status="right" if letter == option else "wrong", extracted=letter, detail=detail)
    if is_words(reference_latex) and (answer.kind == "box" or is_words(answer.content)):
        return _compared_words(reference_latex, answer)
    golds = _parsed(as_latex(reference_latex))
    if not any(not isinstance(value, str) for value in golds):
        detail = f"the reference {_cut(gold)} cannot be read as mathematics"
        return Verdict(status="harness_error", extracted=_shown(answer), detail=detail)
    return _compared(reference_latex, golds, answer)


def _compared_words(reference: str, answer: Stated) -> Verdict:
    same = words_of(reference) == words_of(answer.content)
    detail = f"reference is {_cut(reference)}, compared as words"
    return Verdict(status="right" if same else "wrong", extracted=_shown(answer), detail=detail)


def _compared(reference: str, golds: Sequence[Any], answer: Stated) -> Verdict:
    """Gold first: math-verify follows the reference's form, so the order of its arguments matters."""
    from math_verify import verify

    values = _read(answer)
    readings = [value for value in values if not isinstance(value, str) or value.strip()]
    if not readings:
        return Verdict(status="no_answer", detail="no number or expression in the text")
    extracted = _shown(answer) if answer.kind != "text" else _cut(str(values[-1]))
    right = verify(list(golds), readings, timeout_seconds=None, allow_set_relation_comp=True)
    if right and _differ_in_base(reference, answer.content):
        return Verdict(status="wrong", extracted=extracted, detail=f"reference is {_cut(reference)}, in another base")
    if right and _differ_though_tiny(golds[0], readings[0]):
        return Verdict(
            status="wrong",
            extracted=extracted,
            detail=f"reference is {_cut(reference)}, another number though both are tiny",
        )
    return Verdict(status="right" if right else "wrong", extracted=extracted, detail=f"reference is {_cut(reference)}")


def _read(answer: Stated) -> list[Any]:
    """What math-verify makes of the answer: the sympy value, if any, then the string it was read from."""
    from math_verify import parse

    if answer.kind == "text":
        return parse(answer.content, parsing_timeout=None)
    return _parsed(as_latex(answer.content))


def _parsed(latex: str) -> list[Any]:
    """Only the latex itself is read: a box that makes no sense must not fall back to a number inside it."""
    from math_verify import LatexExtractionConfig, parse

    config = [LatexExtractionConfig(boxed_match_priority=0)]
    return parse(f"\\boxed{{{latex}}}", config, extraction_mode="first_match", parsing_timeout=None)


def _differ_in_base(reference: str, answer: str) -> bool:
    """52_8 is not 52_9. Without a base in the answer the problem's own is meant."""
    bases = base_of(reference), base_of(answer)
    return None not in bases and bases[0] != bases[1]


def _differ_though_tiny(gold: Any, value: Any) -> bool:
    """math-verify rounds to 6 decimals and drops what is below 1e-15: 0.0000672 would equal 0.0000668 (its #14)."""
    if not (getattr(gold, "is_number", False) and getattr(value, "is_number", False)):
        return False
    a, b = gold.doit().evalf(15), value.doit().evalf(15)
    return 0 < min(abs(a), abs(b)) < TINY and bool(abs(a - b) > SAME_TINY * max(abs(a), abs(b)))


def _shown(answer: Stated) -> str:
    return _end_of(answer.content) if answer.kind == "text" else _cut(answer.content)


def _end_of(text: str) -> str:
    """Of a whole text the end: the answer is there if anywhere. No search: the parent must not hang as a child may."""
    return text.strip()[-SHOWN_CHARACTERS:]


def _cut(text: str) -> str:
    return text if len(text) <= SHOWN_CHARACTERS else text[: SHOWN_CHARACTERS - 1] + "…"
