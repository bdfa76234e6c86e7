"""Calls of a model server, of whichever kind: how to get in, and what goes wrong there, in one sentence with the remedy."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
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

    def __init__(
        self,
        url: str,
        *,
        key: str,
        login: tuple[str, str] | None = None,
        gone: str | None = None,
        silence_s: float | None = None,
    ) -> None:
        """login: name and password, for a proxy that asks for them. gone: what to say where it is our own process and does
        not answer, as nobody typed an address then. silence_s: the longest pause in an answer; None for any: a long prompt
        on a slow machine takes minutes."""
        self.url = url
        self._gone = gone
        self._options = {
            "base_url": url,
            "headers": {"Authorization": f"Bearer {key}"},
            "auth": login,
            "timeout": httpx.Timeout(silence_s, connect=CONNECT_S),
            "limits": httpx.Limits(
                max_connections=None, max_keepalive_connections=0 if gone else None, keepalive_expiry=KEEP_S
            ),
            "follow_redirects": True,
            "trust_env": not url.startswith("http://127.0.0.1:"),
        }

    @classmethod
    def at(cls, url: str, *, silence_s: float | None = None) -> Server:
        """One that a user named, with the key from the environment. Raises BadInput."""
        address = _address(url)
        login = (address.username, address.password) if address.userinfo else None
        return cls(shown_address(url), key=_key(), login=login, silence_s=silence_s)

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
            raise EngineDead(str(_refusal(answer.status_code, answer.content, self.url)))

    def error(self, error: httpx.HTTPError) -> Z1Error:
        """What to raise for one of httpx."""
        if isinstance(error, httpx.HTTPStatusError):
            return _refusal(error.response.status_code, error.response.content, self.url)
        if self._gone:
            return EngineDead(self._gone)
        if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
            return _no_connection(error, self.url)
        if isinstance(error, httpx.TooManyRedirects):
            return _refusal(405, b"", self.url)
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


def _key() -> str:
    """Never an option: a command line can be read by others. Raises BadInput for what no header can carry."""
    name = next((name for name in KEYS if os.environ.get(name, "").strip()), None)
    found = os.environ[name].strip() if name else "none"
    if not found.isascii() or not found.isprintable():
        raise BadInput(
            f"{name} holds signs that no key has (line breaks, letters with accents); copy the key once more"
        )
    return found


def read_event(line: bytes, url: str) -> Mapping[str, Any] | None:
    """What a line of a stream tells; None where it is no event. Raises what an error in it means. For reading()."""
    if line.startswith(b"{") and b'"choices"' in line:
        raise TypeError("an answer in one piece: it ignores that a stream was asked for")
    if not line.startswith(b"data:") or line[5:].strip() in (b"", b"[DONE]"):
        return None
    try:
        event = json.loads(line[5:])
    except ValueError as error:  # half an event
        raise cut_off(url) from error
    if not isinstance(event, dict):
        raise TypeError(event)
    if "error" in event:
        code = event["error"].get("code") if isinstance(event["error"], dict) else None
        raise _refusal(code if isinstance(code, int) else 500, line[5:], url)
    return event


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


def _refusal(status: int, body: bytes, url: str) -> Z1Error:
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
    if status == 405:  # a redirected POST arrives as a GET
        return ModelUnavailable(f"{url} redirects its calls elsewhere; give the address it redirects to (https://?)")
    if status == 429:
        return Z1Error(f"{url} takes no more requests at the moment ({words}); try again later")
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
    causes = list(_causes(error))
    reason = str(causes[-1])
    if "CERTIFICATE_VERIFY_FAILED" in reason:
        return ModelUnavailable(
            f"the certificate of {url} is not trusted here; name the file with its authority in SSL_CERT_FILE"
        )
    if "[SSL" in reason:
        return ModelUnavailable(f"{url} does not speak TLS as expected; try http:// in place of https://, or mend it")
    if any(isinstance(cause, ConnectionRefusedError) for cause in causes):
        return EngineDead(
            f"nothing listens at {url}; start the server (python -m z1_core.serve) or correct --server-url"
        )
    reason = first_sentence(reason) or "no reason is given"
    return EngineDead(f"{url} cannot be reached ({reason}); check --server-url, the network and the server")


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and what led to it. Several addresses of one name fail as a group."""
    yield error
    for inner in getattr(error, "exceptions", ()):
        yield from _causes(inner)
    following = error.__cause__ or error.__context__
    if following is not None:
        yield from _causes(following)
