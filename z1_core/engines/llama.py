"""llama.cpp as an engine: any GGUF file in a server process of ours, or a llama.cpp server that somebody else started.

engine = LlamaEngine.start(Path("model.gguf"))     # then as any other engine: think(engine, prompt_ids, window)

The server is asked in slices of a few tokens, not for a stream: a streamed piece of text comes when its characters are
whole and tells its last token id only, a slice tells every id. The cache of a run's place is reused to the token, so
slices cost next to nothing (the way raw of bench/window.py).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, aclosing, asynccontextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from z1_core.engine import Delta, Engine, Session
from z1_core.engines.calls import CLOSED, Server, reading
from z1_core.engines.llama_calls import Slice, complete, sampling_fields
from z1_core.engines.llama_process import LlamaProcess
from z1_core.engines.llama_text import LlamaText
from z1_core.errors import BadInput, EngineDead, ModelUnavailable, Z1Error
from z1_core.gguf_header import budget, read_header
from z1_core.window import Sampling

PLACES = 8
"""Runs side by side. More make each one slower than a reader on two cores."""

SLICE_TOKENS = 8
FIRST_ENDS = (1, 4)
"""Where the requests of a run end: early at first, so that a reader sees at once that it writes, then at every
SLICE_TOKENS. Phase 2 keeps the trace's step: without a hint, a window of whole slices changes no draw."""

DEAD = "the engine's process has ended (killed, or out of memory); start it again"


class LlamaEngine(Engine):
    """As z1_core.engine.Engine. Make it with start() or connect(), from any thread; use it from one event loop."""

    def __init__(
        self,
        name: str,
        *,
        server: Server,
        text: LlamaText,
        context_tokens: int,
        places: int,
        cells: int,
        process: LlamaProcess | None = None,
    ) -> None:
        """cells: tokens that all runs can hold together."""
        super().__init__(places, cells=cells)
        self.name = name
        self.text = text
        self.context_tokens = context_tokens
        self.process = process
        self.server = server
        self._client = server.client()
        self._slots = [_Slot(number) for number in range(places)]

    @classmethod
    def start(
        cls,
        model: Path,
        *,
        adapter: Path | None = None,
        name: str | None = None,
        max_model_len: int | None = None,
        places: int = PLACES,
    ) -> LlamaEngine:
        """Load a GGUF file, and an adapter (LoRA) for it, in a process of its own. Blocks until it answers.

        max_model_len: the context; None takes the model's own, as far as it and the memory allow.
        Raises ModelUnavailable with the reason and a remedy, BadInput for a context that the model has not.
        """
        name = name or model.stem
        header = read_header(model)
        context, cells = budget(header, max_model_len, places, name)
        process = LlamaProcess(model, adapter=adapter, cells=cells, places=places)
        try:
            server = Server(process.url, key=process.key, gone=DEAD)
            text = LlamaText(server.ask, has_template=header.has_chat_template)
        except BaseException:
            process.close()
            raise
        return cls(
            name,
            server=server,
            text=text,
            context_tokens=context,
            places=places,
            cells=cells,
            process=process,
        )

    @classmethod
    def connect(
        cls,
        server: Server,
        *,
        model: str | None = None,
        max_model_len: int | None = None,
        places: int | None = None,
    ) -> LlamaEngine:
        """A server that somebody else started, and goes on. places: of its own; None takes all, as more than there are.
        Raises as start(), and EngineDead.

        Its places may share the cells of one context, as is llama-server's default, or have one each: it does not say.
        """
        with reading(server.url):
            props = server.ask("GET", "/props").json()
            names = [str(name) for name in (props.get("model_alias"), props.get("model_path")) if name]
            cells, slots = int(props["default_generation_settings"]["n_ctx"]), int(props["total_slots"])
            text = LlamaText(server.ask)
        found = Path(names[0] if names else "model").stem
        if model and model not in (found, *names):
            raise ModelUnavailable(f"{server.url} serves {found}, not {model}; leave --model out")
        if max_model_len and not 0 < max_model_len <= cells:
            raise BadInput(f"--max-model-len is {max_model_len:,}; the server holds 1 to {cells:,} tokens")
        return cls(
            found,
            server=server,
            text=text,
            context_tokens=max_model_len or cells,
            places=min(places or slots, slots),
            cells=cells,
        )

    @asynccontextmanager
    async def session(self, tokens: int, *, beside: Session | None = None) -> AsyncIterator[Session]:
        """As Engine.session. Another place would have to compute the prefix anew: a run beside one that is in goes on in
        its place, between two of its slices."""
        host = beside if isinstance(beside, _LlamaSession) and beside.runs else None
        session = host or _LlamaSession(self)
        if host is None:  # what is more than the context is refused by stream(), not waited for
            place = super().session(min(tokens, self.context_tokens), beside=beside)
            await session.place.enter_async_context(place)
        session.runs += 1
        try:
            yield _Guest(host) if host else session
        finally:
            session.runs -= 1
            if not session.runs:
                if session.slot:
                    session.slot.taken = False
                await session.place.aclose()

    def take_slot(self, prompt_ids: Sequence[int]) -> _Slot:
        """The free slot whose cache begins most like the prompt."""
        free = (slot for slot in self._slots if not slot.taken)
        slot = max(free, key=lambda slot: _shared(slot.ids, prompt_ids))
        slot.taken = True
        return slot

    async def stream(
        self,
        slot: _Slot,
        prompt_ids: Sequence[int],
        sampling: Sampling,
        *,
        turn: AbstractAsyncContextManager,
    ) -> AsyncGenerator[Delta, None]:
        """As Session.stream, in that place. turn: what each slice waits for."""
        budget = self.room(prompt_ids, sampling)
        fields, at_least = sampling_fields(sampling)
        endless = fields.pop("ignore_eos", False)
        ids, step, cached = list(prompt_ids), self.text.decoder(), None
        self.active += 1
        try:
            while True:
                written = len(ids) - len(prompt_ids)
                must_go_on = written < at_least
                upto = min(at_least, budget) if must_go_on else budget
                count = min(_to_slice_end(sampling.written + written), upto - written)
                seed = sampling.seed_at(len(ids), below=2**32 - 1)
                fields |= {"ignore_eos": endless or must_go_on, "seed": -1 if seed is None else seed}
                async with turn:
                    slot.ids = ids
                    made = await self._slice(slot, ids, count, fields)
                if not made.ids:
                    raise Z1Error("the model's server wrote nothing; try it again, its log may say more")
                ids += made.ids
                cached = made.cached if cached is None else cached
                ends = "stop" if made.stops else "length" if written + len(made.ids) >= budget else None
                yield Delta("".join(map(step, made.ids)), made.ids, ends, cached)
                if ends:
                    return
        finally:
            self.active -= 1

    async def check_health(self) -> None:
        """Raise EngineDead if the process is gone, or the server does not answer."""
        if self.process:
            if self.process.has_ended:
                raise EngineDead(DEAD)
            return
        await self.server.check_health(self._client)

    async def close(self) -> None:
        """End the process, if it is ours; another's server goes on."""
        await self._client.aclose()
        if self.process:
            self.process.close()

    async def _slice(self, slot: _Slot, ids: list[int], count: int, fields: dict[str, Any]) -> Slice:
        if self._client.is_closed:
            raise EngineDead(CLOSED)
        try:
            with reading(self.server.url):
                return Slice.of(await complete(self._client, slot.number, ids, count, fields), at_most=count)
        except httpx.HTTPError as error:
            if self.process and isinstance(error, httpx.TransportError):  # it has ended, or is of no more use
                self.process.close()
            raise self.server.error(error) from error


@dataclass(slots=True, eq=False)
class _Slot:
    """A place as the server knows it. ids: what its cache holds; turn: held by who writes there."""

    number: int
    ids: list[int] = field(default_factory=list)
    taken: bool = False
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)


@dataclass(slots=True)
class _LlamaSession:
    """As z1_core.engine.Session. slot: known from the first request on; runs: its own and those beside it, the last of which
    leaves the place."""

    engine: LlamaEngine
    slot: _Slot | None = None
    runs: int = 0
    place: AsyncExitStack = field(default_factory=AsyncExitStack)

    def stream(self, prompt_ids: Sequence[int], sampling: Sampling) -> AsyncGenerator[Delta, None]:
        if self.slot is None:
            self.slot = self.engine.take_slot(prompt_ids)
        return self.engine.stream(self.slot, prompt_ids, sampling, turn=self.slot.turn)


@dataclass(slots=True)
class _Guest:
    """A run in the place of another. It writes to its end at once: with each change the cache loses what differs."""

    host: _LlamaSession

    async def stream(self, prompt_ids: Sequence[int], sampling: Sampling) -> AsyncGenerator[Delta, None]:
        engine, slot = self.host.engine, self.host.slot
        async with slot.turn:
            made = engine.stream(slot, prompt_ids, sampling, turn=nullcontext())
            async with aclosing(made) as deltas:
                async for delta in deltas:
                    yield delta


def _to_slice_end(written: int) -> int:
    """How many tokens the next request of a run may bring."""
    return next((end for end in FIRST_ENDS if end > written), (written // SLICE_TOKENS + 1) * SLICE_TOKENS) - written


def _shared(one: Sequence[int], other: Sequence[int]) -> int:
    """How many ids both begin with."""
    return next((n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
