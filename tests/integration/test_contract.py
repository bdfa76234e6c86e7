"""What think() may expect of an engine: the same cases on the scripted one, on a real llama.cpp (ours, and
another's server), on a real vLLM and on a vLLM server."""

import asyncio
from contextlib import aclosing
from dataclasses import replace

import pytest

from tests.conftest import LLAMA_CONTEXT_TOKENS, REAL_CONTEXT_TOKENS
from z1_core.engine import Delta, Engine
from z1_core.engines.llama import SLICE_TOKENS
from z1_core.engines.vllm import VllmEngine
from z1_core.errors import BadInput, ContextOverflow
from z1_core.thinking import Job, Transcript, collect, collect_all, generate, think
from z1_core.window import HINT, Sampling, Window

LONG, SHORT = "When does the train arrive?", "Hello"  # the scripted engine's two kinds of question
ENDLESS = Sampling(extra=(("ignore_eos", True),))  # makes a real model long-winded whatever is asked


def stopping(engine: Engine) -> Sampling:
    """Makes a real model stop at its sixth token, whatever is asked; the scripted one stops after a greeting."""
    return Sampling(extra=(("min_tokens", 5), ("logit_bias", {engine.text.eos_id: 100.0})))


def slots_taken(engine: Engine) -> int:
    if isinstance(engine, VllmEngine):
        return engine.llm.output_processor.get_num_unfinished_requests()
    return engine.active


async def generated(engine: Engine, prompt_ids, sampling: Sampling) -> list[Delta]:
    async with aclosing(generate(engine, prompt_ids, sampling)) as deltas:
        return [delta async for delta in deltas]


def ids_of(deltas: list[Delta]) -> list[int]:
    return [id_ for delta in deltas for id_ in delta.ids]


def text_of(deltas: list[Delta]) -> str:
    return "".join(delta.text for delta in deltas)


def shown(engine: Engine, ids) -> str:
    return engine.text.decode(ids)


# A stream


@pytest.mark.parametrize("max_tokens", [1, 17])
async def test_a_stream_ends_exactly_at_its_budget(engine, ask, max_tokens):
    deltas = await generated(engine, ask(engine, LONG), replace(ENDLESS, max_tokens=max_tokens))
    assert len(ids_of(deltas)) == max_tokens
    assert [delta.finish_reason for delta in deltas if delta.finish_reason] == ["length"]
    assert deltas[-1].finish_reason == "length"


async def test_a_stream_that_stops_ends_with_the_end_of_turn_which_is_no_text(engine, ask):
    deltas = await generated(engine, ask(engine, SHORT), replace(stopping(engine), max_tokens=60))
    ids = ids_of(deltas)
    assert 1 < len(ids) < 60
    assert ids[-1] == engine.text.eos_id
    assert [delta.finish_reason for delta in deltas if delta.finish_reason] == ["stop"]
    assert deltas[-1].finish_reason == "stop"
    assert engine.text.decode(ids[-1:], control=True) not in text_of(deltas)


async def test_a_stop_on_the_last_token_of_the_budget_is_a_stop(engine, ask):
    sampling = replace(stopping(engine), max_tokens=60)
    length = len(ids_of(await generated(engine, ask(engine, SHORT), sampling)))
    exact = await generated(engine, ask(engine, SHORT), replace(sampling, max_tokens=length))
    assert (exact[-1].finish_reason, len(ids_of(exact))) == ("stop", length)
    less = await generated(engine, ask(engine, SHORT), replace(sampling, max_tokens=length - 1))
    assert (less[-1].finish_reason, len(ids_of(less))) == ("length", length - 1)


async def test_the_text_of_a_stream_is_its_ids_decoded(engine, ask):
    stopped = await generated(engine, ask(engine, SHORT), replace(stopping(engine), max_tokens=60))
    assert text_of(stopped) == shown(engine, ids_of(stopped))
    cut = await generated(engine, ask(engine, LONG), replace(ENDLESS, max_tokens=40))
    assert shown(engine, ids_of(cut)).startswith(text_of(cut))  # it may hold half a character back
    assert len(text_of(cut)) > 20


async def test_tokens_come_as_they_are_made(engine, ask):
    deltas = await generated(engine, ask(engine, LONG), replace(ENDLESS, max_tokens=30))
    assert len(deltas[0].ids) <= 3
    assert max(len(delta.ids) for delta in deltas) <= SLICE_TOKENS


async def test_cached_tokens_are_known_with_the_last_delta_and_lie_in_the_prompt(engine, ask):
    prompt_ids = [*ask(engine, LONG)] * 3
    await generated(engine, prompt_ids, Sampling(max_tokens=1))
    deltas = await generated(engine, prompt_ids, replace(ENDLESS, max_tokens=4))
    last = deltas[-1].cached_tokens
    assert {delta.cached_tokens for delta in deltas} <= {0, last}  # a server tells it at the end only
    assert 0 <= last < len(prompt_ids)


@pytest.mark.parametrize("after", [0, 5])
async def test_closing_a_stream_frees_its_slot_at_once(engine, ask, after):
    stream = generate(engine, ask(engine, LONG), replace(ENDLESS, max_tokens=500))
    for _ in range(after):
        await anext(stream)
    assert slots_taken(engine) == min(after, 1)
    await stream.aclose()
    assert slots_taken(engine) == 0


async def test_a_reader_cancelled_at_any_moment_leaves_no_slot_taken(engine, ask):
    """Also while the request is being added (vLLM #57061)."""
    for turns in (0, 1, 2, 3, 5, 20):
        running = asyncio.create_task(generated(engine, ask(engine, LONG), replace(ENDLESS, max_tokens=500)))
        for _ in range(turns):
            await asyncio.sleep(0)
        running.cancel()
        await asyncio.wait({running}, timeout=30)
        assert running.cancelled(), turns
        assert slots_taken(engine) == 0, turns


async def test_several_streams_run_side_by_side_each_to_its_own_end(engine, ask):
    budgets = [30, 3, 12, 1, 24, 7]
    most_at_once = 0

    async def one(max_tokens: int) -> int:
        nonlocal most_at_once
        length = 0
        async with aclosing(generate(engine, ask(engine, LONG), replace(ENDLESS, max_tokens=max_tokens))) as deltas:
            async for delta in deltas:
                length += len(delta.ids)
                most_at_once = max(most_at_once, slots_taken(engine))
        return length

    assert await asyncio.gather(*(one(budget) for budget in budgets)) == budgets
    assert most_at_once >= 5
    assert slots_taken(engine) == 0


async def test_a_prompt_without_a_token_or_without_room_for_one_is_refused_and_the_engine_serves_on(engine, ask):
    for too_long_by in (0, 1, 1000):
        with pytest.raises(BadInput, match=f"{engine.context_tokens}|{engine.context_tokens:,}"):
            await generated(engine, [50] * (engine.context_tokens + too_long_by), Sampling(max_tokens=1))
    with pytest.raises(BadInput):
        await generated(engine, [], Sampling(max_tokens=1))
    with pytest.raises(ContextOverflow, match=f"the model holds {engine.context_tokens:,}"):
        await collect(engine, ask(engine, LONG), Window(thinking_tokens=2000, answer_tokens=100))
    assert slots_taken(engine) == 0
    assert len(ids_of(await generated(engine, ask(engine, LONG), replace(ENDLESS, max_tokens=3)))) == 3
    await engine.check_health()


async def test_generation_ends_with_the_context(engine):
    prompt_ids = [50] * (engine.context_tokens - 3)
    deltas = await generated(engine, prompt_ids, replace(ENDLESS, max_tokens=50))
    assert (len(ids_of(deltas)), deltas[-1].finish_reason) == (3, "length")


def test_an_engine_has_a_name_a_context_places_and_a_chat_template(engine, ask):
    assert engine.name
    assert engine.context_tokens in (LLAMA_CONTEXT_TOKENS, REAL_CONTEXT_TOKENS)
    assert engine.places >= 8
    assert engine.text.decode(ask(engine, LONG), control=True).endswith("<|im_start|>assistant\n")


# The window on it


async def test_a_run_is_cut_exactly_at_the_window_and_answered(engine, ask):
    prompt_ids = ask(engine, LONG)
    window = Window(thinking_tokens=5, answer_tokens=100)  # a real model would stop with the next token
    done = await collect(engine, prompt_ids, window, stopping(engine))
    assert (done.end_reason, len(done.trace_ids)) == ("cut", 5)
    assert list(done.hint_ids) == engine.text.encode(HINT)
    assert done.answer_ids[-1] == engine.text.eos_id
    assert done.trace == shown(engine, done.trace_ids)
    assert done.answer == shown(engine, done.answer_ids)
    inside = await collect(engine, ask(engine, SHORT), Window(thinking_tokens=60, answer_tokens=5), stopping(engine))
    assert (inside.end_reason, inside.hint_ids, inside.answer_ids) == ("inside", (), ())


async def test_an_answer_without_end_ends_with_its_budget(engine, ask):
    done = await collect(engine, ask(engine, LONG), Window(thinking_tokens=8, answer_tokens=6), ENDLESS)
    assert (done.end_reason, len(done.trace_ids), len(done.answer_ids)) == ("answer_length", 8, 6)


async def test_closing_the_window_early_answers_from_what_was_thought(engine, ask):
    close_window = asyncio.Event()
    transcript = Transcript(ask(engine, LONG))
    window = Window(thinking_tokens=800, answer_tokens=5)
    async with aclosing(think(engine, transcript.prompt_ids, window, ENDLESS, close_window=close_window)) as chunks:
        async for chunk in chunks:
            transcript.add(chunk)
            if transcript.tokens["trace"] >= 5:
                close_window.set()
            if chunk.phase == "hint":
                assert slots_taken(engine) == 0
    done = transcript.completion()
    assert 5 <= len(done.trace_ids) < 5 + 2 * SLICE_TOKENS
    assert len(done.answer_ids) == 5
    assert list(done.hint_ids) == engine.text.encode(HINT)
    assert done.trace == shown(engine, done.trace_ids)


@pytest.mark.parametrize("phase", ["trace", "answer"])
async def test_closing_a_run_frees_its_slot_in_either_phase(engine, ask, phase):
    async with aclosing(think(engine, ask(engine, LONG), Window(thinking_tokens=6, answer_tokens=500), ENDLESS)) as run:
        async for chunk in run:
            if chunk.phase == phase and chunk.ids:
                break
    assert slots_taken(engine) == 0


async def test_many_rows_come_back_in_order_each_cut_at_its_own_window(engine, ask):
    widths = [20, 2, 9, 1]
    rows = [Job(ask(engine, LONG), Window(thinking_tokens=w, answer_tokens=4), ENDLESS) for w in widths]
    done = [completion async for completion in collect_all(engine, rows)]
    assert [len(completion.trace_ids) for completion in done] == widths
    assert [len(completion.answer_ids) for completion in done] == [4] * 4
    assert slots_taken(engine) == 0
