"""One question, one trace, several windows: what the Compare tab runs and shows."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

from ui.conversation import UPDATES_EVERY_S, Settings
from ui.short_answer import same_answer, short_answer
from z1_core.engine import Engine
from z1_core.errors import BadInput
from z1_core.host import EngineHost
from z1_core.prompt import chat
from z1_core.sweep import Piece, check_windows, sweep
from z1_core.thinking import answer_from, check_fits
from z1_core.window import Chunk, EndReason, Sampling, Window

MOST_PLACES = 8
"""Cards on the page: windows and re-cuts together."""


class Place:
    """The run at one window, or at one re-cut, as far as it has come."""

    def __init__(self, window: Window, *, recut: bool = False) -> None:
        self.window = window
        self.recut = recut
        self.texts = {"trace": "", "hint": "", "answer": ""}
        self.ids: dict[str, list[int]] = {"trace": [], "hint": [], "answer": []}
        self.end_reason: EndReason | None = None

    def add(self, chunk: Chunk) -> None:
        self.texts[chunk.phase] += chunk.text
        self.ids[chunk.phase] += chunk.ids
        self.end_reason = chunk.end_reason or self.end_reason

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


class Comparison:
    """Changed only by follow() and recut(), and by stop() from the same event loop. engine: whose token ids these are."""

    def __init__(
        self, engine: Engine, question: str, prompt_ids: list[int], windows: list[Window], sampling: Sampling
    ) -> None:
        self.engine = engine
        self.question = question
        self.prompt_ids = prompt_ids
        self.sampling = sampling
        self.places = [Place(window) for window in windows]
        self.error = ""
        self.stopped = False
        self._taken = False
        self.seconds = 0.0

    def take(self) -> bool:
        """True for the first who asks: a comparison is run once."""
        first, self._taken = not self._taken, True
        return first

    @property
    def trace(self) -> Place:
        """The place whose trace is the whole one."""
        return max((place for place in self.places if not place.recut), key=lambda place: place.window.thinking_tokens)

    @property
    def is_running(self) -> bool:
        return not self.stopped and any(place.end_reason is None for place in self.places)

    def agrees(self, place: Place) -> bool | None:
        """Whether the place answers as the largest window does; None while either is unfinished."""
        if place.end_reason is None or self.trace.end_reason is None:
            return None
        return same_answer(place.short, self.trace.short)

    async def follow(self, host: EngineHost) -> AsyncGenerator[None, None]:
        """Run the sweep; yields whenever there may be something new to show. Closing it frees the engine."""
        engine, windows = host.engine(named=self.engine.name), [place.window for place in self.places]

        def add(piece: Piece) -> None:
            self.places[piece.index].add(piece.chunk)

        async for _ in self._relayed(host, lambda: sweep(engine, self.prompt_ids, windows, self.sampling), add):
            yield

    async def recut(self, host: EngineHost, place: Place) -> AsyncGenerator[None, None]:
        """Answer once more, from the part of the trace that this place holds."""
        engine = host.engine(named=self.engine.name)

        def answers() -> AsyncGenerator[Chunk, None]:
            return answer_from(engine, self.prompt_ids, place.ids["trace"], place.window, self.sampling)

        async for _ in self._relayed(host, answers, place.add):
            yield

    def begin_recut(self, engine: Engine, at_tokens: int) -> Place:
        """Add the place for a re-cut, the oldest re-cut making room for it. Raises BadInput for a place that is none."""
        trace_ids = self.trace.ids["trace"]
        if self.is_running:
            raise BadInput("the comparison is still running; re-cut when it is done")
        if not 1 <= at_tokens <= len(trace_ids):
            raise BadInput(f"token {at_tokens:,} is not in the trace; choose one from 1 to {len(trace_ids):,}")
        model = self.trace.window
        window = Window(thinking_tokens=at_tokens, answer_tokens=model.answer_tokens, hint=model.hint)
        check_fits(engine, self.prompt_ids, window)
        place = Place(window, recut=True)
        ids = tuple(trace_ids[:at_tokens])
        place.add(Chunk("trace", engine.text.decode(ids), ids))
        self.stopped, self.error = False, ""
        earlier = [each for each in self.places if each.recut]
        if len(self.places) == MOST_PLACES:
            self.places.remove(earlier[0])
        self.places.append(place)
        return place

    def stop(self, error: str = "") -> None:
        """End it from outside, keeping what was written."""
        if self.is_running:
            self.stopped, self.error = True, error

    async def _relayed(
        self, host: EngineHost, stream: Callable[[], AsyncGenerator], add: Callable
    ) -> AsyncGenerator[None, None]:
        started_s, before_s = time.monotonic(), self.seconds
        async with aclosing(host.thread.relay(stream, every_s=UPDATES_EVERY_S)) as bundles:
            async for bundle in bundles:
                for item in bundle:
                    add(item)
                self.seconds = before_s + time.monotonic() - started_s
                yield


async def prepare_comparison(
    engine: Engine, question: str, settings: Settings, sizes: list[int], answer_tokens: int
) -> Comparison:
    """A comparison that fits the model. To be run on the engine's loop. Raises BadInput."""
    if len(sizes) > MOST_PLACES - 1:
        raise BadInput(f"{len(sizes)} windows are more than the page can show; choose at most {MOST_PLACES - 1}")
    prompt_ids = engine.text.render(chat(question, system=settings.system))
    windows = [Window(thinking_tokens=size, answer_tokens=answer_tokens, hint=settings.hint) for size in sizes]
    check_windows(windows)
    for window in windows:
        check_fits(engine, prompt_ids, window)
    sampling = Sampling(temperature=settings.temperature, top_p=settings.top_p, seed=settings.seed)
    return Comparison(engine, question, prompt_ids, windows, sampling)
