"""A completions server on loopback, in this process: real HTTP, real streams, the scripted engine's tokens behind it.

with StubServer(cut_after=5) as server:
    ServerEngine.start(server.url)
"""

from __future__ import annotations

import asyncio
import atexit
import json
import shutil
import threading
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from tests.tokenizer_files import write_tokenizer
from z1_core.engines.fake import FakeEngine
from z1_core.window import Sampling

MODEL = "scripted/model-1b"


@dataclass
class StubServer:
    """Its manners may be changed while it runs.

    root: by default a folder with its tokenizer. tells_ids: of an answer.
    leaves_out: nothing comes for a token that ends inside a character.
    refuses: (status, message) for every completion; failures_left: completions that fail with 503 before one does not.
    cut_after, error_after: the stream ends, or tells an error, behind so many tokens.
    """

    key: str = ""
    models: tuple[str, ...] = (MODEL,)
    root: str = field(default_factory=lambda: str(tokenizer_folder()))
    context_tokens: int | None = 2048
    tells_ids: bool = True
    leaves_out: bool = False
    counts_as: int | None = None
    refuses: tuple[int, str] | None = None
    failures_left: int = 0
    cut_after: int | None = None
    error_after: int | None = None
    healthy: bool = True
    ranks: int = 1
    is_a_web_page: bool = False
    port: int = 0
    tls: dict[str, str] = field(default_factory=dict)
    engine: FakeEngine = field(default_factory=lambda: FakeEngine(context_tokens=2048, seconds_per_token=0.001))
    bodies: list[dict] = field(default_factory=list)
    headers: list[dict] = field(default_factory=list)

    def __enter__(self) -> StubServer:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}"

    def start(self) -> None:
        routes = [
            Route("/health", self.health),
            Route("/metrics", self.metrics),
            Route("/v1/models", self.list_models),
            Route("/v1/completions", self.complete, methods=["POST"]),
            Route("/tokenize", self.tokenize, methods=["POST"]),
        ]
        config = uvicorn.Config(
            Starlette(routes=routes), port=self.port, log_level="critical", timeout_graceful_shutdown=1, **self.tls
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, daemon=True)
        self._thread.start()
        while not self._server.started:
            threading.Event().wait(0.01)
        self.port = self._server.servers[0].sockets[0].getsockname()[1]

    def stop(self) -> None:
        """At once, streams and all, as a killed server would; start() opens the same port again."""
        self._server.should_exit = self._server.force_exit = True
        self._thread.join()

    def forget(self) -> None:
        """Everything that came so far: the capability check's own requests."""
        self.bodies.clear()
        self.headers.clear()

    # Routes

    async def health(self, request: Request) -> Response:
        """Its text tells on which connection it was asked."""
        return Response(str(request.client.port), status_code=200 if self.healthy else 503)

    async def metrics(self, _: Request) -> Response:
        lines = [f'vllm:num_requests_running{{engine="{rank}",model_name="m"}} 0.0' for rank in range(self.ranks)]
        return Response("\n".join(lines), media_type="text/plain")

    async def list_models(self, request: Request) -> Response:
        if self.is_a_web_page:
            return HTMLResponse("<h1>Hello</h1>")
        if self.key and request.headers.get("authorization") != f"Bearer {self.key}":
            return JSONResponse({"error": "Unauthorized"}, 401)
        length = {"max_model_len": self.context_tokens} if self.context_tokens else {}
        return JSONResponse({"data": [{"id": name, "root": self.root, **length} for name in self.models]})

    async def complete(self, request: Request) -> Response:
        body = await request.json()
        self.bodies.append(body)
        self.headers.append(dict(request.headers))
        if self.failures_left:
            self.failures_left -= 1
            return JSONResponse({"error": {"message": "starting", "code": 503}}, 503)
        if self.refuses:
            status, message = self.refuses
            return JSONResponse({"error": {"message": message, "code": status}}, status)
        return StreamingResponse(self.events(body), media_type="text/event-stream")

    async def events(self, body: dict) -> AsyncIterator[str]:
        sampling = Sampling(max_tokens=body["max_tokens"])
        made = 0
        async for delta in self.engine.stream(body["prompt"], sampling):
            if made == self.cut_after:
                return
            if made == self.error_after:
                yield event({"error": {"message": "the engine stumbled", "code": 500}})
                return
            made += 1
            if self.leaves_out and not (delta.text or delta.finish_reason):
                continue
            choice = {"index": 0, "text": delta.text, "finish_reason": delta.finish_reason}
            if self.tells_ids and body.get("return_token_ids"):
                choice["token_ids"] = list(delta.ids)
            yield event({"choices": [choice]})
        counted = self.counts_as or len(body["prompt"])
        usage = {"prompt_tokens": counted, "completion_tokens": made, "prompt_tokens_details": {"cached_tokens": 7}}
        yield event({"choices": [], "usage": usage})
        yield "data: [DONE]\n\n"

    async def tokenize(self, request: Request) -> Response:
        body = await request.json()
        return JSONResponse({"tokens": self.engine.text.parse(body["prompt"])})


@cache
def tokenizer_folder() -> Path:
    folder = Path(mkdtemp())
    atexit.register(shutil.rmtree, folder)
    return write_tokenizer(folder)


def event(data: dict) -> str:
    return f"data: {json.dumps(data)}\n\n"


async def until(condition: Callable[[], bool]) -> None:
    """Wait until a condition holds."""
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        await asyncio.sleep(0.01)
