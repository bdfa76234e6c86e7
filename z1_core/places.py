"""Who may use an engine now: one place is one run, whoever asks, first come, first served."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from z1_core.engine import Session
from z1_core.errors import Busy
from z1_core.trained import UNKNOWN, Trained


class Places:
    """What every engine has: its places, and the line before them. Used from the engine's loop; read from anywhere.

    places: how many runs it takes at once; waiting: how many wait now; active: how many of its requests run now.
    most_waiting: how many may wait; None for any number.
    """

    trained: Trained = UNKNOWN

    def __init__(self, places: float, *, cells: float = math.inf) -> None:
        """places: math.inf for a server that queues by itself; cells: tokens that all runs can hold together."""
        self.places = places
        self.waiting = self.active = 0
        self.most_waiting: int | None = None
        self._free_places, self._free_cells = places, cells
        self._first = asyncio.Lock()  # held by the first in the line; the others follow in the order of asking
        self._left = asyncio.Event()

    @asynccontextmanager
    async def place(self, tokens: int, *, beside: Session | None = None) -> AsyncIterator[None]:
        """Wait for a place, and leave it at the end. Raises Busy where too many wait already; not for what belongs to a
        run that is in (beside), which would then be lost in the middle."""
        waits = self.waiting > 0 or not self._has_room(tokens)
        if waits and beside is None and self.most_waiting is not None and self.waiting >= self.most_waiting:
            raise Busy(f"too many are waiting ({self.waiting:,}); try again in a minute")
        self.waiting += waits
        try:
            async with self._first:
                while not self._has_room(tokens):
                    self._left.clear()
                    await self._left.wait()
                self._free_places -= 1
                self._free_cells -= tokens
        finally:
            self.waiting -= waits
        try:
            yield
        finally:
            self._free_places += 1
            self._free_cells += tokens
            self._left.set()

    def _has_room(self, tokens: int) -> bool:
        return self._free_places > 0 and self._free_cells >= tokens
