"""The Benchmarks tab as a person uses it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.conftest import App, report


def open_tab(page: Page, app: App) -> None:
    page.goto(app.address)
    page.get_by_role("tab", name="Benchmarks").click()
    expect(page.locator(".z1-bench-plot .vega-embed svg").first).to_be_visible()


def choose(page: Page, which: str, option: str) -> None:
    page.locator(f"#{which} input").click()
    page.get_by_role("option", name=option).first.click()


def test_the_papers_figures_and_a_run_stand_side_by_side(fake_app: App, page: Page):
    open_tab(page, fake_app)
    expect(page.locator(".z1-bench-found")).to_have_text("1 report in the results folder")
    expect(page.locator(".z1-bench-skipped")).to_contain_text("broken/summary.json is not what a report holds")
    expect(page.locator("#benchmarks-which input")).to_have_value("MATH500")
    legend = page.locator(".z1-bench-plot").first.locator("svg")
    for name in ("made/Up-7B (up)", "paper: Z1-7B, shifted window", "paper: R1-Distill-Qwen-7B, budget forcing"):
        expect(legend.get_by_text(name, exact=True)).to_be_visible()
    expect(page.locator(".z1-table .z1-own")).to_have_text(re.compile(r"Z1-7B\s*76\.4 %"))


@pytest.mark.thorough
def test_another_benchmark_changes_plot_table_and_answers(fake_app: App, page: Page):
    open_tab(page, fake_app)
    choose(page, "benchmarks-which", "GPQA-Diamond")
    expect(page.locator(".z1-table")).to_contain_text("2,470")
    expect(page.locator(".z1-bench-plot svg").get_by_text("made/Up-7B (up)")).to_have_count(0)
    expect(page.get_by_text("Every answer")).to_be_hidden()
    choose(page, "benchmarks-which", "BigCodeBench-Hard-Instruct")
    expect(page.locator(".z1-table .z1-own")).to_contain_text("22.3 %")
    expect(page.locator(".z1-bench-plot")).to_be_hidden()
    choose(page, "benchmarks-which", "GSM8K")
    expect(page.locator(".z1-bench-item .z1-head b").first).to_have_text("gsm8k/0")


def test_an_answer_is_found_by_its_verdict_and_followed_over_windows(fake_app: App, page: Page):
    open_tab(page, fake_app)
    choose(page, "answers-window", "64")
    item = page.locator(".z1-bench-item")
    expect(item.locator(".z1-bench-windows [data-here]")).to_have_text(
        re.compile("^64: ")
    )  # its answers are in the list
    page.locator("#answers-answer input").click()
    page.keyboard.press("Control+a")
    page.keyboard.type("right")
    options = page.get_by_role("option")
    expect(options).to_have_text([re.compile(rf"math500/{number}\s+✓ right$") for number in (1, 3, 5, 7)])
    options.nth(1).click()
    name = item.locator(".z1-head b").first
    expect(name).to_have_text("math500/3")
    expect(item.locator(".z1-cut")).to_contain_text("window closed at 64 tokens")
    expect(item.locator(".z1-inserted em")).to_have_text("Inserted")
    expect(item.locator(".z1-bench-verdict")).to_contain_text("✓ right")
    assert item.locator("img").count() == 0
    expect(item.locator(".z1-asked").last).to_contain_text("<img src=x onerror=alert(1)>")
    choose(page, "answers-window", "256")
    expect(name).to_have_text("math500/3")
    expect(item.locator(".z1-bench-windows [data-here]")).to_have_text("256: ✓ right")
    expect(item.locator(".z1-inserted")).to_have_count(0)


def test_a_choice_counts_while_an_earlier_one_is_on_its_way(fake_app: App, page: Page):
    open_tab(page, fake_app)
    shown = page.locator(".z1-bench-item .z1-head b").first
    expect(shown).to_have_text("math500/0")
    held: list[Route] = []

    def hold(route: Route) -> None:
        is_it = {64, "math500/0 #1"} <= {*route.request.post_data_json["data"]}
        held.append(route) if is_it else route.continue_()

    page.route("**/run/predict", hold)
    with page.expect_request("**/run/predict"):
        choose(page, "answers-window", "64")
    choose(page, "answers-answer", "math500/3")
    expect(shown).to_have_text("math500/3")
    assert held
    for route in held:
        route.abort()


@pytest.mark.thorough
def test_the_tab_opened_again_finds_a_new_report_and_keeps_what_is_on_show(fake_app: App, page: Page, results: Path):
    open_tab(page, fake_app)
    choose(page, "answers-answer", "math500/1")
    expect(page.locator(".z1-bench-item .z1-head b").first).to_have_text("math500/1")
    report(results / "another", "made/Other-1B")
    page.get_by_role("tab", name="Think").click()
    page.get_by_role("tab", name="Benchmarks").click()
    expect(page.locator(".z1-bench-found")).to_have_text("2 reports in the results folder")
    expect(page.locator("#answers-run input")).to_have_value("made/Up-7B (up)")
    expect(page.locator(".z1-bench-item .z1-head b").first).to_have_text("math500/1")
    expect(page.locator(".z1-bench-plot").first.locator("svg").get_by_text("made/Other-1B (another)")).to_be_visible()


@pytest.mark.thorough
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_tab_fits_a_phone(fake_app: App, phone: Page, theme: str):
    phone.emulate_media(color_scheme=theme)
    open_tab(phone, fake_app)
    expect(phone.locator(".z1-bench-item")).to_be_visible()
    frame = phone.locator(".z1-bench-card").first.bounding_box()
    assert frame["x"] >= 0
    assert frame["x"] + frame["width"] <= 390
    plot = phone.locator(".z1-bench-plot .vega-embed svg").first.bounding_box()
    assert plot["x"] + plot["width"] <= 390
