"""The calls of llama.cpp's server: what goes into a slice, and what its failures mean."""

from __future__ import annotations

import ssl
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import httpx

from z1_core.errors import BadInput, EngineDead, ModelUnavailable, Z1Error
from z1_core.window import Sampling

PLAIN: Mapping[str, Any] = {
    "samplers": ["penalties", "temperature", "top_k", "top_p", "min_p"],
    "top_k": 0,
    "min_p": 0.0,
    "repeat_penalty": 1.0,
    "presence_penalty": 0.0,
    "frequency_penalty": 0.0,
    "repeat_last_n": 8192,
}
"""Said in each request: the server's own defaults are another method. The order is vLLM's: temperature before top-p."""

KEEP_S = 2.0
"""How long an idle connection is used again. The server closes it after 5 s, at times between our look and our request: that
one is then asked once more, on a new connection."""

NAMES = {"repetition_penalty": "repeat_penalty"} | {
    name: name for name in ("top_k", "min_p", "presence_penalty", "frequency_penalty", "ignore_eos", "logit_bias")
}
"""Fields of Sampling.extra that the server knows, by the server's names."""


class Server:
    """Where a llama.cpp server is, and how to get in."""

    def __init__(self, url: str, *, key: str, login: str | None = None, gone: str | None = None) -> None:
        """url: without /v1. login: "name:password", for a proxy that asks for one. gone: what to say where it is our
        own process and does not answer, as nobody typed an address then."""
        self.url = url
        self._gone = gone
        self._options = {
            "base_url": url,
            "headers": {"Authorization": f"Bearer {key}"},
            "auth": tuple(login.partition(":")[::2]) if login else None,
            "timeout": httpx.Timeout(None, connect=10),  # a long prompt on a slow machine takes minutes
            "limits": httpx.Limits(max_connections=None, keepalive_expiry=KEEP_S),
            "trust_env": not url.startswith("http://127.0.0.1:"),
        }

    def client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(**self._options)

    def ask(self, method: str, path: str, **options: Any) -> httpx.Response:
        """A call that the caller waits for, on any thread. Raises the errors of z1_core.errors."""
        try:
            try:
                answer = self._waiting.request(method, path, **options)
            except httpx.RemoteProtocolError:  # see KEEP_S
                answer = self._waiting.request(method, path, **options)
            return answer.raise_for_status()
        except httpx.HTTPError as error:
            raise self.error(error) from error

    def error(self, error: httpx.HTTPError) -> Z1Error:
        """What to raise for one of httpx."""
        if self._gone and isinstance(error, httpx.TransportError):
            return EngineDead(self._gone)
        return in_words(error, self.url)

    @cached_property
    def _waiting(self) -> httpx.Client:
        return httpx.Client(**self._options)


def sampling_fields(sampling: Sampling) -> tuple[dict[str, Any], int]:
    """Fields of a request, and the tokens before which no run may end. Raises BadInput for a field that has no equal."""
    extra = dict(sampling.extra)
    at_least = extra.pop("min_tokens", 0)
    unknown = sorted(extra.keys() - NAMES.keys())
    if unknown:
        raise BadInput(
            f"llama.cpp has no {', '.join(unknown)} that acts as vLLM's; leave it out, or take a vLLM engine"
        )
    named = {NAMES[name]: value for name, value in extra.items()}
    if "logit_bias" in named:
        named["logit_bias"] = [[int(id_), bias] for id_, bias in named["logit_bias"].items()]
    if "top_k" in named:
        named["top_k"] = max(0, named["top_k"])  # -1 is vLLM's "all"
    top_p = sampling.top_p if sampling.temperature else 1.0
    return {**PLAIN, **named, "temperature": sampling.temperature, "top_p": top_p}, at_least


async def complete(
    client: httpx.AsyncClient, slot: int, ids: Sequence[int], count: int, fields: Mapping[str, Any]
) -> dict[str, Any]:
    """Write `count` tokens behind ids in that slot. Raises httpx.TransportError where the server is gone."""
    body = {"prompt": ids, "n_predict": count, "id_slot": slot, "cache_prompt": True, "return_tokens": True, **fields}
    body["response_fields"] = ["tokens", "stop_type", "timings"]
    try:
        answer = await client.post("/completion", json=body)
    except httpx.RemoteProtocolError:  # see KEEP_S
        answer = await client.post("/completion", json=body)
    if answer.is_error:
        raise _refusal(answer)
    return answer.json()


def in_words(error: httpx.HTTPError, url: str) -> Z1Error:
    """The error to raise for one of httpx."""
    if isinstance(error, httpx.HTTPStatusError):
        return _refusal(error.response)
    if isinstance(error.__cause__, ssl.SSLError) or "CERTIFICATE" in str(error):
        return ModelUnavailable(f"{url} does not speak TLS as expected ({error}); mend it, or name it in SSL_CERT_FILE")
    if isinstance(error, httpx.ConnectError):
        return EngineDead(f"nothing listens at {url}; start the server or correct --server-url")
    return EngineDead(f"{url} broke off ({error or type(error).__name__}); look whether the server still runs")


def _refusal(answer: httpx.Response) -> Z1Error:
    url, status = f"{answer.url.scheme}://{answer.url.netloc.decode()}", answer.status_code
    try:
        words = str(answer.json()["error"]["message"]).splitlines()[0][:300]
    except (ValueError, LookupError, TypeError):
        words = f"status {status}"
    if status in (401, 403):
        return ModelUnavailable(f"{url} refuses the key; put the server's key into the environment as Z1_API_KEY")
    if status == 404:
        return ModelUnavailable(f"{url} has no such call: {words}; use a newer llama.cpp")
    if status == 503:
        return EngineDead(f"{url} cannot answer now: {words}; it is starting, or it has stopped")
    if status < 500:
        return BadInput(f"the engine refuses the request: {words}")
    return Z1Error(f"the server failed on this request ({words}); try it again, its log may say more")
