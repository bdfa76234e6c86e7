"""What a run asks: which problems, at which windows, with which hint. From options to plain values, all checked."""

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
from z1_core.errors import BadInput
from z1_core.prompt import check_text
from z1_core.record import RunRecord, TaskRecord
from z1_core.sweep import check_windows
from z1_core.trained import Trained
from z1_core.window import BOXED_HINT, HINT, Sampling, Window

FORCED_HINT = "\n\nthe final answer is:"
"""Budget forcing as for the paper's baselines (arXiv 2504.00810, Table 6; the empty line in front is ours): at the limit
thinking is ended by this phrase."""

WINDOWS = (256, 512, 1024, 2048, 4096)
ANSWER_TOKENS = 1024
ANSWER_TOKENS_HELP = "the most tokens of an answer (default %(default)s; the published runs gave 5000)"


@dataclass(frozen=True, slots=True)
class Arm:
    """A way to close the window. name is "" for the project's own, which needs no word."""

    name: str
    hint: str | None


NAMED = {
    "plain": Arm("", HINT),
    "boxed": Arm("boxed-hint", BOXED_HINT),
    "none": Arm("no-hint", None),
    "budget-forcing": Arm("budget-forcing", FORCED_HINT),
}


@dataclass(frozen=True, slots=True)
class Task:
    """A benchmark under one arm: a folder of results."""

    benchmark: Benchmark
    arm: Arm

    @property
    def name(self) -> str:
        return f"{self.benchmark.name}.{self.arm.name}" if self.arm.name else self.benchmark.name

    @property
    def title(self) -> str:
        return f"{self.benchmark.title}, {self.arm.name.replace('-', ' ')}" if self.arm.name else self.benchmark.title


@dataclass(frozen=True, slots=True)
class Plan:
    """data: the user's own file of rows. paths: the files of each benchmark, by its name; of their problems the first
    `limit` are asked."""

    benchmarks: Sequence[Benchmark]
    data: Path | None
    paths: Mapping[str, Sequence[Path]]
    limit: int | None
    arms: Sequence[Arm]
    sizes: Sequence[int]
    answer_tokens: int
    samples: int
    sampling: Sampling

    @property
    def tasks(self) -> list[Task]:
        return [Task(each, arm) for each in self.benchmarks for arm in self.arms]

    @property
    def answers_each(self) -> int:
        """How many there will be to one problem."""
        return self.samples * len(self.arms) * len(self.sizes)

    def problems(self, of: Benchmark, tell: Callable[[str], None] = lambda complaint: None) -> Iterator[Problem]:
        return problems(of, self.paths[of.name], limit=self.limit, tell=tell)

    def for_model(self, trained: Trained) -> Plan:
        """With the hint that the model was trained for in the place of the plain one."""
        own = [replace(arm, hint=trained.hint) if arm.hint == HINT else arm for arm in self.arms]
        return replace(self, arms=own)

    def window(self, size: int, arm: Arm) -> Window:
        return Window(thinking_tokens=size, answer_tokens=self.answer_tokens, hint=arm.hint)

    def sampling_of(self, problem_id: str, sample: int) -> Sampling:
        """Seeded for this problem and sample alone, so that no other problem changes its draw."""
        if self.sampling.temperature == 0:
            return self.sampling
        seed = random.Random(f"{self.sampling.seed}:{problem_id}:{sample}").getrandbits(62)  # noqa: S311
        return replace(self.sampling, seed=seed)


def add_plan_options(options: argparse.ArgumentParser) -> None:
    add = options.add_argument
    add("benchmarks", nargs="*", metavar="BENCHMARK", help=f"one or several of {', '.join(BENCHMARKS)}")
    add("--windows", type=int, nargs="+", default=WINDOWS, metavar="N", help="thinking tokens (default 256 ... 4096)")
    add("--answer-tokens", type=int, default=ANSWER_TOKENS, metavar="N", help=ANSWER_TOKENS_HELP)
    add("--data", type=Path, metavar="FILE", help="rows from a file instead of the Hub (one benchmark)")
    add("--limit", type=int, metavar="N", help="the first problems only")
    add("--samples", type=int, default=1, metavar="K", help="independent runs of each problem")
    add("--temperature", type=float, default=0.0, help="0 is greedy (default)")
    add("--top-p", type=float, default=1.0)
    add("--seed", type=int, default=0, help="for temperatures above 0 (default 0)")
    hints = f"{', '.join(NAMED)}, or a text; several compare on the same traces"
    add("--hint", nargs="+", default=["plain"], help=hints)


def make_plan(options: argparse.Namespace) -> Plan:
    """Find the problems and check everything that can be checked without a model. Raises BadInput."""
    if not options.benchmarks:
        raise BadInput(f"no benchmark named; give one or several of {', '.join(BENCHMARKS)}")
    if len(set(options.benchmarks)) < len(options.benchmarks):
        raise BadInput("a benchmark is named twice; name each once")
    if options.data and len(options.benchmarks) > 1:
        raise BadInput("--data is the file of one benchmark; run the others separately")
    for name in ("limit", "samples"):
        if (value := getattr(options, name)) is not None and value < 1:
            raise BadInput(f"--{name} is {value}; it must be at least 1")
    if options.samples > 1 and options.temperature == 0:
        raise BadInput(f"{options.samples} samples at temperature 0 are all the same; raise --temperature")
    chosen = [benchmark(name) for name in options.benchmarks]
    plan = Plan(
        benchmarks=chosen,
        data=options.data,
        paths={each.name: find(each, data=options.data) for each in chosen},
        limit=options.limit,
        arms=arms(options.hint),
        sizes=options.windows,
        answer_tokens=options.answer_tokens,
        samples=options.samples,
        sampling=Sampling(
            temperature=options.temperature, top_p=options.top_p, seed=options.seed if options.temperature else None
        ),
    )
    for arm in plan.arms:
        check_windows([plan.window(size, arm) for size in plan.sizes])
    for each in chosen:
        next(plan.problems(each))  # at least one is usable
    return plan


def arms(hints: Sequence[str]) -> list[Arm]:
    """One for each hint: a name, or a text."""
    for hint in hints:
        check_text("hint", hint)
    made = [NAMED.get(hint) or Arm(f"hint-{hashlib.sha256(hint.encode()).hexdigest()[:8]}", hint) for hint in hints]
    if len({arm.hint for arm in made}) < len(made):
        raise BadInput("a hint is named twice; name each once")
    return made


def record_of(plan: Plan, *, model: str, context_tokens: int) -> RunRecord:
    """What belongs to the run as a whole, whatever part of it is made now (see store.merged)."""
    return RunRecord(
        model=model,
        context_tokens=context_tokens,
        windows=list(plan.sizes),
        answer_tokens=plan.answer_tokens,
        samples=plan.samples,
        sampling={name: getattr(plan.sampling, name) for name in ("temperature", "top_p", "seed")},
        benchmarks={task.name: _task_record(task, plan.data) for task in plan.tasks},
    )


def _task_record(task: Task, data: Path | None) -> TaskRecord:
    return TaskRecord(
        title=task.title,
        benchmark=task.benchmark.name,
        method=task.arm.name or "window",
        hint=task.arm.hint,
        origin=data.name if data else str(task.benchmark.source),
        data=str(data.resolve()) if data else None,
    )
