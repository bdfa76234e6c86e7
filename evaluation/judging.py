"""From finished rows to verdicts: the answer first, then the trace, and which of the two it was."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from itertools import islice
from typing import Any

from evaluation.judges.mathematics import MathJudge
from evaluation.problem import Benchmark, Judges, Problem, Verdict
from evaluation.sandbox.bubblewrap import Sandbox

AHEAD = 4
"""Rows per worker that are read ahead of the one whose verdict is awaited."""


@contextmanager
def judges(*, code: bool = True, unsafe_sandbox: bool = False, python: str | None = None) -> Iterator[Judges]:
    """The tools, ready, and gone afterwards; for mathematics and letters alone (`code` is False) without a sandbox.
    Raises Z1Error where the sandbox does not work."""
    with MathJudge() as math:
        yield Judges(math=math, sandbox=Sandbox(unsafe=unsafe_sandbox) if code else None, python=python)


def judge_text(benchmark: Benchmark, problem: Problem, text: str, tools: Judges) -> Verdict:
    """A fault of the harness is a verdict too: one bad row does not end the judging of the others."""
    if not text.strip():
        return Verdict(status="no_answer", detail="nothing was written")
    try:
        return benchmark.judge(problem, text, tools)
    except Exception as error:
        return Verdict(status="harness_error", detail=f"{type(error).__name__}: {error}"[:500])


def judge_row(benchmark: Benchmark, problem: Problem, row: Mapping[str, Any], tools: Judges) -> dict[str, Any]:
    """The line for verdicts.jsonl. What was written behind the hint counts; where it holds no answer, the trace does."""
    judged, verdict = "trace", None
    if row["answer"]:
        judged, verdict = "answer", judge_text(benchmark, problem, row["answer"], tools)
    if verdict is None or verdict.status == "no_answer":
        earlier = judge_text(benchmark, problem, row["trace"], tools)
        if verdict is None or earlier.status != "no_answer":
            judged, verdict = "trace", earlier
    return {
        "problem_id": row["problem_id"],
        "sample": row["sample"],
        "thinking_tokens": row["thinking_tokens"],
        **as_row(verdict),
        "judged": judged,
    }


def as_row(verdict: Verdict) -> dict[str, str]:
    return {"status": verdict.status, "extracted": verdict.extracted, "detail": verdict.detail}


def in_order(calls: Iterable[Any], *, workers: int | None = None) -> Iterator[Any]:
    """The results of calls without arguments, run in threads on all cores (the work is done in child processes), in the
    order of the calls, with few of them in memory at a time."""
    workers = workers or len(os.sched_getaffinity(0))
    calls = iter(calls)
    with ThreadPoolExecutor(workers) as pool:
        pending: list[Future] = [pool.submit(call) for call in islice(calls, AHEAD * workers)]
        while pending:
            first = pending.pop(0)
            pending += [pool.submit(call) for call in islice(calls, 1)]
            yield first.result()
