"""An engine that is started in the background, watched, started again after it died, and changed for another one.

One in a process of ours is started again at once, or by whoever asks for it; one on a server, which others keep running,
is looked for again until it is back.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from z1_core.choice import Choice
from z1_core.engine import Engine
from z1_core.errors import BadInput, EngineDead, Z1Error
from z1_core.hub import Progress
from z1_core.loop_thread import LoopThread
from z1_core.models import Report
from z1_core.prompt import most_hint_tokens
from z1_core.settings import Settings, read_settings
from z1_core.thinking import generate
from z1_core.trained import UNKNOWN
from z1_core.window import Sampling

WATCH_EVERY_S = 0.5
IDLE_LOOK_S, IDLE_LOOKS = 0.1, 20
"""So often in a row nothing runs on a replaced engine before it is closed: between its phases a run asks for nothing."""
PATIENCE_S = 600.0
"""How long runs on a replaced engine may go on."""
FAULT = "the engine did not start because of a fault of this program; its log says more"

log = logging.getLogger(__name__)

StartEngine = Callable[..., Engine]
"""start_engine(report) starts the engine, blocking, and reports its stages; for a model that somebody named,
start_engine(report, model=..., progress=...). progress follows its download and may be None."""


@dataclass(frozen=True, slots=True)
class EngineStatus:
    """state: what the engine is doing; text: the same for people; seconds: how long the state has lasted."""

    state: Literal["starting", "ready", "failed"]
    text: str
    seconds: float


class EngineHost:
    """Holds the engine and the loop it lives on. Every method may be called from any thread.

    model: the one that runs or is to run, as --model takes it; None for the one that is meant without a name.
    choice: the last one of another model; None before there was one.
    """

    def __init__(
        self,
        start_engine: StartEngine,
        *,
        model: str | None = None,
        restarts: bool = False,
        look_again_s: float | None = None,
        most_waiting: int | None = None,
        usual: Mapping[str, Any] | None = None,
    ) -> None:
        """restarts: one that dies is started again at once. look_again_s: how often to look for one that is away.
        most_waiting: how many runs may wait for a place (Engine.most_waiting). usual: settings that the operator has
        chosen, by their names. Raises BadInput for what is none."""
        read_settings(usual or {})
        self.thread = LoopThread()
        self.model = model
        self._start_engine = start_engine
        self._restarts = restarts
        self._look_again_s = look_again_s
        self._most_waiting = most_waiting
        self._usual = usual or {}
        self._engine: Engine | None = None
        self._state: Literal["starting", "ready", "failed"] = "failed"
        self._text = "not started"
        self._since_s = time.monotonic()
        self._lock = threading.RLock()
        self._is_starting = self._is_closed = False
        self.choice: Choice | None = None

    def start(self) -> None:
        """Start the engine in the background, in place of a dead one. Does nothing while one starts or runs."""
        self._begin("starting", self._report)

    def status(self) -> EngineStatus:
        """What the engine is doing now; that one has died is known within a second."""
        return EngineStatus(self._state, self._text, time.monotonic() - self._since_s)

    def engine(self, *, named: str | None = None) -> Engine:
        """The running engine. Raises EngineDead, saying why there is none.

        named: whose token ids are at hand. Raises BadInput where another model runs by now, to which they mean nothing.
        """
        with self._lock:
            if self._state != "ready":
                raise EngineDead(f"the model is not ready: {self._text}")
            if named and named != self._engine.name:
                raise BadInput(f"this was begun on {named}, and {self._engine.name} runs now; run it again")
            return self._engine

    def context_tokens(self) -> int | None:
        """The context of the model; None while there is none."""
        try:
            return self.engine().context_tokens
        except EngineDead:
            return None

    def usual(self) -> Settings:
        """The settings of who chooses none: the operator's, and before those what the running model was trained under."""
        try:
            trained = self.engine().trained
        except EngineDead:
            trained = UNKNOWN
        return read_settings({**trained.usual, **self._usual})

    def is_from_visitor(self, hint: str) -> bool:
        """Whether a hint is text only. The usual one may hold control tokens, whoever sends it along."""
        return hint != self.usual().hint

    async def notice(self) -> None:
        """Return when the status tells of an engine that has just failed somebody. For any loop."""
        for _ in range(20):
            if self._state != "ready":
                return
            await asyncio.sleep(WATCH_EVERY_S / 10)

    async def count_tokens(self, hint: str) -> int:
        """How many tokens are inserted with a hint, at most; 0 while there is no engine. For any loop."""
        is_text = self.is_from_visitor(hint)
        try:
            return await asyncio.to_thread(most_hint_tokens, self.engine(), hint, is_text=is_text)
        except EngineDead:
            return 0

    def choose(self, model: str) -> None:
        """Get and load another model in the background; the engine answers meanwhile, and gives way when it is ready.

        Runs that are on the old engine end there. Raises BadInput while another choice is on its way.
        """
        with self._lock:
            if self.is_choosing:
                raise BadInput(f"{self.choice.model} is on its way already; cancel that first")
            self.choice = Choice(model, text=f"looking for {model}")
        threading.Thread(target=self._choose, args=(self.choice,), name="model-choice", daemon=True).start()

    def cancel_choice(self) -> None:
        """Give up a choice that is on its way; what has arrived of a download stays for the next time."""
        if self.choice:
            self.choice.cancel()

    @property
    def is_choosing(self) -> bool:
        return self.choice is not None and self.choice.is_on_its_way

    def close(self) -> None:
        with self._lock:
            self._is_closed = True
            self.cancel_choice()
            engine, self._engine = self._engine, None
            if engine is not None:
                self._set("failed", "closed")
        if engine is not None:
            self.thread.run(engine.close())
        self.thread.close()

    # Starting

    def _begin(self, text: str | None, report: Report) -> None:
        """text: what the status says; None leaves it until the engine is ready, or fails for another reason."""
        with self._lock:
            if self._is_starting or self._is_closed or self._state == "ready":
                return
            self._is_starting = True
            if text:
                self._set("starting", text)
        threading.Thread(target=self._start, args=(report,), name="engine-start", daemon=True).start()

    def _start(self, report: Report) -> None:
        with self._lock:
            model, dead = self.model, self._engine
            self._engine = dead if self._state == "ready" else None  # "ready": a choice has been faster
        try:
            if dead is not self._engine:
                self._end(dead)
            engine = self._new_engine(model, report)
        except Exception as error:
            text = self._told(error)
            with self._lock:
                self._is_starting = False
                if self._state != "ready":
                    self._fail(text, comes_back=isinstance(error, EngineDead))
        else:
            self._put_in_place(engine, model)
        if model != self.model:  # a choice came between, and may have died meanwhile
            self.start()

    def _choose(self, choice: Choice) -> None:
        try:
            engine = self._new_engine(choice.model, choice.report, choice.progress)
        except Exception as error:
            text = self._told(error)
            if choice.become("failed", text):
                log.error("%s", text)
        else:
            self._put_in_place(engine, choice.model, choice)

    def _new_engine(self, model: str | None, report: Report, progress: Progress | None = None) -> Engine:
        engine = self._start_engine(report, **({"model": model, "progress": progress} if model else {}))
        try:
            report("warming up")
            self.thread.run(_warm_up(engine))
            engine.most_waiting = self._most_waiting
        except BaseException:
            self._end(engine)
            raise
        return engine

    def _put_in_place(self, engine: Engine, model: str | None, choice: Choice | None = None) -> None:
        """New runs go to it. One that only starts gives way to one that was chosen meanwhile."""
        with self._lock:
            if choice:
                is_late = not choice.become("done", f"the page uses {engine.name} now")
            else:
                self._is_starting = False
                is_late = self._is_closed or self._state == "ready" or model != self.model
            old = engine if is_late else self._engine
            if not is_late:
                self._engine, self.model = engine, model
                self._set("ready", f"{engine.name} is ready")
                self.thread.begin(self._watch(engine))
            if old is not None and not self._is_closed:
                self.thread.begin(_close_when_idle(old))
        if self._is_closed:
            self._end(engine)

    def _told(self, error: Exception) -> str:
        """In words for people. What is a fault of the program goes into the log, with its trace."""
        if isinstance(error, Z1Error):
            return str(error)
        if not self._is_closed:
            log.error("the engine did not start", exc_info=error)
        return FAULT

    def _fail(self, text: str, *, comes_back: bool) -> None:
        """comes_back: whether it is worth looking again for an engine that is elsewhere."""
        if self._is_closed:
            return
        comes_back = comes_back and self._look_again_s is not None
        text = f"{text}; this is tried again by itself" if comes_back else text
        if text != self._text:  # once, however often it is looked for in vain
            log.error("%s", text)
        self._set("failed", text)
        if comes_back:
            self.thread.begin(self._look_again())

    async def _look_again(self) -> None:
        await asyncio.sleep(self._look_again_s)
        self._begin(None, lambda stage: None)

    def _end(self, engine: Engine) -> None:
        asyncio.run(engine.close()) if self._is_closed else self.thread.run(engine.close())

    async def _watch(self, engine: Engine) -> None:
        while engine is self._engine:
            try:
                await engine.check_health()
            except EngineDead as error:
                with self._lock:
                    if engine is self._engine:
                        self._fail(str(error), comes_back=True)
                        if self._restarts:  # quietly: the cause is what people want to read
                            self._begin(f"starting again: {str(error).partition('; ')[0]}", lambda stage: None)
                return
            await asyncio.sleep(WATCH_EVERY_S)

    def _report(self, stage: str) -> None:
        with self._lock:
            if self._state == "starting":
                self._set("starting", stage)

    def _set(self, state: Literal["starting", "ready", "failed"], text: str) -> None:
        if state != self._state:
            self._since_s = time.monotonic()
        self._state, self._text = state, text


async def _warm_up(engine: Engine) -> None:
    """A few tokens, so that the first visitor does not wait for what the engine does once only."""
    async for _ in generate(engine, engine.text.encode("Warm up."), Sampling(max_tokens=4)):
        pass


async def _close_when_idle(engine: Engine) -> None:
    until_s, idle_looks = time.monotonic() + PATIENCE_S, 0
    try:
        while idle_looks < IDLE_LOOKS and time.monotonic() < until_s:
            idle_looks = 0 if engine.active or engine.waiting else idle_looks + 1
            await asyncio.sleep(IDLE_LOOK_S)
    finally:
        await engine.close()
