"""One trace, answered at many windows."""

from __future__ import annotations

import asyncio
from contextlib import aclosing, asynccontextmanager

import pytest

from z1_core.errors import BadInput, ContextOverflow, EngineDead
from z1_core.sweep import collect_sweep, sweep
from z1_core.thinking import collect
from z1_core.window import HINT, Sampling, Window

EMOJI = "So 🙂🙂🙂 it is. " * 40


def windows(*sizes: int, answer: int = 8) -> list[Window]:
    return [Window(thinking_tokens=size, answer_tokens=answer) for size in sizes]


async def separate(engine, ids, several, sampling=Sampling()):  # noqa: B008 a frozen value
    return [await collect(engine, ids, window, sampling) for window in several]


def content(completions):
    return [(run.trace, run.trace_ids, run.hint_ids, run.answer, run.answer_ids, run.end_reason) for run in completions]


@pytest.mark.parametrize("sizes", [(5,), (1, 2, 3), (5, 20, 60), (10, 100, 2000), (3000, 4000)])
async def test_each_window_of_a_sweep_is_what_a_run_of_its_own_would_be(scripted, ask, sizes):
    engine = scripted()
    several = windows(*sizes)
    assert content(await collect_sweep(engine, ask(engine), several)) == content(
        await separate(engine, ask(engine), several)
    )


@pytest.mark.parametrize("places", [1, 2])
async def test_sweeps_that_hold_all_places_give_them_to_the_answers_that_wait(scripted, ask, places, monkeypatch):
    """A trace that kept its place until the smaller windows are answered would wait for them, and they for it."""
    engine = scripted()
    free = asyncio.Semaphore(places)

    @asynccontextmanager
    async def session(tokens, *, beside=None):
        async with free:
            yield engine

    monkeypatch.setattr(engine, "session", session)
    several = windows(5, 20, 60)
    async with asyncio.timeout(10):
        swept = await asyncio.gather(*(collect_sweep(engine, ask(engine), several) for _ in range(3)))
        expected = content(await separate(engine, ask(engine), several))
    assert [content(runs) for runs in swept] == [expected] * 3
    assert not free.locked()


async def test_a_cut_inside_a_character_shows_what_a_run_of_its_own_shows(scripted, ask):
    engine = scripted(thought=EMOJI)
    several = windows(*range(2, 30))
    assert content(await collect_sweep(engine, ask(engine), several)) == content(
        await separate(engine, ask(engine), several)
    )


@pytest.mark.parametrize("around", [-1, 0, 1])
async def test_a_trace_that_ends_by_itself_around_a_window(scripted, ask, around):
    engine = scripted(thought="Four.")
    length = len((await collect(engine, ask(engine), windows(100)[0])).trace_ids)
    several = windows(length + around, 50, 100)
    runs = await collect_sweep(engine, ask(engine), several)
    assert [run.end_reason for run in runs] == ["inside" if around >= 0 else "cut", "inside", "inside"]
    assert content(runs) == content(await separate(engine, ask(engine), several))


async def test_a_window_answers_while_the_trace_goes_on(scripted, ask):
    engine = scripted(seconds_per_token=0.002)
    order = []
    async with aclosing(sweep(engine, ask(engine), windows(5, 200))) as pieces:
        async for piece in pieces:
            order.append((piece.index, piece.chunk.phase, piece.chunk.end_reason))
    small_ended = order.index((0, "answer", "cut"))
    assert ("trace" in {phase for index, phase, _ in order[small_ended:] if index == 1}) is True


async def test_closing_a_sweep_frees_every_slot(scripted, ask):
    engine = scripted(answer="and " * 500, seconds_per_token=0.001)
    async with aclosing(sweep(engine, ask(engine), windows(5, 20, 800, answer=400))) as pieces:
        async for piece in pieces:
            if piece.index == 1 and piece.chunk.phase == "answer":
                assert engine.active == 3
                break
    assert engine.active == 0


async def test_a_dead_engine_ends_the_sweep_with_its_error(scripted, ask):
    engine = scripted(seconds_per_token=0.001)

    async def swept():
        async with aclosing(sweep(engine, ask(engine), windows(5, 20, 800))) as pieces:
            async for _ in pieces:
                engine.dead = engine.dead or engine.active > 1

    with pytest.raises(EngineDead):
        await swept()
    assert engine.active == 0


@pytest.mark.parametrize(
    ("sizes", "error"), [((), BadInput), ((5, 5), BadInput), ((20, 5), BadInput), ((5, 400), ContextOverflow)]
)
async def test_windows_that_do_not_grow_or_fit_are_refused_before_anything_is_generated(scripted, ask, sizes, error):
    engine = scripted(context_tokens=300)
    with pytest.raises(error, match="window"):
        await collect_sweep(engine, ask(engine), windows(*sizes))
    assert engine.requests == []


async def test_equal_windows_with_different_hints_share_one_trace(scripted, ask):
    engine = scripted()
    several = [Window(thinking_tokens=20, answer_tokens=8, hint=hint) for hint in (HINT, "\n\nFinal Answer:", None)]
    drawn = Sampling(temperature=0.7, seed=11)
    runs = await collect_sweep(engine, ask(engine), several, drawn)
    assert content(runs) == content(await separate(engine, ask(engine), several, drawn))
    assert [len(run.hint_ids) > 0 for run in runs] == [True, True, False]
    assert [request.sampling.max_tokens for request in engine.requests[:4]] == [20, 8, 8, 8]
    assert {request.sampling.seed for request in engine.requests} == {11}
