"""How much of the engine's speed a single visitor sees: the same question in turns on the page and through the API.

python -m tests.browser.page_rate [--rounds 5] [--tokens 300] [options of app.py]

Both on one app and one machine, greedy, with the prompt's cache warm. The page's rate counts from the first token that is
seen to the last, the API's from the call to its return. While the API is asked, the browser shows a blank page.
"""

from __future__ import annotations

import argparse
import re
import shutil
import statistics
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from gradio_client import Client
from playwright.sync_api import Page, sync_playwright

from tests.browser.conftest import QUIET_CHROMIUM, start_app, stop_app

QUESTION = "Write a long story about a lighthouse keeper, with many chapters."
READY = "() => { const run = document.querySelector('button#run'); return run && !run.disabled; }"
SHOWN = """() => { const seen = document.querySelector('.z1-turn .z1-head')?.innerText.match(/([1-9][0-9,]*) of/);
  return seen && document.querySelector('.z1-trace-text')?.innerText.trim() && Number(seen[1].replace(',', '')); }"""
ENDED = "() => document.querySelector('.z1-foot[data-end]') !== null"
WRITTEN = re.compile(r"(?:thinking|answer) ([\d,]+)")
WATCH = """() => { window.updates = [];
  new MutationObserver(() => window.updates.push(performance.now())).observe(
    document.querySelector('.z1-trace-text'), { childList: true, subtree: true, characterData: true }); }"""
WIDEST_GAP = "() => Math.max(0, ...window.updates.slice(1).map((at, n) => at - window.updates[n])) / 1000"


@dataclass(frozen=True)
class Seen:
    """first_s: from the click to the first visible token; tokens, seconds: what came after it, until the last;
    pause_s: the longest that the trace stood still meanwhile."""

    first_s: float
    tokens: int
    seconds: float
    pause_s: float


def on_page(page: Page, address: str, tokens: int) -> Seen:
    page.goto(f"{address}?window={tokens}&total={tokens + 40}")
    page.wait_for_function(READY, timeout=180_000)
    page.fill("#question textarea", QUESTION)
    page.wait_for_timeout(1000)
    clicked_s = time.monotonic()
    page.click("button#run")
    already = page.wait_for_function(SHOWN, polling=50).json_value()
    first_s = time.monotonic()
    page.evaluate(WATCH)
    page.wait_for_function(ENDED, polling=100, timeout=180_000)
    seconds = time.monotonic() - first_s
    written = sum(int(n.replace(",", "")) for n in WRITTEN.findall(page.inner_text(".z1-turn .z1-key")))
    return Seen(first_s - clicked_s, written - already, seconds, page.evaluate(WIDEST_GAP))


def through_api(client: Client, tokens: int) -> tuple[int, float]:
    """Tokens written, and seconds."""
    called_s = time.monotonic()
    made = client.predict(
        prompt=QUESTION, thinking_tokens=tokens, total_tokens=tokens + 40, temperature=0.0, api_name="/think"
    )
    return len(made["trace_ids"]) + len(made["answer_ids"]), time.monotonic() - called_s


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.browser.page_rate")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--tokens", type=int, default=300, help="the window")
    options, others = parser.parse_known_args()
    app = start_app(Path(tempfile.mkdtemp()), *others)
    try:
        with sync_playwright() as playwright:
            path = shutil.which("chromium") or shutil.which("google-chrome")
            page = playwright.chromium.launch(executable_path=path, args=QUIET_CHROMIUM).new_page()
            page.goto(app.address)
            page.wait_for_function(READY, timeout=180_000)
            client = Client(app.address, verbose=False)
            through_api(client, options.tokens)
            shares = []
            for number in range(1, options.rounds + 1):
                page.goto("about:blank")
                tokens, alone_s = through_api(client, options.tokens)
                seen = on_page(page, app.address, options.tokens)
                shares.append(seen.tokens / seen.seconds / (tokens / alone_s))
                print(
                    f"round {number}: API {tokens / alone_s:.1f} tokens/s, page {seen.tokens / seen.seconds:.1f}, share "
                    f"{shares[-1]:.2f}; first token seen after {seen.first_s:.2f} s, longest pause {seen.pause_s:.2f} s",
                    flush=True,
                )
            print(f"share: median {statistics.median(shares):.2f} ({min(shares):.2f}-{max(shares):.2f})")
    finally:
        stop_app(app)


if __name__ == "__main__":
    main()
