"""One question, one trace, several windows: what the Compare tab runs and shows."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass, replace

from ui.conversation import UPDATES_EVERY_S, Kept
from ui.short_answer import same_answer, short_answer
from z1_core.engine import Engine
from z1_core.errors import BadInput, Z1Error
from z1_core.host import EngineHost
from z1_core.prompt import chat, check_fits
from z1_core.settings import Settings
from z1_core.sweep import Piece, check_windows, sweep
from z1_core.thinking import Transcript, answer_from
from z1_core.window import Chunk, Sampling, Window

MOST_PLACES = 8
"""Cards on the page: windows and re-cuts together."""


@dataclass(eq=False, repr=False)
class Place(Transcript):
    """The run at one window, or at one re-cut, as far as it has come.

    queue: how many wait for a place in the engine, this run among them; 0 when it has one, or needs none yet.
    """

    prompt_ids: Sequence[int]
    window: Window
    recut: bool = False
    queue = 0

    def __post_init__(self) -> None:
        super().__init__(self.prompt_ids)

    @property
    def is_cut(self) -> bool:
        return bool(self.ids["hint"])

    @property
    def shown(self) -> str:
        """What the model answers with: the text behind the hint, or the trace that ended by itself."""
        return self.texts["trace"] if self.end_reason == "inside" else self.texts["answer"]

    @property
    def short(self) -> str:
        return short_answer(self.shown)


@dataclass(eq=False, repr=False)
class Comparison:
    """Changed only by follow() and recut(), and by stop() from the same event loop.

    engine: whose token ids these are; tokens: their texts, when they have been split().
    """

    engine: Engine
    question: str
    prompt_ids: list[int]
    places: list[Place]
    sampling: Sampling
    error = ""
    stopped = False
    seconds = 0.0
    tokens: Sequence[str] = ()

    @property
    def trace(self) -> Place:
        """The place whose trace is the whole one."""
        return max((place for place in self.places if not place.recut), key=lambda place: place.window.thinking_tokens)

    @property
    def in_order(self) -> list[Place]:
        return sorted(self.places, key=lambda place: place.window.thinking_tokens)

    @property
    def is_running(self) -> bool:
        return not self.stopped and any(place.end_reason is None for place in self.places)

    def agrees(self, place: Place) -> bool | None:
        """Whether the place answers as the largest window does; None while either is unfinished."""
        if place.end_reason is None or self.trace.end_reason is None:
            return None
        return same_answer(place.short, self.trace.short)

    def stop(self, error: str = "") -> None:
        """End it from outside, keeping what was written; a re-cut that has written nothing leaves no card."""
        if self.is_running:
            self.places = [place for place in self.places if place.is_cut or not place.recut]
            self.stopped = self.is_running
            self.error = error if self.stopped else ""
        for place in self.places:
            place.queue = 0

    async def split(self) -> None:
        """Find the text of each token of the trace. It stays whole where the engine is gone that knows them."""
        ids, decoder = self.trace.ids["trace"], self.engine.text.decoder
        if len(self.tokens) < len(ids):
            with suppress(Z1Error):
                self.tokens = await asyncio.to_thread(lambda: [*map(decoder(), ids)])

    def recut(self, at_tokens: int) -> None:
        """Add the place for a re-cut, the oldest re-cut making room for it. Raises BadInput for a place that is none."""
        trace_ids = self.trace.ids["trace"]
        if self.is_running:
            raise BadInput("the comparison is still running; re-cut when it is done")
        if not 1 <= at_tokens <= len(trace_ids):
            raise BadInput(f"token {at_tokens:,} is not in the trace; choose one from 1 to {len(trace_ids):,}")
        place = Place(self.prompt_ids, replace(self.trace.window, thinking_tokens=at_tokens), recut=True)
        place.add(Chunk("trace", "".join(self.tokens[:at_tokens]), tuple(trace_ids[:at_tokens])))
        self.stopped, self.error = False, ""
        if len(self.places) == MOST_PLACES:
            self.places.remove(next(each for each in self.places if each.recut))
        self.places.append(place)

    async def follow(self, host: EngineHost) -> AsyncGenerator[None, None]:
        """Run what has not been run: all of it, or the last re-cut. Yields whenever there may be something new to show;
        closing it frees the engine."""
        engine = self.engine = host.engine(named=self.engine.name)  # it may have been started again
        places, started_s, before_s = [*self.places], time.monotonic(), self.seconds
        try:
            async with aclosing(
                host.thread.relay(lambda: self._pieces(engine, places), every_s=UPDATES_EVERY_S)
            ) as bundles:
                async for bundle in bundles:
                    if not self.is_running:  # stopped
                        return
                    for piece in bundle:
                        places[piece.index].add(piece.chunk)
                    for place in places:
                        place.queue = engine.waiting if self._waits(place) else 0
                    self.seconds = before_s + time.monotonic() - started_s
                    yield
        finally:
            await self.split()

    async def _pieces(self, engine: Engine, places: Sequence[Place]) -> AsyncGenerator[Piece, None]:
        *_, last = places
        if last.recut:
            run = answer_from(engine, self.prompt_ids, last.ids["trace"], last.window, self.sampling)
        else:
            run = sweep(engine, self.prompt_ids, [place.window for place in places], self.sampling)
        async with aclosing(run) as made:
            async for each in made:
                yield Piece(len(places) - 1, each) if last.recut else each

    def _waits(self, place: Place) -> bool:
        """The trace does until it begins, and a smaller window from when it is passed until it answers."""
        return place.end_reason is None and place.phase == (None if place is self.trace else "trace")


class Compared(Kept):
    """current: what one visitor has compared last."""

    current: Comparison | None = None

    async def begin(
        self, host: EngineHost, question: str, settings: Settings, sizes: list[int], answer: int
    ) -> Comparison:
        """Make it the current comparison. Raises BadInput, and changes nothing, where it cannot run as it is, or another
        one runs or is about to."""
        if self.is_running:
            raise BadInput("a comparison is still going on; stop it first")
        if len(sizes) > MOST_PLACES - 1:
            raise BadInput(f"{len(sizes)} windows are more than the page can show; choose at most {MOST_PLACES - 1}")
        self.current = await self._prepared(prepare_comparison, host, question, settings, sizes, answer)
        return self.current


def prepare_comparison(
    host: EngineHost, question: str, settings: Settings, sizes: list[int], answer_tokens: int
) -> Comparison:
    """A comparison that fits the model. Not for a loop: the tokenizer may be a server's. Raises BadInput."""
    engine, is_text = host.engine(), host.is_from_visitor(settings.hint)
    prompt_ids = engine.text.render(chat(question, system=settings.system))
    windows = [
        Window(thinking_tokens=size, answer_tokens=answer_tokens, hint=settings.hint, hint_is_text=is_text)
        for size in sizes
    ]
    check_windows(windows)
    for window in windows:
        check_fits(engine, prompt_ids, window)
    places = [Place(prompt_ids, window) for window in windows]
    return Comparison(engine, question, prompt_ids, places, settings.sampling)
