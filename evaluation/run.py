"""Ask a model a benchmark's problems at several windows, all from one trace each.

python -m evaluation.run gsm8k --limit 20 --windows 64 256 --out results/small
python -m evaluation.judge results/small

Every finished answer is one flushed line: after a crash the same command goes on where it stopped. More windows, samples,
hints, benchmarks or a larger --limit go into the same folder.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from contextlib import ExitStack
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from tqdm import tqdm

from evaluation import store
from evaluation.answering import Answering, Task, missing
from evaluation.plan import Plan, add_plan_options, make_plan
from evaluation.pool import pooled
from z1_core.engine import Engine
from z1_core.engines import start_engine
from z1_core.errors import BadInput, ContextOverflow
from z1_core.folder import held
from z1_core.jsonl import Lines, write_json, write_lines
from z1_core.options import add_engine_options, add_wait_option, at_least, server_wait_s
from z1_core.patience import Patience
from z1_core.program import program, say
from z1_core.prompt import check_fits
from z1_core.provenance import about
from z1_core.record import Answer, Asked, read

FAKE_SECONDS_PER_TOKEN = 0.001


def parser() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(
        prog="python -m evaluation.run", description="Accuracy against thinking tokens, from one pass."
    )
    add_plan_options(options)
    options.add_argument("--out", type=Path, metavar="DIR", help="results (default: results/MODEL)")
    options.add_argument("--concurrency", type=int, default=32, metavar="N", help="traces at a time (default 32)")
    add_wait_option(options)
    add_engine_options(options)
    return options


@program(
    stopped="stopped; what is finished is kept: give the same command again to go on",
    needs="evaluation/requirements.txt",
)
def main(argv: list[str] | None = None) -> None:
    options = parser().parse_intermixed_args(argv)
    at_least(1, concurrency=options.concurrency)
    server_wait_s(options)
    plan = make_plan(options)
    engine = start_engine(options, say, fake_seconds_per_token=FAKE_SECONDS_PER_TOKEN)
    out = options.out or Path("results") / engine.name.replace("/", "_")
    answers = asyncio.run(_run(engine, plan, out, options))
    print(f"{answers:,} answers are in {out}; judge them: python -m evaluation.judge {out}")


async def _run(engine: Engine, plan: Plan, out: Path, options: argparse.Namespace) -> int:
    """The number of answers that the plan comes to, all of which are in the folder then."""
    try:
        plan = plan.for_model(engine)
        with held(out), ExitStack() as stack:
            run = store.merged(out, plan.run)
            asked = {name: ask(engine, plan, name) for name in plan.paths}
            problems = {name: all_asked(out / name, asked[of.benchmark]) for name, of in plan.run.benchmarks.items()}
            run.parts.append(part_of(engine, options))
            write_json(out / "run.json", run.model_dump())
            tasks = []
            for name, of in plan.run.benchmarks.items():
                write_lines(out / name / "problems.jsonl", (each.model_dump() for each in problems[name]))
                path = out / name / "answers.jsonl"
                done = {answer.key: begin for begin, answer in read(path, Answer)}
                tasks.append(Task(of, stack.enter_context(Lines(path)), done))
            traces = list(missing(plan, tasks, asked))
            asked_under_each = sum(len(asked[of.benchmark]) for of in plan.run.benchmarks.values())
            total = asked_under_each * plan.run.samples * len(plan.run.windows)
            left = sum(len(trace.places) for trace in traces)
            bar = stack.enter_context(tqdm(total=total, initial=total - left, unit="answer", dynamic_ncols=True))
            patience = Patience(engine, server_wait_s(options), say)
            await pooled(Answering(engine, plan, bar, patience).answer, traces, options.concurrency)
    finally:
        await engine.close()
    return total


def part_of(engine: Engine, options: argparse.Namespace) -> dict[str, Any]:
    """What this start is made with."""
    dtype = getattr(engine, "dtype", None)  # of an engine here; a server does not tell its own
    thoughts = asdict(engine.text.thoughts) if engine.text.thoughts else None
    return about() | {
        "engine": type(engine).__name__,
        "dtype": dtype,
        "thoughts": thoughts,
        "trained": asdict(engine.trained),
        "options": given(options),
    }


def given(options: argparse.Namespace) -> dict[str, Any]:
    """Every option by its name, as it was given or by default; a server's address without its login."""
    values = {name: str(value) if isinstance(value, Path) else value for name, value in vars(options).items()}
    if options.server_url:
        from z1_core.engines.calls import shown_address

        values["server_url"] = shown_address(options.server_url)
    return values


def ask(engine: Engine, plan: Plan, name: str) -> list[Asked]:
    """Go through the data of a benchmark once; its records are told which rows are no problems. Raises ContextOverflow,
    naming the problem, where a prompt does not fit."""
    tasks = [task for task in plan.run.benchmarks.values() if task.benchmark == name]
    largest = [plan.window(plan.run.windows[-1], task) for task in tasks]
    asked, bad_rows = [], []
    for problem in plan.problems(name, bad_rows.append):
        messages = engine.trained.asked(problem.messages)
        ids = replace(problem, messages=messages).prompt_ids(engine.text)
        try:
            for window in largest:
                check_fits(engine, ids, window)
        except ContextOverflow as error:
            raise ContextOverflow(f"{name}, problem {problem.id}: {error}") from error
        asked.append(problem.as_asked(messages, ids, engine.text.decode(ids, control=True)))
    for task in tasks:
        task.bad_rows = max(bad_rows, task.bad_rows, key=len)  # a smaller --limit than before reads fewer
    for complaint in bad_rows:
        print(f"left out: {complaint}", file=sys.stderr)
    return asked


def all_asked(folder: Path, now: list[Asked]) -> list[Asked]:
    """The problems asked before, and those behind them. Raises BadInput where these are other ones."""
    before = [each for _, each in read(folder / "problems.jsonl", Asked)]
    for number, (old, new) in enumerate(zip(before, now, strict=False), start=1):
        if old.sha256 != new.sha256:
            raise BadInput(
                f"problem {number} of {folder.name} is not the one that {folder.parent} asked; name another --out"
            )
    return [*before, *now[len(before) :]]


if __name__ == "__main__":
    sys.exit(main())
