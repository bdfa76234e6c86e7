"""Visitors of a running page, each with a session of its own, who do what the browser does: press Run, follow the stream of
events. What they press is found in the page's configuration, by elem_id and name."""

from __future__ import annotations

import json
import re
import secrets
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import httpx
from gradio_client.utils import apply_diff

TAG = re.compile(r"visitor-\d{3}(?!\d)")
"""Of one length: one that is still being written is not taken for another."""
API = "/gradio_api"


@dataclass
class Seen:
    """What one visitor saw of one run. updates_s: when each came, from the click on; last: the text of the last one."""

    updates_s: list[float] = field(default_factory=list)
    tags: set[str] = field(default_factory=set)
    error: str = ""
    last: str = ""


class Page:
    """What a visitor's browser knows of the page."""

    def __init__(self, config: dict[str, Any]) -> None:
        self._props = {component["id"]: component["props"] for component in config["components"]}
        self._events = [event for event in config["dependencies"] if event["backend_fn"]]

    @classmethod
    async def open(cls, client: httpx.AsyncClient) -> Page:
        return cls((await client.get("/config")).raise_for_status().json())

    def events(self, name: str, elem_id: str | None = None) -> list[dict[str, Any]]:
        """Those of that name that the server hears, of one component or of all."""
        return [
            event
            for event in self._events
            for id_, what in event["targets"]
            if what == name and (elem_id is None or self._props.get(id_, {}).get("elem_id") == elem_id)
        ]

    def event(self, elem_id: str, name: str) -> dict[str, Any]:
        return self.events(name, elem_id)[0]

    def values(self, event: dict[str, Any], filled: dict[str, Any]) -> list[Any]:
        """What the browser sends: what is filled in, by elem_id, else what stands there."""
        chosen = [self._props[id_] for id_ in event["inputs"]]
        return [filled.get(props.get("elem_id"), props.get("value")) for props in chosen]


class Visitor:
    """One browser tab."""

    def __init__(self, client: httpx.AsyncClient, page: Page) -> None:
        self.session = secrets.token_hex(6)
        self.event_ids: list[str] = []
        self.seen = Seen()
        self._client, self._page = client, page

    async def open(self) -> None:
        """What the browser asks when the page has loaded; Gradio makes the session then."""
        for event in self._page.events("load"):
            await self.call(event, {})

    async def ask(self, question: str, **settings: Any) -> Seen:
        """Press Run, and follow until the run has ended. settings: such as window and total."""
        self.seen = seen = Seen()
        begun_s = time.monotonic()
        try:
            asked = {"question": question, "editing": False, "again": False, "settings": settings}
            async for seen.last in self.stream(self._page.event("think", "run"), asked):
                seen.updates_s.append(time.monotonic() - begun_s)
                seen.tags |= {*TAG.findall(seen.last)}
        except (httpx.HTTPError, Failed) as error:
            seen.error = f"{type(error).__name__}: {error}"
        return seen

    async def call(self, event: dict[str, Any], filled: dict[str, Any]) -> list[Any]:
        """An event that does not queue."""
        return (await self._post("run/predict", event, filled))["data"]

    async def stream(self, event: dict[str, Any], asked: dict[str, Any]) -> AsyncIterator[str]:
        """What each update of an event that queues leaves on the page, as one text. asked: the data of the event."""
        self.event_ids.append((await self._post("queue/join", event, {}, asked))["event_id"])
        shown: list[Any] = []
        async with self._client.stream("GET", f"{API}/queue/data", params={"session_hash": self.session}) as answer:
            async for line in answer.aiter_lines():
                message = json.loads(line.removeprefix("data: ")) if line.startswith("data: ") else {}
                kind, output = message.get("msg"), message.get("output") or {}
                if kind == "unexpected_error" or message.get("success") is False:
                    raise Failed(str(message.get("message") or output.get("error")))
                if kind in ("process_generating", "process_completed") and output.get("data"):
                    shown = _applied(shown, output["data"])
                    yield json.dumps(shown)
                if kind in ("process_completed", "close_stream"):
                    return

    async def _post(self, path: str, event: dict[str, Any], filled: dict, asked: dict | None = None) -> dict[str, Any]:
        body = {"fn_index": event["id"], "session_hash": self.session, "event_data": asked}
        answer = await self._client.post(f"{API}/{path}", json=body | {"data": self._page.values(event, filled)})
        if not answer.is_success:
            raise Failed(answer.text[:200])
        return answer.json()


class Failed(Exception):
    """The page told of an error."""


def _applied(shown: list[Any], data: list[Any]) -> list[Any]:
    """The first update is whole; those behind it tell for each output how it differs."""
    pairs = zip(shown, data, strict=True) if shown else ()
    return [apply_diff(old, new) if isinstance(new, list) else new for old, new in pairs] or data
