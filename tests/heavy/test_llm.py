"""The published call, thinking_generate, on a scripted engine; and what its settings become."""

import copy
from collections.abc import Iterator

import pytest

from z1_core.engines.fake import FakeEngine
from z1_core.engines.vllm import _set_environment, _vllm_params
from z1_core.errors import BadInput, ContextOverflow
from z1_core.llm import ThinkingLLM, _sampling
from z1_core.loop_thread import LoopThread
from z1_core.window import HINT

THOUGHT = "Let me think again. " * 100


@pytest.fixture(scope="module")
def params():
    """vLLM's SamplingParams."""
    _set_environment()
    from vllm import SamplingParams

    return SamplingParams


@pytest.fixture
def llm() -> Iterator[ThinkingLLM]:
    """Thinks long on everything but "short" and answers with the last word of the prompt."""

    def script(prompt: str) -> str:
        if HINT in prompt:
            return f"It is {prompt.split(HINT)[0].split()[0]}."
        return "At once." if prompt.startswith("short") else THOUGHT

    made = ThinkingLLM.__new__(ThinkingLLM)  # without the start of a real engine
    made.engine = FakeEngine(script, context_tokens=1000)
    made._thread = LoopThread()
    with made:
        yield made


def test_cut_rows_give_their_answer_and_others_what_they_thought(llm, params):
    average, outputs = llm.thinking_generate(["one x", "short x", "two x"], params(max_tokens=200), 40)
    _, alone = llm.thinking_generate("one x", params(max_tokens=200), 40)  # a text, never taken for its letters
    assert [output.outputs[0].text for output in alone] == ["It is one."]
    assert [output.outputs[0].text for output in outputs] == ["It is one.", "At once.", "It is two."]
    inside = len(outputs[1].completions[0].trace_ids)
    assert average == pytest.approx((40 + inside + 40) / 3)
    assert [output.prompt for output in outputs] == ["one x", "short x", "two x"]
    assert [output.prompt_token_ids for output in outputs] == [
        llm.engine.text.parse(output.prompt) for output in outputs
    ]


def test_nothing_of_a_cut_row_is_lost(llm, params):
    _, (output,) = llm.thinking_generate(["one x"], params(max_tokens=200), 40)
    (done,) = output.completions
    assert (done.end_reason, len(done.trace_ids)) == ("cut", 40)
    assert THOUGHT.startswith(done.trace)
    assert list(done.hint_ids) == llm.engine.text.encode(HINT)
    assert output.outputs[0].token_ids == list(done.answer_ids)
    assert (output.outputs[0].finish_reason, output.finished) == ("stop", True)


@pytest.mark.parametrize("max_tokens", [61, 64, 100, 300])
def test_max_tokens_is_the_total_of_window_hint_and_answer(llm, params, max_tokens):
    llm.engine.script = lambda prompt: THOUGHT  # the answer, too, would never end
    _, (output,) = llm.thinking_generate(["one x"], params(max_tokens=max_tokens), 40)
    assert output.completions[0].total_tokens == max_tokens
    assert output.outputs[0].finish_reason == "length"


def test_without_max_tokens_the_context_is_the_limit(llm, params):
    llm.engine.script = lambda prompt: THOUGHT * 3
    _, (output,) = llm.thinking_generate(["one x"], params(max_tokens=None), 40)
    assert len(output.prompt_token_ids) + output.completions[0].total_tokens == 1000


def test_samples_are_independent_runs_with_seeds_of_their_own(llm, params):
    average, outputs = llm.thinking_generate(
        ["one x", "short x"], params(n=3, temperature=0.8, seed=7, max_tokens=200), 40
    )
    assert [[sample.index for sample in output.outputs] for output in outputs] == [[0, 1, 2]] * 2
    assert [[sample.text for sample in output.outputs] for output in outputs] == [["It is one."] * 3, ["At once."] * 3]
    assert all(len(output.completions) == 3 for output in outputs)
    seeds = {}
    for request in llm.engine.requests:
        seeds.setdefault(request.prompt_ids, []).append(request.sampling.seed)
    assert list(seeds.values())[:2] == [[7, 8, 9], [7, 8, 9]]
    assert average == pytest.approx((40 + len(outputs[1].completions[0].trace_ids)) / 2)


def test_the_callers_params_stay_as_they_were(llm, params):
    given = params(n=2, temperature=0.8, seed=7, max_tokens=200, stop=["END"], top_k=20)
    before = copy.deepcopy(given)
    llm.thinking_generate(["one x"], given, 40)
    assert given == before
    with pytest.raises(BadInput):
        llm.thinking_generate(["one x"], given, 5000)
    assert given == before


def test_both_phases_get_the_callers_settings(llm, params):
    given = params(temperature=0.8, top_p=0.9, seed=7, max_tokens=200, top_k=20, repetition_penalty=1.1)
    llm.thinking_generate(["one x"], given, 40)
    hint_tokens = len(llm.engine.text.encode(HINT))
    sent = [_vllm_params(request.sampling) for request in llm.engine.requests]
    assert [made.max_tokens for made in sent] == [40, 200 - 40 - hint_tokens]
    assert {(made.temperature, made.top_p, made.seed, made.top_k, made.repetition_penalty) for made in sent} == {
        (0.8, 0.9, 7, 20, 1.1)
    }


@pytest.mark.parametrize(
    ("prompts", "words"),
    [([], "none of them empty"), ("", "none of them empty"), (["q", ""], "none of them empty"), ([5], "list of texts")],
)
def test_what_is_no_prompt_is_refused(llm, params, prompts, words):
    with pytest.raises(BadInput, match=words):
        llm.thinking_generate(prompts, params(max_tokens=200), 40)
    with pytest.raises(BadInput, match=r"give vllm\.SamplingParams\(max_tokens=\.\.\.\)"):
        llm.thinking_generate(["q"], None, 40)
    assert llm.engine.requests == []


def test_budgets_that_do_not_fit_are_refused_before_anything_is_generated(llm, params):
    with pytest.raises(BadInput, match="leaves no room for an answer"):
        llm.thinking_generate(["q"], params(max_tokens=40), 40)
    with pytest.raises(BadInput, match="leaves no room for an answer"):
        llm.thinking_generate(["q"], params(), 40)  # vLLM's default of 16 tokens
    with pytest.raises(ContextOverflow, match=r"^row 2: "):
        llm.thinking_generate(["q", "word " * 400], params(max_tokens=500), 40)
    assert llm.engine.requests == []


def test_leaving_the_with_block_closes_the_engine_and_its_thread(params):
    made = ThinkingLLM.__new__(ThinkingLLM)
    made.engine, made._thread = FakeEngine(), LoopThread("loop-of-this-test")
    with made as entered:
        assert entered is made
    assert made.engine.dead
    assert not made._thread._thread.is_alive()


# From vLLM's settings to a frozen value and back

CHANGES = {
    "presence_penalty": 0.5,
    "frequency_penalty": 0.4,
    "repetition_penalty": 1.2,
    "temperature": 0.6,
    "top_p": 0.8,
    "top_k": 20,
    "min_p": 0.1,
    "seed": 11,
    "stop": ["END", "STOP"],
    "stop_token_ids": [5, 6],
    "ignore_eos": True,
    "min_tokens": 3,
    "detokenize": True,
    "skip_special_tokens": False,
    "spaces_between_special_tokens": False,
    "include_stop_str_in_output": True,
    "logit_bias": {5: 1.0},
    "allowed_token_ids": [5, 6, 7],
    "bad_words": ["word"],
    "extra_args": {"key": "value"},
}


def test_all_settings_together_survive_and_only_the_phase_sets_the_limits(params):
    given = params(**CHANGES, max_tokens=500, n=3)
    sent = _vllm_params(_sampling(given))
    own = {"max_tokens", "n", "output_kind"}
    fields = [field for field in params.__struct_fields__ if not field.startswith("_") and field not in own]
    assert {field: getattr(sent, field) for field in fields} == {field: getattr(given, field) for field in fields}
    assert (sent.n, sent.output_kind.name) == (1, "DELTA")


def test_defaults_carry_nothing_along(params):
    assert _sampling(params()).extra == ()
    greedy = _vllm_params(_sampling(params(temperature=0)))
    assert (greedy.temperature, greedy.top_p, greedy.top_k) == (0, 1, 0)
