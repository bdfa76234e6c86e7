"""Text that wants to run, to cover the page, to call home or to break it: shown, and nothing else."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import PHONE, App, strangers
from tests.browser.stage import REPEAT, THEN_ANSWER
from tests.browser.test_compare import choose_windows
from tests.browser.test_page import ask, card, choose, visit, wait_for_end
from tests.hostile_texts import ELSEWHERE, MARKUP
from tests.shares import some_now

HOSTILE = {
    **{name: "\n\n".join(texts) for name, texts in MARKUP.items()},
    "style": "<style>* { display: none !important }</style><style>.z1-ask { visibility: hidden }</style>",
    "covers": '<div style="position:fixed;inset:0;z-index:99999;background:red">x</div>',
    "takes names": '<div id="run">x</div><button id="stop">x</button><input id="question" autofocus><a name="z1">z</a>',
    "refresh": f'<meta http-equiv="refresh" content="0;url={ELSEWHERE}"><base href="{ELSEWHERE}/">',
    "form": f'<form action="{ELSEWHERE}"><input name=a><button>Log in</button></form><textarea>',
    "closes": "</div></div></section></body></html><!-- <table><tr><td>",
    "headings": '# Huge\n<h1 style="font-size:900px">x</h1>\n<font size="99">y</font>',
    "long word": "W" * 10_000,
    "wide": f"| {' | '.join('column' for _ in range(60))} |\n{'|---' * 60}|\n\n```\n{'wide ' * 400}\n```",
    "big formula": "\\(\\rule{9999em}{9999em}\\) \\[\\rule{9999em}{9999em}\\] \\(\\kern{9999em}x\\)",
    "open fence": "```python\nprint(1)\n$$ \\frac{1}{ \\( \\[ **bold _x `",
    "deep": ">" * 1000 + " x " + "- " * 300 + "[" * 1000 + "*" * 1000,
    "strange characters": "a\u202ebc \u0000 \ufffd \U0001f468\u200d\U0001f469 Z" + "\u0335" * 300 + "\r\n\u2028",
}


ACTS = r"""() => [...document.querySelectorAll(".z1-turn-outer *")].flatMap((element) =>
  [...element.attributes].filter((a) => a.value.includes("owned") && (/^on/i.test(a.name) ||
    /^[\s\x00-\x20]*(javascript|vbscript|data):/i.test(a.value))).map((a) => `${element.tagName} ${a.name}=${a.value}`))"""
"""Attributes that would run something."""


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[tuple[str, list[str]]]:
    """A server that is not the page's: its address, and what was asked of it."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(204)
            self.end_headers()

        do_POST = do_GET

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", asked
    server.shutdown()


@pytest.fixture
def phone(stage_app: App, browser: Browser) -> Iterator[Page]:
    """A page that fails the test when something runs."""
    complaints = []
    with strangers(browser, 1, {"viewport": PHONE["viewport"]}) as (page,):
        page.on("dialog", lambda dialog: (complaints.append(dialog.message), dialog.dismiss()))
        visit(page, stage_app)
        yield page
    assert not complaints, complaints


def check(page: Page, name: str) -> None:
    assert page.title() == "Shifted thinking", name
    assert page.evaluate("document.documentElement.scrollWidth") <= 390, name
    assert page.evaluate("document.documentElement.scrollHeight") <= 12_000, name
    assert page.locator(".z1-turn iframe, .z1-turn object, .z1-turn script, .z1-turn style").count() == 0
    assert page.evaluate(ACTS) == [], name


@pytest.mark.parametrize("name", some_now(HOSTILE, now=["handlers", "links", "loads", "takes names", "closes"]))
def test_what_the_model_writes_is_shown_and_does_nothing(phone: Page, elsewhere: tuple[str, list[str]], name: str):
    address, asked = elsewhere
    ask(phone, f"{REPEAT}{HOSTILE[name].replace(ELSEWHERE, address)}", window=12_000, total=13_000)
    wait_for_end(phone, "inside")
    phone.wait_for_timeout(300)
    check(phone, name)
    for link in card(phone).locator(".z1-trace-text a:visible").all():
        assert link.get_attribute("target") in ("_blank", None)
    choose(phone, window=5, total=100)
    phone.locator("#question textarea").fill("And after that?")  # really the page's box, and uncovered
    phone.keyboard.press("Control+Enter")
    wait_for_end(phone, "cut")
    check(phone, name)
    assert not asked
    phone.locator("#clear").click()  # fails where something covers it
    expect(phone.locator(".z1-empty")).to_be_visible()


def test_a_cut_inside_a_fence_does_not_swallow_the_answer(phone: Page):
    ask(phone, f"{THEN_ANSWER}```python\n" + "print(1)\n" * 200, window=60, total=200)
    wait_for_end(phone, "cut")
    expect(card(phone).locator(".z1-answer-text .md").first).to_contain_text("it arrives at")
    expect(card(phone).locator(".z1-inserted")).to_contain_text("I overthought it")
    expect(card(phone).locator(".z1-answer-text pre")).to_have_count(1)


@pytest.mark.thorough
def test_compare_shows_hostile_answers_as_text(phone: Page):
    phone.get_by_role("tab", name="Compare windows").click()
    everything = "\n\n".join(text for name, text in HOSTILE.items() if name not in ("long word", "deep", "closes"))
    phone.locator("#compare-question").fill(f"{REPEAT}{everything} {'X' * 500}")
    choose_windows(phone, 10, 9000)
    phone.locator("#compare").click()
    expect(phone.locator(".z1-tokens")).to_be_visible()
    check(phone, "compare")
    phone.locator("#recut").click()
    expect(phone.locator(".z1-here.z1-recut")).to_be_visible()


@pytest.mark.thorough
def test_200_kb_pasted_into_the_prompt(phone: Page):
    pasted = "word and <b>markup</b> \\(x\\) " * 7000
    ask(phone, pasted, window=100, total=200)
    expect(phone.locator("#message:not(:empty)")).to_contain_text("but the model holds 32,768")
    assert len(phone.locator("#question textarea").input_value()) == len(pasted)
    ask(phone, "hi", window=100, total=200)
    wait_for_end(phone, "cut")
    check(phone, "pasted")
