"""More visitors than there is room for: one runs, two wait, and who comes then is told so."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import App, strangers
from tests.browser.test_compare import CARD, choose_windows, open_tab
from tests.browser.test_page import ask, card, visit, wait_for_trace
from ui.wiring import BUSY


@pytest.fixture(scope="module")
def full_app(browser: Browser, fake_app: App) -> Iterator[App]:
    """The app with its one place taken and its queue full."""
    with strangers(browser, 3) as pages:
        for page in pages:
            visit(page, fake_app)
            ask(page, "When does the train arrive?", window=20_000, total=20_300)
            expect(page.locator("button#run")).to_have_text("Running")
        wait_for_trace(pages[0])
        yield fake_app


def test_a_question_for_which_there_is_no_room_can_be_asked_again(full_app: App, page: Page):
    visit(page, full_app)
    ask(page, "When does the bus arrive?", window=20, total=100)
    expect(card(page).locator(".z1-error")).to_have_text(BUSY)
    expect(page.locator("button#run")).to_be_enabled()
    expect(page.locator("#again")).to_be_visible()


def test_a_comparison_for_which_there_is_no_room_can_be_begun_again(full_app: App, page: Page):
    open_tab(page, full_app)
    choose_windows(page, 20, 60)
    page.locator("#compare").click()
    expect(page.locator(".z1-message .z1-error")).to_have_text(BUSY)
    expect(page.locator("#compare")).to_be_enabled()
    expect(page.locator(CARD)).to_have_count(2)
