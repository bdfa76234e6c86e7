"""What the window costs: the same prompts and budget, spent in different ways in turns, on one engine and beside a server.

python -m bench.window --prompts gsm8k.jsonl --windows 160 --answer-tokens 338 --ways plain published ours
python -m bench.window --prompts gsm8k.jsonl --windows 32 64 128 256 512 --answer-tokens 64 --ways ours sweep
python -m bench.window --prompts gsm8k.jsonl --ways ours --beside http://127.0.0.1:8000 --ignore-eos
python -m bench.window --prompts gsm8k.jsonl --limit 32 --ways raw plain --concurrency 8 --ignore-eos --rounds 5

The ways are in bench/ways.py; server is ours on the server at --beside, which holds the same model. of_plain, of_raw:
tokens/s as a share of what plain or raw reached in the same round; wall_of_ours: time in terms of ours. native runs on
vLLM only, which it starts on any machine, raw on llama.cpp only. llama.cpp keeps the last prompt of each of its places:
give it more rows than --concurrency.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from bench.study import add_study_options, check, in_turns, table
from bench.ways import WAYS, Load, Row, run
from training.rows import QUESTION, Rows
from z1_core.engine import Engine
from z1_core.engines import choose, start_engine
from z1_core.engines.server import ServerEngine
from z1_core.engines.vllm import VllmEngine
from z1_core.errors import BadInput, Z1Error
from z1_core.models import locate
from z1_core.options import add_engine_options
from z1_core.program import program, say
from z1_core.prompt import chat, check_fits
from z1_core.serve import start_of_turn
from z1_core.sweep import check_windows
from z1_core.window import HINT, Sampling, Window

WARM_UP_ROWS = 4


def parser() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(prog="python -m bench.window", description=__doc__.split("\n\n")[0])
    options.add_argument("--prompts", type=Path, required=True, metavar="FILE.jsonl", help='rows with a "question"')
    options.add_argument("--windows", type=int, nargs="+", default=[128], metavar="N", help="thinking tokens")
    options.add_argument("--answer-tokens", type=int, default=64, metavar="N", help="default %(default)s")
    options.add_argument("--ways", nargs="+", choices=WAYS, default=["plain", "published", "ours"])
    options.add_argument("--beside", metavar="URL", help="a server with the same model: ours on it, too")
    options.add_argument("--limit", type=int, metavar="N", help="the first rows only")
    options.add_argument("--concurrency", type=int, default=8, metavar="N", help="rows at a time (default %(default)s)")
    options.add_argument("--ignore-eos", action="store_true", help="no row ends by itself: all write as many tokens")
    add_study_options(options, rounds=3)
    add_engine_options(options)
    return options


@program()
def main(argv: list[str] | None = None) -> None:
    options = parser().parse_args(argv)
    check(options, "limit", "concurrency", "answer_tokens")
    windows = [Window(thinking_tokens=size, answer_tokens=options.answer_tokens) for size in options.windows]
    check_windows(windows)
    if "raw" in options.ways and choose(options) != "llama":
        raise BadInput("raw asks llama.cpp's own server; give --engine llama, or leave raw out of --ways")
    chats = [chat(row.question) for row in Rows([options.prompts], fields=QUESTION, max_bad=0)][: options.limit]
    beside = ServerEngine.start(options.beside) if options.beside else None
    engine = _with_budget(options) if "native" in options.ways else start_engine(options, say)
    asyncio.run(_run(engine, beside, options, chats, windows))


def _with_budget(options: argparse.Namespace) -> VllmEngine:
    """vLLM, told where thinking starts and what to force at its end."""
    from transformers import AutoTokenizer

    model = locate(options.model, engine="vllm", report=say)
    header = start_of_turn(AutoTokenizer.from_pretrained(model.path))
    if header is None:
        raise BadInput("the model's chat template opens no assistant turn, and native needs one to start counting at")
    budget = {"reasoning_config": {"reasoning_start_str": header, "reasoning_end_str": HINT}}
    return VllmEngine.start(model.path, name=model.name, max_model_len=options.max_model_len, **budget)


async def _run(
    engine: Engine, beside: Engine | None, options: argparse.Namespace, chats: list[list[dict]], windows: list[Window]
) -> None:
    async with AsyncExitStack() as stack:
        for each in filter(None, (beside, engine)):
            stack.push_async_callback(each.close)
        load = make_load(engine, chats, windows, options)
        if "raw" in options.ways:
            load = replace(load, server=await stack.enter_async_context(engine.server.client()))
        ways = {way: partial(measure, way, load) for way in options.ways}
        if beside:
            ways["server"] = partial(measure, "ours", make_load(beside, chats, windows, options))
        lines = await in_turns(ways, options, model=engine.name, rows=len(chats))
    shares = {f"of_{way}": ("tokens_per_s", way) for way in ("plain", "raw")}
    print(table(lines, **shares, wall_of_ours=("wall_s", "ours")))


def make_load(engine: Engine, chats: list[list[dict]], windows: Sequence[Window], options: argparse.Namespace) -> Load:
    """Raises ContextOverflow where the longest prompt leaves too little room: published answers with the whole total."""
    load = Load(
        engine=engine,
        prompts=[engine.text.render(messages) for messages in chats],
        windows=windows,
        hint_ids=engine.text.encode(HINT),
        concurrency=options.concurrency,
        sampling=Sampling(extra=(("ignore_eos", True),) * options.ignore_eos),
    )
    check_fits(engine, max(load.prompts, key=len), replace(load.window, answer_tokens=load.total_tokens))
    return load


async def measure(way: str, load: Load, number: int) -> dict[str, Any]:
    """One way in one round, from a cold cache; round 0 has few rows."""
    load = replace(load, sampling=await _cold(load))
    if number == 0:
        load = replace(load, prompts=load.prompts[:WARM_UP_ROWS])
    started_s = time.monotonic()
    rows = await run(way, load)
    return figures(rows, time.monotonic() - started_s)


async def _cold(load: Load) -> Sampling:
    """No way finds the prompts of the one before: vLLM's cache is emptied here, and is another one for each salt on its
    server."""
    if isinstance(load.engine, VllmEngine) and not await load.engine.llm.reset_prefix_cache():
        raise Z1Error("the prefix cache cannot be emptied while requests run")
    salt = (("cache_salt", str(time.monotonic())),) * isinstance(load.engine, ServerEngine)
    return replace(load.sampling, extra=(*load.sampling.extra, *salt))


def figures(rows: Sequence[Row], wall_s: float) -> dict[str, float]:
    """tokens: traces and answers as generated, without the hints."""
    tokens = sum(row.trace_tokens + row.answer_tokens for row in rows)
    return {
        "wall_s": wall_s,
        "tokens": tokens,
        "tokens_per_s": tokens / wall_s,
        "rows_cut": sum(row.cut for row in rows),
        "max_trace_tokens": max(row.trace_tokens for row in rows),
    }


if __name__ == "__main__":
    sys.exit(main())
