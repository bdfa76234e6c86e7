"""Settings from a link or from the browser's memory; presets."""

from __future__ import annotations

import pytest

from ui.choices import CHOICES, link_sentence, read_choices
from ui.examples import examples_html
from ui.presets import PRESETS, compared_within, preset_of


def test_the_words_of_a_link_become_values():
    usable, complaints = read_choices(
        {"window": "256", "total": "1024", "temperature": "0.7", "top_p": "0.9", "hint": "Boxed", "seed": "7", "x": "y"}
    )
    assert usable == {"window": 256, "total": 1024, "temperature": 0.7, "top_p": 0.9, "hint": "Boxed", "seed": "7"}
    assert complaints == []


def test_the_defaults_are_usable():
    assert read_choices({choice.name: choice.default for choice in CHOICES})[1] == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *[("window", value) for value in ("abc", "0", "-1", "1e3", "²", "9" * 5000, 1.5, True, None, [], float("inf"))],
        *[("temperature", value) for value in ("nan", "-0.1", "2.1", "", None, {}, "inf", True)],
        *[("top_p", value) for value in ("0", "1.01", float("nan"))],
        *[("hint", value) for value in ("plain", "", 3, [])],
        *[("seed", value) for value in ("-1", "x", "²", str(2**63), True, 1.5)],
        *[("system", value) for value in (3, "x" * 4001, "\ud800")],
    ],
)
def test_what_is_not_usable_is_left_out_and_named(name: str, value: object):
    usable, complaints = read_choices({name: value})
    assert usable == {}
    assert len(complaints) == 1
    assert "must be" in complaints[0]
    assert len(complaints[0]) < 150


def test_a_link_says_what_it_set_and_what_it_did_not():
    assert link_sentence(*read_choices({})) == ""
    sentence = link_sentence(*read_choices({"window": "300", "total": "many"}))
    assert sentence.startswith("Set by the link: window. Not taken from the link: total tokens is 'many'; it must be")


@pytest.mark.parametrize("context_tokens", [3, 100, 2048, 8192, 32_768])
def test_a_preset_leaves_room_for_prompt_and_answer(context_tokens: int):
    for preset in PRESETS.values():
        fitting = preset.within(context_tokens)
        assert 1 <= fitting.thinking_tokens < fitting.total_tokens < context_tokens


def test_the_preset_with_the_numbers_is_shown_and_stays_where_two_are_the_same():
    assert preset_of(1024, 2048, 32_768, None) == "Balanced"
    assert preset_of(1024, 2000, 32_768, "Balanced") is None
    small = PRESETS["Deep"].within(2048)
    assert preset_of(small.thinking_tokens, small.total_tokens, 2048, "Deep") == "Deep"


def test_compare_begins_with_windows_that_the_model_holds():
    assert compared_within(32_768) == [128, 512, 2048]
    assert compared_within(2048) == [128, 512]
    assert compared_within(64) == [128]


def test_the_examples_are_of_both_kinds_in_three_fields():
    html = examples_html()
    for word in ("easy", "hard", "code", "maths", "logic"):
        assert f">{word}<" in html
