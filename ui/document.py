"""The page's HTML on its way to the browser: what it may fetch, and what is in force before Gradio's scripts run."""

from __future__ import annotations

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

CALLS_NOBODY = (
    "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:; script-src * 'unsafe-inline' 'unsafe-eval' data: blob:; "
    "object-src 'none'; frame-src 'none'; base-uri 'self'; form-action 'self'"
)
"""Model text may hold images and style sheets. Fetched from elsewhere they would tell its owner who reads what, and dress
the page up. Scripts never get that far: Gradio takes them out, and its own come from where it likes."""

NO_CLOCK = r"""<script>
  (() => {
    const isClock = /^\(\)=>\{\w+\(\w+,\(performance\.now\(\)-\w+\(\w+\)\)\/1e3\),\w+&&\w+\(\)\}$/;
    const draw = window.requestAnimationFrame;
    window.requestAnimationFrame = (callback) => (isClock.test(callback) ? 0 : draw.call(window, callback));
  })();
</script>"""
"""Gradio (6.31) counts the seconds of everything that loads, sixty times a second, and for the page itself never stops: a
page at rest would draw for ever, on cores that the model computes on. This page shows none of those clocks."""


class Document:
    """Middleware for Gradio's app; all but the page itself passes through untouched."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_page = scope["type"] == "http" and scope["path"] in ("/", f"{scope.get('root_path', '')}/")
        await self._app(scope, receive, _changed(send) if is_page else send)


def _changed(send: Send) -> Send:
    """Sends a response with what is to be in it. It comes in one piece, as Gradio's template does: its start waits for the
    body, as it tells the length."""
    start: Message = {}

    async def send_changed(message: Message) -> None:
        if message["type"] == "http.response.start":
            start.update(message)
            return
        body = message["body"].replace(b"<head>", b"<head>" + NO_CLOCK.encode(), 1)
        headers = MutableHeaders(raw=start["headers"])
        headers["content-security-policy"] = CALLS_NOBODY
        headers["content-length"] = str(len(body))
        await send(start)
        await send({**message, "body": body})

    return send_changed
