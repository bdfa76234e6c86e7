"""Calls that no page makes: none gets a file, another visitor's session or a server error out of the page, and none leaves
a trace in its log."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from bench.visitors import Page, Visitor
from tests.browser.conftest import App, start_app, stop_app
from tests.hostile_texts import BROKEN
from tests.shares import some_now
from ui.door import MOST_KB

ROOT = Path(__file__).parents[2]
SECRET = "z1 secret of another visitor"


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    program = ("-m", "bench.scripted_page")
    app = start_app(tmp_path_factory.mktemp("hostile"), "--places", "4", program=program)
    yield app
    stop_app(app)


@pytest.fixture(scope="module")
def client(app: App) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=app.address, timeout=20) as client:
        yield client


@pytest.fixture(autouse=True)
def log_stays_clean(app: App) -> Iterator[None]:
    """Whatever is asked, the log holds no trace and nothing that a visitor wrote."""
    before = len(app.log.read_text())
    yield
    log = app.log.read_text()[before:]
    assert "Traceback" not in log, log
    assert SECRET not in log, log


@pytest.fixture(scope="module")
def events(app: App) -> list[dict]:
    return httpx.get(f"{app.address}config").json()["dependencies"]


def post(client: httpx.Client, path: str, **body: Any) -> httpx.Response:
    content = json.dumps(body).encode("ascii", errors="replace")
    return client.post(f"/gradio_api/{path}", content=content, headers={"content-type": "application/json"})


DATA: dict[str, Callable[[int], list]] = {
    "nothing": lambda count: [],
    "too little": lambda count: [SECRET] * (count - 1),
    "nulls": lambda count: [None] * count,
    "texts": lambda count: [SECRET] * count,
    "numbers": lambda count: [10**30] * count,
    "updates": lambda count: [{"__type__": "update", "value": SECRET}] * count,
    "files": lambda count: [{"path": "/etc/passwd", "meta": {"_type": "gradio.FileData"}}] * count,
    "addresses": lambda count: [{"path": "http://127.0.0.1:1/x", "meta": {"_type": "gradio.FileData"}}] * count,
    "half characters": lambda count: [BROKEN[0]] * count,
}


@pytest.mark.parametrize("kind", some_now(DATA, now=["too little", "nulls", "files"]))
def test_every_event_of_the_page_takes_any_data_and_says_what_is_wrong(client: httpx.Client, events: list, kind: str):
    """Also those that are meant for nobody: by number, without a session."""
    for event in events:
        answer = post(client, "run/x", fn_index=event["id"], data=DATA[kind](len(event["inputs"])))
        assert "root:" not in answer.text, event
        if not answer.is_success:
            assert answer.json().get("error") or answer.json().get("detail"), (event, answer.text)


@pytest.mark.parametrize("kind", some_now(DATA, now=["too little"]))
def test_the_queue_takes_any_data_and_says_what_is_wrong(client: httpx.Client, events: list, kind: str):
    for event in [each for each in events if each["queue"]][:8]:
        session = f"{kind}{event['id']}"
        data = DATA[kind](len(event["inputs"]))
        assert post(client, "queue/join", fn_index=event["id"], data=data, session_hash=session).is_success
        with client.stream("GET", "/gradio_api/queue/data", params={"session_hash": session}) as answer:
            told = "".join(answer.iter_lines())
        assert "root:" not in told
        assert "process_completed" in told or "queue_full" in told


CALLS: dict[str, tuple[str, dict]] = {
    "unknown endpoint": ("call/nope", {"data": []}),
    "no data": ("call/think", {}),
    "data that is none": ("call/think", {"data": "x"}),
    "unknown event": ("run/x", {"fn_index": 99_999, "data": []}),
    "unknown event, queued": ("queue/join", {"fn_index": 99_999, "data": [], "session_hash": "a"}),
    "no event, queued": ("queue/join", {"data": [], "session_hash": "a"}),
    "no session, queued": ("queue/join", {"fn_index": 1, "data": []}),
    "past the queue": ("run/think", {"data": ["x", 5, 100, 0, 1, 0, "s", "h"]}),
    "cancel nothing": ("cancel", {}),
    "cancel of no type": ("cancel", {"session_hash": 1, "fn_index": "x", "event_id": None}),
}


@pytest.mark.parametrize("name", CALLS)
def test_a_call_of_the_wrong_form_is_refused(client: httpx.Client, name: str):
    path, body = CALLS[name]
    answer = post(client, path, **body)
    assert 400 <= answer.status_code < 500, answer.text
    assert answer.json()["detail"]


@pytest.mark.parametrize("path", ["call/think", "call/v2/think", "run/x", "queue/join", "cancel"])
def test_a_body_of_anything_is_refused_or_harmless(client: httpx.Client, path: str):
    for body in (b"", b"{", b"\x00\xff", b"[" * 50_000, b'"x"', b"NaN", b'{"data": [1e999]}'):
        answer = client.post(f"/gradio_api/{path}", content=body, headers={"content-type": "application/json"})
        assert answer.status_code < 500, (body[:20], answer.text)


def test_a_request_has_a_size_whether_it_tells_it_or_not(client: httpx.Client):
    body = json.dumps({"data": ["x" * 1024 * MOST_KB]}).encode()
    for content in (body, (body[at : at + 65_536] for at in range(0, len(body), 65_536))):
        answer = client.post("/gradio_api/call/think", content=content, headers={"content-type": "application/json"})
        assert answer.status_code == 413
        assert f"more than {MOST_KB:,} kB" in answer.json()["detail"]


# Files


PATHS = ["/etc/passwd", "/proc/self/environ", str(ROOT / "app.py"), "app.py", "../app.py"]
ROUTES = ["gradio_api/file=", "gradio_api/file/", "static/", "assets/", "z1/", "gradio_api/custom_component/x/client/"]
ENCODED: dict[str, Callable[[str], str]] = {
    "plain": lambda path: quote(path),
    "encoded": lambda path: quote(path, safe=""),
    "encoded twice": lambda path: quote(quote(path, safe=""), safe=""),
    "from below": lambda path: quote("../" * 12 + path.lstrip("/"), safe=""),
    "overlong dots": lambda path: "%c0%ae%c0%ae/" * 12 + quote(path),
    "NUL behind": lambda path: quote(path) + "%00.png",
    "as a file address": lambda path: quote(f"file://{path}", safe=""),
}


@pytest.mark.parametrize("way", ENCODED)
def test_no_file_of_the_machine_is_served(client: httpx.Client, way: str):
    for route, path in product(ROUTES, PATHS):
        answer = client.get(f"/{route}{ENCODED[way](path)}")
        assert 400 <= answer.status_code < 500, (route, path, answer.text[:200])


CLOSED = [
    ("POST", "gradio_api/upload"),
    ("GET", "gradio_api/upload_progress?upload_id=x"),
    ("GET", "gradio_api/file=https://example.com/"),
    ("GET", "gradio_api/file=http://169.254.169.254/latest/meta-data/"),
    ("GET", "gradio_api/proxy=https://example.hf.space/"),
    ("POST", "gradio_api/component_server"),
    ("GET", "gradio_api/custom_component/x/client/x/x"),
    ("POST", "gradio_api/process_recording"),
    ("GET", "gradio_api/deep_link?session_hash=x"),
    ("GET", "gradio_api/dev/reload"),
    ("POST", "gradio_api/vibe-edit"),
    ("GET", "gradio_api/vibe-code"),
    ("POST", "gradio_api/undo-vibe-edit"),
    ("GET", "gradio_api/runs"),
    ("GET", "gradio_api/stream/a/1/1/playlist.m3u8"),
    ("GET", "monitoring"),
    ("GET", "monitoring/summary"),
]


@pytest.mark.parametrize(("method", "path"), CLOSED)
def test_what_the_page_does_not_use_is_closed(client: httpx.Client, method: str, path: str):
    """Among it the route by which Gradio fetches any public page for whoever asks."""
    assert client.request(method, f"/{path}").status_code == 404


# Sessions


@pytest.mark.parametrize("session", ["", "unknown", "*", "%", "null", "../x", "a" * 5_000])
def test_a_session_that_nobody_has_tells_nothing(client: httpx.Client, session: str):
    for path in ("queue/data?session_hash=", "call/think/"):
        with client.stream("GET", f"/gradio_api/{path}{quote(session, safe='')}") as answer:
            told = "".join(answer.iter_lines())
        assert "process_" not in told


def test_who_does_not_know_a_session_neither_sees_nor_ends_its_run(app: App, client: httpx.Client, events: list):
    """A stranger who knows all numbers of events, and cancels, resets and calls them under every name but the right one."""

    async def attacked() -> Any:
        async with httpx.AsyncClient(base_url=app.address, timeout=60) as http:
            page = await Page.open(http)
            victim = Visitor(http, page)
            run = asyncio.create_task(victim.ask("I am visitor-007", window=60, total=100))
            await asyncio.sleep(1)
            for session in ("", "*", "stranger", victim.session[:-1], victim.session.upper() + "x"):
                for event in events:
                    body = {"session_hash": session, "fn_index": event["id"], "event_id": "x"}
                    assert (await http.post("/gradio_api/cancel", json=body)).is_success
                told = await Visitor(http, page).call(page.event("think", "stop"), {})
                assert "visitor-007" not in json.dumps(told)
            assert victim.event_ids
            await http.post("/gradio_api/reset", json={"event_id": victim.event_ids[0]})
            assert (
                "visitor-007"
                not in (await http.get("/config")).text + (await http.get("/gradio_api/queue/status")).text
            )
            return await run

    with ThreadPoolExecutor(1) as thread:
        seen = thread.submit(asyncio.run, attacked()).result(timeout=60)
    assert not seen.error
    assert seen.tags == {"visitor-007"}
    assert "The answer ran into its limit" in seen.last  # it was neither stopped nor cancelled
