"""An engine that is started in the background, watched, and started again after it died.

One in this process is started again by whoever asks for it; one on a server, which others keep running, is looked for
again until it is back.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal

from z1_core.engine import Engine
from z1_core.errors import EngineDead, Z1Error
from z1_core.loop_thread import LoopThread
from z1_core.models import Report
from z1_core.thinking import generate
from z1_core.window import Sampling

WATCH_EVERY_S = 0.5

log = logging.getLogger(__name__)

StartEngine = Callable[[Report], Engine]
"""Starts an engine, blocking, and reports its stages meanwhile."""


@dataclass(frozen=True, slots=True)
class Status:
    """state: what the engine is doing; text: the same for people; seconds: how long the state has lasted."""

    state: Literal["starting", "ready", "failed"]
    text: str
    seconds: float


class EngineHost:
    """Holds the engine and the loop it lives on. Every method may be called from any thread."""

    def __init__(self, start_engine: StartEngine, *, look_again_s: float | None = None) -> None:
        """look_again_s: how often to look for an engine that is away; None for one that only start() brings back."""
        self.thread = LoopThread()
        self._start_engine = start_engine
        self._look_again_s = look_again_s
        self._next_look: asyncio.TimerHandle | None = None
        self._engine: Engine | None = None
        self._state: Literal["starting", "ready", "failed"] = "failed"
        self._text = "not started"
        self._since_s = time.monotonic()
        self._starting = threading.Lock()
        self._is_starting = self._is_closed = False

    def start(self, *, quietly: bool = False) -> None:
        """Start the engine in the background, in place of a dead one. Does nothing while one starts or runs.

        quietly: the status stays what it is until the engine is ready, or fails for another reason than before.
        """
        with self._starting:
            if self._is_starting or self._is_closed or self._state == "ready":
                return
            self._is_starting = True
            if not quietly:
                self._set("starting", "starting")
        threading.Thread(target=self._start, args=(quietly,), name="engine-start", daemon=True).start()

    def status(self) -> Status:
        """What the engine is doing now; that one has died is known within a second."""
        return Status(self._state, self._text, time.monotonic() - self._since_s)

    def engine(self) -> Engine:
        """The running engine. Raises EngineDead, saying why there is none."""
        if self.status().state != "ready":
            raise EngineDead(f"the model is not ready: {self._text}")
        return self._engine

    async def count_tokens(self, text: str) -> int:
        """How many tokens a hint takes; 0 while there is no engine. Counted on the engine's loop, for any loop."""
        if self.status().state != "ready":
            return 0

        async def count() -> int:
            return len(self._engine.text.encode(text))

        return await self.thread.submit(count())

    def close(self) -> None:
        self._is_closed = True
        engine, self._engine = self._engine, None
        if engine is not None:
            self._set("failed", "closed")
            self.thread.run(engine.close())
        self.thread.close()

    def _start(self, quietly: bool) -> None:
        try:
            engine = self._new_engine((lambda stage: None) if quietly else partial(self._set, "starting"))
        except EngineDead as error:
            self._has_gone(error)
        except Z1Error as error:
            log.error("%s", error)
            self._end_start("failed", str(error))
        except Exception:
            log.exception("the engine did not start")
            self._end_start("failed", "the engine did not start because of a fault of this program; its log says more")
        else:
            self._end_start("ready", f"{engine.name} is ready")
            asyncio.run_coroutine_threadsafe(self._watch(engine), self.thread.loop)

    def _new_engine(self, report: Report) -> Engine:
        if self._engine is not None:
            self.thread.run(self._engine.close())
        self._engine = self._start_engine(report)
        report("warming up")
        self.thread.run(_warm_up(self._engine))
        return self._engine

    async def _watch(self, engine: Engine) -> None:
        while engine is self._engine:
            try:
                await engine.check_health()
            except EngineDead as error:
                self._has_gone(error)
                return
            await asyncio.sleep(WATCH_EVERY_S)

    def _has_gone(self, error: EngineDead) -> None:
        """Say so, and look for it again where it may come back by itself."""
        comes_back = self._look_again_s is not None and not self._is_closed
        text = f"{error}; this is tried again by itself" if comes_back else str(error)
        if text != self._text:  # once, however often it is looked for in vain
            log.error("%s", text)
        self._end_start("failed", text)
        if comes_back:
            self.thread.loop.call_soon_threadsafe(self._look_later)

    def _look_later(self) -> None:
        if self._next_look:
            self._next_look.cancel()
        self._next_look = self.thread.loop.call_later(self._look_again_s, partial(self.start, quietly=True))

    def _end_start(self, state: Literal["ready", "failed"], text: str) -> None:
        with self._starting:
            self._is_starting = False
            self._set(state, text)

    def _set(self, state: Literal["starting", "ready", "failed"], text: str) -> None:
        if state != self._state:
            self._since_s = time.monotonic()
        self._state, self._text = state, text


async def _warm_up(engine: Engine) -> None:
    """A few tokens, so that the first visitor does not wait for what the engine does once only."""
    async for _ in generate(engine, engine.text.encode("Warm up."), Sampling(max_tokens=4)):
        pass
