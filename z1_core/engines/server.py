"""A vLLM server (or another that speaks OpenAI's completions with token ids) as an engine, here or in a cluster.

engine = ServerEngine.start("http://127.0.0.1:8000")     # then as any other engine: think(engine, prompt_ids, window)
"""

from __future__ import annotations

import asyncio
import math
import uuid
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import httpx

from z1_core.engine import Delta, Engine, Session, Text
from z1_core.engines.calls import CLOSED, Server, cut_off, reading
from z1_core.engines.server_calls import Event, Served, Usage, check_ids, count_ranks, find_model, find_text, request
from z1_core.errors import EngineDead, Z1Error
from z1_core.models import Report
from z1_core.window import Sampling

SILENCE_S = 300.0
"""The longest pause between two pieces of an answer. A request may also wait in the server's queue."""

PROBE_TOKENS = 8
RETRIES, BACKOFF_S = 2, 0.5

STREAMS_A_TOKEN, MOST_TOKENS = 4, 8
"""With every so many streams side by side an event brings one token more, up to so many: sending each token alone takes
time that the model computes in. One reader alone sees each token as it is made."""

TOO_MANY = (
    "the server wrote more than the {:,} tokens it was asked for; use one that keeps to max_tokens, as vLLM's does"
)
TOO_FEW = (
    "the server told the ids of {:,} of the {:,} tokens it wrote; its version or a proxy before it leaves some out: use "
    "vLLM 0.29 or newer at its own address"
)


class ServerEngine(Engine):
    """An Engine on a server. Make it with ServerEngine.start, from any thread; use it from one event loop.

    name, context_tokens, text: as in Engine.
    A server that was away can be used again as soon as it is back: no new engine is needed. Usage, and with it the
    cached tokens, comes at the end of a stream: the last delta alone knows them.
    """

    def __init__(self, server: Server, served: Served, text: Text, *, ranks: int = 1, places: float = math.inf) -> None:
        super().__init__(places)
        self.name = served.name.rstrip("/").rsplit("/", 1)[-1]
        self.context_tokens = served.context_tokens
        self.text = text
        self.ranks = ranks
        self._server = server
        self._client = server.client()
        self._model = served.name
        self._running = Counter(dict.fromkeys(range(ranks), 0))

    @classmethod
    def start(
        cls,
        url: str,
        *,
        model: str | None = None,
        tokenizer: str | None = None,
        max_model_len: int | None = None,
        places: int | None = None,
        report: Report = lambda stage: None,
    ) -> ServerEngine:
        """Look what the server can do, and generate a few tokens on it. Blocks for a few seconds.

        url: with or without /v1. model: its name there; needless where there is but one. tokenizer: hub id or folder,
        where it is not found by the server's name for the model. max_model_len: to use less of its context. places: how many
        runs to send at once; None leaves it to the server, which queues what is beyond its own limit. The key comes from
        Z1_API_KEY or OPENAI_API_KEY. Raises BadInput, ModelUnavailable or EngineDead with the remedy.
        """
        server = Server.at(url, silence_s=SILENCE_S)
        report(f"asking {server.url}")
        served = find_model(server, model=model, max_model_len=max_model_len)
        report(f"fetching the tokenizer of {served.name}")
        text = find_text(server, served, named=tokenizer)
        report(f"trying {served.name} on {server.url}")
        check_ids(server, request(served.name, text.encode("Count from one on."), Sampling(), max_tokens=PROBE_TOKENS))
        return cls(server, served, text, ranks=count_ranks(server), places=places or math.inf)

    @asynccontextmanager
    async def session(self, tokens: int, *, beside: Session | None = None) -> AsyncIterator[Session]:
        """As Engine.session. Every replica of a data-parallel server has a prefix cache of its own, so a run stays where
        it began, or goes where the run beside it is."""
        async with super().session(tokens, beside=beside):
            rank = beside.rank if isinstance(beside, ServerSession) else min(self._running, key=self._running.get)
            headers = {"X-Session-ID": uuid.uuid4().hex}  # for routers before several servers
            if self.ranks > 1:
                headers["X-data-parallel-rank"] = str(rank)  # for vLLM's own balancing
            self._running[rank] += 1
            try:
                yield ServerSession(self, rank, headers)
            finally:
                self._running[rank] -= 1

    async def stream(
        self, prompt_ids: Sequence[int], sampling: Sampling, headers: Mapping[str, str]
    ) -> AsyncGenerator[Delta, None]:
        """As Session.stream. Closing it closes the connection, which ends the request on the server."""
        body = request(
            self._model,
            prompt_ids,
            sampling,
            max_tokens=self.room(prompt_ids, sampling),
            tokens_per_event=min(1 + self.active // STREAMS_A_TOKEN, MOST_TOKENS),
        )
        final: Delta | None = None  # held until the server has told its usage
        usage, told = Usage(), 0
        self.active += 1
        try:
            async with aclosing(self._events(body, headers)) as events:
                async for event in events:
                    usage = event.usage or usage
                    for delta in (choice.delta for choice in event.choices or () if not final):
                        told += len(delta.ids)
                        if told > body["max_tokens"]:
                            raise Z1Error(TOO_MANY.format(body["max_tokens"]))
                        if delta.finish_reason:
                            final = delta
                        else:
                            yield delta
        except Z1Error as error:
            if final is None:
                if type(error) is Z1Error:
                    await self.check_health()  # it may have failed because its engine is gone
                raise
        finally:
            self.active -= 1
        if final is None:
            raise cut_off(self._server.url)
        if told < (usage.completion_tokens or 0):  # nothing can continue from it, and its count is wrong
            raise Z1Error(TOO_FEW.format(told, usage.completion_tokens))
        yield replace(final, cached_tokens=usage.cached_tokens)

    async def check_health(self) -> None:
        """Raise EngineDead while the server does not answer, or says itself that its engine has died."""
        await self._server.check_health(self._client)

    async def close(self) -> None:
        """Close the connections; the server goes on."""
        await self._client.aclose()

    async def _events(self, body: Mapping[str, Any], headers: Mapping[str, str]) -> AsyncGenerator[Event, None]:
        """What the server tells, event by event. Raises the errors of z1_core.errors."""
        held = b""
        try:
            async with aclosing(await self._begun(body, headers)) as answer:
                async for piece in answer.aiter_bytes():
                    *lines, held = (held + piece).split(b"\n")
                    for line in lines:
                        with reading(self._server.url):
                            event = Event.read(line, self._server.url)
                        if event:
                            yield event
        except httpx.HTTPError as error:
            raise self._server.error(error) from error

    async def _begun(self, body: Mapping[str, Any], headers: Mapping[str, str]) -> httpx.Response:
        """The beginning of an answer. Until then a server that is away or busy is asked again; what was read, never."""
        if self._client.is_closed:
            raise EngineDead(CLOSED)
        call = self._client.build_request("POST", "/v1/completions", json=body, headers=headers)
        for pause_s in [*(BACKOFF_S * 2**n for n in range(RETRIES)), None]:
            try:
                answer = await self._client.send(call, stream=True)
                if not answer.is_success:
                    await answer.aread()
                return answer.raise_for_status()
            except httpx.HTTPError as error:
                status = error.response.status_code if isinstance(error, httpx.HTTPStatusError) else None
                if pause_s is None or (status and status != 429 and status < 500):
                    raise
            await asyncio.sleep(pause_s)


@dataclass(frozen=True, slots=True)
class ServerSession:
    """As z1_core.engine.Session. rank: the replica behind the server's address that all its requests go to."""

    engine: ServerEngine
    rank: int
    headers: Mapping[str, str]

    def stream(self, prompt_ids: Sequence[int], sampling: Sampling) -> AsyncGenerator[Delta, None]:
        return self.engine.stream(prompt_ids, sampling, self.headers)
