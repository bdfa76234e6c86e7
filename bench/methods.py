"""Four ways to spend the same budget, on the same engine: what bench.throughput compares.

plain      no window, one request with the whole total: the ceiling
published  the published algorithm: all traces first, then all answers, from text, each with the total once more
native     vLLM's own thinking_token_budget, which forces the hint while it samples
ours       z1_core.think
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass, field

from z1_core.engine import Engine, FinishReason
from z1_core.thinking import Transcript, generate, think
from z1_core.window import Sampling, Window


class Meter:
    """Counts tokens as they are written, and how many of them while every place was taken.

    full_tokens, full_s: up to the moment at which the last row took its place. What comes behind it runs with ever
    fewer rows side by side and depends on which rows happened to be last.
    """

    def __init__(self) -> None:
        self.tokens = self.full_tokens = 0
        self.full_s = 0.0
        self._stage: tuple[float, int] = (0.0, 0)

    def stage_begins(self) -> None:
        self._stage = (time.monotonic(), self.tokens)

    def last_row_starts(self) -> None:
        began_s, tokens = self._stage
        self.full_s += time.monotonic() - began_s
        self.full_tokens += self.tokens - tokens


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What every method is given: prompts as token ids, the budget, and how many rows are in flight at a time."""

    engine: Engine
    prompts: Sequence[Sequence[int]]
    window: Window
    hint_ids: list[int]
    concurrency: int
    meter: Meter = field(default_factory=Meter)

    @property
    def total_tokens(self) -> int:
        return self.window.thinking_tokens + len(self.hint_ids) + self.window.answer_tokens


@dataclass(frozen=True, slots=True)
class Written:
    """A request's whole output. first_token_s counts from the moment the request was sent."""

    prompt_ids: Sequence[int]
    text: str
    ids: list[int]
    finish_reason: FinishReason
    first_token_s: float


@dataclass(frozen=True, slots=True)
class Row:
    """What one prompt took."""

    first_token_s: float
    trace_tokens: int
    answer_tokens: int
    cut: bool


async def plain(load: Load, prompt_ids: Sequence[int]) -> Row:
    written = await _write(load, prompt_ids, Sampling(max_tokens=load.total_tokens))
    return Row(written.first_token_s, len(written.ids), 0, False)


async def published_trace(load: Load, prompt_ids: Sequence[int]) -> Written:
    return await _write(load, prompt_ids, Sampling(max_tokens=load.window.thinking_tokens))


async def published_answer(load: Load, trace: Written) -> Row:
    if trace.finish_reason == "stop":
        return Row(trace.first_token_s, len(trace.ids), 0, False)
    prompt = load.engine.text.decode(trace.prompt_ids, control=True)
    ids = load.engine.text.parse(prompt + trace.text + load.window.hint)
    answer = await _write(load, ids, Sampling(max_tokens=load.total_tokens))
    return Row(trace.first_token_s, len(trace.ids), len(answer.ids), True)


async def native(load: Load, prompt_ids: Sequence[int]) -> Row:
    """Needs an engine that knows where thinking starts and which hint to force (start_engine)."""
    budget = ("thinking_token_budget", load.window.thinking_tokens)
    written = await _write(load, prompt_ids, Sampling(max_tokens=load.total_tokens, extra=(budget,)))
    trace_tokens = find(load.hint_ids, written.ids)
    if trace_tokens is None:
        return Row(written.first_token_s, len(written.ids), 0, False)
    return Row(written.first_token_s, trace_tokens, len(written.ids) - trace_tokens - len(load.hint_ids), True)


async def ours(load: Load, prompt_ids: Sequence[int]) -> Row:
    transcript = Transcript(prompt_ids)
    first_token_s = 0.0
    async with aclosing(think(load.engine, prompt_ids, load.window)) as chunks:
        async for chunk in chunks:
            if chunk.ids and not first_token_s:
                first_token_s = time.monotonic() - transcript.started_s
            transcript.add(chunk)
            load.meter.tokens += len(chunk.ids) if chunk.phase != "hint" else 0
    done = transcript.completion()
    return Row(first_token_s, len(done.trace_ids), len(done.answer_ids), bool(done.hint_ids))


def find(wanted: list[int], ids: list[int]) -> int | None:
    """Where the wanted ids stand in ids for the first time."""
    places = range(len(ids) - len(wanted) + 1)
    return next((place for place in places if ids[place : place + len(wanted)] == wanted), None)


async def _write(load: Load, prompt_ids: Sequence[int], sampling: Sampling) -> Written:
    started_s = time.monotonic()
    first_token_s, text, ids, finish_reason = 0.0, "", [], None
    async with aclosing(generate(load.engine, prompt_ids, sampling)) as deltas:
        async for delta in deltas:
            first_token_s = first_token_s or time.monotonic() - started_s
            text += delta.text
            ids += delta.ids
            load.meter.tokens += len(delta.ids)
            finish_reason = delta.finish_reason
    return Written(prompt_ids, text, ids, finish_reason, first_token_s)
