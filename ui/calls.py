"""What programs send by plain HTTP, looked at before Gradio does: it answers what does not fit with a trace and no word."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import gradio as gr
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

CALL = re.compile(r"/gradio_api/call/(?P<by_name>v2/)?(?P<name>[^/]*)/?$")


class Calls:
    """Middleware for Gradio's app; all but the beginning of a call passes through untouched."""

    def __init__(self, app: ASGIApp, page: gr.Blocks) -> None:
        self._app = app
        endpoints: Mapping[str, Any] = page.get_api_info()["named_endpoints"]
        self._parameters = {
            name.strip("/"): {each["parameter_name"]: each["parameter_has_default"] for each in endpoint["parameters"]}
            for name, endpoint in endpoints.items()
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        called = scope["type"] == "http" and scope["method"] == "POST" and CALL.search(scope["path"])
        if not called:
            await self._app(scope, receive, send)
            return
        try:
            body = await Request(scope, receive).body()
            wrong = self._wrong(called["name"], json.loads(body), by_name=bool(called["by_name"]))
        except ClientDisconnect:
            return
        except ValueError:
            wrong = "the body is no JSON; send an object, see the link API at the foot of the page"
        if wrong:
            await JSONResponse({"detail": wrong}, 422)(scope, receive, send)
        else:
            await self._app(scope, _once_more(body, receive), send)

    def _wrong(self, name: str, body: object, *, by_name: bool) -> str:
        """What is wrong with it, in one sentence; the values themselves are the endpoint's to check."""
        known = self._parameters.get(name)
        if known is None:
            return f"there is no endpoint of that name; there are {' and '.join(self._parameters)}"
        takes = f"{name} takes {', '.join(known)}"
        if not isinstance(body, dict):
            return f"the body is no object; {takes}"
        if not by_name:
            data = body.get("data")
            count = len(data) if isinstance(data, list) else "no"
            by_names = f"/gradio_api/call/v2/{name} takes them by name, and has defaults"
            return "" if count == len(known) else f"data holds {count} values; {takes}, in this order; {by_names}"
        if unknown := body.keys() - known:
            return f"there is no parameter {min(unknown)[:40]!r}; {takes}"
        missing = [each for each, has_default in known.items() if not has_default and each not in body]
        return f"{missing[0]} is missing; {takes}" if missing else ""


def _once_more(body: bytes, receive: Receive) -> Receive:
    """Gives what was read already, and then what comes."""
    first: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive_again() -> Message:
        return first.pop() if first else await receive()

    return receive_again
