"""The page's door. Gradio serves more than this page uses, and writes what it cannot read into the log, values and all:
here the rest is closed, a request has a size, a call of a wrong form is refused in a sentence, and the page is told what it
may fetch."""

from __future__ import annotations

import logging
import re
import traceback
from pathlib import Path
from typing import Any

import gradio as gr
from gradio_client.utils import is_http_url_like
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

log = logging.getLogger(__name__)

MOST_KB = 6 * 1024
"""A run that is imported comes as one request; a prompt of that size is beyond every context."""

CLOSED = re.compile(
    r"/gradio_api/(file[=/]|upload|proxy=|stream/|component_server|custom_component/|process_recording|deep_link|dev/|vibe-|"
    r"undo-vibe|run-history|runs|profiling)|/monitoring"
)
"""Files by name, uploads, pages fetched from elsewhere, and tools of developers: nothing of this page asks for them."""

CALLS_NOBODY = (
    "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:; script-src * 'unsafe-inline' 'unsafe-eval' data: blob:; "
    "object-src 'none'; frame-src 'none'; base-uri 'self'; form-action 'self'"
)
"""Model text may hold images and style sheets. Fetched from elsewhere they would tell its owner who reads what, and dress
the page up. Scripts never get that far: Gradio takes them out, and its own come from where it likes."""

DESCRIBED = "gradio_api/openapi.json describes the calls for programs"
FRAMES = (
    b"<script>{ const ask = requestAnimationFrame;"
    b" const slowly = (draw) => setTimeout(ask, 3000, (at) => { window.z1Slow = true; draw(at); window.z1Slow = false; });"
    b" requestAnimationFrame = (draw) => (window.z1Slow ? slowly : ask)(draw); }</script>"
)
"""Before Gradio's scripts take hold of it, so that static/settings.js can slow the clock of the page's loading down: what
asks for the next frame in a slow one gets it after three seconds, as a slow one."""

WRONG_CALL = f"this call has not the form that the page's own have; {DESCRIBED}"


LOOKS_S, PROGRESS_LOOKS_S = 0.05, 0.5
"""How often Gradio's queue looks for a new event, and for progress to tell, of which this page has none. Its own 1 and 10 ms
take 3 % of a core for ever, and disturb a model that computes here a thousand times a second."""


class Blocks(gr.Blocks):
    """Gradio's, but a call that fails is one line in the log, without what its caller sent; and its queue sleeps."""

    def queue(self, *args: Any, **options: Any) -> Blocks:
        super().queue(*args, **options)
        self._queue.sleep_when_free, self._queue.progress_update_sleep_when_free = LOOKS_S, PROGRESS_LOOKS_S
        return self

    async def process_api(self, block_fn: Any, inputs: list[Any], *args: Any, **options: Any) -> dict[str, Any]:
        try:
            if _names_an_address(inputs):
                raise gr.Error("a file is uploaded, not named by an address", print_exception=False)
            return await super().process_api(block_fn, inputs, *args, **options)
        except gr.Error as error:
            error.print_exception = False
            raise
        except Exception as error:
            log.warning("a call was refused: %s", _place(error))
            raise gr.Error(WRONG_CALL, print_exception=False) from None


class Door:
    """Middleware for Gradio's app."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path = scope["path"].removeprefix(scope.get("root_path", ""))
        left, is_answered = 1024 * MOST_KB, False

        async def counted() -> Message:
            nonlocal left
            message = await receive()
            left -= len(message.get("body", b""))
            if left < 0:
                raise HTTPException(413, f"the request has more than {MOST_KB:,} kB: shorten it")
            return message

        async def answered(message: Message) -> None:
            nonlocal is_answered
            is_answered = True
            await send(_as_page(message) if path == "/" else message)

        try:
            if CLOSED.match(path):
                raise HTTPException(404)
            await self._app(scope, counted, answered)
        except Exception as error:
            if is_answered:  # a stream, whose last event has said why
                await send({"type": "http.response.body", "body": b""})
            else:
                await _refusal(error)(scope, receive, send)


def _as_page(message: Message) -> Message:
    """A part of the answer that is the page, with its policy and the hold on its frames."""
    if message["type"] != "http.response.start":
        return {**message, "body": message["body"].replace(b"<head>", b"<head>" + FRAMES, 1)}
    headers = MutableHeaders(scope=message)
    headers["content-security-policy"] = CALLS_NOBODY
    del headers["content-length"]
    return message


def _refusal(error: Exception) -> JSONResponse:
    """In Gradio's own sentence where it has one: for names that an endpoint does not have, or has to have."""
    if isinstance(error, HTTPException):
        return JSONResponse({"detail": error.detail}, error.status_code)
    log.warning("a request was refused: %s", _place(error))
    by_name = isinstance(error, TypeError) and _frame(error).name == "construct_args"
    return JSONResponse({"detail": f"{str(error).rstrip('.')}; {DESCRIBED}" if by_name else WRONG_CALL}, 400)


def _names_an_address(value: Any) -> bool:
    """Whether Gradio would fetch a file of the call from elsewhere."""
    if isinstance(value, dict):
        return is_http_url_like(value.get("path")) or _names_an_address([*value.values()])
    return isinstance(value, list | tuple) and any(map(_names_an_address, value))


def _place(error: Exception) -> str:
    """What went wrong and where, but not with what."""
    last = _frame(error)
    return f"{type(error).__name__} in {last.name}, {Path(last.filename).name}:{last.lineno}"


def _frame(error: Exception) -> traceback.FrameSummary:
    """Where it was raised."""
    return traceback.extract_tb(error.__traceback__)[-1]
