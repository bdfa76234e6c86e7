"""The Compare tab as a person uses it."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import App

CARD = ".z1-card:visible"


def open_tab(page: Page, app: App) -> None:
    page.goto(app.address)
    expect(page.locator("button#run")).to_be_enabled(timeout=120_000)
    page.get_by_role("tab", name="Compare windows").click()
    expect(page.locator("#compare")).to_be_visible()


def choose_windows(page: Page, *sizes: object) -> None:
    page.locator("#compare-windows").fill(", ".join(map(str, sizes)))


def compare(page: Page, *sizes: int) -> None:
    choose_windows(page, *sizes)
    page.locator("#compare").click()


def wait_for_end(page: Page) -> None:
    expect(page.locator("#compare")).to_have_text("Compare")
    expect(page.locator(".z1-tokens")).to_be_visible()


def test_one_trace_is_answered_at_every_window_side_by_side(fake_app: App, page: Page):
    open_tab(page, fake_app)
    compare(page, 20, 60, 150)
    wait_for_end(page)
    expect(page.locator(CARD)).to_have_count(3)
    for place, size in enumerate((20, 60, 150)):
        expect(page.locator(CARD).nth(place).locator(".z1-card-head b")).to_have_text(f"Window {size}")
        expect(page.locator(CARD).nth(place)).to_contain_text(f"cut after {size} tokens")
        expect(page.locator(CARD).nth(place).locator(".z1-short")).to_have_text("12:10")
    expect(page.locator(CARD).first).to_contain_text("same answer")
    expect(page.locator(".z1-compare .z1-meter b")).to_have_text("One trace, 3 answers, all the same")


@pytest.mark.thorough
def test_it_offers_what_the_running_model_can_do_until_the_visitor_writes(real_app: App, page: Page):
    page.goto(real_app.address)
    page.get_by_role("tab", name="Compare windows").click()
    expect(page.locator("#compare-windows")).not_to_have_value("")
    page.locator("#compare-windows").fill("8, 40")
    expect(page.locator("#compare-question")).to_have_value(re.compile(r"What is \d+ \+ \d+\?"), timeout=120_000)
    expect(page.locator("#compare-windows")).to_have_value("8, 40")


@pytest.mark.thorough
def test_a_small_window_answers_while_the_trace_goes_on(real_app: App, page: Page):
    open_tab(page, real_app)
    page.locator("#compare-question").fill("Write a very long story about a lighthouse.")
    compare(page, 10, 1500)
    expect(page.locator(CARD).first.locator(".z1-card-answer .md")).not_to_be_empty()
    expect(page.locator(CARD).nth(1)).to_contain_text(re.compile(r"thinking, [\d,]+ of 1,500"))
    page.locator("#compare-stop").click()
    expect(page.locator(".z1-compare .z1-meter b")).to_have_text("Stopped by you")


def test_where_there_is_one_place_a_small_window_says_that_it_waits_for_it(fake_app: App, page: Page):
    """One place is one stream: a comparison had one for each of its windows."""
    open_tab(page, fake_app)
    compare(page, 10, 700)
    expect(page.locator(CARD).first).to_contain_text("Waits for a place: first in the queue")
    expect(page.locator(CARD).nth(1)).to_contain_text(re.compile(r"thinking, \d+ of 700"))
    page.locator("#compare-stop").click()
    expect(page.locator(".z1-compare .z1-meter b")).to_have_text("Stopped by you")
    expect(page.locator(".z1-compare:visible")).not_to_contain_text("Waits")


def test_a_click_in_the_trace_cuts_it_there(fake_app: App, page: Page):
    open_tab(page, fake_app)
    compare(page, 100)
    wait_for_end(page)
    page.locator(".z1-tokens span[data-n='40']").click()
    expect(page.locator(CARD).first.locator(".z1-card-head b")).to_have_text("Re-cut at 40")
    expect(page.locator(CARD).first.locator(".z1-short")).to_have_text("12:10")
    expect(page.locator(".z1-here.z1-recut")).to_have_text("✂ 40")


@pytest.mark.thorough
def test_a_recut_goes_by_keyboard_as_well(fake_app: App, page: Page):
    open_tab(page, fake_app)
    compare(page, 50)
    wait_for_end(page)
    page.locator("#recut-at input").fill("7")
    page.keyboard.press("Tab")
    page.locator("#recut").press("Enter")
    expect(page.locator(CARD).first.locator(".z1-card-head b")).to_have_text("Re-cut at 7")
    page.locator("#recut-at input").fill("51")
    page.locator("#recut").click()
    expect(page.locator(".z1-message:not(:empty)")).to_contain_text("Token 51 is not in the trace")
