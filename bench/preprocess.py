"""How fast training.preprocess is against the published way of doing it, on the same rows.

    python -m bench.preprocess trajectories.jsonl --copies 10

The published loop (train/preprocess.py of efficientscaling/Z1) tokenises each prompt alone and each row whole, one at a
time, into lists of tensors, and pickles them with torch.save. Ours is training.preprocess as it is run, with reading,
checks, hashes and writing. The round that warms up counts for nothing, imports among it.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from bench.study import add_study_options, check, in_turns, table
from training.rows import Rows
from z1_core.jsonl import lines, write_lines
from z1_core.program import program


def published(source: Path, tokenizer_name: str, out: Path) -> int:
    """The published steps; only the length is the one that we keep to, where it cut at 512. Returns the tokens."""
    import torch

    from training.preprocess import Settings
    from training.pretrained import load_tokenizer

    tokenizer = load_tokenizer(tokenizer_name)
    rows = [line.row for line in lines(source)]
    sources = [_prompt(tokenizer, row["question"].strip()) for row in rows]
    texts = [prompt + row["response"] + "<|im_end|>" for prompt, row in zip(sources, rows, strict=True)]
    whole, prompts = ([_tokenise(tokenizer, text, Settings.max_length) for text in part] for part in (texts, sources))
    labels = [ids.clone() for ids in whole]
    for label, prompt in zip(labels, prompts, strict=True):
        label[: prompt.ne(tokenizer.pad_token_id).sum().item()] = -100
    out.mkdir()
    torch.save(whole, out / "input_ids.pt")
    torch.save(labels, out / "labels.pt")
    return sum(len(ids) for ids in whole)


def ours(source: Path, tokenizer_name: str, out: Path) -> int:
    from training.preprocess import Settings, preprocess

    return preprocess([str(source)], out, Settings(tokenizer=tokenizer_name, held_out=0)).tokens["all"]


def _prompt(tokenizer, question: str) -> str:
    messages = [{"role": "user", "content": question}, {"role": "assistant", "content": "-[[]]-splitter-[[]]-"}]
    return tokenizer.apply_chat_template(messages, tokenize=False).split("-[[]]-splitter-[[]]-")[0]


def _tokenise(tokenizer, text: str, max_length: int):
    return tokenizer(text, return_tensors="pt", padding="longest", max_length=max_length, truncation=True).input_ids[0]


async def measure(way: Callable[[Path, str, Path], int], source: Path, tokenizer: str, _: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        started_s = time.perf_counter()
        tokens = way(source, tokenizer, Path(folder, "out"))
        seconds = time.perf_counter() - started_s
    return {"seconds": seconds, "tokens": tokens, "tokens_per_s": tokens / seconds}


def copied(source: Path, copies: int, target: Path) -> Path:
    """The rows so many times, under new ids."""
    write_lines(
        target,
        (
            {"id": f"{row.id}-{number}", "question": row.question, "response": row.response}
            for number in range(copies)
            for row in Rows([source])
        ),
    )
    return target


@program(needs="training/requirements.txt")
def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.preprocess", description=__doc__.split("\n\n")[0])
    parser.add_argument("source", type=Path, metavar="ROWS.jsonl")
    parser.add_argument("--tokenizer", default="embedded", help="model folder or hub id (default: the embedded model)")
    parser.add_argument("--copies", type=int, default=1, metavar="N", help="the rows so many times (default 1)")
    add_study_options(parser, rounds=3)
    options = parser.parse_args(argv)
    check(options, "copies")
    with tempfile.TemporaryDirectory() as folder:
        source = copied(options.source, options.copies, Path(folder, "rows.jsonl"))
        ways = {way.__name__: partial(measure, way, source, options.tokenizer) for way in (published, ours)}
        made = asyncio.run(in_turns(ways, options))
    print(table(made, of_published=("tokens_per_s", "published")))


if __name__ == "__main__":
    sys.exit(main())
