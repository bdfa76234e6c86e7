"""A server that goes away in the middle of much work: wait for it, for a stated time, and ask again what it broke off."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

from z1_core.engine import Engine
from z1_core.errors import EngineDead
from z1_core.models import Report

LOOK_EVERY_S = 2.0

MOST_TRIES = 5
"""A piece of work that breaks off so often is what breaks the server."""


class Patience:
    """For all the work on one engine. Use it from one event loop."""

    def __init__(self, engine: Engine, wait_s: float, say: Report) -> None:
        """wait_s: how long to wait for the server; 0 for not at all. say: told when it goes away and when it is back."""
        self._engine = engine
        self._wait_s = wait_s
        self._say = say
        self._one_looks = asyncio.Lock()

    async def insist(self, work: Callable[[], Awaitable[None]]) -> None:
        """Do the work, once more whenever the server went away in the middle of it and is back.

        Raises EngineDead where the server stays away, which is to end all other work, too.
        """
        for tries_left in range(MOST_TRIES, 0, -1):
            try:
                return await work()
            except EngineDead as error:
                if not self._wait_s or tries_left == 1:
                    raise
                await self._until_it_is_back(error)

    async def _until_it_is_back(self, error: EngineDead) -> None:
        async with self._one_looks:
            if await self._answers():
                return
            self._say(f"{error}; waiting up to {self._wait_s:,.0f} s for the server")
            given_up_s = time.monotonic() + self._wait_s
            while time.monotonic() < given_up_s:
                await asyncio.sleep(min(LOOK_EVERY_S, self._wait_s))
                if await self._answers():
                    self._say("the server is back, going on")
                    return
        raise EngineDead(
            f"the server did not come back within {self._wait_s:,.0f} s; what is finished is kept: start the server, and "
            "give the same command again to go on"
        ) from error

    async def _answers(self) -> bool:
        try:
            await self._engine.check_health()
        except EngineDead:
            return False
        return True
