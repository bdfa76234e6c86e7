"""One visitor's conversation: turns that run, end, and leave their answers for the next question's context."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

from z1_core.errors import BadInput
from z1_core.host import EngineHost
from z1_core.prompt import chat, check_fits, most_hint_tokens
from z1_core.settings import Settings
from z1_core.thinking import Transcript, think
from z1_core.thoughts import Thoughts, trace_answer
from z1_core.window import Chunk, EndReason, Window

UPDATES_EVERY_S = 0.3
"""At least. Each costs server and browser time that, on a laptop, the model computes on (tests/browser/page_rate.py)."""


@dataclass(eq=False, repr=False)
class Turn(Transcript):
    """A question and what became of it. Changed only by follow(), and by stop() from the same event loop.

    messages: what the prompt was rendered from, so that it can be run again as it was.
    model: which one ran it. versions: of the packages there, of an imported turn; None for one of this page.
    queue: how many wait for a place, this turn among them; 0 when it has one.
    """

    question: str
    settings: Settings
    prompt_ids: Sequence[int]
    window: Window
    messages: Sequence[Mapping[str, str]] = ()
    model: str = ""
    versions: Mapping[str, str] | None = None
    thoughts: Thoughts | None = None
    queue = 0
    error = ""
    _first_s: float | None = field(default=None, init=False)
    _last_s: float | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        super().__init__(self.prompt_ids)
        self.close_window = asyncio.Event()

    @property
    def is_running(self) -> bool:
        return self.end_reason is None

    @property
    def seconds(self) -> float:
        """From the first token on; until now while it runs."""
        if self._first_s is None:
            return 0.0
        return (self._last_s if self.end_reason else time.monotonic()) - self._first_s

    @property
    def first_s(self) -> float | None:
        """From the question to the first token."""
        return None if self._first_s is None or self.versions is not None else self._first_s - self.started_s

    @property
    def answer(self) -> str:
        """What goes into the context of the next question: the answer, or what the trace holds of it."""
        if self.end_reason == "inside":
            return trace_answer(self.thoughts, self.texts["trace"])
        return self.texts["answer"]

    async def follow(self, host: EngineHost) -> AsyncGenerator[None, None]:
        """Run to the end; yields whenever there may be something new to show. Closing it frees the engine."""
        if self.end_reason:
            return
        engine = host.engine(named=self.model)
        self.started_s = time.monotonic()

        def chunks() -> AsyncGenerator[Chunk, None]:
            return think(engine, self.prompt_ids, self.window, self.settings.sampling, close_window=self.close_window)

        async with aclosing(host.thread.relay(chunks, every_s=UPDATES_EVERY_S)) as bundles:
            async for bundle in bundles:
                for chunk in bundle:
                    self.add(chunk)
                self.queue = 0 if self.phase or self.end_reason else engine.waiting
                yield
                if self.end_reason:
                    return

    def stop(self, error: str = "") -> None:
        """End the turn from outside, keeping what was written; does nothing to one that has ended."""
        if self.end_reason is None:
            self.end_reason, self.error, self.queue = "error" if error else "user_stop", error, 0
            self._last_s = time.monotonic()

    def restore(self, chunks: Sequence[Chunk], end_reason: EndReason, *, error: str, seconds: float) -> None:
        """Become a turn that was run before, elsewhere: it wrote these chunks, ended so, and took that long."""
        for chunk in chunks:
            self.add(chunk)
        self.end_reason, self.error = end_reason, error
        self._first_s, self._last_s = 0.0, seconds

    def add(self, chunk: Chunk) -> None:
        if self.end_reason is None:
            self._last_s = time.monotonic()
            self._first_s = self._first_s or (self._last_s if chunk.ids else None)
            super().add(chunk)


class Kept:
    """What a visitor keeps on a tab. shown: how many views of it there were."""

    current: Any = None

    def __init__(self) -> None:
        self.shown = 0
        self._begins = False

    @property
    def is_running(self) -> bool:
        """Also while a run is being prepared: of two that begin at once, one would be lost."""
        return self._begins or (self.current is not None and self.current.is_running)

    async def _prepared(self, prepare: Callable, *parts: Any) -> Any:
        self._begins = True
        try:
            return await asyncio.to_thread(prepare, *parts)
        finally:
            self._begins = False


class Conversation(Kept):
    """turns: oldest first, the last is the current one."""

    def __init__(self) -> None:
        super().__init__()
        self.turns: list[Turn] = []

    @property
    def current(self) -> Turn | None:
        return self.turns[-1] if self.turns else None

    async def begin(self, host: EngineHost, question: str, settings: Settings, *, editing: bool = False) -> Turn:
        """Make the question the current turn; editing: in the place of the one that is. Raises BadInput, and changes
        nothing, where it cannot run as it is."""
        before = self.turns[:-1] if editing else self.turns
        history = [(turn.question, turn.answer) for turn in before if turn.answer.strip()]
        messages = chat(question, system=settings.system, history=history)
        self.turns = [*before, await self._prepared(prepare, host, question, settings, messages)]
        return self.turns[-1]

    async def again(self, host: EngineHost, *, new_seed: int | None = None) -> Turn:
        """Run the current turn once more in its own place, from the same messages with the same settings.

        new_seed: draws anew where anything is drawn; None repeats the draw.
        """
        turn, before = self.current, self.turns[:-1]
        if turn is None or turn.is_running:
            raise BadInput("there is no finished turn to run again; ask something first")
        settings = turn.settings
        if new_seed is not None and settings.temperature > 0:
            settings = settings.model_copy(update={"seed": new_seed})
        self.turns = [*before, await self._prepared(prepare, host, turn.question, settings, list(turn.messages))]
        return self.turns[-1]


def prepare(host: EngineHost, question: str, settings: Settings, messages: list[dict]) -> Turn:
    """A turn that fits the model. Not for a loop: the tokenizer may be a server's. Raises BadInput."""
    engine, is_text = host.engine(), host.is_from_visitor(settings.hint)
    prompt_ids = engine.text.render(messages)
    window = Window.from_total(
        thinking_tokens=settings.thinking_tokens,
        total_tokens=settings.total_tokens,
        hint_tokens=most_hint_tokens(engine, settings.hint, is_text=is_text),
        hint=settings.hint,
        hint_is_text=is_text,
    )
    check_fits(engine, prompt_ids, window)
    return Turn(question, settings, prompt_ids, window, messages, engine.name, thoughts=engine.text.thoughts)
