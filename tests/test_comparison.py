"""The Compare tab's handlers on the scripted engine, without a browser."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator

import gradio as gr
import pytest

from tests.conftest import wait_until_ready
from ui.compare_tab import CompareTab
from ui.comparison import Compared
from ui.settings_panel import SettingsPanel
from ui.wiring import BUSY
from z1_core.engines.fake import FakeEngine
from z1_core.errors import EngineDead
from z1_core.host import EngineHost
from z1_core.window import HINT

PANEL = [100, 200, 0.0, 1.0, "", "Plain", "", "5"]


def script(prompt: str) -> str:
    return "It is 42." if HINT in prompt else "thinking " * 500


class Stage:
    """A Compare tab on an engine that can be looked at."""

    def __init__(self, **options) -> None:
        self.engine = FakeEngine(script, context_tokens=4000, **options)
        self.host = EngineHost(lambda report: self.engine)
        wait_until_ready(self.host)
        with gr.Blocks():
            self.tab = CompareTab(self.host, SettingsPanel())
        self.compared = Compared()

    async def begin(self, *sizes: int, answer: int = 8, question: str = "x") -> dict:
        return await self.tab._begin(self.compared, question, [*map(str, sizes)], answer, *PANEL)

    async def follow(self) -> dict:
        shown = {}
        async for view in self.tab._follow(self.compared):
            shown |= view
        return shown

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


def message(stage: Stage, view: dict) -> str:
    return view[stage.tab.message]


async def test_a_finished_comparison_can_be_clicked_in(stage: Stage):
    await stage.begin(5, 20)
    shown = await stage.follow()
    assert re.findall(r'data-n="(\d+)"', shown[stage.tab.trace]) == [*map(str, range(1, 21))]
    view = await stage.tab._begin_recut(stage.compared, 7)
    assert message(stage, view) == ""
    await stage.follow()
    assert stage.compared.current.places[-1].texts["answer"].startswith("It is 42")


async def test_after_the_engine_died_compare_stop_and_a_refusal_say_so_in_words(stage: Stage):
    """The view asked the engine for the tokens' texts, and each of them ended in an exception."""
    await stage.begin(5, 2000)
    follow = stage.tab._follow(stage.compared)
    while len(stage.compared.current.trace.ids["trace"]) < 20:
        await anext(follow)
    stage.kill()
    shown = {}
    async for view in follow:
        shown |= view
    assert "start it again" in message(stage, shown)
    assert "thinking thinking" in shown[stage.tab.trace]
    assert "data-n" not in shown[stage.tab.trace]
    for view in (
        await stage.tab._stop(stage.compared),
        await stage.tab._refuse(stage.compared),
        await stage.begin(5),
        await stage.tab._begin_recut(stage.compared, 3),
    ):
        assert "thinking thinking" in view[stage.tab.trace]


async def test_a_comparison_that_the_queue_did_not_take_says_so_and_a_fault_is_called_one(stage: Stage):
    await stage.begin(5)
    assert BUSY in message(stage, await stage.tab._refuse(stage.compared))
    stage.compared = Compared()
    await stage.begin(5)
    stage.compared.current.take()
    assert "a fault of this program" in message(stage, await stage.tab._refuse(stage.compared))


async def test_of_two_comparisons_at_once_the_second_is_told(stage: Stage):
    first, second = await asyncio.gather(stage.begin(5, question="one"), stage.begin(5, question="two"))
    assert message(stage, first) == ""
    assert "still going on" in message(stage, second)
    await stage.follow()
    assert stage.compared.current.question == "one"


async def test_a_recut_that_is_refused_leaves_the_comparison_as_it_was(stage: Stage):
    await stage.begin(5, 20)
    await stage.follow()
    await stage.tab._begin_recut(stage.compared, 7)
    stage.engine.most_waiting = 0
    stage.engine._free_places = 0
    shown = await stage.follow()
    assert "Too many are waiting" in message(stage, shown)
    assert [place.window.thinking_tokens for place in stage.compared.current.places] == [5, 20]
    assert not stage.compared.current.is_running
    assert not stage.compared.current.error


async def test_a_comparison_that_waits_says_how_long_the_queue_is():
    stage = Stage(seconds_per_token=0.001, places=1)
    other = Compared()
    await stage.begin(5, 3000)
    running = stage.tab._follow(stage.compared)
    await anext(running)
    stage.compared, first = other, stage.compared
    await stage.begin(5, 20)
    waiting = stage.tab._follow(other)
    view = await anext(waiting)
    assert "Waits for a place" in view[stage.tab.ruler]
    assert "Waits for a place" in view[stage.tab.status]
    view = await anext(running)  # its trace has gone past 5, and has the only place
    assert "Waits for a place: 2 in the queue" in view[stage.tab.cards[0].head]
    await waiting.aclose()
    while first.current.places[0].queue != 1:
        view = await anext(running)
    assert "Waits for a place: first in the queue" in view[stage.tab.cards[0].head]
    await running.aclose()
    assert (stage.engine.waiting, stage.engine.active) == (0, 0)
    stage.host.close()
