"""Who may use an engine now, and who waits."""

from __future__ import annotations

import asyncio
from contextlib import aclosing, suppress

import pytest

from tests.stub_server import StubServer
from z1_core.engine import Engine
from z1_core.engines.fake import FakeEngine
from z1_core.engines.server import ServerEngine
from z1_core.errors import Busy, EngineDead
from z1_core.sweep import collect_sweep, sweep
from z1_core.thinking import collect, think
from z1_core.window import Window

WINDOW = Window(thinking_tokens=20, answer_tokens=8)
SWEPT = [Window(thinking_tokens=size, answer_tokens=8) for size in (2, 4, 8, 16, 32, 64, 128)]


class Watched(FakeEngine):
    """Knows the most streams that it ever had at once."""

    most_active = 0

    async def stream(self, prompt_ids, sampling):
        async with aclosing(super().stream(prompt_ids, sampling)) as deltas:
            async for delta in deltas:
                self.most_active = max(self.most_active, self.active)
                yield delta


def long_script(prompt: str) -> str:
    return "Let me think again. " * 100


@pytest.mark.parametrize("places", [1, 2, 3])
async def test_a_place_is_a_stream_whoever_asks(ask, places):
    """A comparison of seven windows had seven streams, beside those of the other visitors."""
    engine = Watched(long_script, places=places)
    ids = ask(engine)
    async with asyncio.timeout(30):
        *swept, alone = await asyncio.gather(
            *(collect_sweep(engine, ids, SWEPT) for _ in range(3)), collect(engine, ids, WINDOW)
        )
    assert engine.most_active == places
    assert [len(run.trace_ids) for run in swept[2]] == [2, 4, 8, 16, 32, 64, 128]
    assert alone.end_reason == "answer_length"
    assert (engine.waiting, engine.active) == (0, 0)


async def test_every_engine_counts_its_places(ask):
    with StubServer() as stub:
        engine = await asyncio.to_thread(ServerEngine.start, stub.url, places=1)
        async with engine.session(1):
            waiting = asyncio.ensure_future(collect(engine, ask(engine), WINDOW))
            while not engine.waiting:  # noqa: ASYNC110 - it sets no event
                await asyncio.sleep(0.01)
            assert (engine.waiting, engine.active) == (1, 0)
        assert (await waiting).trace_ids
        await engine.close()


async def hold(places: Engine, log: list, name: str, *, tokens: int = 1, steps: int = 3) -> None:
    async with places.session(tokens):
        log.append(name)
        for _ in range(steps):
            await asyncio.sleep(0)


async def test_first_come_first_served_and_who_gives_up_leaves_the_line():
    places, log = Engine(2, cells=100), []
    runs = [asyncio.ensure_future(hold(places, log, name)) for name in "abcdefgh"]
    await asyncio.sleep(0)
    assert places.waiting == 6
    runs["abcdefgh".index("c")].cancel()  # the first in the line
    runs["abcdefgh".index("f")].cancel()
    await asyncio.gather(*runs, return_exceptions=True)
    assert "".join(log) == "abdegh"
    assert places.waiting == 0
    async with places.session(100):  # all is free again
        pass


async def test_a_large_run_is_not_overtaken_for_ever_by_small_ones():
    places, log = Engine(8, cells=10), []
    first = asyncio.ensure_future(hold(places, log, "first", tokens=6))
    await asyncio.sleep(0)
    large = asyncio.ensure_future(hold(places, log, "large", tokens=10))
    await asyncio.sleep(0)
    small = [asyncio.ensure_future(hold(places, log, "small", tokens=1)) for _ in range(5)]
    await asyncio.gather(first, large, *small)
    assert log == ["first", "large", *["small"] * 5]


async def test_one_more_than_may_wait_is_told_so_at_once():
    places = Engine(1)
    places.most_waiting = 2
    async with places.session(1):
        waiting = [asyncio.ensure_future(hold(places, [], "x")) for _ in range(2)]
        await asyncio.sleep(0)
        with pytest.raises(Busy, match=r"^too many are waiting \(2\); try again in a minute$"):
            async with places.session(1):
                pass
    await asyncio.gather(*waiting)


async def test_a_comparison_that_is_in_is_not_refused_in_the_middle(ask):
    engine = FakeEngine(long_script, places=1)
    engine.most_waiting = 0
    runs = await collect_sweep(engine, ask(engine), SWEPT)
    assert [run.end_reason for run in runs] == ["answer_length"] * 7


async def test_a_visitor_is_served_while_comparisons_wait(ask):
    """The answers of a comparison stand in line like everybody: whoever came in between is not kept waiting by all."""
    engine = FakeEngine(long_script, places=1, seconds_per_token=0.002)
    order, thinks = [], asyncio.Event()

    async def compare() -> None:
        async with aclosing(sweep(engine, ask(engine), SWEPT)) as pieces:
            async for piece in pieces:
                thinks.set()
                if piece.chunk.end_reason:
                    order.append(piece.index)

    async def visit() -> None:
        await thinks.wait()
        await collect(engine, ask(engine), WINDOW)
        order.append("visitor")

    await asyncio.gather(compare(), visit())
    assert [each for each in order if each != "visitor"] == [6, 0, 1, 2, 3, 4, 5]
    assert order[-1] != "visitor"  # who came while the trace was written is before the answers that came later


async def test_an_engine_that_dies_sends_all_who_wait_away(ask):
    engine = FakeEngine(long_script, places=1, seconds_per_token=0.01)
    runs = [asyncio.ensure_future(collect(engine, ask(engine), WINDOW)) for _ in range(5)]
    await asyncio.sleep(0.02)
    engine.dead = True
    async with asyncio.timeout(10):
        done = await asyncio.gather(*runs, return_exceptions=True)
    assert {type(error) for error in done} == {EngineDead}
    assert engine.waiting == 0


async def test_the_first_chunk_says_that_the_run_has_its_place(ask):
    engine = FakeEngine(long_script, places=1)
    async with aclosing(think(engine, ask(engine), WINDOW)) as chunks:
        first = await anext(chunks)
        assert (first.phase, first.text, first.ids) == ("trace", "", ())
        assert engine.active == 0
        other = asyncio.ensure_future(anext(think(engine, ask(engine), WINDOW)))
        await asyncio.sleep(0.01)
        assert (other.done(), engine.waiting) == (False, 1)
        other.cancel()
        with suppress(asyncio.CancelledError):
            await other
        assert engine.waiting == 0
