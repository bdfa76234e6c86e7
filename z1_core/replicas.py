"""Which replica of a server a request goes to: the one that already holds its prefix, else the one with least to do.

Every replica of a data-parallel server has a prefix cache of its own, so a continuation (the answer behind a trace, a
re-cut, the next turn) that lands elsewhere is computed again from the start.
"""

from __future__ import annotations

import uuid
from array import array
from collections import Counter, OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

REMEMBERED = 256
"""Runs whose place is kept in mind; an older continuation is merely slower."""


@dataclass(slots=True)
class Run:
    """A prompt with what has been generated behind it so far, and where: what a later request may continue.

    rank: the replica, None where the server has but one or does not say.
    """

    prompt_tokens: int
    ids: array
    rank: int | None
    session: str = field(default_factory=lambda: uuid.uuid4().hex)

    @property
    def told(self) -> int:
        """How many tokens it has generated, by the ids that came."""
        return len(self.ids) - self.prompt_tokens

    @property
    def headers(self) -> dict[str, str]:
        """For vLLM's own balancing the rank; for routers before several servers the session."""
        rank = {} if self.rank is None else {"X-data-parallel-rank": str(self.rank)}
        return rank | {"X-Session-ID": self.session}


class Replicas:
    """The replicas of one server. Use it from one event loop."""

    def __init__(self, ranks: int = 1) -> None:
        self.ranks = ranks
        self.active: Counter[int | None] = Counter()
        self._runs: OrderedDict[int, Run] = OrderedDict()

    @contextmanager
    def run(self, prompt_ids: Sequence[int]) -> Iterator[Run]:
        """The place for a request; add to run.ids what it generates. A request that continues a run joins it."""
        held = self._continued(prompt_ids)
        rank = held.rank if held else self._least_busy()
        run = Run(len(prompt_ids), array("q", prompt_ids), rank, **({"session": held.session} if held else {}))
        self._runs[id(run)] = run
        if len(self._runs) > REMEMBERED:
            self._runs.popitem(last=False)
        self.active[rank] += 1
        try:
            yield run
        finally:
            self.active[rank] -= 1

    def _continued(self, prompt_ids: Sequence[int]) -> Run | None:
        """The run whose prompt, and at least one token behind it, this prompt begins with: the one it shares most with,
        of several such the one on the least busy replica. A prompt that is asked once more continues nothing, so that
        the samples of one question spread over the replicas."""
        prompt = array("q", prompt_ids)
        best, closest = None, (0, 0)
        for run in self._runs.values():
            start = run.prompt_tokens + 1
            if len(run.ids) < start or len(prompt) < start or prompt[:start] != run.ids[:start]:
                continue
            closeness = (_shared(prompt, run.ids, start), -self.active[run.rank])
            if closeness > closest:
                best, closest = run, closeness
        return best

    def _least_busy(self) -> int | None:
        if self.ranks == 1:
            return None
        return min(range(self.ranks), key=lambda rank: self.active[rank])


def _shared(one: array, other: array, known: int) -> int:
    """How many ids both begin with, at least `known`; by halving, as a slice compares fast."""
    low, high = known, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if one[:middle] == other[:middle] else (low, middle - 1)
    return low
