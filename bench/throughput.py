"""How fast the window is: four methods spend the same budget in turns on one engine.

python -m bench.throughput --prompts gsm8k.jsonl --window 160 --answer 338 --concurrency 32 --out throughput.json

The four are in bench/methods.py.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from bench.methods import Load, Meter, Row, native, ours, plain, published_answer, published_trace
from evaluation.pool import pooled
from evaluation.record import commit, versions
from evaluation.rows import BadRow, read_rows
from z1_core.engine import Engine
from z1_core.engines.vllm import VllmEngine
from z1_core.errors import BadInput
from z1_core.jsonl import write_json
from z1_core.models import locate
from z1_core.program import program
from z1_core.prompt import chat, check_context
from z1_core.window import HINT, Window

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

WARM_UP_ROWS = 4
WARM_UP_TOKENS = 16


METHODS = {"plain": (plain,), "published": (published_trace, published_answer), "native": (native,), "ours": (ours,)}
"""The stages of each method: all rows go through one before the first enters the next."""


async def run(method: str, load: Load) -> list[Row]:
    rows: Sequence[Any] = load.prompts
    for stage in METHODS[method]:
        rows = await _run_stage(stage, load, rows)
    return rows


async def _run_stage(stage: Callable[[Load, Any], Awaitable[Any]], load: Load, rows: Sequence[Any]) -> list[Any]:
    waiting = len(rows)
    load.meter.stage_begins()

    async def run_one(row: Any) -> Any:
        nonlocal waiting
        waiting -= 1
        if waiting == 0:
            load.meter.last_row_starts()
        return await stage(load, row)

    return await pooled(run_one, rows, load.concurrency)


async def warm_up(load: Load, methods: Sequence[str]) -> None:
    few = min(WARM_UP_TOKENS, load.window.thinking_tokens, load.window.answer_tokens)
    window = replace(load.window, thinking_tokens=few, answer_tokens=few)
    for method in methods:
        await run(method, replace(load, prompts=load.prompts[:WARM_UP_ROWS], window=window))


async def measure(
    load: Load, methods: Sequence[str], number: int, reset_prefix_cache: Callable[[], Awaitable[bool]]
) -> list[dict[str, Any]]:
    """One round: a line for each method, in the order in which they ran, which is another one in the next round.

    reset_prefix_cache: called before each method, so that none finds the prompts of the one before.
    """
    lines = []
    for method in rotated(list(methods), number - 1):
        if not await reset_prefix_cache():
            raise RuntimeError("the prefix cache cannot be emptied while requests run")
        started_s = time.monotonic()
        metered = replace(load, meter=Meter())
        rows = await run(method, metered)
        lines.append({"round": number, "method": method, **figures(rows, time.monotonic() - started_s, metered.meter)})
        print(f"round {number}: {method} {lines[-1]['wall_s']:.1f} s", file=sys.stderr)
    return lines


def rotated(names: list[str], by: int) -> list[str]:
    return names[by % len(names) :] + names[: by % len(names)]


def figures(rows: Sequence[Row], wall_s: float, meter: Meter) -> dict[str, float]:
    """tokens: traces and answers as generated, without the hints. full_tokens_per_s: while every place was taken."""
    table = pd.DataFrame([asdict(row) for row in rows])
    tokens = int((table.trace_tokens + table.answer_tokens).sum())
    return {
        "wall_s": wall_s,
        "tokens": tokens,
        "tokens_per_s": tokens / wall_s,
        "full_tokens_per_s": meter.full_tokens / meter.full_s if meter.full_tokens else None,
        "first_token_ms": table.first_token_s.median() * 1000,
        "first_token_p95_ms": table.first_token_s.quantile(0.95) * 1000,
        "rows_cut": int(table.cut.sum()),
        "max_trace_tokens": int(table.trace_tokens.max()),
    }


def with_ratios(measured: list[dict[str, Any]]) -> pd.DataFrame:
    """of_plain: tokens/s as a share of what plain reached in the same round (full_: while every place was taken);
    wall_of_ours: time in terms of ours'."""
    lines = pd.DataFrame(measured)
    plain = lines[lines.method == "plain"].set_index("round")
    own_wall_s = lines[lines.method == "ours"].set_index("round").wall_s
    ratios = lines.assign(
        of_plain=lines.tokens_per_s / lines["round"].map(plain.tokens_per_s),
        full_of_plain=lines.full_tokens_per_s / lines["round"].map(plain.full_tokens_per_s),
        wall_of_ours=lines.wall_s / lines["round"].map(own_wall_s),
    )
    return ratios.dropna(axis="columns", how="all")  # where plain or ours did not run


def table(lines: pd.DataFrame) -> str:
    """A line a figure, a column a method: the median over the rounds and, in brackets, the smallest and largest."""

    def cell(values: pd.Series) -> str:
        whole = (values == values.round()).all()
        digits = 0 if whole or values.max() >= 1000 else 1 if values.max() >= 10 else 3
        middle, low, high = (f"{value:,.{digits}f}" for value in (values.median(), values.min(), values.max()))
        return middle if low == high else f"{middle} ({low}-{high})"

    return lines.drop(columns="round").groupby("method").agg(cell).reindex(METHODS).dropna(how="all").T.to_string()


def assistant_header(tokenizer: PreTrainedTokenizerBase) -> str:
    """What the chat template puts where the model is to write, "<|im_start|>assistant\\n" for instance."""
    messages = chat("Hello")
    before = tokenizer.apply_chat_template(messages, tokenize=False)
    header = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True).removeprefix(before)
    if not header.strip():
        raise BadInput("the model's chat template opens no assistant turn, and native needs one to start counting at")
    return header


def parser() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(prog="python -m bench.throughput", description="How fast the window is.")
    options.add_argument("--model", help="hub id or folder (default: chosen by the machine)")
    options.add_argument(
        "--prompts", type=Path, required=True, metavar="FILE.jsonl", help='rows with a "prompt" or a "question"'
    )
    options.add_argument("--window", type=int, required=True, help="thinking tokens")
    options.add_argument("--answer", type=int, required=True, help="answer tokens")
    options.add_argument("--concurrency", type=int, required=True, help="rows in flight at a time")
    options.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS), help="which (default: all)")
    options.add_argument("--rounds", type=int, default=3, help="times each method runs (default %(default)s)")
    options.add_argument("--limit", type=int, help="use the first rows only")
    options.add_argument("--out", type=Path, metavar="FILE.json", help="where settings and figures go")
    return options


@program()
def main(argv: list[str] | None = None) -> None:
    options = parser().parse_args(argv)
    check(options)
    chats = read_chats(options.prompts, options.limit)
    engine = start_engine(options)
    asyncio.run(_run(engine, options, chats))


def check(options: argparse.Namespace) -> None:
    for name in ("window", "answer", "concurrency", "rounds", "limit"):
        if (value := getattr(options, name)) is not None and value < 1:
            raise BadInput(f"--{name} is {value}; it must be at least 1")
    if options.out and not options.out.parent.is_dir():
        raise BadInput(f"there is no folder {options.out.parent} for --out; make it first")


def read_chats(path: Path, limit: int | None) -> list[list[dict]]:
    """The first rows as messages, from their "prompt" or "question". Raises BadInput, naming the row."""
    rows = list(islice(read_rows(path), limit))
    if not rows:
        raise BadInput(f"{path} holds no rows")
    return [_chat(row) for row in rows]


def _chat(row: tuple[str, dict[str, Any]] | BadRow) -> list[dict]:
    if isinstance(row, BadRow):
        raise BadInput(str(row))
    where, fields = row
    if not (question := fields.get("prompt") or fields.get("question")):
        raise BadInput(f'{where} has no text under "prompt" or "question"')
    try:
        return chat(question)
    except BadInput as error:
        raise BadInput(f"{where}: {error}") from error


def start_engine(options: argparse.Namespace) -> VllmEngine:
    from transformers import AutoTokenizer

    model = locate(options.model, engine="vllm", report=lambda stage: print(f"{stage} ...", file=sys.stderr))
    header = assistant_header(AutoTokenizer.from_pretrained(model.path))
    engine_args: dict[str, Any] = {"reasoning_config": {"reasoning_start_str": header, "reasoning_end_str": HINT}}
    print(f"loading {model.name} ...", file=sys.stderr)
    return VllmEngine.start(model.path, name=model.name, **engine_args)


async def _run(engine: VllmEngine, options: argparse.Namespace, chats: list[list[dict]]) -> None:
    try:
        load = make_load(engine, options, chats)
        await warm_up(load, options.methods)
        lines = []
        for number in range(1, options.rounds + 1):
            lines += await measure(load, options.methods, number, engine.llm.reset_prefix_cache)
            if options.out:  # after each round: a run that is stopped has lost only its last
                write_json(options.out, record(engine, load, options, lines))
        print(table(with_ratios(lines)))
    finally:
        await engine.close()


def make_load(engine: Engine, options: argparse.Namespace, chats: list[list[dict]]) -> Load:
    """Raises ContextOverflow where the longest prompt leaves too little room: published answers with the whole total."""
    load = Load(
        engine=engine,
        prompts=[engine.text.render(messages) for messages in chats],
        window=Window(thinking_tokens=options.window, answer_tokens=options.answer),
        hint_ids=engine.text.encode(HINT),
        concurrency=options.concurrency,
    )
    check_context(
        prompt_tokens=max(map(len, load.prompts)),
        window=replace(load.window, answer_tokens=load.total_tokens),
        hint_tokens=len(load.hint_ids),
        context_tokens=engine.context_tokens,
    )
    return load


def record(engine: VllmEngine, load: Load, options: argparse.Namespace, lines: list[dict]) -> dict[str, Any]:
    """Everything that is needed to run it again and to judge it."""
    config = engine.llm.vllm_config
    return {
        "options": {name: str(value) if isinstance(value, Path) else value for name, value in vars(options).items()},
        "model": engine.name,
        "rows": len(load.prompts),
        "hint": load.window.hint,
        "hint_tokens": len(load.hint_ids),
        "total_tokens": load.total_tokens,
        "temperature": 0.0,
        "native_start": config.reasoning_config.reasoning_start_str,
        "block_size": config.cache_config.block_size,
        "kv_cache_memory_bytes": config.cache_config.kv_cache_memory_bytes,
        "enforce_eager": config.model_config.enforce_eager,
        "max_model_len": config.model_config.max_model_len,
        "max_num_seqs": config.scheduler_config.max_num_seqs,
        "versions": versions(),
        "commit": commit(),
        "cpus": os.cpu_count(),
        "rounds": with_ratios(lines).to_dict("records"),
    }


if __name__ == "__main__":
    sys.exit(main())
