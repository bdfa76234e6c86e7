"""Calls of a model server, of whichever kind: how to get in, and what goes wrong there, in one sentence with the remedy."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import Any

import httpx

from z1_core.errors import BadInput, EngineDead, ModelUnavailable, Z1Error, first_sentence

KEYS = ("Z1_API_KEY", "OPENAI_API_KEY")
CONNECT_S = 10.0
KEEP_S = 2.0
"""How long an idle connection to a named server is used again. llama.cpp's server closes it after 5 s, at times between
our look and our request: that one is then asked once more. Our own process is close by: each call has a new connection,
as on a busy machine more than one may be stale."""

STALE = (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError)

CLOSED = "the model was closed while this ran; send it again"
REFUSALS = (400, 413, 422)
AWAY = (502, 503, 504)


class Server:
    """Where a server is, and how to get in. Every address is given without /v1."""

    def __init__(self, url: str, *, key: str, gone: str | None = None, silence_s: float | None = None) -> None:
        """gone: what to say where it is our own process and does not answer, as nobody typed an address then. silence_s: the
        longest pause in an answer; None for any: a long prompt on a slow machine takes minutes."""
        self.url = shown_address(url)
        self._gone = gone
        self._options = {
            "base_url": _address(url),
            "headers": {"Authorization": f"Bearer {key}"},
            "timeout": httpx.Timeout(silence_s, connect=CONNECT_S),
            "limits": httpx.Limits(
                max_connections=None, max_keepalive_connections=0 if gone else None, keepalive_expiry=KEEP_S
            ),
            "trust_env": not url.startswith("http://127.0.0.1:"),
        }

    @classmethod
    def at(cls, url: str, *, silence_s: float | None = None) -> Server:
        """One that a user named, with the key from the environment. Raises BadInput."""
        keys = (os.environ.get(name, "").strip() for name in KEYS)  # never an option: others can read a command line
        key = next(filter(None, keys), "none")
        if not key.isascii() or not key.isprintable():
            raise BadInput(
                f"the key ({' or '.join(KEYS)}) holds signs that no key has, such as accents; copy it once more"
            )
        return cls(url, key=key, silence_s=silence_s)

    def client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(**self._options)

    def ask(self, method: str, path: str, **options: Any) -> httpx.Response:
        """A call that the caller waits for, on any thread. Raises the errors of z1_core.errors."""
        try:
            try:
                answer = self._waiting.request(method, path, **options)
            except STALE:
                answer = self._waiting.request(method, path, **options)
            return answer.raise_for_status()
        except httpx.HTTPError as error:
            raise self.error(error) from error

    def is_llama(self) -> bool:
        """Whether llama.cpp's server answers there. One that does not answer at all is none; who asks it next says why."""
        try:
            props = self.ask("GET", "/props", timeout=CONNECT_S).json()
        except (Z1Error, ValueError):
            return False
        return isinstance(props, dict) and "total_slots" in props

    async def check_health(self, client: httpx.AsyncClient) -> None:
        """Raise EngineDead while the server does not answer, or says itself that its engine has died. One that has no
        /health but answers is well."""
        try:
            answer = await client.get("/health", timeout=CONNECT_S)
        except httpx.HTTPError as error:
            raise EngineDead(str(self.error(error))) from error
        if answer.status_code >= 500:
            raise EngineDead(str(refusal(answer.status_code, answer.content, self.url)))

    def error(self, error: httpx.HTTPError) -> Z1Error:
        """What to raise for one of httpx."""
        if isinstance(error, httpx.HTTPStatusError):
            return refusal(error.response.status_code, error.response.content, self.url)
        if self._gone:
            return EngineDead(self._gone)
        if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
            return _no_connection(error, self.url)
        if isinstance(error, httpx.TimeoutException):
            return EngineDead(f"{self.url} has sent nothing for too long; look whether it is overloaded or stuck")
        return cut_off(self.url)

    @cached_property
    def _waiting(self) -> httpx.Client:
        return httpx.Client(**self._options)


def shown_address(url: str) -> str:
    """A server's address as it is shown and recorded: without a login and the /v1 of its calls. Raises BadInput."""
    return str(_address(url).copy_with(userinfo=b"", query=None))


def _address(url: str) -> httpx.URL:
    try:
        address = httpx.URL(url.strip())
    except httpx.InvalidURL:
        address = httpx.URL()
    if address.scheme not in ("http", "https") or not address.host or (address.port or 80) >= 2**16:
        raise BadInput(f"--server-url is {url!r}; write it like http://127.0.0.1:8000")
    return address.copy_with(path=address.path.rstrip("/").removesuffix("/v1"))


@contextmanager
def reading(url: str) -> Iterator[None]:
    """Around the code that takes an answer apart. Raises ModelUnavailable where it is of another form than that expects."""
    try:
        yield
    except Z1Error:
        raise
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        raise ModelUnavailable(
            f"{url} answers, but not as vLLM's or llama.cpp's servers do; give the address of such a one, for example "
            "http://127.0.0.1:8000"
        ) from error


def cut_off(url: str) -> EngineDead:
    """A stream that ended without saying why it ended."""
    return EngineDead(
        f"the answer of {url} broke off in the middle: the server stopped, or a proxy before it cut the stream; "
        "what was written until then is kept, try again, and raise the proxy's read timeout if it happens often"
    )


def refusal(status: int, body: bytes, url: str) -> Z1Error:
    """What an answer means that is none."""
    words = _words(body) or f"status {status}"
    if status in (401, 403):
        return ModelUnavailable(f"{url} refuses the key; put the server's key into the environment as Z1_API_KEY")
    if status in REFUSALS:
        return BadInput(f"the engine refuses the request: {words}")
    if status == 404:
        return ModelUnavailable(
            f"{url} has no such address or model ({words}); check --server-url and --model, or take a newer server"
        )
    if status < 400:
        return ModelUnavailable(f"{url} redirects its calls elsewhere; give the address it redirects to (https://?)")
    if status in AWAY:
        return EngineDead(f"{url} cannot answer now ({words}): it is starting, or it has stopped")
    return Z1Error(f"the server failed on this request ({words}); try it again, its log may say more")


def _words(body: bytes) -> str:
    """The server's own sentence: in {"error": {"message": ...}}, with vLLM and llama.cpp."""
    try:
        told = json.loads(body)
        told = told.get("error", told)
        told = told.get("message") or told.get("detail") if isinstance(told, dict) else told
    except (ValueError, AttributeError):
        return ""
    return first_sentence(str(told or ""))


def _no_connection(error: httpx.HTTPError, url: str) -> Z1Error:
    reason = first_sentence(error)
    if "CERTIFICATE_VERIFY_FAILED" in reason:
        return ModelUnavailable(
            f"the certificate of {url} is not trusted here; name the file with its authority in SSL_CERT_FILE"
        )
    if "[SSL" in reason:
        return ModelUnavailable(f"{url} does not speak TLS as expected; try http:// in place of https://, or mend it")
    return EngineDead(
        f"{url} cannot be reached ({reason}); start the server (python -m z1_core.serve), or check --server-url and the "
        "network"
    )
