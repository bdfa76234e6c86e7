"""Ask from a terminal: python -m z1_core "How many r are in raspberry?" --thinking-tokens 256 --answer-tokens 128"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import asdict, replace
from pathlib import Path

from z1_core.program import needed, program

with needed():
    from z1_core.engine import Engine
    from z1_core.engines import start_engine
    from z1_core.errors import BadInput
    from z1_core.jsonl import Line, lines
    from z1_core.options import add_engine_options
    from z1_core.prompt import chat
    from z1_core.settings import Settings, add_setting_options, read_settings
    from z1_core.thinking import Job, Transcript, collect_all, think
    from z1_core.window import Completion, Window


def parser() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(prog="python -m z1_core", description="Think inside a window, then answer.")
    options.add_argument("question", nargs="?", help="what to ask; or give --prompts")
    options.add_argument("--prompts", type=Path, metavar="FILE.jsonl", help="many questions, one JSON object a line")
    options.add_argument("--out", type=Path, metavar="FILE.jsonl", help="where the results of --prompts go, in order")
    options.add_argument("--json", action="store_true", help="print one JSON object instead of streaming text")
    add_setting_options(options, without=["total_tokens"])
    options.add_argument("--answer-tokens", type=int, default=512, help="room for the answer (default %(default)s)")
    add_engine_options(options)
    return options


@program()
def main(argv: list[str] | None = None) -> None:
    options = parser().parse_args(argv)
    settings = read_settings(vars(options))
    window = Window(thinking_tokens=settings.thinking_tokens, answer_tokens=options.answer_tokens, hint=settings.hint)
    rows = read_rows(options)
    engine = start_engine(options, lambda stage: print(f"{stage} ...", file=sys.stderr))
    settings = read_settings({**engine.trained.usual, **vars(options)})
    asyncio.run(_run(engine, options, rows, settings, replace(window, hint=settings.hint)))


def read_rows(options: argparse.Namespace) -> list[dict]:
    """The questions as rows with a "prompt"."""
    if options.prompts is None and options.out is not None:
        raise BadInput("--out is for the results of --prompts; give that, too, or --json > FILE for one question")
    if options.prompts is None:
        chat(options.question or "")
        return [{"prompt": options.question}]
    if options.question or options.out is None:
        raise BadInput("--prompts takes its questions from the file and needs --out FILE.jsonl for the results")
    if options.out.exists():
        raise BadInput(f"{options.out} exists already; move it away or name another file with --out")
    if not options.out.parent.is_dir():
        raise BadInput(f"there is no folder {options.out.parent} for --out; make it, or name another")
    rows = [_row(line) for line in lines(options.prompts)]
    if not rows:
        raise BadInput(f"{options.prompts} holds no rows")
    others = dict.fromkeys(name for row in rows for name in row if name != "prompt")
    if others:
        print(f'of each row only "prompt" is read, not {", ".join(others)}: settings are options', file=sys.stderr)
    return rows


async def _run(
    engine: Engine, options: argparse.Namespace, rows: list[dict], settings: Settings, window: Window
) -> None:
    try:
        chats = [chat(row["prompt"], system=settings.system) for row in rows]
        jobs = [Job(engine.text.render(messages), window, settings.sampling) for messages in chats]
        async with aclosing(collect_all(engine, jobs)) as completions:
            if options.prompts:
                await _write_rows(options.out, rows, completions)
            elif options.json:
                print(json.dumps(asdict(await anext(completions)), ensure_ascii=False))
            else:
                await _show(engine, jobs[0])
    finally:
        await engine.close()


async def _write_rows(out: Path, rows: list[dict], completions: AsyncIterator[Completion]) -> None:
    """Each finished row as a line, flushed at once, in the input's order; the file gets its name when it is whole."""
    from tqdm import tqdm

    draft = out.with_name(f"{out.name}.part")
    with (
        draft.open("w", encoding="utf-8", errors="backslashreplace") as file,
        tqdm(total=len(rows), unit="row") as progress,
    ):
        places = iter(rows)
        async for completion in completions:
            file.write(json.dumps({**next(places), **asdict(completion)}, ensure_ascii=False) + "\n")
            file.flush()
            progress.update()
        os.fsync(file.fileno())
    draft.replace(out)


async def _show(engine: Engine, job: Job) -> None:
    """The run as it is made, the cut marked, the hint labelled, and one line of numbers to stderr at the end."""
    transcript = Transcript(job.prompt_ids)
    async with aclosing(think(engine, job.prompt_ids, job.window, job.sampling)) as chunks:
        async for chunk in chunks:
            transcript.add(chunk)
            if chunk.phase == "hint":
                print(f"\n--- window closed at {transcript.tokens['trace']} tokens ---")
                print(f"[inserted] {chunk.text.strip()}\n")
            else:
                print(chunk.text, end="", flush=True)
    done = transcript.completion()
    print(
        f"\n\n{done.end_reason}: {len(done.trace_ids)} of {job.window.thinking_tokens} thinking tokens, "
        f"{len(done.answer_ids)} answer tokens, {done.seconds:.1f} s",
        file=sys.stderr,
    )


def _row(line: Line) -> dict:
    """A row whose "prompt" can be asked. Raises BadInput, naming the line."""
    if line.row is None or not isinstance(line.row.get("prompt"), str):
        raise BadInput(f"{line.where} is {line.fault or 'a row without a text under prompt'}")
    try:
        chat(line.row["prompt"])
    except BadInput as error:
        raise BadInput(f"{line.where}: {error}") from error
    return line.row


if __name__ == "__main__":
    sys.exit(main())
