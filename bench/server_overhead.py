"""What a server costs: the same rows on an engine in this process and on a server, in turns.

python -m z1_core.serve --port 8000 &
python -m bench.server_overhead --prompts gsm8k.jsonl --server-url http://127.0.0.1:8000 --limit 32

of_in_process: the server's tokens/s as a share of what the engine in this process reached in the same round.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from bench.throughput import read_chats, rotated
from evaluation.pool import pooled
from evaluation.record import about
from z1_core.engine import Engine
from z1_core.engines.server import ServerEngine
from z1_core.engines.vllm import VllmEngine
from z1_core.errors import BadInput
from z1_core.jsonl import write_json
from z1_core.models import locate
from z1_core.program import program
from z1_core.prompt import chat
from z1_core.thinking import collect
from z1_core.window import Completion, Sampling, Window

CACHE_BYTES = 2**30
WARM_UP_ROWS = 4


def parser() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(prog="python -m bench.server_overhead", description="What a server costs.")
    options.add_argument(
        "--prompts", type=Path, required=True, metavar="FILE.jsonl", help='rows with a "prompt" or a "question"'
    )
    options.add_argument("--server-url", required=True, metavar="URL", help="a server with the same model")
    options.add_argument("--model", help="hub id or folder for the engine here (default: chosen by the machine)")
    options.add_argument("--thinking-tokens", type=int, default=64, help="the window (default %(default)s)")
    options.add_argument("--answer-tokens", type=int, default=64, help="room for the answer (default %(default)s)")
    options.add_argument("--concurrency", type=int, default=32, help="rows in flight at a time (default %(default)s)")
    options.add_argument("--rounds", type=int, default=8, help="times each of the two runs (default %(default)s)")
    options.add_argument("--limit", type=int, help="use the first rows only")
    options.add_argument("--out", type=Path, metavar="FILE.json", help="where settings and figures go")
    return options


@program()
def main(argv: list[str] | None = None) -> None:
    options = parser().parse_args(argv)
    chats = read_chats(options.prompts, options.limit)
    window = Window(thinking_tokens=options.thinking_tokens, answer_tokens=options.answer_tokens)
    if min(options.concurrency, options.rounds) < 1:
        raise BadInput("--concurrency and --rounds must be at least 1")
    server = ServerEngine.start(options.server_url)
    model = locate(options.model, engine="vllm")
    here = VllmEngine.start(model.path, name=model.name, kv_cache_memory_bytes=CACHE_BYTES)
    asyncio.run(compare({"in process": here, "server": server}, options, chats, window))


async def compare(engines: dict[str, Engine], options: argparse.Namespace, chats: list, window: Window) -> None:
    """Measure them in turns, and close them."""
    lines: list[dict[str, Any]] = []
    try:
        for engine in engines.values():
            few = Window(thinking_tokens=16, answer_tokens=16)
            await run(engine, [engine.text.render(chat("Hello"))] * WARM_UP_ROWS, few, options.concurrency, "warm")
        for number in range(1, options.rounds + 1):
            for name in rotated(list(engines), number - 1):
                prompts = [engines[name].text.render(messages) for messages in chats]
                started_s = time.monotonic()
                done = await run(engines[name], prompts, window, options.concurrency, f"{started_s}")
                wall_s = time.monotonic() - started_s
                tokens = sum(len(each.trace_ids) + len(each.answer_ids) for each in done)
                lines.append({"round": number, "engine": name, "wall_s": wall_s, "tokens": tokens})
                print(f"round {number}: {name} {wall_s:.1f} s, {tokens:,} tokens", file=sys.stderr)
    finally:
        for engine in engines.values():
            await engine.close()
    table = with_share(lines)
    print(table.to_string(index=False, float_format="{:.3f}".format))
    print(f"of_in_process: {summary(table)}")
    if options.out:
        write_json(options.out, about() | {"options": {k: str(v) for k, v in vars(options).items()}, "lines": lines})


async def run(
    engine: Engine, prompts: list[list[int]], window: Window, concurrency: int, salt: str
) -> list[Completion]:
    """All rows, from a cold cache: emptied here; on a server a salt of its own is a cache of its own. No row ends by
    itself, so that both engines write as many tokens, side by side to the end."""
    extra: tuple[tuple[str, Any], ...] = (("ignore_eos", True),)
    if isinstance(engine, VllmEngine):
        await engine.llm.reset_prefix_cache()
    else:
        extra += (("cache_salt", salt),)
    sampling = Sampling(extra=extra)
    return await pooled(partial(collect, engine, window=window, sampling=sampling), prompts, concurrency)


def with_share(lines: list[dict[str, Any]]) -> pd.DataFrame:
    table = pd.DataFrame(lines)
    table["tokens_per_s"] = table.tokens / table.wall_s
    here = table[table.engine == "in process"].set_index("round").tokens_per_s
    table["of_in_process"] = table.tokens_per_s / table["round"].map(here)
    return table


def summary(table: pd.DataFrame) -> str:
    shares = table[table.engine == "server"].of_in_process
    return f"{shares.median():.3f} ({shares.min():.3f}-{shares.max():.3f})"


if __name__ == "__main__":
    sys.exit(main())
