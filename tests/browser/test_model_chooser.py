"""Going over to another model on the page, and what becomes of a page whose engine is killed."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import App, kill_engine, start_app, stop_app
from tests.browser.test_page import ask, card, trace_of, visit, wait_for_end, wait_for_trace
from tests.stub_hub import StubHub
from z1_core.models import EMBEDDED_NAME, SHIFT_NAME, embedded_file

REPOSITORY, FILE = "org/Other-GGUF", "other-q4_k_m.gguf"
READY_MS = 120_000
STORY = "Write a very long story about a lighthouse."


@pytest.fixture(scope="module")
def hub() -> Iterator[StubHub]:
    """It has the embedded model by another name."""
    hub = StubHub()
    hub.files[REPOSITORY] = {FILE: embedded_file().read_bytes()}
    yield hub
    hub.close()


@pytest.fixture(scope="module")
def choosing_app(hub: StubHub, tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """The app on the embedded model, with that hub and an empty cache."""
    folder = tmp_path_factory.mktemp("choosing")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_ENDPOINT", hub.url)
        patch.setenv("HF_HOME", str(folder / "hf"))
        app = start_app(folder)
    yield app
    stop_app(app)


def want(page: Page, model: str) -> None:
    page.locator("#other-model").fill(model)
    page.keyboard.press("Enter")


def test_the_list_opens_and_closes_by_keyboard_and_by_mouse(choosing_app: App, page: Page):
    visit(page, choosing_app)
    badge, panel = page.locator("#model-badge"), page.locator("#model-panel")
    expect(page.locator(".z1-note")).to_contain_text("A better one is two clicks away")
    expect(badge).to_have_attribute("aria-expanded", "false")
    expect(panel).to_be_hidden()
    badge.focus()
    page.keyboard.press("Enter")
    expect(panel).to_be_visible()
    expect(badge).to_have_attribute("aria-expanded", "true")
    expect(panel.locator("li[aria-current=true]")).to_contain_text("SmolLM2 135M")
    expect(panel.get_by_role("button", name="Use Qwen3 0.6B")).to_be_enabled()
    page.keyboard.press("Tab")
    page.keyboard.press("Escape")
    expect(panel).to_be_hidden()
    expect(badge).to_be_focused()
    for _ in range(2):
        badge.click()
    expect(panel).to_be_hidden()


def test_escape_closes_the_list_and_not_the_run_behind_it(choosing_app: App, page: Page):
    visit(page, choosing_app)
    ask(page, STORY, window=400, total=420)
    wait_for_trace(page)
    page.locator("#model-badge").click()
    page.keyboard.press("Escape")
    expect(page.locator("#model-panel")).to_be_hidden()
    expect(page.locator("#stop")).to_be_enabled()
    page.keyboard.press("Escape")
    wait_for_end(page, "user_stop")


def test_a_choice_that_fails_is_one_sentence_and_the_model_answers_on(choosing_app: App, page: Page):
    visit(page, choosing_app)
    page.locator("#model-badge").click()
    want(page, "org/Nothing-GGUF")
    expect(page.locator("#model-way [role=alert]")).to_have_text(
        re.compile("The Hub knows no org/Nothing-GGUF: check its name")
    )
    page.reload()
    visit(page, choosing_app)
    expect(page.locator("#model-panel"), "it was news only once").to_be_hidden()
    ask(page, "Hello!", window=200, total=300)
    wait_for_end(page, "inside")


def test_a_model_is_downloaded_cancelled_gone_on_with_and_answers(
    choosing_app: App, hub: StubHub, page: Page, phone: Page
):
    visit(page, choosing_app)
    ask(page, "Say hello to Anna.", window=30, total=60)
    expect(card(page).locator(".z1-foot")).to_be_visible()
    hub.seconds_per_mb = 0.1
    page.locator("#model-badge").click()
    want(page, REPOSITORY)
    expect(page.locator("#model-way [role=progressbar]")).to_have_attribute("aria-valuenow", re.compile("[1-9]"))
    expect(page.locator("#model-badge em")).to_have_text(re.compile(r"Other-GGUF \d+ %"))
    expect(page.locator("#model-badge")).to_contain_text(f"{SHIFT_NAME} is ready")
    expect(page.get_by_role("button", name="Use Qwen3 0.6B")).to_be_disabled()
    page.locator("#cancel-model").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#model-way")).to_contain_text("Cancelled; what has arrived of org/Other-GGUF is kept")
    expect(page.locator("#model-badge"), "the focus is not lost with the button").to_be_focused()

    visit(phone, choosing_app)
    phone.locator("#model-badge").click()
    want(phone, REPOSITORY)
    expect(phone.locator("#cancel-model")).to_be_visible()
    assert phone.evaluate("document.documentElement.scrollWidth") <= 390
    hub.seconds_per_mb = 0
    expect(phone.locator("#model-badge")).to_contain_text("is ready", timeout=READY_MS)
    expect(phone.locator("#model-panel li[aria-current=true]")).to_contain_text(REPOSITORY, timeout=READY_MS)
    first, second = (asked for asked in hub.asked if asked.startswith("GET"))
    assert re.fullmatch(rf"GET {FILE} from \d{{7,}}", second), "it went on where it was"

    expect(page.locator("#model-badge")).not_to_contain_text(EMBEDDED_NAME)  # nothing was clicked here
    ask(page, "Hello!", window=200, total=300)
    wait_for_end(page, "inside")
    expect(page.locator(".z1-turn-outer:visible")).to_have_count(2)
    assert first == f"GET {FILE}"


def test_a_killed_engine_is_said_in_words_and_the_next_question_is_answered(choosing_app: App, page: Page):
    """It is the chosen model that comes back, and nothing was clicked."""
    visit(page, choosing_app)
    running = page.locator(".z1-chip").text_content()
    for window, phase in ((3000, ".z1-trace-text"), (20, ".z1-answer-text")):
        ask(page, STORY, window=window, total=window + 3000)
        expect(card(page).locator(f"{phase} .md").first).to_have_text(re.compile(r".{20,}", re.DOTALL))
        kill_engine(choosing_app)
        expect(card(page).locator(".z1-error")).to_contain_text("The engine's process has ended")
        assert len(trace_of(page)) >= 20
        expect(page.locator(".z1-chip.z1-starting")).to_contain_text("tarting again: the engine's process has ended")
        expect(page.locator("#run")).to_have_text(re.compile("Waits: starting again"))
        expect(page.locator("#run")).to_be_enabled(timeout=READY_MS)
        expect(page.locator(".z1-chip")).to_have_text(running)
    ask(page, "Hello!", window=20, total=60)  # how it ends depends on what was written before the engine was killed
    expect(card(page).locator(".z1-foot[data-end]")).to_be_visible()
    assert "Traceback" not in choosing_app.log.read_text(), choosing_app.log.read_text()
