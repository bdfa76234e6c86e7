"""More visitors, or more clicks, than there is room for: one runs, two wait, and who comes then, or wants more, is told."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import App, strangers
from tests.browser.test_compare import CARD, compare, open_tab
from tests.browser.test_page import ask, card, choose, visit, wait_for_trace
from tests.browser.test_page import wait_for_end as wait_for_turn

FULL = "Too many are waiting (2); try again in a minute."


def test_stop_pressed_while_a_run_starts_leaves_the_place_free(fake_app: App, page: Page):
    visit(page, fake_app)
    for pause_ms in (0, 20, 60, 120, 250):
        page.locator("#question textarea").fill("When does the train arrive?")
        page.locator("button#run").click()
        expect(page.locator("button#stop")).to_be_enabled()
        page.wait_for_timeout(pause_ms)
        page.locator("button#stop").click()
        expect(page.locator("button#run")).to_be_enabled()
    ask(page, "Hello!", window=200, total=300)
    wait_for_turn(page, "inside")


def test_two_begins_at_once_lose_no_question(fake_app: App, page: Page):
    """A double click; and Run at the same moment as "Run again", of which one took the other's place."""
    first = "When does the train arrive?"
    visit(page, fake_app)
    choose(page, window=100, total=200)
    page.locator("#question textarea").fill(first)
    page.locator("button#run").dblclick()
    wait_for_turn(page, "cut")
    expect(page.locator(".z1-question:visible")).to_have_text([first])
    expect(page.locator("#message:not(:empty)")).to_have_count(0)
    page.locator("#question textarea").fill("When does it arrive?")
    page.evaluate("document.querySelector('#run').click(); document.querySelector('#again').click()")
    expect(page.locator("button#run")).to_have_text("Running")
    expect(page.locator("button#run")).to_be_enabled()
    asked = page.locator(".z1-question:visible").all_inner_texts()
    assert [*asked, page.locator("#question textarea").input_value()] in (
        [first, "When does it arrive?", ""],
        [first, "When does it arrive?"],
    )


@pytest.mark.thorough
def test_every_end_is_shown_over_a_slow_network(fake_app: App, page: Page):
    slow = {"offline": False, "latency": 900, "downloadThroughput": -1, "uploadThroughput": -1}
    page.context.new_cdp_session(page).send("Network.emulateNetworkConditions", slow)
    visit(page, fake_app)
    for end, button in {"answer_now": "#answer-now", "user_stop": "#stop"}.items():
        ask(page, "When does the train arrive?", window=2000, total=2300)
        wait_for_trace(page)
        page.locator(button).click()
        wait_for_turn(page, end)
    page.get_by_role("tab", name="Compare windows").click()
    compare(page, 10, 700)
    expect(page.locator(CARD).first).to_contain_text("Waits for a place: first in the queue")
    page.locator("#compare-stop").click()
    expect(page.locator(".z1-compare .z1-meter b")).to_have_text("Stopped by you")
    expect(page.locator(".z1-compare:visible")).not_to_contain_text("Waits")


@pytest.fixture(scope="module")
def full_app(browser: Browser, fake_app: App) -> Iterator[App]:
    """The app with its one place taken and its queue full."""
    with strangers(browser, 3) as pages:
        for page in pages:
            visit(page, fake_app)
            ask(page, "When does the train arrive?", window=20_000, total=20_300)
            expect(page.locator("button#run")).to_have_text("Running")
        wait_for_trace(pages[0])
        for page in pages[1:]:
            expect(card(page).locator(".z1-head b")).to_have_text("Waits for a place: 2 in the queue")
        yield fake_app


@pytest.mark.thorough
def test_what_there_is_no_room_for_is_said_and_can_be_begun_again(full_app: App, page: Page):
    visit(page, full_app)
    ask(page, "When does the bus arrive?", window=20, total=100)
    expect(card(page).locator(".z1-error")).to_have_text(FULL)
    expect(page.locator("button#run")).to_be_enabled()
    expect(page.locator("#again")).to_be_visible()
    open_tab(page, full_app)
    compare(page, 20, 60)
    expect(page.locator(".z1-message:not(:empty)")).to_have_text(FULL)
    expect(page.locator("#compare")).to_be_enabled()
    expect(page.locator(CARD)).to_have_count(2)
