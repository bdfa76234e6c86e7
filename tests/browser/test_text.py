"""What a model writes, as people read it: Markdown and formulas, and everything else as it was written."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import App
from tests.browser.stage import REPEAT, THEN_ANSWER
from tests.browser.test_page import ask, card, choose, visit, wait_for_end, wait_for_trace

SEEN = """() => {
  const turns = document.querySelector(".z1-turns");
  window.seen = [];
  new MutationObserver(() => window.seen.push(turns.innerText))
    .observe(turns, { childList: true, subtree: true, characterData: true });
}"""


@pytest.fixture(scope="module")
def reader(stage_app: App, browser) -> Page:
    """One page for all texts, as each is a conversation of its own."""
    page = browser.new_page()
    visit(page, stage_app)
    choose(page, window=2000, total=2300)
    yield page
    page.close()


def written(page: Page, text: str) -> str:
    """What can be read of a text that the model has written."""
    page.locator("#clear").click()
    expect(page.locator(".z1-empty")).to_be_visible()
    ask(page, f"{REPEAT}{text}", window=2000, total=2300)
    wait_for_end(page, "inside")
    return card(page).locator(".z1-trace-text").inner_text()


@pytest.mark.parametrize(
    ("text", "reads", "counts"),
    [
        (
            "First 6*7*8 = 336. Then 2*x*y = 10, so (x+1)*(y)*2; 2**3**4.",
            ["6*7*8 = 336", "2*x*y = 10", "(x+1)*(y)*2", "2**3**4"],
            {"em": 0, "strong": 0},
        ),
        (
            "An *important* word, a **bold** one, 这是**重点**内容, snake_case_name.",
            ["snake_case_name"],
            {"em": 1, "strong": 2},
        ),
        (
            "**Claim**: each continuous \\( g \\) on \\([0, 1]\\) has a largest value, so there is "
            "\\( c \\in [0, 1] \\) with \\( g(x) \\leq g(c) \\) for all \\( x \\in [0, 1] \\).",
            ["Claim", "has a largest value"],
            {".katex": 5, "strong": 1},
        ),
        (
            "It falls from **$236 → $31** a month (saves **~$2,460** a year); R$ 14,75 per metre, later ~$18.2.",
            ["$236 → $31", "~$2,460", "R$ 14,75", "~$18.2"],
            {".katex": 0, "strong": 2, "del": 0},
        ),
        ("$$ \\$0.35 + \\$0.65 = \\$1.00 $$ and \\( \\$7.20 \\)", ["$", "and"], {".katex": 2}),
        ("\\[ t = \\frac{150}{60} \\]\n\nThen", ["Then"], {".katex-display": 1}),
        (
            "<think>\nAdd **three** and four.\n</think>\n\nThe sum is 7.",
            ["<think>", "Add three", "</think>"],
            {"strong": 1},
        ),
        ("<thinking>\nnever closed\n\n- a\n- b", ["<thinking>", "never closed"], {"li": 2}),
        ("- outer\n  - inner\n  - inner", ["outer"], {"li li": 2}),
        ("a < b && c > d; vector<int> v; &lt; &amp;", ["a < b && c > d", "vector<int> v"], {}),
        ("[x]: https://example.com\n\n![alt](https://example.com/a.png)", ["[x]:", "![alt]"], {"img": 0}),
        ("| a | b |\n|---|---|\n| 1 | 2 |\n\n1. one\n2. two", ["one"], {"td": 2, "li": 2, ".table-wrap": 1}),
        ("مرحبا `print(1)` بالعالم\n\n```python\nprint(2)\n```", ["print(1)", "print(2)"], {"pre": 1}),
        (
            "So \\boxed{132}. And \\boxed{\\frac{1}{2}}, \\(\\boxed{7}\\), \\boxed{12 red apples}, `\\boxed{3}`, \\boxed{4",
            ["So", "\\boxed{12 red apples}", "\\boxed{3}", "\\boxed{4"],
            {".katex": 3, ".katex-error": 0},
        ),
        ("price is \\(unclosed and $$ open", ["unclosed and $$ open"], {".katex": 0}),
    ],
)
def test_it_reads_as_it_was_meant(reader: Page, text: str, reads: list[str], counts: dict[str, int]):
    shown = written(reader, text)
    for part in reads:
        assert part in shown, shown
    for selector, count in counts.items():
        assert card(reader).locator(f".z1-trace-text .md {selector}").count() == count, selector


def test_what_is_written_piece_by_piece_is_what_is_written_at_once(reader: Page):
    """Blocks that are finished are drawn once, and the rest again at every update."""
    text = "\n\n".join(f"## Part {n}\n\n- a\n- b\n\n```\ncode {n}\n```\n\n\\( x_{n} \\) and more" for n in range(12))
    written(reader, text)
    count = card(reader).locator(".z1-trace-text .md").locator
    assert [count(each).count() for each in ("h2", "li", "pre", ".katex", "ul")] == [12, 24, 12, 12, 12]


def test_no_update_shows_a_half_character(reader: Page):
    text = "Team: 👩‍🔬👨‍🏫 from 🇨🇭 – 3️⃣ people, 完成。"
    reader.evaluate(SEEN)
    assert text in written(reader, text)
    for window in (3, 4, 5, 6):
        ask(reader, f"{THEN_ANSWER}{text}", window=window, total=200)
        wait_for_end(reader, "cut")
    seen = "".join(reader.evaluate("window.seen"))
    assert "Team" in seen
    assert "\ufffd" not in seen


def test_what_is_copied_from_a_code_block_is_the_code(reader: Page):
    reader.context.grant_permissions(["clipboard-read", "clipboard-write"])
    written(reader, "```python\nif x:\n    print(1)\n```")
    card(reader).locator("pre").hover()
    card(reader).locator(".z1-copy-code").click()
    expect(card(reader).locator(".z1-copy-code")).to_have_text("Copied")
    assert reader.evaluate("navigator.clipboard.readText()") == "if x:\n    print(1)"


@pytest.mark.parametrize("composing", [True, False])
def test_keys_of_an_input_method_are_its_own(fake_app: App, page: Page, composing: bool):
    visit(page, fake_app)
    choose(page, window=2000, total=2300)
    box = page.locator("#question textarea")
    box.fill("When does the train arrive?")
    press = (
        "([key, ctrlKey, isComposing]) => document.activeElement.dispatchEvent(new KeyboardEvent('keydown', "
        "{ key, ctrlKey, isComposing, bubbles: true }))"
    )
    box.evaluate("element => element.focus()")
    page.evaluate(press, ["Enter", True, composing])
    if composing:
        page.wait_for_timeout(500)
        expect(page.locator(".z1-turn-outer:visible")).to_have_count(0)
        page.locator("#run").click()
    wait_for_trace(page)
    box.evaluate("element => element.focus()")
    page.evaluate(press, ["Escape", False, composing])
    page.wait_for_timeout(500)
    if composing:
        expect(page.locator("#stop")).to_be_enabled()
        page.keyboard.press("Escape")
    wait_for_end(page, "user_stop")
