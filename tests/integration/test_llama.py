"""What only the real llama.cpp can show beside test_llama_engine.py: how its places, its cache and its tokenizer behave."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import replace

import pytest

from bench import ways
from tests.stub_server import until
from z1_core.engines import llama
from z1_core.engines.calls import Server
from z1_core.engines.llama import LlamaEngine
from z1_core.engines.llama_process import BATCH_TOKENS, LlamaProcess
from z1_core.errors import BadInput, EngineDead
from z1_core.models import embedded_file
from z1_core.sweep import collect_sweep
from z1_core.thinking import answer_from, collect, generate, think
from z1_core.window import HINT, Sampling, Window

IGNORE_EOS = ("ignore_eos", True)
ENDLESS = Sampling(extra=(IGNORE_EOS,))


@pytest.fixture(scope="module")
async def small() -> AsyncIterator[LlamaEngine]:
    """Two places."""
    engine = LlamaEngine.start(embedded_file(), max_model_len=1024, places=2)
    yield engine
    await engine.close()


async def written(engine: LlamaEngine, prompt_ids: list[int], max_tokens: int, **sampling) -> list[int]:
    extra = sampling.pop("extra", (IGNORE_EOS,))
    with_extra = Sampling(max_tokens=max_tokens, extra=extra, **sampling)
    return [id_ async for delta in generate(engine, prompt_ids, with_extra) for id_ in delta.ids]


# How tokens are drawn


async def test_the_settings_of_a_draw_do_what_they_say(llama_engine, ask):
    prompt_ids = ask(llama_engine)
    greedy = await written(llama_engine, prompt_ids, 12)
    assert await written(llama_engine, prompt_ids, 12, temperature=2.0, top_p=1e-6) == greedy
    top_1 = (IGNORE_EOS, ("top_k", 1))
    assert await written(llama_engine, prompt_ids, 12, temperature=2.0, extra=top_1) == greedy
    assert await written(llama_engine, prompt_ids, 12, seed=7) == greedy  # without a temperature nothing is drawn
    wild = await written(llama_engine, prompt_ids, 12, temperature=2.0, seed=7)
    assert wild != greedy
    assert await written(llama_engine, prompt_ids, 12, temperature=2.0, seed=7) == wild
    forced = (IGNORE_EOS, ("logit_bias", {str(wild[0]): 100.0}))  # a key of JSON is a text
    assert set(await written(llama_engine, prompt_ids, 12, extra=forced)) == {wild[0]}


async def test_drawn_runs_keep_the_window_and_repeat_by_their_seed_alone(llama_engine, ask):
    """window-11: greedy runs kept the budget, sampled ones never did."""
    drawn = Sampling(temperature=1.0, top_p=0.95, extra=(("top_k", 20), IGNORE_EOS))
    window = Window(thinking_tokens=32, answer_tokens=1)
    seeds = (1, 1, 2, None, None)
    runs = [await collect(llama_engine, ask(llama_engine), window, replace(drawn, seed=seed)) for seed in seeds]
    assert {len(run.trace_ids) for run in runs} == {32}
    assert runs[0].trace_ids == runs[1].trace_ids
    assert len({run.trace_ids for run in runs}) == 4


async def test_no_run_ends_before_its_least_tokens_wherever_a_slice_begins(llama_engine, ask):
    stop_now = ("logit_bias", {llama_engine.text.eos_id: 100.0})
    for least in (1, 7, 8, 9, 20):
        made = await written(llama_engine, ask(llama_engine), 40, extra=(("min_tokens", least), stop_now))
        assert (len(made), made[-1]) == (least + 1, llama_engine.text.eos_id)
    made = await written(llama_engine, ask(llama_engine), 4, extra=(("min_tokens", 9), stop_now))
    assert len(made) == 4  # the budget is less


# Places and their cache


async def test_the_answer_follows_in_the_same_slot_and_finds_prompt_and_trace_there(small, ask, monkeypatch):
    """With more runs than places: another one that waits gets the slot behind the answer, not between the phases."""
    calls: list[tuple[int, int, int]] = []

    async def recorded(client, slot, ids, count, fields):
        reply = await complete(client, slot, ids, count, fields)
        calls.append((slot, ids[0], reply["timings"]["prompt_n"]))
        return reply

    complete = llama.complete
    monkeypatch.setattr(llama, "complete", recorded)
    prompts = [[100 + number, *ask(small)] for number in range(small.places + 3)]
    window = Window(thinking_tokens=12, answer_tokens=9)
    for done in await asyncio.gather(*(collect(small, ids, window, ENDLESS) for ids in prompts)):
        assert (len(done.trace_ids), len(done.answer_ids)) == (12, 9)
    hint_tokens = len(small.text.encode(window.hint))
    for slot in range(small.places):
        runs = [(run, computed) for number, run, computed in calls if number == slot]
        order = [run for position, (run, _) in enumerate(runs) if position == 0 or runs[position - 1][0] != run]
        assert len(order) == len(set(order))  # each run's requests are in one piece
        for run in order:
            _, *later = [computed for each, computed in runs if each == run]
            assert max(later) <= hint_tokens + 1  # beyond the first request: the hint, and the last token


async def test_re_cuts_are_answered_in_the_place_of_their_trace_where_the_prefix_is_cached(small, ask, monkeypatch):
    engine, complete, computed, slots = small, llama.complete, [], set()

    async def noted(client, slot, ids, *rest):
        reply = await complete(client, slot, ids, *rest)
        computed.append(len(ids) - reply["timings"]["cache_n"])
        slots.add(slot)
        return reply

    monkeypatch.setattr(llama, "complete", noted)
    prompt = ask(engine, "Tell a long story about a lighthouse.")
    windows = [Window(thinking_tokens=size, answer_tokens=12) for size in (16, 32, 64)]
    swept = await collect_sweep(engine, prompt, windows)
    assert (len(slots), engine.active) == (1, 0)
    hints = 3 * len(engine.text.encode(HINT))
    each_slice, each_change = len(computed), 2 * 8
    assert sum(computed) <= len(prompt) + hints + each_slice + len(windows) * each_change
    alone = [await collect(engine, prompt, window) for window in windows]
    assert [(run.trace_ids, run.answer_ids) for run in swept] == [(run.trace_ids, run.answer_ids) for run in alone]


async def test_what_can_never_fit_is_refused_and_not_waited_for(small, ask):
    long = Window(thinking_tokens=3000, answer_tokens=4)
    async with asyncio.timeout(30):
        with pytest.raises(BadInput, match="the model holds 1,024"):
            async for _ in answer_from(small, ask(small), [50] * 3000, long):
                pass


async def test_the_cells_of_runs_that_have_ended_are_there_for_others():
    """Four slots that share 256 cells: what ended runs left in theirs must give way, and those that run share the rest."""
    process = LlamaProcess(embedded_file(), cells=256, places=4)
    engine = LlamaEngine.connect(Server(process.url, key=process.key))
    assert (engine.places, engine.context_tokens) == (4, 256)
    window = Window(thinking_tokens=10, answer_tokens=3)
    prompts = [[100 + number, *([50 + number] * 50)] for number in range(5)]
    for prompt_ids in prompts[:4]:
        assert len((await collect(engine, prompt_ids, window, ENDLESS)).trace_ids) == 10
    done = await asyncio.gather(*(collect(engine, prompt_ids, window, ENDLESS) for prompt_ids in prompts))
    assert [(len(each.trace_ids), len(each.answer_ids)) for each in done] == [(10, 3)] * 5
    await engine.close()
    process.close()


async def test_a_prompt_whose_reader_has_gone_is_not_read_to_its_end(small):
    prompt_ids = [7, *small.text.encode("The quick brown fox jumps over the lazy dog. " * 70)[: 4 * BATCH_TOKENS]]
    running = asyncio.ensure_future(anext(generate(small, prompt_ids, Sampling(max_tokens=5))))
    await asyncio.sleep(0.2)
    running.cancel()
    await asyncio.wait({running})
    assert small.active == 0
    deltas = [delta async for delta in generate(small, prompt_ids, Sampling(max_tokens=1))]
    assert deltas[-1].cached_tokens <= 3 * BATCH_TOKENS


# The end of an engine


async def test_all_runs_end_when_its_process_is_killed_those_too_that_wait_for_a_place(ask):
    """A new engine behind it, and deaths in every phase, are in test_host.py."""
    engine = LlamaEngine.start(embedded_file(), max_model_len=512, places=2)
    window = Window(thinking_tokens=200, answer_tokens=9)
    runs = [asyncio.ensure_future(collect(engine, ask(engine), window, ENDLESS)) for _ in range(5)]
    await until(lambda: engine.active == 2)
    os.kill(engine.process.pid, signal.SIGKILL)
    for ended in await asyncio.wait_for(asyncio.gather(*runs, return_exceptions=True), 30):
        assert isinstance(ended, EngineDead)
    assert engine.active == 0
    with pytest.raises(EngineDead, match=r"the engine's process has ended \(killed, or out of memory\)"):
        ask(engine, "What is new?")  # nor does anything else wait for it
    await engine.close()
    await engine.close()  # harmless


@pytest.mark.parametrize("ours", [True, False])
async def test_runs_on_an_engine_that_is_closed_end_in_words_those_that_wait_too(ask, ours):
    process = None if ours else LlamaProcess(embedded_file(), cells=512, places=1)
    if ours:
        engine = LlamaEngine.start(embedded_file(), max_model_len=512, places=1)
    else:
        engine = LlamaEngine.connect(Server(process.url, key=process.key))
    prompt_ids = ask(engine)
    runs = [asyncio.ensure_future(written(engine, prompt_ids, 300)) for _ in range(3)]
    await asyncio.sleep(0.5)
    await engine.close()
    for run in runs:
        with pytest.raises(EngineDead):
            await asyncio.wait_for(run, 30)
    with pytest.raises(EngineDead, match="the model was closed while this ran; send it again"):
        await written(engine, prompt_ids, 3)
    if process:
        assert not process.has_ended
        process.close()


# Text


async def test_a_character_that_several_tokens_make_comes_whole(llama_engine):
    text = llama_engine.text
    for whole in ("🙂", "👩\u200d👩\u200d👧\u200d👦", "日本の首都", "مرحبا بالعالم", "aé🏳️\u200d🌈z"):
        ids = text.encode(whole)
        step = text.decoder()
        parts = [step(id_) for id_ in ids]
        assert "".join(parts) == whole
        assert not any("\ufffd" in part for part in parts)
    assert len(text.encode("👩\u200d👩\u200d👧\u200d👦")) > len("👩\u200d👩\u200d👧\u200d👦")  # several tokens each


async def test_a_character_that_the_budget_cuts_is_shown_as_far_as_it_came(llama_engine):
    """The emoji takes several tokens; a trace that ends within it keeps every id, and the answer begins behind it."""
    text = llama_engine.text
    emoji = text.encode("🙂")
    first = (IGNORE_EOS, ("logit_bias", {emoji[0]: 100.0}))
    window = Window(thinking_tokens=1, answer_tokens=2)
    async with aclosing(think(llama_engine, text.encode("Smile:"), window, Sampling(extra=first))) as chunks:
        made = [chunk async for chunk in chunks]
    trace = [chunk for chunk in made if chunk.phase == "trace"]
    assert [id_ for chunk in trace for id_ in chunk.ids] == emoji[:1]
    assert "".join(chunk.text for chunk in trace) == text.decode(emoji[:1])


# The benchmark


async def test_the_benchmark_asks_the_real_server_for_as_much_as_it_counts(llama_engine, ask):
    windows = [Window(thinking_tokens=3, answer_tokens=2)]
    async with llama_engine.server.client() as client:
        for concurrency in (1, 2):
            load = ways.Load(
                engine=llama_engine,
                prompts=[ask(llama_engine)] * 2,
                windows=windows,
                hint_ids=[],
                concurrency=concurrency,
                sampling=ENDLESS,
                server=client,
            )
            assert [row.trace_tokens for row in await ways.run("raw", load)] == [5, 5]
