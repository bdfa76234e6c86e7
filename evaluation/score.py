"""The running accuracy beside the progress bar: rows are judged as they come, in the background. Nothing of it is kept;
the verdicts that count are those of evaluation.judge."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from typing import Any

from tqdm import tqdm

from evaluation.judging import judge_row, judges
from evaluation.problem import Benchmark, Judges, Problem
from z1_core.errors import Z1Error


class Score(AbstractContextManager):
    """Counts right and judged rows. off: only counts the rows for the bar."""

    def __init__(self, bar: tqdm, benchmarks: Sequence[Benchmark], *, off: bool) -> None:
        self.bar = bar
        self.right = self.judged = 0
        self._off = off
        self._code = any(benchmark.gold_field is None for benchmark in benchmarks)
        self._stack = ExitStack()
        self._tools: Judges | None = None
        self._one = asyncio.Semaphore(1)  # one at a time: the cores belong to the model
        self._running: set[asyncio.Task] = set()

    def __enter__(self) -> Score:
        if not self._off:
            try:
                self._tools = self._stack.enter_context(judges(code=self._code))
            except Z1Error as error:
                self.bar.write(f"no running accuracy: {error}")
        return self

    def __exit__(self, *_: object) -> None:
        for task in self._running:
            task.cancel()
        self._stack.close()

    def add(self, benchmark: Benchmark, problem: Problem, row: Mapping[str, Any], *, counts: bool) -> None:
        """Call it with every finished row; `counts` says whether it is at the largest window."""
        self.bar.update()
        if self._tools and counts:
            task = asyncio.ensure_future(self._judge(benchmark, problem, row))
            self._running.add(task)
            task.add_done_callback(self._running.discard)

    async def settled(self) -> None:
        """Wait for the rows that are still being judged."""
        await asyncio.gather(*self._running)

    async def _judge(self, benchmark: Benchmark, problem: Problem, row: Mapping[str, Any]) -> None:
        async with self._one:
            verdict = await asyncio.to_thread(judge_row, benchmark, problem, row, self._tools)
        if verdict["status"] in ("right", "wrong", "no_answer", "timeout"):
            self.judged += 1
            self.right += verdict["status"] == "right"
        if self.judged:
            self.bar.set_postfix_str(f"{self.right}/{self.judged} right ({self.right / self.judged:.1%})")
