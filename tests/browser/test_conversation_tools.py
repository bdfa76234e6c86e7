"""What people expect of a conversation: again, edit, copy, export, import; settings that are remembered and shared."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from playwright.sync_api import Download, Locator, Page, expect

from tests.browser.conftest import App
from tests.browser.test_page import ask, card, choose, visit, wait_for_end
from tests.shares import some_now

TRAIN = "When does the train arrive?"


def number(page: Page, name: str, value: int) -> None:
    expect(page.locator(f"#{name} input[type=number]")).to_have_value(str(value))


def questions(page: Page, *expected: str) -> None:
    expect(page.locator(".z1-question:visible")).to_have_text(list(expected))


def export(turn: Locator) -> Download:
    with turn.page.expect_download() as download:
        turn.locator(".z1-json").click()
    return download.value


def bring(page: Page, path: Path) -> None:
    page.locator("input[type=file]").first.set_input_files(path)


def clipboard(page: Page) -> str:
    return page.evaluate("navigator.clipboard.readText()")


@pytest.fixture
def cut(fake_app: App, page: Page) -> Page:
    """A page with one turn that was cut after 40 tokens."""
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    visit(page, fake_app)
    ask(page, TRAIN, window=40, total=200)
    wait_for_end(page, "cut")
    return page


LATE = """() => {
    const element = document.querySelector("#think").cloneNode(true), props = {};
    let comes;
    window.z1.think(element, props, () => {}, (_, watched) => { comes = watched; });
    for (const [n, run] of [[1, "first"], [3, "last"], [2, "late"]]) {
        props.value = { n, run, turns: [], bar: [], marks: [], key: [] };
        comes();
    }
    return new Promise((drawn) => setTimeout(() => drawn(element.querySelector("#run").textContent), 1200));
}"""


def test_a_view_that_comes_late_does_not_undo_a_later_one(fake_app: App, page: Page):
    """The answer to a click came behind the end of a run and before that was drawn: the run never ended on the page."""
    visit(page, fake_app)
    assert page.evaluate(LATE) == "last"


@pytest.mark.thorough
def test_run_again_repeats_the_turn_in_its_place(cut: Page):
    cut.locator("#again").click()
    expect(card(cut).locator(".z1-busy")).to_be_visible()
    wait_for_end(cut, "cut")
    questions(cut, TRAIN)
    cut.locator("#again").click()
    expect(card(cut).locator(".z1-busy")).to_be_visible()
    cut.keyboard.press("Escape")
    wait_for_end(cut, "user_stop")


def test_the_last_question_is_edited_or_left(cut: Page):
    cut.locator("#edit").click()
    expect(cut.locator("#question textarea")).to_have_value(TRAIN)
    expect(cut.locator("#question textarea")).to_be_focused()
    cut.locator("#keep").click()
    expect(cut.locator("#keep")).to_be_hidden()
    expect(cut.locator("#question textarea")).to_have_value("")
    cut.locator("#edit").click()
    expect(cut.locator("#keep")).to_be_visible()
    cut.locator("#question textarea").fill("hi")
    cut.keyboard.press("Control+Enter")
    wait_for_end(cut, "inside")
    questions(cut, "hi")
    expect(cut.locator("#keep")).to_be_hidden()


def test_an_answer_is_copied_and_a_run_goes_into_a_file_and_comes_back(cut: Page, tmp_path: Path):
    card(cut).locator(".z1-copy").click()
    expect(card(cut).locator(".z1-copy")).to_have_text("Copied")
    assert clipboard(cut).startswith("The train travels for **2 h 30 min**")
    file = tmp_path / "run.json"
    export(card(cut)).save_as(file)
    record = json.loads(file.read_text())
    assert record["cut_after_tokens"] == len(record["trace"]["ids"]) == 40
    cut.locator("#clear").click()
    expect(cut.locator(".z1-empty")).to_be_visible()
    hostile = '<img src=x onerror="document.title=1">'
    file.write_text(json.dumps({**record, "question": hostile, "model": hostile}))
    bring(cut, file)
    wait_for_end(cut, "cut")
    questions(cut, hostile)
    expect(card(cut).locator(".z1-foot")).to_contain_text("imported, ran on <img")
    expect(card(cut).locator(".z1-head b")).to_have_text("Thinking cut after 40 tokens")
    expect(cut.locator(".z1-empty")).to_be_hidden()
    assert cut.title() == "Shifted thinking"
    ask(cut, "hi", window=40, total=200)
    wait_for_end(cut, "inside")
    questions(cut, hostile, "hi")
    earlier = export(cut.locator(".z1-turn-outer:visible").first)
    assert json.loads(Path(earlier.path()).read_text())["question"] == hostile
    file.write_text("no json")
    bring(cut, file)
    expect(cut.locator("#message:not(:empty)")).to_contain_text("The file is no JSON")


@pytest.mark.thorough
def test_presets_follow_the_numbers_and_the_browser_remembers_those_until_they_are_reset(fake_app: App, page: Page):
    visit(page, fake_app)
    page.get_by_label("Quick").check()
    number(page, "window", 256)
    number(page, "total", 768)
    choose(page, window=4096, total=6144)
    expect(page.get_by_label("Deep")).to_be_checked()
    choose(page, window=123, total=456)
    expect(page.locator("#preset input:checked")).to_have_count(0)
    page.wait_for_timeout(500)
    visit(page, fake_app)
    number(page, "window", 123)
    number(page, "total", 456)
    page.locator("#reset").click()
    number(page, "window", 1024)
    page.wait_for_timeout(500)
    visit(page, fake_app)
    number(page, "window", 1024)


def test_a_link_carries_the_settings_and_is_not_trusted(fake_app: App, visitors: list[Page]):
    giving, taking = visitors
    giving.context.grant_permissions(["clipboard-read", "clipboard-write"])
    visit(giving, fake_app)
    choose(giving, window=123, total=456)
    giving.locator("#copy-link").click()
    expect(giving.locator("#copy-link")).to_have_text("Copied")
    taking.goto(clipboard(giving))
    number(taking, "window", 123)
    number(taking, "total", 456)
    expect(taking.locator("#link-told")).to_have_text("Set by the link: window, total.")
    taking.goto(f"{fake_app.address}?window=abc&total=99999999&hint=%20&temperature=nan")
    expect(taking.locator("#link-told")).to_contain_text("window is 'abc'; it must be a whole number")
    expect(taking.locator("#link-told")).to_contain_text("hint is ' '")
    number(taking, "window", 1024)


@pytest.mark.thorough
@pytest.mark.parametrize("change", ["a link", "the hint", "a preset"])
def test_a_page_at_rest_asks_the_server_for_nothing(fake_app: App, page: Page, change: str):
    """Two handlers of one change once kept starting each other, fifty times a second, until the next run."""
    visit(page, fake_app)
    if change == "a link":
        page.goto(f"{fake_app.address}?window=300&total=340")
        number(page, "total", 340)
    elif change == "the hint":
        page.get_by_text("Seed, system prompt, hint").click()
        page.get_by_label("Own text").check()
        expect(page.locator("#hint textarea")).to_be_visible()
    else:
        page.get_by_label("Quick").check()
        number(page, "window", 256)
    page.wait_for_timeout(1500)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.wait_for_timeout(3000)
    assert len(asked) <= 1, asked  # a look at the model's state


@pytest.mark.thorough
def test_a_page_at_rest_hardly_draws(fake_app: App, page: Page):
    """Gradio's clock of the page's own loading once drew sixty frames a second for ever."""
    page.add_init_script(
        "window.frames = 0; const draw = window.requestAnimationFrame;"
        "window.requestAnimationFrame = (callback) => { window.frames++; return draw.call(window, callback); };"
    )
    visit(page, fake_app)
    assert page.evaluate("window.frames") > 0, "it counts"

    def drawn_in_2_s() -> int:
        before = page.evaluate("window.frames")
        page.wait_for_timeout(2000)
        return page.evaluate("window.frames") - before

    assert any(drawn_in_2_s() <= 4 for _ in range(15)), "it still draws when what fades in has long done so"


@pytest.mark.thorough
def test_a_number_box_is_set_right_when_it_is_left(fake_app: App, page: Page):
    visit(page, fake_app)
    box = page.locator("#window input[type=number]")
    for typed, left in (("", 123), ("-5", 1), ("99999999", 32_768), ("e", 123), ("77", 77)):
        choose(page, window=123, total=456)
        box.focus()
        page.keyboard.press("Control+a")
        page.keyboard.press("Delete")
        page.keyboard.type(typed)
        page.keyboard.press("Tab")
        expect(box).to_have_value(str(left))


@pytest.mark.thorough
def test_an_example_goes_into_the_box_and_tab_from_there_to_its_buttons(fake_app: App, page: Page):
    visit(page, fake_app)
    page.locator("[data-example]:visible").first.click()
    expect(page.locator("#question textarea")).to_have_value("How many r are in raspberry?")
    expect(page.locator("#question textarea")).to_be_focused()
    order = []
    for _ in range(3):
        page.keyboard.press("Tab")
        order.append(page.evaluate("document.activeElement.closest('[id]').id"))
    assert order[:2] == ["run", "clear"]


@pytest.mark.parametrize("scheme", some_now(["light", "dark"], now=["light"]))
def test_a_finished_turn_fits_a_phone(fake_app: App, phone: Page, scheme: str):
    phone.emulate_media(color_scheme=scheme)
    visit(phone, fake_app)
    ask(phone, TRAIN, window=40, total=200)
    wait_for_end(phone, "cut")
    assert phone.evaluate("document.documentElement.scrollWidth") <= 390
    for button in phone.locator(".z1-actions:visible button").all():
        assert button.bounding_box()["x"] + button.bounding_box()["width"] <= 390
    expect(card(phone).locator(".z1-foot")).to_contain_text(re.compile("window 40"))
