"""What a run on llama.cpp tells when its process is killed, and that a new engine works. The page's side of it, and a
death while it loads, are in test_host.py; vLLM's is in heavy/."""

from __future__ import annotations

import asyncio
import threading
import time

import psutil
import pytest

from z1_core.engines import llama_process
from z1_core.engines.llama import LlamaEngine
from z1_core.errors import EngineDead, ModelUnavailable
from z1_core.models import embedded_file
from z1_core.thinking import collect, think
from z1_core.window import Sampling, Window

DEAD = r"the engine's process has ended \(killed, or out of memory\)"
ENDLESS = Sampling(extra=(("ignore_eos", True),))


def started(places: int = 1) -> LlamaEngine:
    return LlamaEngine.start(embedded_file(), max_model_len=512, places=places)


def kill(engine: LlamaEngine) -> None:
    process = psutil.Process(engine.process.pid)
    process.kill()
    process.wait(10)


@pytest.mark.parametrize("phase", ["trace", "hint", "answer"])  # the hint is between the phases
async def test_a_run_whose_engine_is_killed_ends_in_one_sentence_and_a_new_engine_works(ask, phase):
    engine = started()
    prompt_ids = ask(engine)
    seen = []

    async def killed() -> None:
        async for chunk in think(engine, prompt_ids, Window(thinking_tokens=20, answer_tokens=200), ENDLESS):
            if chunk.phase == phase and chunk.ids and phase not in seen:
                kill(engine)
            seen.extend([chunk.phase] if chunk.ids else [])

    with pytest.raises(EngineDead, match=DEAD):
        await killed()
    assert seen[-1] == phase
    with pytest.raises(EngineDead, match=DEAD):
        await engine.check_health()
    await engine.close()
    await engine.close()  # harmless
    successor = started()
    done = await collect(successor, prompt_ids, Window(thinking_tokens=5, answer_tokens=3), ENDLESS)
    assert (len(done.trace_ids), len(done.answer_ids)) == (5, 3)
    await successor.close()


async def test_all_runs_end_those_too_that_wait_for_a_place(ask):
    engine = started(places=2)
    window = Window(thinking_tokens=200, answer_tokens=9)
    runs = [asyncio.ensure_future(collect(engine, ask(engine), window, ENDLESS)) for _ in range(5)]
    await asyncio.sleep(0.5)
    assert engine.active == 2
    kill(engine)
    for ended in await asyncio.wait_for(asyncio.gather(*runs, return_exceptions=True), 30):
        assert isinstance(ended, EngineDead)
    assert engine.active == 0
    await engine.close()


async def test_a_death_is_no_matter_of_an_address_for_who_only_asks_for_tokens(ask):
    """Nobody typed one: the text side, too, says that the process has ended."""
    engine = started()
    kill(engine)
    with pytest.raises(EngineDead, match=DEAD):
        ask(engine, "What is new?")
    await engine.close()


def test_a_process_that_is_killed_while_it_loads_is_one_sentence_and_none_stays(monkeypatch):
    before = psutil.Process().children(recursive=True)

    def killed(*words, **options):
        process = popen(*words, **options)
        threading.Thread(target=lambda: (time.sleep(0.2), process.kill())).start()
        return process

    popen = llama_process.subprocess.Popen
    monkeypatch.setattr(llama_process.subprocess, "Popen", killed)
    with pytest.raises(ModelUnavailable, match=r"does not start: its process was killed while it loaded.*again"):
        started()
    assert psutil.Process().children(recursive=True) == before
