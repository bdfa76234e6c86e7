"""What goes wrong between this program and a model server, in one sentence with the remedy."""

from __future__ import annotations

import ssl
from collections.abc import Iterator

from openai import (
    APIConnectionError,
    APIError,
    APIStatusError,
    APITimeoutError,
    AuthenticationError,
    PermissionDeniedError,
)

from z1_core.errors import BadInput, EngineDead, ModelUnavailable, Z1Error

REFUSALS = (400, 413, 422)
AWAY = (502, 503, 504)


def cut_off(url: str) -> EngineDead:
    """A stream that ended without saying why it ended."""
    return EngineDead(
        f"the answer of {url} broke off in the middle: the server stopped, or a proxy before it cut the stream; "
        "what was written until then is kept, try again, and raise the proxy's read timeout if it happens often"
    )


def ids_missing(told: int, written: int) -> Z1Error:
    """A stream whose ids are not all of what was written: nothing can continue from it, and its count is wrong."""
    return Z1Error(
        f"the server told the ids of {told:,} of the {written:,} tokens it wrote; its version or a proxy before it leaves "
        "some out: use vLLM 0.29 or newer at its own address"
    )


def in_words(error: APIError, url: str, *, streaming: bool = False) -> Z1Error:
    """The error to raise for one of the openai client. streaming: a part of the answer has already come."""
    if isinstance(error, APITimeoutError):
        return EngineDead(f"{url} has sent nothing for too long; look whether the server is overloaded or stuck")
    if isinstance(error, APIConnectionError):
        return _no_connection(error, url, streaming=streaming)
    if isinstance(error, (AuthenticationError, PermissionDeniedError)):
        return ModelUnavailable(f"{url} refuses the key; put the server's key into the environment as Z1_API_KEY")
    status = error.status_code if isinstance(error, APIStatusError) else _code(error)
    words = _first_sentence(_message(error))
    if status in REFUSALS:
        return BadInput(f"the engine refuses the request: {words}")
    if status == 404:
        return ModelUnavailable(f"{url} has no such address or model: {words}; check --server-url and --model")
    if status == 405:  # a redirected POST arrives as a GET
        return ModelUnavailable(f"{url} redirects its calls elsewhere; give the address it redirects to (https://?)")
    if status == 429:
        return Z1Error(f"{url} takes no more requests at the moment ({words}); try again later")
    if status in AWAY:
        return EngineDead(f"{url} cannot answer now (status {status}): it is starting, or it has stopped")
    return Z1Error(f"the server failed on this request ({words}); try it again, its log may say more")


def no_api(url: str) -> ModelUnavailable:
    """Something answers there that is no OpenAI-compatible server."""
    return ModelUnavailable(
        f"{url} answers, but has no model list at {url}/models; give the address of an OpenAI-compatible server, "
        "for example http://127.0.0.1:8000"
    )


def _no_connection(error: APIConnectionError, url: str, *, streaming: bool) -> Z1Error:
    causes = list(_causes(error))
    if any(isinstance(cause, ssl.SSLCertVerificationError) for cause in causes):
        return ModelUnavailable(
            f"the certificate of {url} is not trusted here; name the file with its authority in SSL_CERT_FILE"
        )
    if any(isinstance(cause, ssl.SSLError) for cause in causes):
        return ModelUnavailable(f"{url} does not speak TLS as expected; try http:// in place of https://, or mend it")
    if streaming:
        return cut_off(url)
    if any(isinstance(cause, ConnectionRefusedError) for cause in causes):
        return EngineDead(
            f"nothing listens at {url}; start the server (python -m z1_core.serve) or correct --server-url"
        )
    reason = _first_sentence(str(causes[-1])) if causes[1:] else "no reason is given"
    return EngineDead(f"{url} cannot be reached ({reason}); check --server-url, the network and the server")


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and what led to it. Several addresses of one name fail as a group."""
    yield error
    for inner in getattr(error, "exceptions", ()):
        yield from _causes(inner)
    following = error.__cause__ or error.__context__
    if following is not None:
        yield from _causes(following)


def _message(error: APIError) -> str:
    """The server's own sentence: vLLM's and OpenAI's servers put it into {"message": ...}."""
    body = error.body
    if isinstance(body, dict):
        inner = body.get("error", body)
        found = inner.get("message") or inner.get("detail") if isinstance(inner, dict) else inner
        if found:
            return str(found)
    return error.message


def _code(error: APIError) -> int | None:
    """The status inside an error that came as an event of a stream."""
    code = error.body.get("code") if isinstance(error.body, dict) else error.code
    return code if isinstance(code, int) else None


def _first_sentence(text: str) -> str:
    lines = text.strip().splitlines() or ["no reason is given"]
    return lines[0].split(". ")[0].rstrip(".")[:300]
