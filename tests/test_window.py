"""Settings are checked at the door: what is no budget is refused with the value and what to give instead."""

import math
from collections.abc import Callable
from dataclasses import FrozenInstanceError, replace
from typing import Any

import pytest

from z1_core.errors import BadInput
from z1_core.prompt import check_context
from z1_core.window import BOXED_HINT, HINT, Completion, Sampling, Window, avg_thinking_tokens

NO_NUMBERS = [math.nan, -(10**400), "512", "", True, [512]]
NO_COUNTS = [*NO_NUMBERS, 0, -1, math.inf, 1.0, 512.5]
COUNT = "it must be a whole number of at least 1"
REFUSED: dict[str, tuple[Callable[[Any], object], list, str]] = {
    "window (thinking tokens)": (
        lambda value: Window(thinking_tokens=value, answer_tokens=8),
        [*NO_COUNTS, None],
        COUNT,
    ),
    "answer tokens": (lambda value: Window(thinking_tokens=8, answer_tokens=value), [*NO_COUNTS, None], COUNT),
    "total tokens": (
        lambda value: Window.from_total(thinking_tokens=8, total_tokens=value, hint_tokens=2),
        [*NO_COUNTS, None],
        COUNT,
    ),
    "max tokens": (lambda value: Sampling(max_tokens=value), NO_COUNTS, COUNT),
    "temperature": (
        lambda value: Sampling(temperature=value),
        [*NO_NUMBERS, -0.1, 2.1, math.inf, 10**400, None],
        "it must be a number from 0 to 2",
    ),
    "top-p": (
        lambda value: Sampling(top_p=value),
        [*NO_NUMBERS, 0, 0.0, -0.1, 1.01, 10**400, None],
        "it must be a number above 0 and at most 1",
    ),
    "seed": (lambda value: Sampling(seed=value), [*NO_NUMBERS, -1, 2**63, 10**400, 1.5], "it must be "),
}


def completion(*, trace: int, hint: int = 0, answer: int = 0) -> Completion:
    return Completion(
        prompt_ids=(1,) * 10,
        trace="",
        trace_ids=(5,) * trace,
        hint_ids=(6,) * hint,
        answer="",
        answer_ids=(7,) * answer,
        end_reason="cut",
        seconds=1.0,
    )


def refusal(make) -> str:
    with pytest.raises(BadInput) as refused:
        make()
    return str(refused.value)


@pytest.mark.parametrize("name", REFUSED)
def test_a_value_that_is_none_is_refused_with_its_name_the_value_and_the_remedy(name):
    make, values, remedy = REFUSED[name]
    for value in values:
        message = refusal(lambda value=value: make(value))
        assert message.startswith(f"{name} is {repr(value)[:57]}")
        assert remedy in message
        assert len(message) < 200


def test_the_ends_of_every_range_are_usable():
    Window(thinking_tokens=1, answer_tokens=1)
    for temperature, top_p, seed in [(0, 1, 0), (0.0, 1.0, 2**63 - 1), (2, 1e-9, None)]:
        made = Sampling(temperature=temperature, top_p=top_p, seed=seed, max_tokens=1)
        assert (made.temperature, made.top_p, made.seed) == (temperature, top_p, seed)


def test_a_huge_window_is_refused_by_the_context_in_words_not_by_arithmetic():
    window = Window(thinking_tokens=10**400, answer_tokens=1)
    message = refusal(lambda: check_context(prompt_tokens=9, window=window, hint_tokens=12, context_tokens=8192))
    assert "the model holds 8,192" in message


@pytest.mark.parametrize("hint", ["", 5])
def test_an_empty_hint_is_refused(hint):
    assert "the hint is empty" in refusal(lambda: Window(thinking_tokens=8, answer_tokens=8, hint=hint))


def test_the_two_published_hints_are_word_for_word_those_of_the_paper():
    assert HINT.strip() == "I overthought it, the final answer should be:"
    assert BOXED_HINT.strip() == r"I overthought it, the final answer in \boxed{} should be:"
    assert Window(thinking_tokens=1, answer_tokens=1).hint == HINT


@pytest.mark.parametrize("total", [1, 100, 112])
def test_a_total_without_room_for_an_answer_is_refused_with_the_total_that_would_do(total):
    message = refusal(lambda: Window.from_total(thinking_tokens=100, total_tokens=total, hint_tokens=12))
    assert f"a total of {total} tokens leaves no room for an answer" in message
    assert "at least 113" in message
    assert "lower the window" in message


def test_the_swapped_sliders_of_the_published_demo_are_refused():
    """It passed the window as total and the total as window: 32,786 to think inside 4,000."""
    assert "no room for an answer" in refusal(
        lambda: Window.from_total(thinking_tokens=32_786, total_tokens=4000, hint_tokens=12)
    )


@pytest.mark.parametrize(
    ("value", "field"),
    [(Window(thinking_tokens=8, answer_tokens=8), "thinking_tokens"), (Sampling(), "max_tokens")],
)
def test_settings_cannot_be_edited_only_derived(value, field):
    with pytest.raises(FrozenInstanceError):
        setattr(value, field, 99)
    assert getattr(replace(value, **{field: 99}), field) == 99


def test_samples_of_one_row_have_seeds_of_their_own_and_all_else_in_common():
    base = Sampling(temperature=0.7, top_p=0.9, seed=5, extra=(("top_k", 20),))
    samples = [base.sample(k) for k in range(4)]
    assert [sample.seed for sample in samples] == [5, 6, 7, 8]
    assert {replace(sample, seed=5) for sample in samples} == {base}


def test_samples_without_a_seed_stay_without_one_and_the_last_seed_wraps_around():
    assert Sampling(temperature=1.0).sample(3).seed is None
    assert Sampling(seed=2**63 - 1).sample(1).seed == 0


def test_att_is_the_mean_length_of_the_traces_and_counts_no_answer():
    runs = [completion(trace=100, hint=12, answer=50), completion(trace=20), completion(trace=31)]
    assert avg_thinking_tokens(run for run in runs) == pytest.approx(151 / 3)


def test_att_of_nothing_is_refused():
    assert "no completions" in refusal(lambda: avg_thinking_tokens([]))


def test_no_two_places_of_a_sequence_are_drawn_with_the_same_noise_and_each_repeats():
    seeds = [Sampling(seed=7).seed_at(position) for position in range(1000)]
    assert len(set(seeds)) == 1000
    assert seeds[5] == Sampling(seed=7).seed_at(5) != Sampling(seed=8).seed_at(5)
    assert Sampling().seed_at(5) is None
    assert all(0 <= Sampling(seed=2**63 - 1).seed_at(p, below=2**32 - 1) < 2**32 - 1 for p in range(100))
