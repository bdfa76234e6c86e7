"""The Compare tab's handlers on the scripted engine, without a browser."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator
from types import SimpleNamespace

import gradio as gr
import pytest

from tests.conftest import wait_until_ready
from ui.compare_tab import CompareTab
from ui.comparison import Compared, Comparison
from z1_core.engines.fake import FakeEngine
from z1_core.errors import EngineDead
from z1_core.host import EngineHost
from z1_core.window import HINT

PANEL = {"system": "", "seed": "5"}


def script(prompt: str) -> str:
    return "It is 42." if HINT in prompt else "thinking " * 500


class Stage:
    """A Compare tab on an engine that can be looked at."""

    def __init__(self, **options) -> None:
        self.engine = FakeEngine(script, context_tokens=4000, **options)
        self.host = EngineHost(lambda report: self.engine)
        wait_until_ready(self.host)
        with gr.Blocks():
            self.tab = CompareTab(self.host)
        self.compared = Compared()

    def run(self, *sizes: object, answer: int = 8, question: str = "x") -> AsyncGenerator[dict, None]:
        asked = {"question": question, "windows": ", ".join(map(str, sizes)), "answer": str(answer), "settings": PANEL}
        return self.tab._run(SimpleNamespace(**asked), self.compared)

    def recut(self, at: object) -> AsyncGenerator[dict, None]:
        return self.tab._recut(SimpleNamespace(at=at), self.compared)

    def kill(self) -> None:
        """As if its process had been killed, with the tokenizer in it."""

        def gone(*_: object) -> None:
            raise EngineDead("the engine's process has ended; start it again")

        self.engine.dead = True
        self.engine.text = type("Gone", (), dict.fromkeys(("decoder", "decode", "encode", "render"), gone))()


@pytest.fixture
def stage() -> Iterator[Stage]:
    stage = Stage(seconds_per_token=0.0005)
    yield stage
    stage.host.close()


async def last(views: AsyncGenerator[dict, None]) -> dict:
    return [view async for view in views][-1]


async def test_a_finished_comparison_can_be_clicked_in(stage: Stage):
    shown = await last(stage.run(5, 20))
    assert (len(shown["tokens"]), shown["done"], shown["complaint"]) == (20, True, "")
    assert [card["title"] for card in shown["cards"]] == ["Window 5", "Window 20"]
    shown = await last(stage.recut("7"))
    assert [(card["title"], card["short"]) for card in shown["cards"]][1] == ("Re-cut at 7", "42")
    assert [7, "z1-recut"] in shown["cuts"]


async def test_after_the_engine_died_compare_and_stop_say_so_in_words(stage: Stage):
    """The view asked the engine for the tokens' texts, and each of them ended in an exception."""
    views = stage.run(5, 2000)
    await anext(views)
    while len(stage.compared.current.trace.ids["trace"]) < 20:
        await anext(views)
    stage.kill()
    shown = await last(views)
    assert "start it again" in shown["complaint"]
    for view in (
        shown,
        await stage.tab._stop(stage.compared),
        await last(stage.run(5)),
        await last(stage.recut("3")),
    ):
        assert "thinking thinking" in view["trace"]
        assert view["tokens"] == []


async def test_a_fault_is_called_one(stage: Stage, monkeypatch):
    monkeypatch.setattr(Comparison, "follow", lambda self, host: 1 / 0)
    assert "a fault of this program" in (await last(stage.run(5)))["complaint"]


async def test_of_two_comparisons_at_once_the_second_is_told(stage: Stage):
    first, second = stage.run(5, question="one"), stage.run(5, question="two")
    begun, refused = await asyncio.gather(anext(first), anext(second))
    assert (begun["complaint"], "still going on" in refused["complaint"]) == ("", True)
    await last(first)
    assert stage.compared.current.question == "one"


async def test_a_recut_that_is_refused_leaves_the_comparison_as_it_was(stage: Stage):
    await last(stage.run(5, 20))
    stage.engine.most_waiting = 0
    stage.engine._free_places = 0
    shown = await last(stage.recut("7"))
    assert "Too many are waiting" in shown["complaint"]
    assert [place.window.thinking_tokens for place in stage.compared.current.places] == [5, 20]
    assert not stage.compared.current.is_running
    assert not stage.compared.current.error


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [("", "is empty"), ("x", "is 'x'"), ("2.5", "is '2.5'"), ("0", "at least 1"), ("21", "is not in the trace")],
)
async def test_a_place_that_is_none_is_named(stage: Stage, typed: str, sentence: str):
    assert "compare some windows first" in (await last(stage.recut(typed)))["complaint"]
    await last(stage.run(20))
    assert sentence in (await last(stage.recut(typed)))["complaint"]


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [("", "No window is chosen"), ("5, x", "Window is 'x'"), ("0", "at least 1"), ("9999999", "lower the window")],
)
async def test_windows_that_are_none_are_named(stage: Stage, typed: str, sentence: str):
    assert sentence in (await last(stage.run(typed)))["complaint"]


async def test_a_comparison_that_waits_says_how_long_the_queue_is():
    stage = Stage(seconds_per_token=0.001, places=1)
    other = Compared()
    running = stage.run(5, 3000)
    await anext(running)
    await anext(running)
    first = stage.compared
    stage.compared = other
    waiting = stage.run(5, 20)
    await anext(waiting)
    view = await anext(waiting)
    assert "Waits for a place" in view["head"]
    while "Waits for a place: 2 in the queue" not in view["cards"][0]["line"]:
        view = await anext(running)  # its trace has gone past 5, and has the only place
    await waiting.aclose()
    while first.current.places[0].queue != 1:
        view = await anext(running)
    assert "Waits for a place: first in the queue" in view["cards"][0]["line"]
    await running.aclose()
    assert (stage.engine.waiting, stage.engine.active) == (0, 0)
    stage.host.close()


async def test_stop_is_at_once_whenever_the_browser_closes_the_stream():
    """What came until then was still added, and windows that were stopped waited for a place again."""
    stage = Stage(seconds_per_token=0.0005, places=1)
    try:
        views = stage.run(5, 2000)
        shown = await anext(views)
        while "Waits" not in str(shown["cards"]):
            shown = await anext(views)
        stopped = await stage.tab._stop(stage.compared)
        later = [view async for view in views]
    finally:
        stage.host.close()
    assert "Waits" not in str(stopped["cards"])
    assert [view["cards"] for view in later] == [stopped["cards"]]
