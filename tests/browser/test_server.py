"""The page in front of a real model server: as good as with an engine of its own, also when the server goes away."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import App, start_app, stop_app
from tests.browser.test_page import ask, card, expect_tokens, trace_of, visit, wait_for_end, wait_for_trace
from tests.heavy.vllm_serve import KEY, VllmServe

pytestmark = [pytest.mark.heavy, pytest.mark.alone]
BACK_S = 30


@pytest.fixture(scope="module")
def client_app(vllm_serve: VllmServe, tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """The app as a client of the server of this session."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("Z1_API_KEY", KEY)
        app = start_app(tmp_path_factory.mktemp("client"), "--server-url", vllm_serve.url)
    yield app
    stop_app(app)


def test_a_run_on_a_server_is_cut_answered_and_stopped_like_any_other(client_app: App, page: Page):
    visit(page, client_app)
    expect(page.locator(".z1-chip.z1-ready")).to_have_text(re.compile("SmolLM2-135M.* is ready"))
    ask(page, "Prove step by step that the square root of 2 is irrational.", window=48, total=96)
    wait_for_end(page, "answer_length")
    expect(card(page).locator(".z1-cut")).to_contain_text("window closed at 48 tokens")
    expect_tokens(page, "total 96 of 96")
    ask(page, "Write a very long story about a lighthouse.", window=1200, total=1300)
    wait_for_trace(page)
    page.keyboard.press("Control+e")
    expect(card(page).locator(".z1-cut")).to_contain_text("window closed by you")
    expect(card(page).locator(".z1-foot")).to_be_visible()


def test_a_server_killed_in_mid_answer_is_told_and_the_page_goes_on_by_itself(
    client_app: App, vllm_serve: VllmServe, page: Page
):
    visit(page, client_app)
    ask(page, "Write a very long story about a lighthouse.", window=1500, total=1700)
    wait_for_trace(page)
    vllm_serve.kill()
    told = re.compile("broke off in the middle.*what was written until then is kept")
    expect(card(page).locator(".z1-error")).to_contain_text(told)
    kept = trace_of(page)
    assert len(kept) >= 20
    expect(page.locator(".z1-chip.z1-failed")).to_contain_text(
        re.compile(".* cannot be reached .*; this is tried again by itself")
    )
    expect(page.locator("#run")).to_have_text("Model not running")
    vllm_serve.start()
    expect(page.locator(".z1-chip.z1-ready")).to_be_visible(timeout=BACK_S * 1000)  # nothing was clicked
    assert trace_of(page) == kept
    ask(page, "Hello!", window=200, total=300)
    expect(page.locator(".z1-turn-outer:visible")).to_have_count(2)
    wait_for_end(page, "inside")
    assert "Traceback" not in client_app.log.read_text(), client_app.log.read_text()
