"""The window on a real vLLM with the embedded model: token for token what plain calls give, and what vLLM alone can show."""

import asyncio
import hashlib
import json
import os
import string
import time
from dataclasses import replace
from pathlib import Path

import pytest

from training.pretrained import embedded_folder
from z1_core.errors import BadInput
from z1_core.thinking import collect
from z1_core.window import HINT, Sampling, Window

pytestmark = pytest.mark.alone
QUESTIONS = 50
SMALL = Window(thinking_tokens=8, answer_tokens=4)
ENDLESS = Sampling(extra=(("ignore_eos", True),))
BLOCK = 32


@pytest.fixture(scope="module")
def questions(request) -> list[str]:
    """The shortest of GSM8K where the test data is at hand, else sums in its manner."""
    if os.environ.get("CI") or (Path(__file__).parents[3] / "shared" / "data").is_dir():
        file = request.getfixturevalue("shared_data") / "gsm8k" / "test.jsonl"
        lines = file.read_text(encoding="utf-8").rstrip("\n").split("\n")
        return sorted((json.loads(line)["question"] for line in lines), key=len)[:QUESTIONS]
    return [
        f"{name} has {n + 3} apples and buys {2 * n + 1} bags of {n % 7 + 2} more. How many are there now?"
        for n, name in enumerate((string.ascii_uppercase * 2)[:QUESTIONS])
    ]


async def plain_call(engine, prompt_ids, *, max_tokens: int):
    """vLLM by itself: greedy, the whole output at once."""
    from vllm import SamplingParams
    from vllm.inputs.engine import tokens_input
    from vllm.sampling_params import RequestOutputKind

    params = SamplingParams(temperature=0, max_tokens=max_tokens, output_kind=RequestOutputKind.FINAL_ONLY)
    request_id = f"plain-{time.monotonic_ns()}"
    async for output in engine.llm.generate(tokens_input(list(prompt_ids)), params, request_id):
        final = output.outputs[0]
    return final


async def test_the_window_gives_the_very_tokens_of_two_plain_calls(vllm_engine, ask, questions):
    """Phase 1 on the prompt, phase 2 on prompt + trace + hint; one request at a time and a cold cache, for both."""
    engine = vllm_engine
    hint_ids = engine.text.encode(HINT)
    cut = 0
    for question in questions:
        prompt_ids = ask(engine, question)
        assert await engine.llm.reset_prefix_cache()
        trace = await plain_call(engine, prompt_ids, max_tokens=SMALL.thinking_tokens)
        answer = None
        if trace.finish_reason == "length":
            cut += 1
            behind_hint = [*prompt_ids, *trace.token_ids, *hint_ids]
            answer = await plain_call(engine, behind_hint, max_tokens=SMALL.answer_tokens)
        assert await engine.llm.reset_prefix_cache()
        done = await collect(engine, prompt_ids, SMALL)
        assert done.trace_ids == tuple(trace.token_ids), question
        assert done.answer_ids == (tuple(answer.token_ids) if answer else ()), question
        assert done.hint_ids == (tuple(hint_ids) if answer else ())
    assert len(questions) == QUESTIONS
    assert cut >= QUESTIONS // 2  # or the second phase has hardly been tested


async def test_the_answer_finds_prompt_and_trace_in_the_prefix_cache(vllm_engine, ask, monkeypatch):
    engine = vllm_engine
    assert await engine.llm.reset_prefix_cache()
    cached: list[int] = []
    stream = engine.stream

    async def noting(prompt_ids, sampling):
        first = True
        async for delta in stream(prompt_ids, sampling):
            if first:
                cached.append(delta.cached_tokens)
            first = False
            yield delta

    monkeypatch.setattr(engine, "stream", noting)
    prompt_ids = ask(engine, "Tell me about the sea, the wind, the moon and the tides. " * 4)
    done = await collect(engine, prompt_ids, Window(thinking_tokens=50, answer_tokens=2), ENDLESS)
    computed = len(done.prompt_ids) + len(done.trace_ids) - 1  # the last token of a run is drawn, not computed
    assert cached == [0, computed // BLOCK * BLOCK]
    assert cached[1] > len(prompt_ids)


async def test_two_users_at_once_get_tokens_of_their_own_only(vllm_engine, ask):
    engine = vllm_engine
    words = {
        "first": {engine.text.encode(f" {word}")[0] for word in ("red", "blue", "green")},
        "second": {engine.text.encode(f" {word}")[0] for word in ("dog", "cat", "horse")},
    }
    assert not words["first"] & words["second"]

    async def user(name: str):
        sampling = Sampling(temperature=1.0, seed=1, extra=(("allowed_token_ids", sorted(words[name])),))
        window = Window(thinking_tokens=20, answer_tokens=10)
        return await collect(engine, ask(engine, f"I am the {name}."), window, sampling)

    runs = await asyncio.gather(*(user(name) for name in ["first", "second"] * 3))
    for name, done in zip(["first", "second"] * 3, runs, strict=True):
        assert {*done.trace_ids, *done.answer_ids} <= words[name]
        assert (len(done.trace_ids), len(done.answer_ids)) == (20, 10)
        assert f"I am the {name}." in engine.text.decode(done.prompt_ids, control=True)


async def test_a_seed_repeats_a_draw_and_the_next_sample_is_another(vllm_engine, ask):
    sampling = replace(ENDLESS, temperature=1.0, seed=5)
    window = Window(thinking_tokens=16, answer_tokens=8)
    prompt_ids = ask(vllm_engine, "Tell me a story.")
    first, again, other = [
        await collect(vllm_engine, prompt_ids, window, drawn) for drawn in (sampling, sampling, sampling.sample(1))
    ]
    assert (first.trace_ids, first.answer_ids) == (again.trace_ids, again.answer_ids)
    assert first.trace_ids != other.trace_ids


async def test_a_trace_that_ends_inside_a_character_loses_no_id_and_no_text(vllm_engine, ask):
    engine = vllm_engine
    emoji = engine.text.encode("🙂")
    assert len(emoji) > 1
    half = replace(ENDLESS, extra=(("allowed_token_ids", emoji[:1]),))
    done = await collect(engine, ask(engine, "Smile."), Window(thinking_tokens=5, answer_tokens=3), half)
    assert (done.trace_ids, done.answer_ids) == (tuple(emoji[:1] * 5), tuple(emoji[:1] * 3))
    assert done.trace == engine.text.decode(done.trace_ids, control=True)
    assert done.answer == engine.text.decode(done.answer_ids, control=True)


async def test_a_closed_stream_gives_its_memory_back_in_the_engines_process(vllm_engine, ask):
    """The cache can be reset only when no request holds a block of it."""
    stream = vllm_engine.stream(ask(vllm_engine, "Tell me a story."), replace(ENDLESS, max_tokens=1500))
    await anext(stream)
    assert not await vllm_engine.llm.reset_prefix_cache()
    await stream.aclose()
    closed_s = time.monotonic()
    while not await vllm_engine.llm.reset_prefix_cache():
        assert time.monotonic() < closed_s + 10
        await asyncio.sleep(0.02)


@pytest.mark.parametrize(
    ("field", "words"),
    [
        (("top_k", -5), "top_k"),
        (("repetition_penalty", -1.0), "repetition_penalty"),
        (("min_tokens", 90), "min_tokens"),
    ],
)
async def test_settings_that_vllm_refuses_are_refused_in_its_words(vllm_engine, ask, field, words):
    sampling = Sampling(max_tokens=4, extra=(field,))
    with pytest.raises(BadInput, match=f"the engine refuses the request: .*{words}"):
        await anext(vllm_engine.stream(ask(vllm_engine), sampling))
    with pytest.raises(BadInput, match="out of vocabulary"):
        await anext(vllm_engine.stream([10**6], Sampling(max_tokens=4)))


async def test_a_second_event_loop_is_refused_and_the_first_goes_on(vllm_engine, ask):
    async def elsewhere() -> None:
        await anext(vllm_engine.stream([50], Sampling(max_tokens=1)))

    for use in (elsewhere, vllm_engine.close):
        with pytest.raises(RuntimeError, match="belongs to the event loop of its first request; keep one loop"):
            await asyncio.to_thread(lambda use=use: asyncio.run(use()))
    done = await collect(vllm_engine, ask(vllm_engine), SMALL, ENDLESS)
    assert len(done.trace_ids) == SMALL.thinking_tokens


async def test_the_real_conversion_makes_the_same_model_again(tmp_path, monkeypatch):
    """From the package's GGUF file, in a cache of its own: about half a minute."""
    kept = embedded_folder() / "model.safetensors"
    monkeypatch.setenv("HOME", str(tmp_path))
    made = embedded_folder()
    assert {file.name for file in made.iterdir()} >= {"config.json", "model.safetensors", "tokenizer.json"}
    weights = made / "model.safetensors"
    assert hashlib.sha256(weights.read_bytes()).digest() == hashlib.sha256(kept.read_bytes()).digest()
    written = weights.stat().st_mtime_ns
    assert embedded_folder() == made
    assert weights.stat().st_mtime_ns == written
    assert [folder.name for folder in made.parent.iterdir()] == [made.name]  # no draft
