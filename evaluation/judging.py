"""From finished answers to verdicts. Each text is judged once, and which text the verdict is about is recorded."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import TypeVar

from evaluation.judges.mathematics import MathJudge
from evaluation.problem import Benchmark, Judges, Problem, Verdict
from evaluation.sandbox.bubblewrap import Sandbox
from z1_core.record import Answer, Judged

DECIDES = (
    "evaluation/judging.py",
    "evaluation/judges/**/*.py",
    "evaluation/benchmarks/**/*.py",
    "evaluation/sandbox/**/*.py",
    "z1_core/final_answer.py",
)
"""The files that make a verdict what it is."""

Item = TypeVar("Item")


@contextmanager
def judges(*, code: bool = True, unsafe_sandbox: bool = False, python: str | None = None) -> Iterator[Judges]:
    """The tools, ready, and gone afterwards; for mathematics and letters alone (`code` is False) without a sandbox.
    Raises Z1Error where the sandbox does not work."""
    with MathJudge() as math:
        yield Judges(math=math, sandbox=Sandbox(unsafe=unsafe_sandbox, python=python) if code else None)


def fingerprint() -> str:
    """Of this judge: verdicts of one with another fingerprint may differ."""
    root = Path(__file__).parents[1]
    files = sorted(path for pattern in DECIDES for path in root.glob(pattern))
    contents = [version("math-verify").encode(), *(path.read_bytes() for path in files)]
    return hashlib.sha256(b"\0".join(contents)).hexdigest()


def judge_text(benchmark: Benchmark, problem: Problem, text: str, tools: Judges) -> Verdict:
    """A fault of the harness is a verdict too: one bad row does not end the judging of the others."""
    if not text.strip():
        return Verdict(status="no_answer", detail="nothing was written")
    try:
        return benchmark.judge(problem, text, tools)
    except Exception as error:
        return Verdict(status="harness_error", detail=f"{type(error).__name__}: {error}"[:500])


def judge_answer(answer: Answer, judge: Callable[[str], Verdict], by: str) -> Judged:
    """by: which judge it is. What was written behind the hint counts; where it holds no answer, the trace does.
    Where nothing was inserted at the cut, both are one text: a box may begin before the cut and end behind it."""
    judged, verdict = "trace", None
    if answer.answer and not answer.hint_ids:
        judged, verdict = "trace and answer", judge(answer.trace + answer.answer)
    elif answer.answer:
        judged, verdict = "answer", judge(answer.answer)
        if verdict.status == "no_answer" and (earlier := judge(answer.trace)).status != "no_answer":
            judged, verdict = "trace", earlier
    said = asdict(verdict or judge(answer.trace))
    return Judged(**answer.key._asdict(), **said, judged=judged, sha256=sha256_of_case(answer, by))


def sha256_of_case(answer: Answer, judge: str) -> str:
    """A verdict holds for these texts and this judge only."""
    return hashlib.sha256(f"{judge}\0{answer.trace}\0{answer.answer}".encode("utf-8", "backslashreplace")).hexdigest()


def in_threads(work: Callable[[Item], None], items: Iterable[Item]) -> None:
    """Do the work for each item, in threads on all cores (it is done in child processes). An item is taken when there is a
    thread for it, so that few are in memory; a failure ends the others."""
    workers, busy = len(os.sched_getaffinity(0)), set()
    with ThreadPoolExecutor(workers) as threads:
        for item in items:
            busy.add(threads.submit(work, item))
            if len(busy) == workers:
                done, busy = wait(busy, return_when=FIRST_COMPLETED)
                for each in done:
                    each.result()
        for each in busy:
            each.result()
