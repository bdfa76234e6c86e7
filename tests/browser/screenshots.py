"""Pictures of every state of the page, desktop and phone, light and dark, to be looked at by people.

python -m tests.browser.screenshots --out screenshots [--only STORY ...] [--looks desktop-dark ...]
python -m tests.browser.screenshots --out assets --examples    # the README's: an easy and a hard question, really answered
"""

from __future__ import annotations

import argparse
import re
import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.browser.conftest import DESKTOP, PHONE, QUIET_CHROMIUM, report, start_app, stop_app
from tests.browser.stage import GREETING, TRAIN, Stage
from tests.browser.test_page import ask, visit, wait_for_end, wait_for_trace

SLOW_MS = 60_000
EXAMPLES = (("easy", "What is 47 + 85?", "inside"), ("hard", "What is 58274906 + 36918457?", "cut"))
LOOKS = [f"{size}-{scheme}" for size in ("desktop", "phone") for scheme in ("light", "dark")]


@dataclass(frozen=True)
class Camera:
    """Takes a story's pictures in one look. browser and look: for a second visitor."""

    page: Page
    stage: Stage
    look: str
    out: Path
    browser: Browser

    def take(self, scene: str) -> None:
        self.page.mouse.move(0, 0)
        self.page.wait_for_timeout(350)
        self.page.screenshot(path=self.out / f"{scene}-{self.look}.png", full_page=True)

    def visit(self, tab: str = "") -> None:
        visit(self.page, self.stage)
        if tab:
            self.page.get_by_role("tab", name=tab).click()

    def ask(self, question: str, *, window: int, total: int) -> None:
        ask(self.page, question, window=window, total=total)

    def wait_for_end(self, reason: str) -> None:
        wait_for_end(self.page, reason)


def loading(camera: Camera) -> None:
    camera.page.goto(camera.stage.address)
    expect(camera.page.locator("#run")).to_have_text(re.compile("loading", re.IGNORECASE))
    camera.take("think-loading")


def cut(camera: Camera) -> None:
    camera.visit()
    camera.take("think-empty")
    camera.ask(TRAIN, window=360, total=700)
    wait_for_trace(camera.page, 360)
    camera.take("think-running")
    camera.wait_for_end("cut")
    camera.take("think-cut")
    camera.page.get_by_text("Seed, system prompt, hint").click()
    camera.take("think-settings-open")
    camera.page.locator("#edit").click()
    camera.take("think-editing")
    camera.page.locator("#keep").click()
    camera.ask(GREETING, window=360, total=700)
    camera.wait_for_end("inside")
    camera.take("think-second-turn")


def inside(camera: Camera) -> None:
    camera.visit()
    camera.ask(GREETING, window=400, total=800)
    camera.wait_for_end("inside")
    camera.take("think-inside")


def closed_by_you(camera: Camera) -> None:
    camera.visit()
    camera.ask(TRAIN, window=3000, total=4000)
    wait_for_trace(camera.page, 450)
    camera.page.keyboard.press("Control+e")
    camera.wait_for_end("answer_now")
    camera.take("think-answer-now")
    camera.page.locator("#clear").click()
    camera.ask(TRAIN, window=3000, total=4000)
    wait_for_trace(camera.page, 450)
    camera.page.keyboard.press("Escape")
    camera.wait_for_end("user_stop")
    camera.take("think-stopped")


def refused(camera: Camera) -> None:
    camera.visit()
    camera.ask(TRAIN, window=8000, total=8190)
    expect(camera.page.locator("#message:not(:empty)")).to_be_visible()
    camera.take("think-error")


def queued(camera: Camera) -> None:
    other = Camera(camera.browser.new_page(), camera.stage, camera.look, camera.out, camera.browser)
    other.visit()
    other.ask(TRAIN, window=6000, total=7000)
    wait_for_trace(other.page, 3)
    camera.visit()
    camera.ask(TRAIN, window=360, total=700)
    expect(camera.page.locator(".z1-waits")).to_be_visible()
    camera.take("think-queued")
    camera.page.get_by_role("tab", name="Compare windows").click()
    camera.page.locator("#compare").click()
    expect(camera.page.locator(".z1-compare .z1-meter b")).to_contain_text("Waits for a place")
    camera.take("compare-queued")
    other.page.locator("#stop").click()
    expect(camera.page.locator(".z1-card:visible").first).to_contain_text("Waits for a place")
    camera.take("compare-narrow")
    camera.page.get_by_role("tab", name="Think").click()
    camera.wait_for_end("cut")
    other.page.close()


def compare(camera: Camera) -> None:
    camera.visit("Compare windows")
    camera.take("compare-empty")
    camera.page.locator("#compare-windows").fill("60, 160, 320, 640")
    camera.page.locator("#compare").click()
    expect(camera.page.locator(".z1-compare .z1-meter .z1-head span")).to_have_text(
        re.compile(r"^[1-5]\d\d tokens writing")
    )
    camera.take("compare-running")
    expect(camera.page.locator(".z1-tokens")).to_be_visible(timeout=SLOW_MS)
    camera.take("compare-done")
    camera.page.locator(".z1-tokens span[data-n='110']").click()
    expect(camera.page.locator(".z1-here.z1-recut")).to_be_visible(timeout=SLOW_MS)
    camera.take("compare-recut")
    camera.page.locator("#recut-at input").fill("9999")
    camera.page.locator("#recut").click()
    expect(camera.page.locator(".z1-message:not(:empty)")).to_be_visible()
    camera.take("compare-error")


def engine(camera: Camera) -> None:
    camera.visit()
    camera.ask(TRAIN, window=3000, total=4000)
    wait_for_trace(camera.page, 450)
    camera.stage.kill_engine()
    expect(camera.page.locator(".z1-chip.z1-failed")).to_be_visible(timeout=SLOW_MS)
    expect(camera.page.locator("#run")).to_have_text("Model not running")
    camera.take("think-engine-failed")
    camera.page.locator("#restart").click()
    expect(camera.page.locator(".z1-chip.z1-starting")).to_be_visible(timeout=SLOW_MS)
    camera.page.wait_for_timeout(1500)
    camera.take("think-engine-restarting")
    camera.stage.may_start.set()
    expect(camera.page.locator("#run")).to_be_enabled(timeout=SLOW_MS)


def benchmarks(camera: Camera) -> None:
    results = camera.stage.results
    shutil.rmtree(results, ignore_errors=True)
    camera.visit("Benchmarks")
    plot = camera.page.locator(".z1-bench-plot:visible .vega-embed svg")
    expect(plot.first).to_be_visible(timeout=SLOW_MS)
    camera.take("benchmarks-empty")
    report(results / "z1", "efficientscaling/Z1-7B")
    camera.page.get_by_role("tab", name="Think").click()
    camera.page.get_by_role("tab", name="Benchmarks").click()
    expect(camera.page.locator(".z1-bench-item")).to_be_visible(timeout=SLOW_MS)
    camera.take("benchmarks-report")
    camera.page.locator("#answers-window input").click()
    camera.page.get_by_role("option", name="256").click()
    expect(camera.page.locator(".z1-bench-windows [data-here]")).to_have_text(re.compile("^256: "), timeout=SLOW_MS)
    camera.page.locator("#answers-answer input").click()
    camera.page.keyboard.press("Control+a")
    camera.page.keyboard.type("wrong")
    camera.page.get_by_role("option").first.click()
    expect(camera.page.locator(".z1-bench-verdict")).to_contain_text("wrong")
    camera.page.locator(".z1-bench-card").last.scroll_into_view_if_needed()
    camera.take("benchmarks-problem")


def examples(browser: Browser, out: Path) -> None:
    """Of the same window on the embedded model."""
    with tempfile.TemporaryDirectory() as folder:
        app = start_app(Path(folder), "--engine", "llama")
        for scheme in ("light", "dark"):
            context = browser.new_context(viewport={"width": 860, "height": 900}, color_scheme=scheme)
            camera = Camera(context.new_page(), app, scheme, out, browser)
            camera.visit()
            for name, question, reason in EXAMPLES:
                camera.ask(question, window=64, total=160)
                camera.wait_for_end(reason)
                camera.page.mouse.move(0, 0)
                camera.page.locator(".z1-turn:visible").last.screenshot(path=out / f"example-{name}-{scheme}.png")
                camera.page.locator("#clear").click()
            context.close()
        stop_app(app)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--out", type=Path, default=Path("screenshots"))
    options.add_argument("--only", nargs="*", metavar="STORY", help="cut, compare, benchmarks ...")
    options.add_argument("--looks", nargs="*", default=LOOKS, choices=LOOKS)
    options.add_argument("--examples", action="store_true", help="an easy and a hard question on the embedded model")
    chosen = options.parse_args()
    chosen.out.mkdir(parents=True, exist_ok=True)
    path = shutil.which("chromium") or shutil.which("google-chrome") or sys.exit("error: Chromium is missing")
    if chosen.examples:
        with sync_playwright() as playwright:
            examples(playwright.chromium.launch(executable_path=path, args=QUIET_CHROMIUM), chosen.out)
        return
    with tempfile.TemporaryDirectory() as folder:
        stage = Stage(Path(folder) / "results")

        def start(camera: Camera) -> None:
            stage.may_start.set()
            camera.visit()

        stories: list[Callable[[Camera], None]] = [loading, start, cut, inside, closed_by_you, refused, queued, compare]
        stories += [engine, benchmarks]
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=path, args=QUIET_CHROMIUM)
            for story in stories:
                if story is start or not chosen.only or story.__name__ in chosen.only:
                    for look in chosen.looks:
                        shoot(browser, stage, story, look, chosen.out)
            browser.close()
        stage.close()
    print(f"{len(list(chosen.out.glob('*.png')))} pictures in {chosen.out}")


def shoot(browser: Browser, stage: Stage, story: Callable, look: str, out: Path) -> None:
    size, _, scheme = look.partition("-")
    context = browser.new_context(**(PHONE if size == "phone" else DESKTOP), color_scheme=scheme)
    page = context.new_page()
    page.set_default_timeout(SLOW_MS)
    story(Camera(page, stage, look, out, browser))
    context.close()


if __name__ == "__main__":
    main()
