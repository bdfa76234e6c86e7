"""What a sweep costs: one pass over all windows, against the largest window alone and against a run for each window.

python -m bench.sweep_cost --prompts gsm8k.jsonl --windows 32 64 128 256 512 --answer-tokens 64 --limit 64

time_of_largest / tokens_of_largest: wall time and generated tokens of the sweep in terms of the largest window alone, in
the same round. Where the first is not above the second, answering the smaller windows costs their tokens and no more.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from bench.throughput import read_chats, rotated
from evaluation.pool import pooled
from evaluation.record import about
from z1_core.engine import Engine
from z1_core.engines import start_engine
from z1_core.errors import BadInput
from z1_core.insertion import check_fits
from z1_core.jsonl import write_json
from z1_core.options import add_engine_options
from z1_core.program import program
from z1_core.sweep import check_windows, collect_sweep
from z1_core.thinking import collect
from z1_core.window import Completion, Window

METHODS = ("largest", "sweep", "separate")
WARM_UP_ROWS = 4


@dataclass(frozen=True, slots=True)
class Load:
    engine: Engine
    prompts: Sequence[Sequence[int]]
    windows: Sequence[Window]
    concurrency: int


async def run(method: str, load: Load) -> int:
    """All prompts by one method; how many tokens were generated. separate: one window after the other, as one would."""
    if method == "sweep":
        rows = await pooled(partial(_swept, load), load.prompts, load.concurrency)
        return sum(rows)
    windows = load.windows if method == "separate" else load.windows[-1:]
    tokens = 0
    for window in windows:
        runs = await pooled(
            lambda ids, window=window: collect(load.engine, ids, window), load.prompts, load.concurrency
        )
        tokens += sum(_written(done) for done in runs)
    return tokens


async def _swept(load: Load, ids: Sequence[int]) -> int:
    """The trace once, and every answer."""
    runs = await collect_sweep(load.engine, ids, load.windows)
    return len(runs[-1].trace_ids) + sum(len(done.answer_ids) for done in runs)


def _written(done: Completion) -> int:
    return len(done.trace_ids) + len(done.answer_ids)


async def measure(load: Load, number: int, reset_prefix_cache: Callable[[], Awaitable[bool]]) -> list[dict[str, Any]]:
    """One round, in another order than the one before."""
    lines = []
    for method in rotated(list(METHODS), number - 1):
        if not await reset_prefix_cache():
            raise RuntimeError("the prefix cache cannot be emptied while requests run")
        started_s = time.monotonic()
        tokens = await run(method, load)
        wall_s = time.monotonic() - started_s
        lines.append({"round": number, "method": method, "wall_s": wall_s, "tokens": tokens})
        print(f"round {number}: {method} {wall_s:.1f} s, {tokens:,} tokens", file=sys.stderr)
    return lines


def ratios(lines: Sequence[dict[str, Any]]) -> pd.DataFrame:
    """A line a round."""
    by_method = pd.DataFrame(lines).pivot(index="round", columns="method")
    wall, tokens = by_method["wall_s"], by_method["tokens"]
    made = pd.DataFrame(
        {
            "time_of_largest": wall["sweep"] / wall["largest"],
            "tokens_of_largest": tokens["sweep"] / tokens["largest"],
            "separate_of_sweep": wall["separate"] / wall["sweep"],
        }
    )
    return made.assign(overhead=made.time_of_largest / made.tokens_of_largest)


def parser() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(prog="python -m bench.sweep_cost", description="What a sweep costs.")
    options.add_argument(
        "--prompts", type=Path, required=True, metavar="FILE.jsonl", help='with "prompt" or "question"'
    )
    options.add_argument("--windows", type=int, nargs="+", default=[32, 64, 128, 256, 512], metavar="N")
    options.add_argument("--answer-tokens", type=int, default=64, metavar="N", help="default %(default)s")
    options.add_argument("--limit", type=int, default=64, metavar="N", help="the first rows (default %(default)s)")
    options.add_argument("--concurrency", type=int, default=32, metavar="N", help="traces at a time (default 32)")
    options.add_argument("--rounds", type=int, default=3, metavar="N", help="default %(default)s")
    options.add_argument("--out", type=Path, metavar="FILE.json")
    add_engine_options(options)
    return options


@program()
def main(argv: list[str] | None = None) -> None:
    options = parser().parse_args(argv)
    for name in ("limit", "concurrency", "rounds"):
        if (value := getattr(options, name)) < 1:
            raise BadInput(f"--{name} is {value}; it must be at least 1")
    windows = [Window(thinking_tokens=size, answer_tokens=options.answer_tokens) for size in options.windows]
    check_windows(windows)
    chats = read_chats(options.prompts, options.limit)
    engine = start_engine(options, lambda stage: print(f"{stage} ...", file=sys.stderr))
    asyncio.run(_run(engine, options, chats, windows))


async def _run(engine: Engine, options: argparse.Namespace, chats: list[list[dict]], windows: list[Window]) -> None:
    try:
        prompts = [engine.text.render(messages) for messages in chats]
        for ids in prompts:
            check_fits(engine, ids, windows[-1])
        load = Load(engine, prompts, windows, options.concurrency)
        await run("sweep", Load(engine, prompts[:WARM_UP_ROWS], windows[:1], options.concurrency))
        reset = engine.llm.reset_prefix_cache if hasattr(engine, "llm") else _nothing_to_reset
        lines: list[dict[str, Any]] = []
        for number in range(1, options.rounds + 1):
            lines += await measure(load, number, reset)
            if options.out:
                settings = {"model": engine.name, "rows": len(prompts), "windows": options.windows}
                settings |= {"answer_tokens": options.answer_tokens, "concurrency": options.concurrency}
                write_json(options.out, about() | settings | {"lines": lines})
        print(ratios(lines).agg(["median", "min", "max"]).round(3).to_string())
        print(json.dumps({"model": engine.name, "rows": len(prompts), "rounds": options.rounds}))
    finally:
        await engine.close()


async def _nothing_to_reset() -> bool:
    return True


if __name__ == "__main__":
    sys.exit(main())
