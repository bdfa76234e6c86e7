"""The page as a person uses it."""

from __future__ import annotations

import re
from contextlib import AbstractContextManager

import pytest
from playwright.sync_api import Locator, Page, Request, Route, expect

from tests.browser.conftest import App

READY_S = 120


def visit(page: Page, app: App) -> None:
    """Returns when the settings have come, too."""
    page.goto(app.address)
    expect(page.locator("button#run")).to_have_text(re.compile("Run"), timeout=READY_S * 1000)
    expect(page.locator("button#run")).to_be_enabled(timeout=READY_S * 1000)
    expect(page.locator(".z1-settings[data-ready]")).to_be_visible()


def choose(page: Page, *, window: int, total: int) -> None:
    """By the exact number boxes beside the sliders."""
    for name, value in {"window": window, "total": total}.items():
        page.locator(f"#{name} input[type=number]").fill(str(value))
        page.keyboard.press("Tab")


def ask(page: Page, question: str, *, window: int, total: int) -> None:
    """Returns when the turn is there, or why there is none: until then the newest card is that of the turn before."""
    choose(page, window=window, total=total)
    page.locator("#question textarea").fill(question)
    page.locator("button#run").click()
    expect(page.locator("#question textarea:placeholder-shown, #message:not(:empty)").first).to_be_visible()


def card(page: Page) -> Locator:
    """The newest turn."""
    return page.locator(".z1-turn-outer:visible").last


def expect_tokens(page: Page, text: str) -> None:
    expect(card(page).locator(".z1-key")).to_contain_text(text)


def wait_for_trace(page: Page, characters: int = 20) -> None:
    expect(card(page).locator(".z1-trace-text .md").first).to_have_text(re.compile(rf".{{{characters},}}", re.DOTALL))


def trace_of(page: Page) -> str:
    return "\n".join(card(page).locator(".z1-trace-text .md").all_inner_texts()).strip()


def wait_for_end(page: Page, reason: str, timeout_s: float = 60) -> None:
    expect(card(page).locator(f".z1-foot[data-end={reason}]")).to_be_visible(timeout=timeout_s * 1000)
    expect(page.locator("button#run")).to_be_enabled()


def test_the_page_opens_before_the_model_is_ready_and_says_why_run_waits(real_app: App, page: Page):
    page.goto(real_app.address)
    expect(page.locator("h1")).to_have_text("Shifted thinking")
    if page.locator(".z1-starting").count():
        expect(page.locator("button#run")).to_have_text(
            re.compile("^(Waits: (loading|preparing|warming|starting)|Run)")
        )
    visit(page, real_app)
    expect(page.locator(".z1-chip.z1-ready")).to_contain_text("SmolLM2-135M-Shift is ready")
    expect(page.get_by_text("trained here on sums and lists to sort")).to_be_visible()


def test_a_hard_question_is_cut_at_the_window_and_answered(real_app: App, page: Page):
    visit(page, real_app)
    ask(page, "What is 58274906 + 36918457?", window=48, total=128)
    wait_for_end(page, "cut")
    expect(card(page).locator(".z1-head b")).to_have_text("Thinking cut after 48 tokens")
    expect(card(page).locator(".z1-cut")).to_contain_text("window closed at 48 tokens")
    expect(card(page).locator(".z1-inserted em")).to_have_text("Inserted")
    expect(card(page).locator(".z1-inserted")).to_contain_text("I overthought it, the final answer should be:")
    expect(card(page).locator(".z1-answer-text .md").first).not_to_be_empty()
    expect_tokens(page, "thinking 48")
    expect(card(page).locator(".z1-key")).to_contain_text(re.compile(r"answer \d+ of 66"))


def test_answer_now_closes_the_window_early(real_app: App, page: Page):
    visit(page, real_app)
    ask(page, "Write a very long story about a lighthouse.", window=3000, total=3100)
    wait_for_trace(page)
    page.keyboard.press("Control+e")
    expect(card(page).locator(".z1-inserted")).to_be_visible()
    expect(card(page).locator(".z1-cut")).to_contain_text("window closed by you")
    expect(page.locator("#answer-now")).to_be_disabled()
    expect(card(page).locator(".z1-foot")).to_be_visible()
    expect(card(page).locator(".z1-head b")).to_have_text(re.compile(r"Thinking closed by you after \d+ tokens"))


def test_stop_keeps_the_text_and_an_easy_question_then_ends_inside_the_window(real_app: App, page: Page):
    visit(page, real_app)
    ask(page, "Write a very long story about a lighthouse.", window=3000, total=3200)
    wait_for_trace(page)
    page.keyboard.press("Escape")
    wait_for_end(page, "user_stop")
    kept = trace_of(page)
    assert len(kept) >= 20
    page.wait_for_timeout(500)
    assert trace_of(page) == kept
    ask(page, "Hello!", window=400, total=600)
    wait_for_end(page, "inside")
    expect(card(page).locator(".z1-foot")).to_contain_text(re.compile(r"Answered inside the window: \d+ of 400 tokens"))
    expect(card(page).locator(".z1-inserted")).to_be_hidden()


def test_a_second_turn_knows_the_first_answer_and_folds_it(real_app: App, page: Page):
    visit(page, real_app)
    ask(page, "Say hello to Anna.", window=30, total=60)
    expect(card(page).locator(".z1-foot")).to_be_visible()
    expect(page.locator("button#run")).to_be_enabled()
    ask(page, "Say it again.", window=30, total=60)
    expect(page.locator(".z1-turn-outer:visible")).to_have_count(2)
    expect(card(page).locator(".z1-foot")).to_be_visible()
    expect(page.locator(".z1-question:visible")).to_have_text(["Say hello to Anna.", "Say it again."])
    page.locator("#clear").click()
    expect(page.locator(".z1-turn-outer:visible")).to_have_count(0)
    expect(page.locator(".z1-empty")).to_be_visible()


def test_two_visitors_at_once_do_not_mix(real_app: App, visitors: list[Page]):
    first, second = visitors
    for page in visitors:
        visit(page, real_app)
    ask(first, "Write a long story about an apple. Use the word apple often.", window=120, total=150)
    ask(second, "Write a long story about a tiger. Use the word tiger often.", window=120, total=150)
    for page in visitors:
        wait_for_trace(page)
    assert all(page.locator(".z1-busy").count() for page in visitors), "both run at the same time"
    for page in visitors:
        expect(card(page).locator(".z1-foot")).to_be_visible()
    texts = [card(page).inner_text().lower() for page in visitors]
    assert "apple" in texts[0]
    assert "tiger" in texts[1]
    assert "tiger" not in texts[0]
    assert "apple" not in texts[1]


def test_invalid_input_is_one_sentence_and_keeps_the_text(real_app: App, page: Page):
    visit(page, real_app)
    for question, window, total, sentence in (
        ("Hello", 200, 200, "A total of 200 tokens leaves no room for an answer"),
        ("word " * 9000, 100, 200, "but the model holds 8,192"),
    ):
        ask(page, question, window=window, total=total)
        expect(page.locator("#message:not(:empty)")).to_contain_text(sentence)
        expect(page.locator("#question textarea")).to_have_value(question)
    ask(page, "Hello!", window=200, total=300)
    wait_for_end(page, "inside")
    expect(page.locator("#message:not(:empty)")).to_have_count(0)


def test_the_total_says_what_it_leaves_for_the_answer(real_app: App, page: Page):
    visit(page, real_app)
    choose(page, window=100, total=200)
    expect(page.locator(".z1-leaves")).to_have_text("Leaves 86 for the answer.")
    choose(page, window=100, total=110)
    expect(page.locator(".z1-leaves")).to_contain_text("leaves no room for an answer")


@pytest.mark.parametrize("which", ["opens", "changes"])
def test_what_is_chosen_while_an_answer_is_on_its_way_counts(fake_app: App, page: Page, which: str):
    """Gradio's always_last sends what was asked first once more."""

    def follows(request: Request, **wanted: object) -> bool:
        asked = (request.url.endswith("/run/predict") and request.post_data_json.get("event_data")) or {}
        return wanted.items() <= {"opens": asked.get("opens"), **asked.get("values", {})}.items()

    def asks(**wanted: object) -> AbstractContextManager:
        return page.expect_request(lambda request: follows(request, **wanted))

    first = {"opens": True} if which == "opens" else {"total": "300"}
    held: list[Route] = []
    page.route("**/run/predict", lambda on: held.append(on) if follows(on.request, **first) else on.continue_())
    if which == "opens":
        with asks(**first):
            page.goto(fake_app.address)
    else:
        visit(page, fake_app)
        with asks(**first):
            choose(page, window=100, total=300)
    with asks(total="110"):
        choose(page, window=100, total=110)
    with page.expect_response(lambda answer: answer.request == held[0].request):
        held[0].continue_()
    expect(page.locator(".z1-leaves")).to_contain_text("leaves no room for an answer")
    page.wait_for_timeout(500)
    expect(page.locator(".z1-leaves")).to_contain_text("leaves no room for an answer")
    expect(page.locator("#total input[type=number]")).to_have_value("110")


def test_a_queued_visitor_is_told_so_may_stop_and_gets_the_place_when_it_is_free(fake_app: App, visitors: list[Page]):
    running, queued = visitors
    for page in visitors:
        visit(page, fake_app)
    ask(running, "When does the train arrive?", window=2000, total=2300)
    wait_for_trace(running)
    expect(running.locator(".z1-waits")).to_have_count(0)
    expect(running.locator("#again")).to_be_hidden()
    ask(queued, "When does the bus arrive?", window=20, total=100)
    expect(card(queued).locator(".z1-waits")).to_contain_text("It starts by itself")
    queued.keyboard.press("Escape")
    wait_for_end(queued, "user_stop")
    ask(queued, "When does the bus arrive?", window=20, total=100)
    expect(card(queued).locator(".z1-waits")).to_be_visible()
    expect(running.locator("#stop"), "it still has the place").to_be_enabled()
    running.locator("#answer-now").click()
    wait_for_end(running, "answer_now")
    wait_for_end(queued, "cut")
    expect(queued.locator(".z1-waits")).to_have_count(0)


def test_a_closed_tab_frees_its_place(fake_app: App, visitors: list[Page]):
    leaving, staying = visitors
    for page in visitors:
        visit(page, fake_app)
    ask(leaving, "When does the train arrive?", window=5000, total=5300)
    wait_for_trace(leaving)
    leaving.close()
    ask(staying, "When does the bus arrive?", window=20, total=100)
    wait_for_end(staying, "cut")


def test_a_question_asked_while_one_runs_disturbs_nothing(fake_app: App, page: Page):
    visit(page, fake_app)
    ask(page, "When does the train arrive?", window=200, total=400)
    wait_for_trace(page)
    page.locator("#question textarea").fill("And the bus?")
    page.locator("#question textarea").press("Control+Enter")
    wait_for_end(page, "cut")
    expect_tokens(page, "thinking 200")
    expect(page.locator("#question textarea")).to_have_value("And the bus?")
