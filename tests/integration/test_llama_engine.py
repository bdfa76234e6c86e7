"""llama.cpp as an engine, for real: every id is known, windows are exact, and what goes wrong is one sentence. Deaths are
in test_llama.py and tests/test_host.py, orphans in tests/test_orphans.py."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from tests.tiny_gguf import CONTROL, USER_DEFINED, write_tiny
from z1_core import gguf_header
from z1_core.engines import llama, llama_process
from z1_core.engines.llama import LlamaEngine
from z1_core.engines.llama_calls import PLAIN, complete
from z1_core.errors import BadInput, ModelUnavailable
from z1_core.models import embedded_file
from z1_core.prompt import chat
from z1_core.sweep import collect_sweep
from z1_core.thinking import answer_from, collect, generate
from z1_core.thoughts import Thoughts
from z1_core.window import HINT, Sampling, Window

ROOT = Path(__file__).parents[2]
WINDOW = Window(thinking_tokens=16, answer_tokens=16)
ENDLESS = Sampling(extra=(("ignore_eos", True),))
MIXED = "🙂 👩\u200d👩\u200d👧 🇨🇭 3️⃣ 你好世界 こんにちは、元気ですか。 مرحبا بالعالم नमस्ते "
CODE = "def f(x): return x**2 # π ≈ 3.14159 Ünïcödé €"
ONE = [*(MIXED + CODE).split(" "), "\t\n"]
PROMPTS = [f"Repeat this {number} times: {' '.join(ONE[number % 17 :] + ONE[: number % 17])}" for number in range(50)]


def children() -> list[psutil.Process]:
    """The servers that this process runs."""
    found = psutil.Process().children(recursive=True)
    return [child for child in found if any("llama_child" in word for word in child.cmdline())]


def unsliced(engine: LlamaEngine, prompt_ids: list[int], tokens: int, *, slot: int) -> dict:
    body = {**PLAIN, "prompt": prompt_ids, "n_predict": tokens, "temperature": 0.0, "id_slot": slot}
    return engine.server.ask("POST", "/completion", json={**body, "return_tokens": True, "cache_prompt": True}).json()


# Exactness


@pytest.mark.parametrize("prompts", [PROMPTS[:3], pytest.param(PROMPTS[3:], marks=pytest.mark.thorough)], ids=len)
async def test_every_id_is_known_and_slices_write_what_one_request_writes(llama_engine, prompts):
    """50 prompts of emoji, scripts and code; the second phase, too. Both ways find the prompt in the cache: computed
    together with others, or in parts of another size, a prompt has other roundings."""
    window = Window(thinking_tokens=21, answer_tokens=9)
    hint_ids = llama_engine.text.encode(HINT)
    for prompt in prompts:
        prompt_ids = llama_engine.text.render(chat(prompt))
        await collect(llama_engine, prompt_ids, Window(thinking_tokens=1, answer_tokens=1), ENDLESS)
        done = await collect(llama_engine, prompt_ids, window)
        slot = max(llama_engine._slots, key=lambda slot: slot.ids[: len(prompt_ids)] == prompt_ids).number
        first = unsliced(llama_engine, prompt_ids, 21, slot=slot)
        assert list(done.trace_ids) == first["tokens"]
        assert len(done.trace_ids) == first["tokens_predicted"]
        assert llama_engine.text.decode(done.trace_ids).startswith(first["content"].rstrip("\ufffd"))
        assert done.trace == llama_engine.text.decode(done.trace_ids)
        if done.end_reason == "inside":
            continue
        assert len(done.trace_ids) == 21
        second = unsliced(llama_engine, [*prompt_ids, *done.trace_ids, *hint_ids], 9, slot=slot)
        assert list(done.answer_ids) == second["tokens"]


@pytest.mark.parametrize("thinking_tokens", [4, 16, 40])
async def test_without_a_hint_a_window_of_whole_slices_changes_no_draw(llama_engine, ask, thinking_tokens):
    prompt = ask(llama_engine, "Tell a long story about a lighthouse.")
    sampling = Sampling(temperature=0.9, seed=11, extra=(("min_tokens", 60),))
    whole = await collect(llama_engine, prompt, Window(thinking_tokens=60, answer_tokens=1), sampling)
    window = Window(thinking_tokens=thinking_tokens, answer_tokens=60 - thinking_tokens, hint=None)
    parted = await collect(llama_engine, prompt, window, sampling)
    assert (*parted.trace_ids, *parted.answer_ids) == whole.trace_ids


@pytest.mark.parametrize("hint", [HINT, None])
async def test_a_window_draws_the_same_alone_in_a_sweep_and_from_a_stored_trace(llama_engine, ask, hint):
    prompt = ask(llama_engine, "Tell a long story about a lighthouse.")
    windows = [Window(thinking_tokens=size, answer_tokens=16, hint=hint) for size in (10, 30)]
    drawn, requests = Sampling(temperature=1, seed=3, extra=(("min_tokens", 60),)), []

    async def noted(*args):
        requests.append((len(args[2]), args[3], args[4]["seed"]))
        return await complete(*args)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(llama, "complete", noted)
        trace = (await collect(llama_engine, prompt, windows[0], drawn)).trace_ids
        alone = {request for request in requests if request[0] >= len(prompt) + 10}
        requests.clear()
        await collect_sweep(llama_engine, prompt, windows, drawn)
        assert alone <= set(requests)
        requests.clear()
        _ = [chunk async for chunk in answer_from(llama_engine, prompt, trace, windows[0], drawn)]
        assert alone == set(requests)


async def test_behind_the_hint_the_draws_are_others_than_those_of_the_trace(llama_engine, ask):
    prompt = ask(llama_engine, "Tell a long story about a lighthouse.")
    seeds = []

    async def noted(*args):
        seeds.append(args[-1]["seed"])
        return await complete(*args)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(llama, "complete", noted)
        drawn = Sampling(temperature=1, seed=3, extra=(("min_tokens", 48),))
        await collect(llama_engine, prompt, Window(thinking_tokens=24, answer_tokens=24), drawn)
    assert len(set(seeds)) == len(seeds) == 8


async def test_ends_that_are_switched_off_do_not_act_in_either_phase(llama_engine, ask):
    """window-07: end tokens from the model's configuration acted although the caller had switched them off."""
    window = Window(thinking_tokens=32, answer_tokens=28)
    done = await collect(llama_engine, ask(llama_engine, "Say hi."), window, Sampling(extra=(("ignore_eos", True),)))
    assert (len(done.trace_ids), len(done.answer_ids), done.end_reason) == (32, 28, "answer_length")


async def test_a_window_of_one_token_is_cut_and_answered(llama_engine, ask):
    """window-09: a budget of one token was ignored and all tokens were thought away."""
    done = await collect(llama_engine, ask(llama_engine, "1+1=?"), Window(thinking_tokens=1, answer_tokens=40))
    assert (len(done.trace_ids), bool(done.answer)) == (1, True)


async def test_a_field_that_llama_cpp_has_not_is_refused_by_its_name(llama_engine, ask):
    with pytest.raises(BadInput, match="no seed_of_mine, stop that acts as"):
        await anext(generate(llama_engine, ask(llama_engine), Sampling(extra=(("stop", ["a"]), ("seed_of_mine", 1)))))
    with pytest.raises(BadInput, match="no stop that acts as"):  # before a trace is written, which it would not end
        await collect(llama_engine, ask(llama_engine), WINDOW, Sampling(extra=(("stop", ["a"]),)))


async def test_a_conversation_is_rendered_as_the_server_renders_it(llama_engine):
    messages = chat("How many r? 🙂", system="Be brief.", history=[("Hi", "Hello.\n\n1 < 2")])
    prompt = llama_engine.server.ask("POST", "/apply-template", json={"messages": messages}).json()["prompt"]
    body = {"content": prompt, "add_special": True, "parse_special": True}
    theirs = llama_engine.server.ask("POST", "/tokenize", json=body).json()["tokens"]
    assert llama_engine.text.render(messages) == llama_engine.text.parse(prompt) == theirs


@pytest.mark.parametrize("tags_are", [USER_DEFINED, CONTROL])
def test_sentencepiece_joins_text_as_llama_cpp_does_and_thoughts_in_tags_are_found(tmp_path, tags_are):
    """A random model of 363 tokens: <think> is one that any text would make, if nobody parted it."""
    engine = LlamaEngine.start(write_tiny(tmp_path / "tiny.gguf", tags_are=tags_are))
    try:
        text = engine.text
        assert text.thoughts == Thoughts("model", "<think>", "</think>", 361, 362)
        for said in ("the abc</s>abc", "the abc</think>abc", "abc<thi<think>nk></s</s>>abc"):
            assert {1, 2, 361, 362}.isdisjoint(text.encode(said))
            assert text.decode(text.encode(said)) == said
            prompt = text.render([{"role": "user", "content": said}])
            assert (prompt.count(1), {2, 361, 362}.isdisjoint(prompt)) == (1, True)
            assert text.decode(prompt).startswith(f" [INST] {said} ")
        assert text.encode("abc</think>\n", control=True)[1] == 362
        assert text.decode([362, 2, *text.encode("abc")]) == "</think>abc", (
            "a tag is shown, another control token is not"
        )
        assert text.parse("<s>abc") == text.parse("abc") == [1, *text.parse("abc")[1:]]
        theirs = engine.server.ask("POST", "/tokenize", json={"content": "the abc", "add_special": True}).json()
        assert text.parse("the abc") == theirs["tokens"]
        with_system = text.decode(text.render(chat("the abc", system="ab abc")))  # which the template refuses
        assert "ab abc" in with_system, "llama.cpp puts it before the question"
    finally:
        asyncio.run(engine.close())


# Places


async def test_more_runs_than_places_and_cells_wait_and_all_end_exactly():
    engine = LlamaEngine.start(embedded_file(), max_model_len=512, places=2)
    engine._free_cells = 300  # little more than one long run
    prompts = [engine.text.render(chat(f"Tell me about the number {number}.")) for number in range(7)]
    window = Window(thinking_tokens=20, answer_tokens=11)
    done = await asyncio.gather(*(collect(engine, ids, window, ENDLESS) for ids in prompts))
    assert [(len(run.trace_ids), len(run.answer_ids)) for run in done] == [(20, 11)] * 7
    assert (engine._free_places, engine._free_cells) == (2, 300)
    long = Window(thinking_tokens=120, answer_tokens=9)
    at_once = [asyncio.ensure_future(collect(engine, ids, long, ENDLESS)) for ids in prompts[:2]]
    await asyncio.sleep(0.3)
    assert engine.active == 1  # both together need more than there is
    assert [len((await run).trace_ids) for run in at_once] == [120, 120]
    await engine.close()


# Builds


@pytest.fixture
def child(monkeypatch, tmp_path) -> Callable[[str], None]:
    """Puts a program in the place of the one that runs the server."""

    def put(code: str) -> None:
        file = tmp_path / "child.py"
        file.write_text(code)
        monkeypatch.setattr(llama_process, "CHILD", file)

    return put


def test_a_build_for_another_processor_is_a_sentence(child):
    child("import os, signal\nos.kill(os.getpid(), signal.SIGILL)")
    with pytest.raises(ModelUnavailable, match=r"built for another processor \(illegal instruction\)"):
        LlamaEngine.start(embedded_file())


def test_a_process_killed_before_it_read_its_settings_is_a_sentence(child, monkeypatch):
    child("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)")
    monkeypatch.setattr(llama_process, "threads", lambda: time.sleep(0.5))  # it is gone when they are written
    with pytest.raises(ModelUnavailable, match="its process was killed while it loaded"):
        LlamaEngine.start(embedded_file())


def test_a_build_that_cannot_be_loaded_and_none_at_all_are_sentences(monkeypatch, tmp_path):
    (tmp_path / "xllamacpp.py").write_text("raise ImportError('wrong ELF class')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(ModelUnavailable, match="xllamacpp cannot be loaded: wrong ELF class"):
        LlamaEngine.start(embedded_file())
    monkeypatch.setattr(llama_process, "find_spec", lambda name: None)
    with pytest.raises(ModelUnavailable, match=r"llama.cpp is not installed; pip install"):
        LlamaEngine.start(embedded_file())


# Files and settings


def test_bad_files_are_one_sentence_each_and_no_process_stays(tmp_path):
    whole = embedded_file().read_bytes()
    bad = {
        r"model is corrupted or incomplete; choose another": whole[: len(whole) // 2],
        r"is no GGUF file": b"PK\x03\x04" + bytes(5000),
        r"unknown model architecture: 'llamb'; choose another": whole.replace(b"llama", b"llamb"),
    }
    before = len(children())
    for sentence, content in bad.items():
        file = tmp_path / "model.gguf"
        file.write_bytes(content)
        with pytest.raises(ModelUnavailable, match=sentence):
            LlamaEngine.start(file)
    file.write_bytes(b"GGUF of nothing")
    with pytest.raises(ModelUnavailable, match=rf"with {file} does not start: [a-z]"):
        LlamaEngine.start(embedded_file(), adapter=file)
    assert len(children()) == before


def test_a_context_beyond_the_models_or_the_memory_is_refused(monkeypatch):
    with pytest.raises(BadInput, match=r"--max-model-len is 9,000; SmolLM2.* holds 1 to 8,192 tokens"):
        LlamaEngine.start(embedded_file(), max_model_len=9000)
    monkeypatch.setattr(gguf_header, "free_memory_bytes", lambda: 400_000_000)
    with pytest.raises(ModelUnavailable, match=r"needs 487 MB of memory .* 400 MB are free: lower --max-model-len"):
        LlamaEngine.start(embedded_file(), max_model_len=8192)
    context, cells = gguf_header.budget(gguf_header.read_header(embedded_file()), None, 8, "m")
    assert context == cells < 8192  # what the memory allows, where nothing was asked for


# A server that somebody else started


def test_another_server_is_recognised_and_what_does_not_fit_is_said(llama_server_engine, monkeypatch, capsys):
    from z1_core.__main__ import main

    server = llama_server_engine.server
    monkeypatch.setenv("Z1_API_KEY", server._options["headers"]["Authorization"].removeprefix("Bearer "))
    assert main(["Hi", "--server-url", server.url, "--thinking-tokens", "8", "--answer-tokens", "8"]) == 0
    assert "thinking tokens" in capsys.readouterr().err
    for options, sentence in {
        ("--tokenizer", "x/y"): "--tokenizer is needless",
        ("--model", "Z1-7B"): "not Z1-7B; leave --model out",
        ("--max-model-len", "5000"): "--max-model-len is 5,000; the server holds 1 to 1,024",
        ("--engine", "llama"): "--engine is for vLLM here or llama.cpp here",
    }.items():
        assert main(["Hi", "--server-url", server.url, *options]) == 2
        assert sentence in capsys.readouterr().err
    monkeypatch.setenv("Z1_API_KEY", "wrong")
    assert main(["Hi", "--server-url", server.url]) == 2
    assert "refuses the key" in capsys.readouterr().err


# What a terminal waits for


def test_the_first_token_comes_without_transformers_torch_or_openai():
    code = (
        "import sys; from z1_core.__main__ import main; "
        "status = main(['Hi', '--thinking-tokens', '4', '--answer-tokens', '4']); "
        "sys.exit(status or str({'transformers', 'torch', 'openai', 'gradio', 'numpy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.stderr.endswith("set()\n")
    assert "window closed at 4 tokens" in done.stdout
