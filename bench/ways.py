"""Ways to spend the same budget on the same prompts: what bench.window compares.

plain      no window, one request with the whole total: the ceiling
published  the published algorithm: all traces first, then all answers, from text, each with the total once more
native     vLLM's own thinking_token_budget, which forces the hint while it samples
ours       z1_core.think, at the largest window
sweep      all windows, from one trace
raw        plain, asked of llama.cpp's own server: as a stream where rows run alone, else whole
"""

from __future__ import annotations

import re
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import httpx

from evaluation.pool import pooled
from z1_core.engine import Engine, FinishReason
from z1_core.engines.llama_calls import sampling_fields
from z1_core.errors import Z1Error
from z1_core.sweep import sweep
from z1_core.thinking import GREEDY, generate, think
from z1_core.window import Chunk, Sampling, Window


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What every way is given: prompts as token ids, the windows in growing order, and how many rows are in flight.
    server: for raw."""

    engine: Engine
    prompts: Sequence[Sequence[int]]
    windows: Sequence[Window]
    hint_ids: list[int]
    concurrency: int
    sampling: Sampling = GREEDY
    server: httpx.AsyncClient | None = None

    @property
    def window(self) -> Window:
        return self.windows[-1]

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
    """What one prompt took. answer_tokens: of all its answers."""

    first_token_s: float
    trace_tokens: int
    answer_tokens: int
    cut: bool


async def run(way: str, load: Load) -> list[Row]:
    """All prompts by one way; all rows go through one of its stages before the first enters the next."""
    rows: Sequence[Any] = load.prompts
    for stage in WAYS[way]:
        rows = await pooled(partial(stage, load), rows, load.concurrency)
    return rows


async def _plain(load: Load, prompt_ids: Sequence[int]) -> Row:
    written = await _write(load, prompt_ids, load.total_tokens)
    return Row(written.first_token_s, len(written.ids), 0, False)


async def _published_trace(load: Load, prompt_ids: Sequence[int]) -> Written:
    return await _write(load, prompt_ids, load.window.thinking_tokens)


async def _published_answer(load: Load, trace: Written) -> Row:
    if trace.finish_reason == "stop":
        return Row(trace.first_token_s, len(trace.ids), 0, False)
    prompt = load.engine.text.decode(trace.prompt_ids, control=True)
    ids = load.engine.text.parse(prompt + trace.text + load.window.hint)
    answer = await _write(load, ids, load.total_tokens)
    return Row(trace.first_token_s, len(trace.ids), len(answer.ids), True)


async def _native(load: Load, prompt_ids: Sequence[int]) -> Row:
    """Needs an engine that knows where thinking starts and which hint to force (bench.window starts it)."""
    budget = ("thinking_token_budget", load.window.thinking_tokens)
    written = await _write(load, prompt_ids, load.total_tokens, budget)
    trace_tokens = find(load.hint_ids, written.ids)
    if trace_tokens is None:
        return Row(written.first_token_s, len(written.ids), 0, False)
    return Row(written.first_token_s, trace_tokens, len(written.ids) - trace_tokens - len(load.hint_ids), True)


async def _ours(load: Load, prompt_ids: Sequence[int]) -> Row:
    async with aclosing(think(load.engine, prompt_ids, load.window, load.sampling)) as chunks:
        return await _counted(chunks)


async def _swept(load: Load, prompt_ids: Sequence[int]) -> Row:
    """The prefix that a smaller window is given of the trace was written once."""
    last = len(load.windows) - 1
    async with aclosing(sweep(load.engine, prompt_ids, load.windows, load.sampling)) as pieces:
        return await _counted(
            piece.chunk async for piece in pieces if piece.chunk.phase != "trace" or piece.index == last
        )


async def _counted(chunks: AsyncIterator[Chunk]) -> Row:
    started_s, first_token_s = time.monotonic(), 0.0
    tokens = {"trace": 0, "hint": 0, "answer": 0}
    async for chunk in chunks:
        if chunk.ids and not first_token_s:
            first_token_s = time.monotonic() - started_s
        tokens[chunk.phase] += len(chunk.ids)
    return Row(first_token_s, tokens["trace"], tokens["answer"], bool(tokens["hint"]))


async def _raw(load: Load, prompt_ids: Sequence[int]) -> Row:
    """What the server says is read for its end alone. It drops the connection behind a stream without saying so."""
    streams = load.concurrency == 1
    body = {"prompt": prompt_ids, "n_predict": load.total_tokens, "stream": streams, "return_tokens": True}
    fields, _ = sampling_fields(load.sampling)
    started_s, first_token_s, said = time.monotonic(), 0.0, b""
    headers = {"Connection": "close"} if streams else {}
    async with load.server.stream("POST", "/completion", json=body | fields, headers=headers) as answer:
        async for part in answer.aiter_bytes():
            first_token_s = first_token_s or time.monotonic() - started_s
            said += part
    if not (tokens := re.findall(rb'"tokens_predicted":(\d+),', said)):
        raise Z1Error(f"the server did not write: {said[-300:].decode(errors='replace')}")
    return Row(first_token_s, int(tokens[-1]), 0, False)


WAYS = {
    "plain": (_plain,),
    "published": (_published_trace, _published_answer),
    "native": (_native,),
    "ours": (_ours,),
    "sweep": (_swept,),
    "raw": (_raw,),
}
"""The stages of each."""


def find(wanted: list[int], ids: list[int]) -> int | None:
    """Where the wanted ids stand in ids for the first time."""
    places = range(len(ids) - len(wanted) + 1)
    return next((place for place in places if ids[place : place + len(wanted)] == wanted), None)


async def _write(load: Load, prompt_ids: Sequence[int], most: int, *extra: tuple[str, Any]) -> Written:
    sampling = replace(load.sampling, max_tokens=most, extra=(*load.sampling.extra, *extra))
    started_s = time.monotonic()
    first_token_s, text, ids, finish_reason = 0.0, "", [], None
    async with aclosing(generate(load.engine, prompt_ids, sampling)) as deltas:
        async for delta in deltas:
            first_token_s = first_token_s or time.monotonic() - started_s
            text += delta.text
            ids += delta.ids
            finish_reason = delta.finish_reason
    return Written(prompt_ids, text, ids, finish_reason, first_token_s)
