"""A vLLM server (or another that speaks OpenAI's completions with token ids) as an engine, here or in a cluster.

engine = ServerEngine.start("http://127.0.0.1:8000")     # then as any other engine: think(engine, prompt_ids, window)
"""

from __future__ import annotations

import math
import uuid
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from json import JSONDecodeError
from types import NoneType
from typing import Any

from openai import APIError, APIStatusError, AsyncOpenAI, AsyncStream, OpenAI, Timeout

from z1_core.engine import Delta, FinishReason, Session, Text
from z1_core.engines.address import Address, key
from z1_core.engines.completions import cached_tokens, ids_of, request
from z1_core.engines.server_check import Served, count_ranks, find_model, probe
from z1_core.engines.server_errors import cut_off, ids_missing, in_words
from z1_core.engines.server_text import find_text
from z1_core.errors import BadInput, EngineDead, Z1Error
from z1_core.models import Report
from z1_core.places import Places
from z1_core.window import Sampling

CONNECT_S = 10.0
SILENCE_S = 300.0
"""The longest pause between two pieces of an answer. A request may also wait in the server's queue."""

RETRIES = 2
"""By the openai client, with backoff, and only until an answer begins: nothing that was read is asked for again."""

STREAMS_A_TOKEN, MOST_TOKENS = 4, 8
"""With every so many streams side by side an event brings one token more, up to so many: sending each token alone takes
time that the model computes in. One reader alone sees each token as it is made."""

FINISH_REASONS: Mapping[str, FinishReason] = {"stop": "stop", "length": "length", "repetition": "stop"}
"""repetition: vLLM's, where the caller's own rule ended it."""


class ServerEngine(Places):
    """An Engine on a server. Make it with ServerEngine.start, from any thread; use it from one event loop.

    name, context_tokens, text: as in Engine.
    A server that was away can be used again as soon as it is back: no new engine is needed. Usage, and with it the
    cached tokens, comes at the end of a stream: the last delta alone knows them.
    """

    def __init__(
        self,
        address: Address,
        served: Served,
        text: Text,
        ids_by: Mapping[str, Any],
        *,
        ranks: int = 1,
        places: float = math.inf,
        options: Mapping[str, Any],
    ) -> None:
        super().__init__(places)
        self.name = served.name.rstrip("/").rsplit("/", 1)[-1]
        self.context_tokens = served.context_tokens
        self.text = text
        self._address = address
        self._model = served.name
        self._ids_by = ids_by
        self.ranks = ranks
        self._running = Counter(dict.fromkeys(range(ranks), 0))
        self._client = AsyncOpenAI(**options)

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
        retries: int = RETRIES,
        silence_s: float = SILENCE_S,
    ) -> ServerEngine:
        """Look what the server can do, and generate a few tokens on it. Blocks for a few seconds.

        url: with or without /v1. model: its name there; needless where there is but one. tokenizer: hub id or folder,
        where the server does not tell it. max_model_len: to use less of its context. places: how many runs to send at once;
        None leaves it to the server, which queues what is beyond its own limit. The key comes from Z1_API_KEY or
        OPENAI_API_KEY. Raises BadInput, ModelUnavailable or EngineDead with the remedy.
        """
        address = Address.of(url)
        options = _client_options(address, retries=retries, silence_s=silence_s)
        client = OpenAI(**options)
        report(f"asking {address.root}")
        served = find_model(client, address, model=model, max_model_len=max_model_len)
        report(f"fetching the tokenizer of {served.name}")
        text = find_text(client, address.root, served, named=tokenizer)
        report(f"trying {served.name} on {address.root}")
        ids_by = probe(client, address, served.name, text.encode("Count from one on."))
        ranks = count_ranks(client, address)
        return cls(address, served, text, ids_by, ranks=ranks, places=places or math.inf, options=options)

    @asynccontextmanager
    async def session(self, tokens: int, *, beside: Session | None = None) -> AsyncIterator[Session]:
        """As Engine.session. Every replica of a data-parallel server has a prefix cache of its own, so a run stays where
        it began, or goes where the run beside it is."""
        async with self.place(tokens, beside=beside):
            rank = beside.rank if isinstance(beside, ServerSession) else min(self._running, key=self._running.get)
            self._running[rank] += 1
            try:
                yield ServerSession(self, rank, uuid.uuid4().hex)
            finally:
                self._running[rank] -= 1

    async def stream(
        self, prompt_ids: Sequence[int], sampling: Sampling, headers: Mapping[str, str]
    ) -> AsyncGenerator[Delta, None]:
        """As Session.stream. Closing it closes the connection, which ends the request on the server."""
        body = self._request(prompt_ids, sampling)
        final: Delta | None = None  # held until the server has told its usage
        cached, told, written, began = 0, 0, 0, False
        self.active += 1
        try:
            async with await self._post(body, headers) as events:
                async for event in events:
                    began = True
                    usage = event.get("usage") or {}
                    cached = cached_tokens(usage) or cached
                    written = usage.get("completion_tokens") or written
                    for choice in event.get("choices", ())[:1]:
                        delta = _delta(choice)
                        told += len(delta.ids)
                        if delta.finish_reason:
                            final = delta
                        elif delta.ids or delta.text:
                            yield delta
        except (APIError, JSONDecodeError) as error:
            if final is None:
                raise await self._in_words(error, began=began) from error
        finally:
            self.active -= 1
        if final is None:
            raise cut_off(self._address.api)
        if told < written:
            raise ids_missing(told, written)
        yield replace(final, cached_tokens=cached)

    async def check_health(self) -> None:
        """Raise EngineDead while the server does not answer, or says itself that its engine has died. One that has no
        /health but answers is well."""
        once = self._client.with_options(max_retries=0, timeout=CONNECT_S)
        try:
            await once.get(f"{self._address.root}/health", cast_to=NoneType)
        except APIStatusError as error:
            if error.status_code >= 500:
                raise EngineDead(str(in_words(error, self._address.root))) from error
        except APIError as error:
            raise EngineDead(str(in_words(error, self._address.root))) from error

    async def close(self) -> None:
        """Close the connections; the server goes on."""
        await self._client.close()

    def _request(self, prompt_ids: Sequence[int], sampling: Sampling) -> dict[str, Any]:
        room = self.context_tokens - len(prompt_ids)
        if not prompt_ids:
            raise BadInput("the prompt has no token")
        if room < 1:
            raise BadInput(
                f"the prompt has {len(prompt_ids):,} tokens, but the model holds {self.context_tokens:,}; shorten it"
            )
        max_tokens = min(sampling.max_tokens or room, room)
        return request(
            self._model,
            prompt_ids,
            sampling,
            self._ids_by,
            max_tokens=max_tokens,
            tokens_per_event=min(1 + self.active // STREAMS_A_TOKEN, MOST_TOKENS),
        )

    async def _post(self, body: dict[str, Any], headers: Mapping[str, str]) -> AsyncStream[Any]:
        """Events as plain dicts: making an object of each would cost more than reading it."""
        options: Any = {"headers": headers}
        return await self._client.post(
            "/completions", body=body, options=options, cast_to=object, stream=True, stream_cls=AsyncStream[object]
        )

    async def _in_words(self, error: APIError | JSONDecodeError, *, began: bool) -> Z1Error:
        """What to raise for it. Raises EngineDead itself where the server failed because its engine is gone."""
        if isinstance(error, JSONDecodeError):  # half an event
            return cut_off(self._address.api)
        words = in_words(error, self._address.api, streaming=began)
        if type(words) is Z1Error:
            await self.check_health()
        return words


@dataclass(frozen=True, slots=True)
class ServerSession:
    """As z1_core.engine.Session. rank: the replica behind the server's address that all its requests go to."""

    engine: ServerEngine
    rank: int
    id: str

    def stream(self, prompt_ids: Sequence[int], sampling: Sampling) -> AsyncGenerator[Delta, None]:
        return self.engine.stream(prompt_ids, sampling, self.headers)

    @property
    def headers(self) -> dict[str, str]:
        """For vLLM's own balancing the rank; for routers before several servers the session."""
        ranks = {"X-data-parallel-rank": str(self.rank)} if self.engine.ranks > 1 else {}
        return ranks | {"X-Session-ID": self.id}


def server_text(url: str, *, model: str | None = None, tokenizer: str | None = None) -> Text:
    """The text side of a served model alone. Arguments and errors as in ServerEngine.start."""
    address = Address.of(url)
    client = OpenAI(**_client_options(address))
    served = find_model(client, address, model=model, max_model_len=None)
    return find_text(client, address.root, served, named=tokenizer)


def _client_options(address: Address, *, retries: int = RETRIES, silence_s: float = SILENCE_S) -> dict[str, Any]:
    timeout = Timeout(silence_s, connect=min(CONNECT_S, silence_s))
    options = {"base_url": address.api, "api_key": key(), "max_retries": retries, "timeout": timeout}
    return options | ({"default_headers": address.headers} if address.login else {})


def _delta(choice: Mapping[str, Any]) -> Delta:
    ids, reason = ids_of(choice), choice.get("finish_reason")
    if ids is None:
        raise Z1Error("the server told no token ids with a part of its answer; see what it wrote to its log")
    if reason and reason not in FINISH_REASONS:
        raise EngineDead(f"the server ended the answer itself (finish reason {reason}); try again")
    return Delta(choice.get("text") or "", ids, FINISH_REASONS[reason] if reason else None)
