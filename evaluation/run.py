"""Ask a model a benchmark's problems at several windows, all from one trace each.

python -m evaluation.run gsm8k --limit 20 --windows 64 256 --out results/small
python -m evaluation.judge results/small

Every finished answer is one flushed line: after a crash the same command goes on where it stopped. More windows, samples,
hints, benchmarks or a larger --limit go into the same folder.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tqdm import tqdm

from evaluation import store
from evaluation.answering import Answering, answered, missing
from evaluation.plan import Plan, Task, add_plan_options, make_plan, settings
from evaluation.pool import pooled
from evaluation.problem import Benchmark
from evaluation.record import about, problem_row
from z1_core.engine import Engine, Text
from z1_core.engines import start_engine, text_of
from z1_core.errors import BadInput, ContextOverflow
from z1_core.insertion import check_fits
from z1_core.jsonl import Lines, own_lines, write_json, write_lines
from z1_core.options import add_engine_options, add_wait_option, server_wait_s
from z1_core.patience import Patience
from z1_core.program import program
from z1_core.trained import Trained

FAKE_SECONDS_PER_TOKEN = 0.001
DRY_RUN_PROMPTS = 2


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked of one benchmark now. hashes: of its problems, in order; file: their rows, for as long as it runs."""

    file: Path
    hashes: list[str]
    bad_rows: list[str]


def parser() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(
        prog="python -m evaluation.run", description="Accuracy against thinking tokens, from one pass."
    )
    add_plan_options(options)
    options.add_argument("--out", type=Path, metavar="DIR", help="results (default: results/MODEL)")
    options.add_argument("--concurrency", type=int, default=32, metavar="N", help="traces at a time (default 32)")
    add_wait_option(options)
    options.add_argument("--dry-run", action="store_true", help="print the first prompts and the cost, run nothing")
    add_engine_options(options)
    return options


@program(
    stopped="stopped; what is finished is kept: give the same command again to go on",
    needs="evaluation/requirements.txt",
)
def main(argv: list[str] | None = None) -> int:
    options = parser().parse_intermixed_args(argv)
    if options.concurrency < 1:
        raise BadInput(f"--concurrency is {options.concurrency}; it must be at least 1")
    server_wait_s(options)
    plan = make_plan(options)
    if options.dry_run:
        with text_of(options) as (text, trained):
            print(preview(plan, text, trained, prompts=DRY_RUN_PROMPTS))
        return 0
    engine = start_engine(options, say, fake_seconds_per_token=FAKE_SECONDS_PER_TOKEN)
    plan = plan.for_model(engine.trained)
    out = options.out or Path("results") / engine.name.replace("/", "_")
    answers = asyncio.run(_run(engine, plan, out, options))
    print(f"{answers:,} answers are in {out}; judge them: python -m evaluation.judge {out}")
    return 0


def preview(plan: Plan, text: Text, trained: Trained, *, prompts: int) -> str:
    """The first prompts of each benchmark as the model would see them, and the most tokens the run can take."""
    parts, problems = [], 0
    for each in plan.benchmarks:
        for number, problem in enumerate(plan.problems(each, lambda complaint: parts.append(f"left out: {complaint}"))):
            problems += 1
            if number < prompts:
                ids = replace(problem, messages=trained.asked(problem.messages)).prompt_ids(text)
                parts.append(f"--- {each.name}, {problem.id}: {len(ids)} tokens\n{text.decode(ids, control=True)}")
    return "\n\n".join([*parts, cost(plan, problems)])


def cost(plan: Plan, problems: int) -> str:
    traces, sizes, arms = problems * plan.samples, plan.sizes, len(plan.arms)
    swept = traces * (sizes[-1] + len(sizes) * arms * plan.answer_tokens)
    separate = traces * arms * sum(size + plan.answer_tokens for size in sizes)
    return (
        f"{traces:,} traces of at most {sizes[-1]:,} tokens, {problems * plan.answers_each:,} answers of at most "
        f"{plan.answer_tokens:,}: at most {swept:,} tokens in one pass. Run window by window it would be at most "
        f"{separate:,}. Traces that end by themselves cost less."
    )


def say(stage: str) -> None:
    print(f"{stage} ...", file=sys.stderr)


def say_beside_the_bar(stage: str) -> None:
    tqdm.write(f"{stage} ...", file=sys.stderr)


async def _run(engine: Engine, plan: Plan, out: Path, options: argparse.Namespace) -> int:
    """The number of answers that the plan comes to, all of which are in the folder then."""
    try:
        with store.held(out, name=".lock"), TemporaryDirectory() as drafts, ExitStack() as stack:
            run = store.merged(out, settings(plan, model=engine.name, context_tokens=engine.context_tokens))
            asked = {each.name: ask(engine, plan, each, Path(drafts)) for each in plan.benchmarks}
            for task in plan.tasks:
                run["benchmarks"][task.name] |= facts_of(task, asked[task.benchmark.name], out)
            run["parts"].append(part_of(engine, options))
            write_json(out / "run.json", run)
            for task in plan.tasks:
                add_problems(out / task.name / "problems.jsonl", asked[task.benchmark.name].file)
            done = {task.name: answered(out / task.name / "answers.jsonl") for task in plan.tasks}
            files = {task.name: stack.enter_context(Lines(out / task.name / "answers.jsonl")) for task in plan.tasks}
            traces = partial(missing, plan, out, {name: each.file for name, each in asked.items()}, done)
            total = sum(len(each.hashes) for each in asked.values()) * plan.answers_each
            left = sum(len(trace.places) for trace in traces())
            bar = stack.enter_context(tqdm(total=total, initial=total - left, unit="answer", dynamic_ncols=True))
            patience = Patience(engine, server_wait_s(options), say_beside_the_bar)
            answering = Answering(engine, plan, files, bar, patience)
            await pooled(answering.answer, traces(), options.concurrency)
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
        from z1_core.engines.address import Address

        values["server_url"] = Address.of(options.server_url).root
    return values


def ask(engine: Engine, plan: Plan, of: Benchmark, drafts: Path) -> Asked:
    """Go through the data once. Raises ContextOverflow, naming the problem, where a prompt does not fit."""
    asked = Asked(drafts / f"{of.name}.jsonl", hashes=[], bad_rows=[])
    largest = [plan.window(plan.sizes[-1], arm) for arm in plan.arms]

    def rows() -> Iterator[dict[str, Any]]:
        for row in plan.problems(of, asked.bad_rows.append):
            problem = replace(row, messages=engine.trained.asked(row.messages))
            ids = problem.prompt_ids(engine.text)
            try:
                for window in largest:
                    check_fits(engine, ids, window)
            except ContextOverflow as error:
                raise ContextOverflow(f"{of.name}, problem {problem.id}: {error}") from error
            row = problem_row(problem, ids, engine.text.decode(ids, control=True))
            asked.hashes.append(row["sha256"])
            yield row

    write_lines(asked.file, rows())
    for complaint in asked.bad_rows:
        print(f"left out: {complaint}", file=sys.stderr)
    return asked


def facts_of(task: Task, asked: Asked, out: Path) -> dict[str, Any]:
    """For run.json. Raises BadInput where these are not the problems asked before, fewer, or more behind them."""
    before = [line.row["sha256"] for line in own_lines(out / task.name / "problems.jsonl")]
    for number, (old, new) in enumerate(zip(before, asked.hashes, strict=False), start=1):
        if old != new:
            raise BadInput(f"problem {number} of {task.name} is not the one that {out} asked; name another --out")
    hashes = max(before, asked.hashes, key=len)
    sha256 = hashlib.sha256("".join(hashes).encode()).hexdigest()
    return {"sha256": sha256, "problems": len(hashes), "bad_rows": asked.bad_rows}


def add_problems(path: Path, asked: Path) -> None:
    with Lines(path) as file:
        there = sum(1 for _ in own_lines(path))
        for line in islice(own_lines(asked), there, None):
            file.add(line.row)


if __name__ == "__main__":
    sys.exit(main())
