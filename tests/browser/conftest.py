"""A real Chromium, and the real app started as its user starts it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from evaluation.results import read_results
from evaluation.summary import summarize
from tests.test_report import Run

ROOT = Path(__file__).parents[2]
PATIENCE_MS = 60_000
"""Two browsers and two servers may share two busy cores. Only a test that fails waits so long."""
START_S = 240
DESKTOP = {"viewport": {"width": 1280, "height": 1000}}
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
expect.set_options(timeout=PATIENCE_MS)

QUIET_CHROMIUM = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-quic",
    "--no-first-run",
]


@dataclass(frozen=True)
class App:
    process: subprocess.Popen
    address: str
    log: Path
    seconds_to_page: float


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    path = shutil.which("chromium") or shutil.which("google-chrome")
    if path is None:
        pytest.fail("Chromium is missing: run `make test`, or install the package chromium")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=QUIET_CHROMIUM)
        yield chromium
        chromium.close()


@contextmanager
def strangers(browser: Browser, count: int, device: Mapping[str, Any] = DESKTOP) -> Iterator[list[Page]]:
    """Visitors with nothing in common; a console error of the page fails the test.

    They come with what the browser has compiled for visitors before them, which is half of what opening the page costs,
    and with nothing else of them."""
    contexts = [_rested(browser, device) for _ in range(count)]
    pages, complaints = [context.new_page() for context in contexts], []
    for page in pages:
        page.set_default_timeout(PATIENCE_MS)
        page.on("pageerror", lambda error: complaints.append(str(error)))
    try:
        yield pages
    finally:
        for context in contexts:
            _forget(context)
            _resting.setdefault(json.dumps(device), []).append(context)
    assert not complaints, complaints


_resting: dict[str, list[BrowserContext]] = {}
"""Contexts that nobody uses, by their device."""


def _rested(browser: Browser, device: Mapping[str, Any]) -> BrowserContext:
    resting = _resting.get(json.dumps(device))
    return resting.pop() if resting else browser.new_context(**device)


def _forget(context: BrowserContext) -> None:
    """Close its pages, and leave neither a permission nor anything that they kept in the browser."""
    origins = context.storage_state()["origins"]
    for page in context.pages:
        page.close()
    context.clear_permissions()
    context.clear_cookies()
    if origins:
        page = context.new_page()
        session = context.new_cdp_session(page)
        for origin in origins:
            clear = {"origin": origin["origin"], "storageTypes": "local_storage,indexeddb"}
            session.send("Storage.clearDataForOrigin", clear)
        page.close()
    assert context.storage_state() == {"cookies": [], "origins": []}


@pytest.fixture
def visitors(browser: Browser) -> Iterator[list[Page]]:
    with strangers(browser, 2) as pages:
        yield pages


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    with strangers(browser, 1) as pages:
        yield pages[0]


@pytest.fixture
def phone(browser: Browser) -> Iterator[Page]:
    with strangers(browser, 1, PHONE) as pages:
        yield pages[0]


def start_app(tmp: Path, *options: str, python: str = sys.executable, program: Sequence[str] = ("app.py",)) -> App:
    """python app.py OPTIONS on a free port; returns when it has printed its address."""
    log = tmp / "app.log"
    started = time.monotonic()
    with log.open("w") as output:
        process = subprocess.Popen(
            [python, *program, *options], cwd=ROOT, stdout=output, stderr=subprocess.STDOUT, text=True
        )
    while "The page is at " not in log.read_text():
        assert process.poll() is None, log.read_text()
        assert time.monotonic() - started < START_S, log.read_text()
        time.sleep(0.05)
    address = log.read_text().split("The page is at ")[1].split()[0]
    return App(process, address, log, time.monotonic() - started)


def stop_app(app: App) -> None:
    """End it as its user would; whatever was done with it, its log holds no trace."""
    app.process.send_signal(signal.SIGTERM)
    try:
        app.process.wait(timeout=30)
    except subprocess.TimeoutExpired:
        app.process.kill()
        app.process.wait()
        pytest.fail(f"the app did not end within 30 s of SIGTERM:\n{app.log.read_text()[-3000:]}")
    assert "Traceback" not in app.log.read_text(), app.log.read_text()


@pytest.fixture(scope="session")
def real_app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """The app on the embedded model, which really generates, by llama.cpp."""
    app = start_app(tmp_path_factory.mktemp("real"), "--engine", "llama")
    yield app
    stop_app(app)


def report(folder: Path, model: str) -> None:
    run = Run(folder, model=model)
    run.add("math500", title="MATH500", statuses=lambda number, *_: "right" if number % 2 else "wrong")
    run.add("gsm8k", title="GSM8K")
    (folder / "summary.json").write_text(json.dumps(summarize(read_results(folder))))


@pytest.fixture(scope="session")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One report to begin with, and one that is broken."""
    folder = tmp_path_factory.mktemp("results")
    report(folder / "up", "made/Up-7B")
    (folder / "broken").mkdir()
    (folder / "broken" / "run.json").write_text("{}")
    (folder / "broken" / "summary.json").write_text("{")
    return folder


@pytest.fixture(scope="session")
def fake_app(results: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """The app on the scripted engine, with a single place: a second visitor has to queue."""
    options = ("--places", "1", "--queue", "2", "--results", str(results))
    app = start_app(tmp_path_factory.mktemp("fake"), "--fake", *options)
    yield app
    stop_app(app)


@pytest.fixture(scope="session")
def stage_app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """The page on an engine that says what it is told to, see stage.py."""
    app = start_app(tmp_path_factory.mktemp("stage"), "--pace", "0.0002", program=("-m", "tests.browser.stage"))
    yield app
    stop_app(app)


def child_pids(app: App) -> list[int]:
    """The processes of the app's engine."""
    import psutil

    return [child.pid for child in psutil.Process(app.process.pid).children(recursive=True)]


def kill_engine(app: App) -> None:
    killed = child_pids(app)
    assert killed
    for pid in killed:
        os.kill(pid, signal.SIGKILL)
