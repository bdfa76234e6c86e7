"""What a run asks: which problems, at which windows, with which hint. From options to the record of the run, all checked."""

from __future__ import annotations

import argparse
import hashlib
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from evaluation.benchmarks import BENCHMARKS, benchmark
from evaluation.data import find, problems
from evaluation.problem import Benchmark, Problem
from z1_core.engine import Engine
from z1_core.errors import BadInput
from z1_core.options import check_counts
from z1_core.prompt import check_text
from z1_core.record import WINDOW, RunRecord, TaskRecord
from z1_core.sweep import check_windows
from z1_core.window import BOXED_HINT, HINT, Sampling, Window

FORCED_HINT = "\n\nthe final answer is:"
"""Budget forcing as for the paper's baselines (arXiv 2504.00810, Table 6; the empty line in front is ours): at the limit
thinking is ended by this phrase."""

WINDOWS = (256, 512, 1024, 2048, 4096)

HINTS = {
    "plain": (WINDOW, HINT),
    "boxed": ("boxed-hint", BOXED_HINT),
    "none": ("no-hint", None),
    "budget-forcing": ("budget-forcing", FORCED_HINT),
}
"""As they are named on the command line: the method, and what it inserts at the cut."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What one start asks. run: its settings, in the form of run.json; paths: the files of each benchmark, by its name; of
    their problems the first `limit` are asked."""

    run: RunRecord
    paths: Mapping[str, Sequence[Path]]
    limit: int | None

    def problems(self, name: str, tell: Callable[[str], None] = lambda complaint: None) -> Iterator[Problem]:
        return problems(benchmark(name), self.paths[name], limit=self.limit, tell=tell)

    def for_model(self, engine: Engine) -> Plan:
        """With the hint that the model was trained for in the place of the plain one."""
        own = {"hint": engine.trained.hint}
        tasks = {
            name: task.model_copy(update=own) if task.hint == HINT else task
            for name, task in self.run.benchmarks.items()
        }
        about = {"model": engine.name, "context_tokens": engine.context_tokens, "benchmarks": tasks}
        return replace(self, run=self.run.model_copy(update=about))

    def window(self, size: int, task: TaskRecord) -> Window:
        return Window(thinking_tokens=size, answer_tokens=self.run.answer_tokens, hint=task.hint)

    def sampling_of(self, problem_id: str, sample: int) -> Sampling:
        """Seeded for this problem and sample alone, so that no other problem changes its draw."""
        sampling = Sampling(**self.run.sampling)
        if sampling.temperature == 0:
            return sampling
        seed = random.Random(f"{sampling.seed}:{problem_id}:{sample}").getrandbits(62)  # noqa: S311
        return replace(sampling, seed=seed)


def add_plan_options(options: argparse.ArgumentParser) -> None:
    add = options.add_argument
    add("benchmarks", nargs="*", metavar="BENCHMARK", help=f"one or several of {', '.join(BENCHMARKS)}")
    add("--windows", type=int, nargs="+", default=WINDOWS, metavar="N", help="thinking tokens (default 256 ... 4096)")
    most = "the most tokens of an answer (default %(default)s; the published runs gave 5000)"
    add("--answer-tokens", type=int, default=1024, metavar="N", help=most)
    add("--data", type=Path, metavar="FILE", help="rows from a file instead of the Hub (one benchmark)")
    add("--limit", type=int, metavar="N", help="the first problems only")
    add("--samples", type=int, default=1, metavar="K", help="independent runs of each problem")
    add("--temperature", type=float, default=0.0, help="0 is greedy (default)")
    add("--top-p", type=float, default=1.0)
    add("--seed", type=int, default=0, help="for temperatures above 0 (default 0)")
    hints = f"{', '.join(HINTS)}, or a text; several compare on the same traces"
    add("--hint", nargs="+", default=["plain"], help=hints)


def make_plan(options: argparse.Namespace) -> Plan:
    """Find the problems and check everything that can be checked without a model. Raises BadInput."""
    if not options.benchmarks:
        raise BadInput(f"no benchmark named; give one or several of {', '.join(BENCHMARKS)}")
    if len(set(options.benchmarks)) < len(options.benchmarks):
        raise BadInput("a benchmark is named twice; name each once")
    if options.data and len(options.benchmarks) > 1:
        raise BadInput("--data is the file of one benchmark; run the others separately")
    check_counts(options, limit=(1, 10**9), samples=(1, 10**4))
    if options.samples > 1 and options.temperature == 0:
        raise BadInput(f"{options.samples} samples at temperature 0 are all the same; raise --temperature")
    chosen = [benchmark(name) for name in options.benchmarks]
    paths = {each.name: find(each, data=options.data) for each in chosen}
    methods = methods_of(options.hint)
    drawn = {"temperature": options.temperature, "top_p": options.top_p}
    drawn["seed"] = options.seed if options.temperature else None
    Sampling(**drawn)  # checks them
    run = RunRecord(
        model="",  # for_model() says it
        windows=list(options.windows),
        answer_tokens=options.answer_tokens,
        samples=options.samples,
        sampling=drawn,
        benchmarks=dict(_task(each, *method, options.data) for each in chosen for method in methods.items()),
    )
    plan = Plan(run, paths, options.limit)
    for task in run.benchmarks.values():
        check_windows([plan.window(size, task) for size in run.windows])
    for each in paths:
        next(plan.problems(each))  # at least one is usable
    return plan


def methods_of(hints: Sequence[str]) -> dict[str, str | None]:
    """What each inserts, by its name. hints: names of HINTS, or texts."""
    for hint in hints:
        check_text("hint", hint)
    made = dict(HINTS.get(hint) or (f"hint-{hashlib.sha256(hint.encode()).hexdigest()[:8]}", hint) for hint in hints)
    if len(set(made.values())) < len(hints):
        raise BadInput("a hint is named twice; name each once")
    return made


def _task(of: Benchmark, method: str, hint: str | None, data: Path | None) -> tuple[str, TaskRecord]:
    """The name of its folder, and its record. The project's own method needs no word."""
    is_own = method == WINDOW
    record = TaskRecord(
        title=of.title if is_own else f"{of.title}, {method.replace('-', ' ')}",
        benchmark=of.name,
        method=method,
        hint=hint,
        origin=data.name if data else str(of.source),
        data=str(data.resolve()) if data else None,
    )
    return of.name if is_own else f"{of.name}.{method}", record
