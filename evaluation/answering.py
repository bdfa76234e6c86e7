"""From what a run lacks to lines of answers.jsonl: which traces are still to be made, and their answers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

from tqdm import tqdm

from evaluation.plan import Plan
from z1_core.engine import Engine
from z1_core.jsonl import Lines
from z1_core.patience import Patience
from z1_core.record import Answer, Asked, Key, TaskRecord, read_at
from z1_core.sweep import sweep
from z1_core.thinking import Transcript, answer_from
from z1_core.window import Chunk, Completion, Window


@dataclass(frozen=True, slots=True)
class Task:
    """A benchmark under one hint. done: where in the file of its answers each one begins."""

    record: TaskRecord
    file: Lines
    done: Mapping[Key, int]


Place = tuple[Task, Window]
"""Of an answer to one problem: which hint, at which window."""
Keep = Callable[[Place, Transcript], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Trace:
    """A sample of a problem, and the places that have no answer yet. stored: file and byte of the answer to it that has
    the longest trace, if there is one."""

    problem: Asked
    sample: int
    places: list[Place]
    stored: tuple[Path, int] | None


def missing(plan: Plan, tasks: Sequence[Task], asked: Mapping[str, Sequence[Asked]]) -> Iterator[Trace]:
    """What is still to be made, in the order of the data; a trace stops at the largest window that still needs it. asked:
    by the name of the benchmark."""
    for name, problems in asked.items():
        own = [task for task in tasks if task.record.benchmark == name]
        sizes = sorted({key.thinking_tokens for task in own for key in task.done}, reverse=True)
        for problem, sample in product(problems, range(plan.run.samples)):
            places = [
                (task, plan.window(size, task.record))
                for size in plan.run.windows
                for task in own
                if Key(problem.problem_id, sample, size) not in task.done
            ]
            if places:
                kept = ((task, Key(problem.problem_id, sample, size)) for size in sizes for task in own)
                stored = next(((task.file.path, task.done[key]) for task, key in kept if key in task.done), None)
                yield Trace(problem, sample, places, stored)


@dataclass(frozen=True, slots=True)
class Answering:
    """What every trace needs."""

    engine: Engine
    plan: Plan
    bar: tqdm
    patience: Patience

    async def answer(self, trace: Trace) -> None:
        """A trace's answer at every place: each is a line the moment it is finished. Where a server goes away and comes
        back, the places that have no line yet get a new trace."""
        left = list(trace.places)

        async def keep(place: Place, run: Transcript) -> None:
            task, window = place
            completion = await as_one_text(self.engine, run.completion())
            answer = Answer.of(completion, window, problem_id=trace.problem.problem_id, sample=trace.sample)
            task.file.add(answer.model_dump())
            left.remove(place)
            self.bar.update()

        async def what_is_left() -> None:
            if trace.stored:
                await self._recut(trace, list(left), keep)
            if left:
                await self._sweep(trace, list(left), keep)

        await self.patience.insist(what_is_left)

    async def _sweep(self, trace: Trace, places: list[Place], keep: Keep) -> None:
        runs = [Transcript(trace.problem.prompt_ids) for _ in places]
        windows = [window for _, window in places]
        sampling = self.plan.sampling_of(trace.problem.problem_id, trace.sample)
        async with aclosing(sweep(self.engine, trace.problem.prompt_ids, windows, sampling)) as pieces:
            async for piece in pieces:
                runs[piece.index].add(piece.chunk)
                if piece.chunk.end_reason:
                    await keep(places[piece.index], runs[piece.index])

    async def _recut(self, trace: Trace, places: list[Place], keep: Keep) -> None:
        """Answer from the trace that is stored, wherever that reaches: the same requests as the sweep's."""
        stored = read_at(*trace.stored, Answer)
        sampling = self.plan.sampling_of(trace.problem.problem_id, trace.sample)
        for place in places:
            window, run = place[1], Transcript(trace.problem.prompt_ids)
            prefix = tuple(stored.trace_ids[: window.thinking_tokens])
            if stored.end_reason == "inside" and len(prefix) == len(stored.trace_ids):
                run.add(Chunk("trace", stored.trace, prefix, end_reason="inside"))
            elif len(prefix) == window.thinking_tokens:
                run.add(Chunk("trace", self.engine.text.decode(prefix), prefix))
                again = answer_from(self.engine, trace.problem.prompt_ids, prefix, window, sampling)
                async with aclosing(again) as chunks:
                    async for chunk in chunks:
                        run.add(chunk)
            else:
                continue
            await keep(place, run)


async def as_one_text(engine: Engine, run: Completion) -> Completion:
    """Where nothing was inserted at the cut, a character that the cut went through belongs to the answer, whole."""
    if run.hint_ids or not run.answer_ids or not run.trace.endswith("\ufffd"):
        return run
    text = engine.text.decode([*run.trace_ids, *run.answer_ids])
    begin = len(run.trace.rstrip("\ufffd"))
    return replace(run, trace=text[:begin], answer=text[begin:])
