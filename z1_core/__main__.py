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

from z1_core.engine import Engine
from z1_core.engines import start_engine
from z1_core.errors import BadInput
from z1_core.options import add_engine_options
from z1_core.program import program
from z1_core.prompt import SYSTEM_PROMPT, chat
from z1_core.thinking import Job, Transcript, collect_all, think
from z1_core.window import BOXED_HINT, HINT, Completion, Sampling, Window

HINTS = {"plain": HINT, "boxed": BOXED_HINT}


def parser() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(prog="python -m z1_core", description="Think inside a window, then answer.")
    options.add_argument("question", nargs="?", help="what to ask; or give --prompts")
    options.add_argument("--prompts", type=Path, metavar="FILE.jsonl", help="many questions, one JSON object a line")
    options.add_argument("--out", type=Path, metavar="FILE.jsonl", help="where the results of --prompts go, in order")
    options.add_argument("--json", action="store_true", help="print one JSON object instead of streaming text")
    options.add_argument("--thinking-tokens", type=int, default=1024, help="the window (default %(default)s)")
    options.add_argument("--answer-tokens", type=int, default=512, help="room for the answer (default %(default)s)")
    options.add_argument("--temperature", type=float, default=0.0, help="0 is greedy (default %(default)s)")
    options.add_argument("--top-p", type=float, default=1.0, help="counts only above temperature 0")
    options.add_argument("--seed", type=int, help="repeats a draw at temperature above 0")
    trained = "default: what the model was trained for, where its folder tells, else"
    options.add_argument("--hint", help=f"plain, boxed, or a text of your own ({trained} plain)")
    options.add_argument("--system", help=f"system prompt ({trained} {SYSTEM_PROMPT!r})")
    add_engine_options(options)
    return options


@program()
def main(argv: list[str] | None = None) -> None:
    options = parser().parse_args(argv)
    window = Window(
        thinking_tokens=options.thinking_tokens,
        answer_tokens=options.answer_tokens,
        hint=HINT if options.hint is None else HINTS.get(options.hint, options.hint),
    )
    sampling = Sampling(temperature=options.temperature, top_p=options.top_p, seed=options.seed)
    rows = read_rows(options)
    engine = start_engine(options, lambda stage: print(f"{stage} ...", file=sys.stderr))
    if options.hint is None:
        window = replace(window, hint=engine.trained.hint)
    asyncio.run(_run(engine, options, rows, window, sampling))


def read_rows(options: argparse.Namespace) -> list[dict]:
    """The questions as rows with a "prompt". Raises BadInput, naming the line, for what is none."""
    if options.prompts is None:
        chat(options.question or "")
        return [{"prompt": options.question}]
    if options.question or options.out is None:
        raise BadInput("--prompts takes its questions from the file and needs --out FILE.jsonl for the results")
    if options.out.exists():
        raise BadInput(f"{options.out} exists already; move it away or name another file with --out")
    rows = [_row(line, number) for number, line in enumerate(_lines(options.prompts), start=1)]
    if not rows:
        raise BadInput(f"{options.prompts} holds no rows")
    others = dict.fromkeys(name for row in rows for name in row if name != "prompt")
    if others:
        print(f'of each row only "prompt" is read, not {", ".join(others)}: settings are options', file=sys.stderr)
    return rows


async def _run(
    engine: Engine, options: argparse.Namespace, rows: list[dict], window: Window, sampling: Sampling
) -> None:
    system = engine.trained.system if options.system is None else options.system
    try:
        jobs = [Job(engine.text.render(chat(row["prompt"], system=system)), window, sampling) for row in rows]
        async with aclosing(collect_all(engine, jobs)) as completions:
            if options.prompts:
                await _write_rows(options.out, rows, completions)
            elif options.json:
                print(json.dumps(_record(await anext(completions)), ensure_ascii=False))
            else:
                await _show(engine, jobs[0])
    finally:
        await engine.close()


async def _write_rows(out: Path, rows: list[dict], completions: AsyncIterator[Completion]) -> None:
    """Each finished row as a line, flushed at once, in the input's order; the file gets its name when it is whole."""
    from tqdm import tqdm

    draft = out.with_name(f"{out.name}.part")
    with draft.open("w", encoding="utf-8") as file, tqdm(total=len(rows), unit="row") as progress:
        places = iter(rows)
        async for completion in completions:
            file.write(json.dumps({**next(places), **_record(completion)}, ensure_ascii=False) + "\n")
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


def _record(completion: Completion) -> dict:
    return asdict(completion)


def _lines(path: Path) -> list[str]:
    try:
        return [line for line in path.read_text(encoding="utf-8").split("\n") if line.strip()]
    except UnicodeDecodeError as error:
        raise BadInput(f"{path} is not UTF-8 at byte {error.start}; save it as UTF-8") from error
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror}; name a JSONL file of prompts") from error


def _row(line: str, number: int) -> dict:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:  # the latter where brackets stand in brackets, thousands deep
        raise BadInput(f"row {number} is no JSON: {error}") from error
    if not isinstance(row, dict) or not isinstance(row.get("prompt"), str) or not row["prompt"].strip():
        raise BadInput(f'row {number} has no text under "prompt"')
    try:
        json.dumps(row, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError as error:
        raise BadInput(
            f"row {number} holds half a character (\\u{ord(error.object[error.start]):x}); remove it"
        ) from error
    return row


if __name__ == "__main__":
    sys.exit(main())
