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
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple

import httpx

from evaluation.pool import pooled
from z1_core.engine import Delta, Engine
from z1_core.engines.llama_calls import sampling_fields
from z1_core.errors import Z1Error
from z1_core.sweep import collect_sweep
from z1_core.thinking import GREEDY, collect, generate
from z1_core.window import Sampling, Window


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


class Row(NamedTuple):
    """What one prompt took. answer_tokens: of all its answers."""

    trace_tokens: int
    answer_tokens: int = 0
    cut: bool = False


async def run(way: str, load: Load) -> list[Row]:
    """All prompts by one way; all rows go through one of its stages before the first enters the next."""
    rows: Sequence[Any] = load.prompts
    for stage in WAYS[way]:
        rows = await pooled(partial(stage, load), rows, load.concurrency)
    return rows


async def _plain(load: Load, prompt_ids: Sequence[int]) -> Row:
    written = await _written(load, prompt_ids, load.total_tokens)
    return Row(len(written.ids))


async def _published_trace(load: Load, prompt_ids: Sequence[int]) -> tuple[Sequence[int], Delta]:
    return prompt_ids, await _written(load, prompt_ids, load.window.thinking_tokens)


async def _published_answer(load: Load, asked: tuple[Sequence[int], Delta]) -> Row:
    prompt_ids, trace = asked
    if trace.finish_reason == "stop":
        return Row(len(trace.ids))
    text = load.engine.text
    ids = text.parse(text.decode(prompt_ids, control=True) + trace.text + load.window.hint)
    answer = await _written(load, ids, load.total_tokens)
    return Row(len(trace.ids), len(answer.ids), cut=True)


async def _native(load: Load, prompt_ids: Sequence[int]) -> Row:
    """Needs an engine that knows where thinking starts and which hint to force (bench.window starts it)."""
    budget = ("thinking_token_budget", load.window.thinking_tokens)
    ids = (await _written(load, prompt_ids, load.total_tokens, budget)).ids
    length = len(load.hint_ids)
    for place in range(len(ids) - length + 1):
        if [*ids[place : place + length]] == load.hint_ids:
            return Row(place, len(ids) - place - length, cut=True)
    return Row(len(ids))


async def _ours(load: Load, prompt_ids: Sequence[int]) -> Row:
    made = await collect(load.engine, prompt_ids, load.window, load.sampling)
    return Row(len(made.trace_ids), len(made.answer_ids), bool(made.hint_ids))


async def _swept(load: Load, prompt_ids: Sequence[int]) -> Row:
    """The prefix that a smaller window is given of the trace was written once."""
    made = await collect_sweep(load.engine, prompt_ids, load.windows, load.sampling)
    answers = sum(len(each.answer_ids) for each in made)
    return Row(len(made[-1].trace_ids), answers, any(each.hint_ids for each in made))


async def _raw(load: Load, prompt_ids: Sequence[int]) -> Row:
    """What the server says is read for its end alone. It drops the connection behind a stream without saying so."""
    streams = load.concurrency == 1
    fields, _ = sampling_fields(load.sampling)
    body = {"prompt": prompt_ids, "n_predict": load.total_tokens, "stream": streams, "return_tokens": True, **fields}
    headers = {"Connection": "close"} if streams else {}
    said = (await load.server.post("/completion", json=body, headers=headers)).content
    if not (tokens := re.findall(rb'"tokens_predicted":(\d+),', said)):
        raise Z1Error(f"the server did not write: {said[-300:].decode(errors='replace')}")
    return Row(int(tokens[-1]))


WAYS = {
    "plain": (_plain,),
    "published": (_published_trace, _published_answer),
    "native": (_native,),
    "ours": (_ours,),
    "sweep": (_swept,),
    "raw": (_raw,),
}
"""The stages of each."""


async def _written(load: Load, prompt_ids: Sequence[int], most: int, *extra: tuple[str, Any]) -> Delta:
    """A request's whole output, as one piece."""
    sampling = replace(load.sampling, max_tokens=most, extra=(*load.sampling.extra, *extra))
    async with aclosing(generate(load.engine, prompt_ids, sampling)) as deltas:
        made = [delta async for delta in deltas]
    ids = tuple(id_ for delta in made for id_ in delta.ids)
    return Delta("".join(delta.text for delta in made), ids, made[-1].finish_reason)
