"""The shifted thinking window: one async generator runs both phases (Z1, arXiv 2504.00810, section 2.2).

async for chunk in think(engine, prompt_ids, Window(thinking_tokens=256, answer_tokens=128)):
    print(chunk.text, end="")
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from functools import partial

from z1_core.engine import Delta, Engine, Session
from z1_core.errors import ContextOverflow
from z1_core.prompt import check_fits, inserted, most_hint_tokens
from z1_core.window import Chunk, Completion, EndReason, Phase, Sampling, Window

GREEDY = Sampling()


@dataclass(frozen=True, slots=True)
class Job:
    """What to run."""

    prompt_ids: Sequence[int]
    window: Window
    sampling: Sampling = GREEDY


async def think(
    engine: Engine,
    prompt_ids: Sequence[int],
    window: Window,
    sampling: Sampling = GREEDY,
    *,
    close_window: asyncio.Event | None = None,
    tokens: int | None = None,
) -> AsyncGenerator[Chunk, None]:
    """Think inside the window; if it closes, insert the hint and answer. Yields chunks; the last has the end reason.
    The first is empty, and says that the run has its place.

    The answer continues from token ids (prompt + trace + hint) in a request of its own, sent the moment the window
    closes. Closing this generator aborts whatever request is running and frees its slot at once.
    close_window: when set, the window closes early and the model answers from what it has thought so far.
    tokens: what it comes to at most, where check_fits has told already.
    Raises ContextOverflow before anything is generated if the four budgets exceed the context; EngineDead.
    """
    job = Job(prompt_ids, window, sampling)
    if tokens is None:
        tokens = await asyncio.to_thread(check_fits, engine, prompt_ids, window)
    async with engine.session(tokens) as session, aclosing(think_in(session, engine, job, close_window)) as chunks:
        async for chunk in chunks:
            yield chunk


async def think_in(
    session: Session, engine: Engine, job: Job, close_window: asyncio.Event | None = None
) -> AsyncGenerator[Chunk, None]:
    """think() in a session that is already there."""
    yield Chunk("trace", "")
    trace, trace_ids, finish_reason = "", [], None
    phase_1 = session.stream(job.prompt_ids, job.sampling.for_trace(job.window))
    async with aclosing(_until(close_window, phase_1) if close_window else phase_1) as deltas:
        async for delta in deltas:
            trace += delta.text
            trace_ids += delta.ids
            finish_reason = delta.finish_reason
            yield Chunk("trace", delta.text, delta.ids)
    if finish_reason == "stop":
        yield Chunk("trace", "", end_reason="inside")
        return
    yield Chunk("trace", _held_back(engine, trace_ids, trace))
    if finish_reason == "length" and len(trace_ids) < job.window.thinking_tokens:
        yield Chunk("trace", "", end_reason="context_full")
        return
    ended: EndReason = "cut" if finish_reason == "length" else "answer_now"
    async with aclosing(_answer_in(session, engine, job, trace_ids, ended)) as chunks:
        async for chunk in chunks:
            yield chunk


async def answer_from(
    engine: Engine,
    prompt_ids: Sequence[int],
    trace_ids: Sequence[int],
    window: Window,
    sampling: Sampling = GREEDY,
    *,
    beside: Session | None = None,
) -> AsyncGenerator[Chunk, None]:
    """Close the window behind trace_ids, wherever that is: insert the hint and answer. Phase 2 of think(), and the
    re-cut of a trace that was longer. Only the window's hint and answer_tokens count here.

    beside: the session of the trace, where that is still running.
    """
    count = partial(most_hint_tokens, engine, window.hint, is_text=window.hint_is_text)
    hint_tokens = count() if beside else await asyncio.to_thread(count)  # beside a sweep's trace it is known
    tokens = len(prompt_ids) + len(trace_ids) + hint_tokens + window.answer_tokens
    job = Job(prompt_ids, window, sampling)
    async with (
        engine.session(tokens, beside=beside) as session,
        aclosing(_answer_in(session, engine, job, trace_ids, "cut")) as chunks,
    ):
        async for chunk in chunks:
            yield chunk


async def _answer_in(
    session: Session, engine: Engine, job: Job, trace_ids: Sequence[int], end_reason: EndReason
) -> AsyncGenerator[Chunk, None]:
    """answer_from() in a session that is already there. end_reason: the one to give where the answer ends by itself."""
    before = [*job.prompt_ids, *trace_ids]
    hint = inserted(engine.text, job.window.hint, is_text=job.window.hint_is_text, before=before)
    yield hint
    answer, answer_ids, finish_reason = "", [], None
    phase_2 = session.stream([*before, *hint.ids], job.sampling.for_answer(job.window, trace_tokens=len(trace_ids)))
    async with aclosing(phase_2) as deltas:
        async for delta in deltas:
            answer += delta.text
            answer_ids += delta.ids
            finish_reason = delta.finish_reason
            yield Chunk("answer", delta.text, delta.ids)
    if finish_reason == "stop":
        yield Chunk("answer", "", end_reason=end_reason)
    else:
        full = len(answer_ids) < job.window.answer_tokens
        rest = _held_back(engine, answer_ids, answer)
        yield Chunk("answer", rest, end_reason="context_full" if full else "answer_length")


class Transcript:
    """Gathers the chunks of one run; whoever stops consuming early still holds everything that was written.

    texts, ids: of each phase; phase: of the last chunk, None before there was one.
    """

    def __init__(self, prompt_ids: Sequence[int]) -> None:
        self.prompt_ids = tuple(prompt_ids)
        self.started_s = time.monotonic()
        self.phase: Phase | None = None
        self.end_reason: EndReason | None = None
        self.texts: dict[Phase, str] = {"trace": "", "hint": "", "answer": ""}
        self.ids: dict[Phase, list[int]] = {"trace": [], "hint": [], "answer": []}

    def add(self, chunk: Chunk) -> None:
        self.phase = chunk.phase
        self.texts[chunk.phase] += chunk.text
        self.ids[chunk.phase] += chunk.ids
        self.end_reason = chunk.end_reason or self.end_reason

    @property
    def tokens(self) -> dict[Phase, int]:
        return {phase: len(ids) for phase, ids in self.ids.items()}

    def completion(self, end_reason: EndReason | None = None) -> Completion:
        """The run so far. end_reason: for a run that was ended from outside (user_stop, error)."""
        reason = self.end_reason or end_reason
        if reason is None:
            raise ValueError("the run has not ended; say why it is taken as it is (user_stop, error)")
        return Completion(
            prompt_ids=self.prompt_ids,
            trace=self.texts["trace"],
            trace_ids=tuple(self.ids["trace"]),
            hint_ids=tuple(self.ids["hint"]),
            answer=self.texts["answer"],
            answer_ids=tuple(self.ids["answer"]),
            end_reason=reason,
            seconds=time.monotonic() - self.started_s,
        )


async def collect(
    engine: Engine,
    prompt_ids: Sequence[int],
    window: Window,
    sampling: Sampling = GREEDY,
    **how: asyncio.Event | int,
) -> Completion:
    """Run think() to its end and return what it made. how: as for think()."""
    transcript = Transcript(prompt_ids)
    async with aclosing(think(engine, prompt_ids, window, sampling, **how)) as chunks:
        async for chunk in chunks:
            transcript.add(chunk)
    return transcript.completion()


async def collect_all(engine: Engine, jobs: Sequence[Job]) -> AsyncGenerator[Completion, None]:
    """Run all jobs in one continuous batch and yield their completions in the order of the jobs, each as soon as it and
    those before it are done. Closing the generator, or the failure of a run, aborts all that is still running.

    Raises ContextOverflow, naming the row, before anything is generated.
    """
    tokens = await asyncio.to_thread(_check_all, engine, jobs)
    async with ended_with_it() as runs:
        for job, needed in zip(jobs, tokens, strict=True):  # checked already: they come to the engine in their order
            run = collect(engine, job.prompt_ids, job.window, job.sampling, tokens=needed)
            runs.append(asyncio.ensure_future(run))
        for run in runs:
            yield await run


@asynccontextmanager
async def ended_with_it() -> AsyncGenerator[list[asyncio.Task], None]:
    """A list of runs, none of which outlives the block."""
    runs: list[asyncio.Task] = []
    try:
        yield runs
    finally:
        for run in runs:
            run.cancel()
        await asyncio.gather(*runs, return_exceptions=True)


async def generate(
    engine: Engine, prompt_ids: Sequence[int], sampling: Sampling = GREEDY
) -> AsyncGenerator[Delta, None]:
    """One request in a session of its own, without a window."""
    tokens = len(prompt_ids) + (sampling.max_tokens or engine.context_tokens)
    async with (
        engine.session(min(tokens, engine.context_tokens)) as session,
        aclosing(session.stream(prompt_ids, sampling)) as deltas,
    ):
        async for delta in deltas:
            yield delta


def _check_all(engine: Engine, jobs: Sequence[Job]) -> list[int]:
    tokens = []
    for row, job in enumerate(jobs, start=1):
        try:
            tokens.append(check_fits(engine, job.prompt_ids, job.window))
        except ContextOverflow as error:
            raise ContextOverflow(f"row {row}: {error}") from error
    return tokens


async def _until(closed: asyncio.Event, deltas: AsyncGenerator[Delta, None]) -> AsyncIterator[Delta]:
    """The deltas until `closed` is set, which is acted on at once, also while the engine keeps us waiting."""
    closing = asyncio.ensure_future(closed.wait())
    following: asyncio.Future | None = None
    try:
        while not closed.is_set():
            following = asyncio.ensure_future(anext(deltas, None))
            await asyncio.wait({closing, following}, return_when=asyncio.FIRST_COMPLETED)
            if not following.done():
                return
            if (delta := following.result()) is None:
                return
            yield delta
    finally:
        closing.cancel()
        if following is not None:
            following.cancel()
            await asyncio.wait({following})
        await deltas.aclose()


def _held_back(engine: Engine, ids: Sequence[int], shown: str) -> str:
    """What the ids hold beyond the text shown so far: a character that the end of the budget left incomplete."""
    whole = engine.text.decode(ids)
    return whole[len(shown) :] if whole.startswith(shown) else ""
