"""Ask a model a benchmark's problems at several windows, all from one trace each.

python -m evaluation.run math500 gpqa --model efficientscaling/Z1-7B --windows 256 512 1024 2048 4096 --out results/z1
python -m evaluation.judge results/z1

Every finished answer is one flushed line: after a crash the same command goes on where it stopped.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from contextlib import ExitStack, aclosing
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from tqdm import tqdm

from evaluation import store
from evaluation.benchmarks import BENCHMARKS
from evaluation.plan import Plan, Task, add_plan_options, make_plan, settings
from evaluation.pool import pooled
from evaluation.problem import Problem
from evaluation.record import about
from evaluation.score import Score
from z1_core.engine import Engine, Text
from z1_core.engines import start_engine, text_of
from z1_core.errors import BadInput, ContextOverflow
from z1_core.insertion import check_fits
from z1_core.options import add_engine_options, add_wait_option, server_wait_s
from z1_core.patience import Patience
from z1_core.program import program
from z1_core.sweep import sweep
from z1_core.thinking import Transcript
from z1_core.window import Completion, Window

FAKE_SECONDS_PER_TOKEN = 0.001
DRY_RUN_PROMPTS = 2


@dataclass(frozen=True, slots=True)
class Trace:
    """One trace to be made: a problem, a sample of it, and the places in the curve that are still missing."""

    benchmark: str
    problem: Problem
    prompt_ids: list[int]
    sample: int
    places: list[tuple[Task, Window]]


def parser() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(
        prog="python -m evaluation.run", description="Accuracy against thinking tokens, from one pass."
    )
    add_plan_options(options)
    options.add_argument("--out", type=Path, metavar="DIR", help="results (default: results/MODEL)")
    options.add_argument("--concurrency", type=int, default=32, metavar="N", help="traces at a time (default 32)")
    add_wait_option(options)
    options.add_argument("--no-running-accuracy", action="store_true", help="do not judge while answers come in")
    options.add_argument("--dry-run", action="store_true", help="print the first prompts and the cost, run nothing")
    options.add_argument("--list", action="store_true", help="what each benchmark needs, and whether it is there")
    add_engine_options(options)
    return options


@program(
    stopped="stopped; what is finished is kept: give the same command again to go on",
    needs="evaluation/requirements.txt",
)
def main(argv: list[str] | None = None) -> int:
    options = parser().parse_intermixed_args(argv)
    if options.list:
        from evaluation.listing import listing

        print(listing(BENCHMARKS.values()))
        return 0
    if options.concurrency < 1:
        raise BadInput(f"--concurrency is {options.concurrency}; it must be at least 1")
    server_wait_s(options)
    plan = make_plan(options)
    tell_bad_rows(plan)
    if options.dry_run:
        from evaluation.listing import preview

        with text_of(options) as text:
            print(preview(plan, text, prompts=DRY_RUN_PROMPTS))
        return 0
    engine = start_engine(options, say, fake_seconds_per_token=FAKE_SECONDS_PER_TOKEN)
    out = asyncio.run(_run(engine, plan, options))
    print(f"{plan.answers:,} answers are in {out}; judge them: python -m evaluation.judge {out}")
    return 0


def say(stage: str) -> None:
    print(f"{stage} ...", file=sys.stderr)


def say_beside_the_bar(stage: str) -> None:
    tqdm.write(f"{stage} ...", file=sys.stderr)


def tell_bad_rows(plan: Plan) -> None:
    for loaded in plan.loaded.values():
        for complaint in loaded.bad_rows:
            print(f"left out: {complaint}", file=sys.stderr)


async def _run(engine: Engine, plan: Plan, options: argparse.Namespace) -> Path:
    out = options.out or Path("results") / engine.name.replace("/", "_")
    try:
        prompts = render_all(engine, plan)
        must_match = settings(plan, model=engine.name, context_tokens=engine.context_tokens)
        with ExitStack() as stack:
            dtype = getattr(engine, "dtype", None)  # of an engine here; a server does not tell its own
            thoughts = asdict(engine.text.thoughts) if engine.text.thoughts else None
            beside = about() | {"engine": type(engine).__name__, "dtype": dtype, "thoughts": thoughts}
            beside["options"] = given(options)
            stack.enter_context(store.opened(out, must_match, beside))
            write_problems(out, engine, plan, prompts)
            done = {task.name: store.read_lines(answers_path(out, task)) for task in plan.tasks}
            files = {task.name: store.Lines(answers_path(out, task)) for task in plan.tasks}
            for file in files.values():
                stack.callback(file.close)
            traces = list(missing(plan, prompts, done))
            finished = sum(map(len, done.values()))
            bar = stack.enter_context(tqdm(total=plan.answers, initial=finished, unit="answer", dynamic_ncols=True))
            score = stack.enter_context(Score(bar, plan.benchmarks, off=options.no_running_accuracy))
            patience = Patience(engine, server_wait_s(options), say_beside_the_bar)
            await pooled(partial(answer, engine, plan, files, score, patience), traces, options.concurrency)
            await score.settled()
    finally:
        await engine.close()
    return out


def given(options: argparse.Namespace) -> dict[str, Any]:
    """Every option by its name, as it was given or by default; a server's address without its login."""
    values = {name: str(value) if isinstance(value, Path) else value for name, value in vars(options).items()}
    if options.server_url:
        from z1_core.engines.address import Address

        values["server_url"] = Address.of(options.server_url).root
    return values


async def answer(
    engine: Engine, plan: Plan, files: dict[str, store.Lines], score: Score, patience: Patience, trace: Trace
) -> None:
    """One trace, and its answer at every place: each is a line the moment it is finished. Where a server goes away and
    comes back, the places that have no line yet get a new trace."""
    left = list(trace.places)
    sampling = plan.sampling_of(trace.problem, trace.sample)

    async def what_is_left() -> None:
        places = tuple(left)
        transcripts = [Transcript(trace.prompt_ids) for _ in places]
        async with aclosing(sweep(engine, trace.prompt_ids, [window for _, window in places], sampling)) as pieces:
            async for piece in pieces:
                transcripts[piece.index].add(piece.chunk)
                if piece.chunk.end_reason:
                    task, window = places[piece.index]
                    row = answer_row(trace, window, transcripts[piece.index].completion())
                    files[task.name].add(row)
                    left.remove(places[piece.index])
                    score.add(task.benchmark, trace.problem, row, counts=window.thinking_tokens == plan.sizes[-1])

    await patience.insist(what_is_left)


def answer_row(trace: Trace, window: Window, run: Completion) -> dict[str, Any]:
    return {
        "problem_id": trace.problem.id,
        "sample": trace.sample,
        "thinking_tokens": window.thinking_tokens,
        "trace": run.trace,
        "trace_ids": run.trace_ids,
        "hint": window.hint if run.end_reason != "inside" else None,
        "hint_ids": run.hint_ids,
        "answer": run.answer,
        "answer_ids": run.answer_ids,
        "end_reason": run.end_reason,
        "seconds": round(run.seconds, 3),
    }


def missing(plan: Plan, prompts: dict[str, list[list[int]]], done: dict[str, list[dict]]) -> list[Trace]:
    """What is still to be made, in the order of the data; a trace stops at the largest window that still needs it."""
    there = {name: {store.key_of(row) for row in rows} for name, rows in done.items()}
    traces = []
    for each in plan.benchmarks:
        tasks = [task for task in plan.tasks if task.benchmark is each]
        for problem, ids in zip(plan.loaded[each.name].problems, prompts[each.name], strict=True):
            for sample in range(plan.samples):
                places = [
                    (task, plan.window(size, task.arm))
                    for size in plan.sizes
                    for task in tasks
                    if (problem.id, sample, size) not in there[task.name]
                ]
                if places:
                    traces.append(Trace(each.name, problem, ids, sample, places))
    return traces


def render_all(engine: Engine, plan: Plan) -> dict[str, list[list[int]]]:
    """Prompt ids of all problems. Raises ContextOverflow, naming the problem, where one does not fit."""
    largest = [plan.window(plan.sizes[-1], arm) for arm in plan.arms]
    prompts = {
        each.name: [prompt_ids(engine.text, problem) for problem in plan.loaded[each.name].problems]
        for each in plan.benchmarks
    }
    for each in plan.benchmarks:
        for problem, ids in zip(plan.loaded[each.name].problems, prompts[each.name], strict=True):
            try:
                for window in largest:
                    check_fits(engine, ids, window)
            except ContextOverflow as error:
                raise ContextOverflow(f"{each.name}, problem {problem.id}: {error}") from error
    return prompts


def prompt_ids(text: Text, problem: Problem) -> list[int]:
    ids = text.render(problem.messages)
    return ids + text.encode(problem.prefill) if problem.prefill else ids


def write_problems(out: Path, engine: Engine, plan: Plan, prompts: dict[str, list[list[int]]]) -> None:
    """What each task asked. Tasks of one benchmark share the file where the disk can: hidden tests take gigabytes."""
    for task in plan.tasks:
        path = out / task.name / "problems.jsonl"
        path.parent.mkdir(exist_ok=True)
        if path.exists():  # the settings are the same, and so are the problems
            continue
        first = out / task.benchmark.name / "problems.jsonl"
        if task.arm is not plan.arms[0] and first.exists():
            path.hardlink_to(first)
            continue
        problems = plan.loaded[task.benchmark.name].problems
        rows = (
            {
                "problem_id": problem.id,
                "messages": problem.messages,
                "prefill": problem.prefill,
                "reference": problem.reference,
                "labels": problem.labels,
                "prompt_ids": ids,
                "prompt_text": engine.text.decode(ids, control=True),
            }
            for problem, ids in zip(problems, prompts[task.benchmark.name], strict=True)
        )
        store.write_lines(path, rows)


def answers_path(out: Path, task: Task) -> Path:
    return out / task.name / "answers.jsonl"


if __name__ == "__main__":
    sys.exit(main())
