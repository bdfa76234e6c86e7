"""axe-core finds nothing serious on any tab, in either theme, before and after a run."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import App
from tests.browser.test_compare import compare
from tests.browser.test_compare import wait_for_end as wait_for_comparison
from tests.browser.test_page import ask, visit, wait_for_end
from tests.shares import some_now

AXE = Path(__file__).parent / "node_modules" / "axe-core" / "axe.min.js"


@pytest.fixture(params=some_now(["light", "dark"], now=["light"]))
def page(request: pytest.FixtureRequest, page: Page) -> Page:
    if not AXE.is_file():
        if os.environ.get("CI"):
            pytest.fail("axe-core is missing, and CI is set: run sh tests/need.sh")
        pytest.skip("axe-core is missing: run sh tests/need.sh")
    page.emulate_media(color_scheme=request.param)
    return page


def check(page: Page) -> None:
    page.wait_for_timeout(400)  # colours fade in
    if not page.evaluate("typeof axe === 'object'"):
        page.add_script_tag(path=AXE)
    found = page.evaluate("axe.run(document, { resultTypes: ['violations'] })")
    assert len(found["passes"]) > 10, "it has looked"
    bad = [
        f"{rule['impact']} {rule['id']}: {node['target']} {node['html'][:200]} {node['failureSummary'][:300]}"
        for rule in found["violations"]
        if rule["impact"] in ("serious", "critical")
        for node in rule["nodes"]
    ]
    assert not bad, "\n".join(bad)


def test_the_think_tab(fake_app: App, page: Page):
    visit(page, fake_app)
    check(page)
    ask(page, "When does the train arrive?", window=40, total=200)
    wait_for_end(page, "cut")
    page.get_by_text("Seed, system prompt, hint").click()
    check(page)
    page.locator("#edit").click()
    expect(page.locator("#question textarea")).to_have_value("When does the train arrive?")
    ask(page, " ", window=40, total=200)
    expect(page.locator("#message:not(:empty)")).to_be_visible()
    check(page)


def test_the_compare_tab(fake_app: App, page: Page):
    visit(page, fake_app)
    page.get_by_role("tab", name="Compare windows").click()
    expect(page.locator("#compare")).to_be_visible()
    check(page)
    compare(page, 20, 60)
    wait_for_comparison(page)
    page.locator(".z1-tokens span[data-n='10']").click()
    expect(page.locator(".z1-here.z1-recut")).to_be_visible()
    check(page)


def test_the_benchmarks_tab(fake_app: App, page: Page):
    visit(page, fake_app)
    page.get_by_role("tab", name="Benchmarks").click()
    expect(page.locator(".z1-bench-plot .vega-embed svg").first).to_be_visible()
    expect(page.locator(".z1-bench-item")).to_be_visible()
    check(page)
