"""A run of 8,000 tokens: the page stays quick, is updated at most 15 times a second, and its memory stays bounded."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import App, start_app, stop_app
from tests.browser.stage import LONG
from tests.browser.test_page import ask, card, visit, wait_for_end

pytestmark = pytest.mark.alone
WINDOW, TOTAL = 8000, 8500
WATCH = """() => {
  window.long = [];
  new PerformanceObserver((list) => list.getEntries().forEach((entry) => window.long.push(Math.round(entry.duration))))
    .observe({ entryTypes: ["longtask"] });
  window.updates = [];
  const changed = () => performance.now() - (window.updates.at(-1) ?? 0) > 30 && window.updates.push(performance.now());
  new MutationObserver(changed).observe(
    document.querySelector(".z1-trace-text"), { childList: true, subtree: true, characterData: true });
}"""
LONG_TASK = "() => setTimeout(() => { const end = performance.now() + 80; while (performance.now() < end); })"
MOST_IN_A_SECOND = """() => Math.max(...window.updates.map(
  (at) => window.updates.filter((other) => other >= at && other < at + 1000).length))"""


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[App]:
    app = start_app(tmp_path, "--pace", "0.004", program=("-m", "tests.browser.stage"))
    yield app
    stop_app(app)


def heap_megabytes(page: Page) -> float:
    session = page.context.new_cdp_session(page)
    session.send("HeapProfiler.collectGarbage")
    return session.send("Runtime.getHeapUsage")["usedSize"] / 1e6


@pytest.mark.thorough
def test_a_run_of_8000_tokens_keeps_the_page_responsive(stage: App, page: Page):
    visit(page, stage)
    before = heap_megabytes(page)
    ask(page, LONG, window=WINDOW, total=TOTAL)
    expect(card(page).locator(".z1-meter")).to_be_visible()
    page.evaluate(WATCH)
    page.evaluate(LONG_TASK)
    wait_for_end(page, "answer_length", timeout_s=200)
    expect(card(page).locator(".z1-key")).to_contain_text(re.compile("thinking 8,000"))
    updates, long_tasks = page.evaluate("window.updates.length"), page.evaluate("window.long")
    assert updates > 50
    assert long_tasks, "the one that was planted is seen"
    assert max(long_tasks) <= 200, sorted(long_tasks)[-10:]
    assert page.evaluate(MOST_IN_A_SECOND) <= 15
    assert heap_megabytes(page) - before < 60
    assert card(page).locator(".z1-trace-text").inner_text().count("Let me check the units again") > 20
