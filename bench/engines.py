"""How fast our slices of llama.cpp are, against its own server on the same process: streaming alone, unsliced for eight.

python -m bench.engines --rounds 5 --out engines.json
python -m bench.engines --model model.gguf

Each way is given prompts that no cache knows, for one token (first_token_ms, the mean of all streams), and then the same
prompts for --tokens more (tokens_per_s, of all streams together): what prompts take is no part of the rate. Those that
are compared run one behind the other. of_server: the rate in terms of the server's in the same round. Where others is
half a core, a neighbour has stalled llama.cpp's threads, and the line is void.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any

import httpx
import pandas as pd

from bench.study import add_study_options, check, in_turns, ratio, table
from z1_core.engine import Engine
from z1_core.engines import llama
from z1_core.engines.llama_calls import sampling_fields
from z1_core.errors import Z1Error
from z1_core.models import EMBEDDED_NAME, locate
from z1_core.program import program
from z1_core.prompt import chat
from z1_core.thinking import generate
from z1_core.window import Sampling

TOPICS = ["seas", "clocks", "keys", "bridges", "bakers", "kites", "owls", "harbours"]
CONTEXT_TOKENS = 2048
STREAMING, UNSLICED, OURS = "server, streaming", "server, unsliced", "ours"
IGNORE_EOS = ("ignore_eos", True)
WARM_UP_TOKENS = 8

Run = Callable[[Sequence[int], int, int], Awaitable[None]]
"""run(prompt_ids, tokens, place): write so many tokens behind the prompt."""


@dataclass(frozen=True, slots=True)
class Way:
    """One thing to measure: `streams` runs at once on an engine."""

    engine: Engine
    streams: int
    name: str
    run: Run


def ways(engine: llama.LlamaEngine, client: httpx.AsyncClient) -> tuple[list[Way], list[Way]]:
    """What is compared on one model, alone and eight at once: the server's own, and ours."""
    alone = [(STREAMING, _theirs(client, stream=True)), (OURS, _ours(engine))]
    at_once = [(UNSLICED, _theirs(client, stream=False)), (OURS, _ours(engine))]
    return [Way(engine, 1, *way) for way in alone], [Way(engine, len(TOPICS), *way) for way in at_once]


def _theirs(client: httpx.AsyncClient, *, stream: bool) -> Run:
    """The server asked as anybody would, with the sampling of ours. What it says is not parsed but for its end."""
    fields, _ = sampling_fields(Sampling(extra=(IGNORE_EOS,)))
    headers = {"Connection": "close"} if stream else {}  # it drops the connection behind a stream without saying so

    async def run(prompt_ids: Sequence[int], tokens: int, place: int) -> None:
        body = {"prompt": prompt_ids, "n_predict": tokens, "id_slot": place, "stream": stream, "return_tokens": True}
        said = b""
        async with client.stream("POST", "/completion", json=body | fields, headers=headers) as answer:
            async for part in answer.aiter_bytes():
                said += part
        if f'"tokens_predicted":{tokens},'.encode() not in said:
            raise Z1Error(f"the server ended before its {tokens} tokens: {said[-300:].decode(errors='replace')}")

    return run


def _ours(engine: Engine) -> Run:
    async def run(prompt_ids: Sequence[int], tokens: int, place: int) -> None:
        sampling = Sampling(max_tokens=tokens, extra=(IGNORE_EOS,))
        made = [id_ async for delta in generate(engine, prompt_ids, sampling) for id_ in delta.ids]
        if len(made) != tokens:
            raise Z1Error(f"{len(made)} tokens came where {tokens} were asked for")

    return run


async def measure(way: Way, tokens: int, number: int) -> dict[str, Any]:
    """One way in one round; round 0 is short."""
    tokens = tokens if number else WARM_UP_TOKENS
    unknown = f"Round {number}, {way.name}, {way.streams}."  # in front, so that nothing of the prompt is cached
    chats = [chat(f"Tell me a long story of {topic}.", system=unknown) for topic in TOPICS[: way.streams]]
    prompts = [way.engine.text.render(messages) for messages in chats]
    first_s = await _timed(way, prompts, 1)
    wall_s = max(await _timed(way, prompts, tokens))
    return {
        "model": way.engine.name,
        "streams": way.streams,
        "tokens_per_s": way.streams * tokens / wall_s,
        "first_token_ms": 1000 * sum(first_s) / len(first_s),
    }


async def _timed(way: Way, prompts: Sequence[Sequence[int]], tokens: int) -> list[float]:
    """When each of them was done, all at once."""
    started_s = time.monotonic()

    async def one(place: int, prompt_ids: Sequence[int]) -> float:
        await way.run(prompt_ids, tokens, place)
        return time.monotonic() - started_s

    return await asyncio.gather(*(one(place, ids) for place, ids in enumerate(prompts)))


def with_ratios(lines: pd.DataFrame) -> pd.DataFrame:
    """Adds of_server."""
    alone, at_once = (
        ratio(lines, "tokens_per_s", to=way, same=("model", "streams", "round")) for way in (STREAMING, UNSLICED)
    )
    return lines.assign(of_server=alone.fillna(at_once))


def parser() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(prog="python -m bench.engines", description="llama.cpp's server, and ours on it.")
    options.add_argument("--model", action="append", help="FILE.gguf or hub id, repeatable (default SmolLM2-135M)")
    options.add_argument("--tokens", type=int, default=128, help="to write in each stream (default %(default)s)")
    add_study_options(options, rounds=5)
    return options


@program()
def main(argv: list[str] | None = None) -> None:
    options = parser().parse_args(argv)
    check(options, "tokens")
    asyncio.run(_run(options))


async def _run(options: argparse.Namespace) -> None:
    """The engines stay for the whole run."""
    groups = []
    async with AsyncExitStack() as stack:
        for model in options.model or [EMBEDDED_NAME]:
            found = locate(model, engine="llama")
            engine = llama.LlamaEngine.start(
                found.path, adapter=found.adapter, name=found.name, max_model_len=CONTEXT_TOKENS, places=len(TOPICS)
            )
            stack.push_async_callback(engine.close)
            client = await stack.enter_async_context(engine.server.client())
            for group in ways(engine, client):
                groups.append({way.name: partial(measure, way, options.tokens) for way in group})
        lines = await in_turns(groups, options, {})
    print(table(with_ratios(lines), ["model", "streams", "way"]))


if __name__ == "__main__":
    sys.exit(main())
