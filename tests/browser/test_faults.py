"""What breaks around the page while people use it: what they are told, what is kept, and that it goes on. The death of the
engine is in integration/test_llama.py and test_host.py; a server that goes away in test_server_away.py."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import AsyncGenerator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import httpx
import psutil
import pytest
from playwright.sync_api import Browser, expect

from bench.visitors import Page, Seen, Visitor
from tests.browser.conftest import App, start_app, stop_app, strangers
from tests.browser.test_page import ask, card, visit, wait_for_end, wait_for_trace
from z1_core.errors import Z1Error
from z1_core.loop_thread import LoopThread

SCRIPTED = ("-m", "bench.scripted_page")


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    app = start_app(tmp_path_factory.mktemp("faults"), "--places", "8", program=SCRIPTED)
    yield app
    stop_app(app)


def visited(address: str, do: Callable[[httpx.AsyncClient, Page], Any]) -> Any:
    """The browser tests' own event loop runs on the main thread."""

    async def run() -> Any:
        async with httpx.AsyncClient(base_url=address, timeout=60) as client:
            return await do(client, await Page.open(client))

    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, run()).result(timeout=90)


async def at_once(client: httpx.AsyncClient, page: Page, count: int, during: Callable[[], None]) -> list[Seen]:
    """So many visitors stream; `during` happens when all have begun."""
    visitors = [Visitor(client, page) for _ in range(count)]
    settings = {"window": 400, "total": 460}
    runs = [asyncio.create_task(each.ask(f"I am visitor-{n:03}", **settings)) for n, each in enumerate(visitors)]

    def all_begun_then() -> None:
        given_up_s = time.monotonic() + 60
        while not all(each.seen.tags for each in visitors):
            assert time.monotonic() < given_up_s, [each.seen for each in visitors]
            time.sleep(0.05)
        during()

    await asyncio.to_thread(all_begun_then)
    return await asyncio.gather(*runs)


def test_sigterm_while_8_runs_stream_ends_them_and_the_page_within_10_s(tmp_path):
    app = start_app(tmp_path, "--places", "8", program=SCRIPTED)
    whole = [psutil.Process(app.process.pid), *psutil.Process(app.process.pid).children(recursive=True)]
    ended_s: list[float] = []

    def end() -> None:
        begun_s = time.monotonic()
        app.process.send_signal(signal.SIGTERM)
        app.process.wait(20)
        ended_s.append(time.monotonic() - begun_s)

    seen = visited(app.address, lambda client, page: at_once(client, page, 8, end))
    told = {each.error or ("the run" if '"head": "Interrupted"' in each.last else "") for each in seen}
    print(f"ended after {ended_s[0]:.1f} s; told: {told}")
    assert ended_s[0] < 10
    assert all(told), "by the run itself, by the server, or, where no time was left, by the stream that broke off"
    assert all(each.tags == {f"visitor-{n:03}"} for n, each in enumerate(seen))
    assert psutil.wait_procs(whole, timeout=5)[1] == []


def test_a_loop_that_is_closed_under_a_stream_ends_it_without_a_fault_of_this_program():
    async def words() -> AsyncGenerator[str, None]:
        while True:
            await asyncio.sleep(0.01)
            yield "word"

    async def close_under_it() -> None:
        thread = LoopThread()
        stream = thread.relay(words, every_s=0.05)
        await anext(stream)
        await asyncio.to_thread(thread.close)
        with suppress(Z1Error, asyncio.CancelledError):
            async for _ in stream:
                pass

    with ThreadPoolExecutor(1) as pool:
        pool.submit(asyncio.run, close_under_it()).result(timeout=20)


@pytest.mark.alone
def test_a_browser_that_goes_offline_is_told_and_can_go_on_when_it_is_back(app: App, browser: Browser):
    with strangers(browser, 1) as (page,):
        visit(page, app)
        ask(page, "I am visitor-003", window=2_000, total=2_100)
        wait_for_trace(page)
        page.context.set_offline(True)
        page.wait_for_timeout(2_000)
        kept = card(page).locator(".z1-trace-text").inner_text()
        assert "visitor-003" in kept
        page.context.set_offline(False)
        page.wait_for_timeout(1_000)
        page.keyboard.press("Escape")
        expect(page.locator("button#run")).to_be_enabled()  # also where Gradio has opened the page anew, and empty
        ask(page, "I am visitor-004", window=20, total=80)
        wait_for_end(page, "answer_length")
