"""Settings from a link or from the browser's memory; presets."""

from __future__ import annotations

import pytest

from ui.examples import SETS, compare_for, examples_for
from ui.html import macros
from ui.presets import PRESETS, fitted, preset_of, with_numbers, within
from ui.settings_panel import link_sentence, panel_html, words
from z1_core.errors import BadInput
from z1_core.settings import FIELDS, SHORT, Settings, read_settings, usable_settings
from z1_core.window import BOXED_HINT, HINT


def test_the_words_of_a_link_become_values():
    usable, complaints = usable_settings(
        {"window": "256", "total": "1024", "temperature": "0.7", "top_p": "0.9", "hint": "Boxed", "seed": "7", "x": "y"}
    )
    assert complaints == []
    settings = Settings(**usable)
    assert settings.model_dump(exclude={"system"}) == {
        "thinking_tokens": 256, "total_tokens": 1024, "temperature": 0.7, "top_p": 0.9, "hint": BOXED_HINT, "seed": 7,
    }  # fmt: skip


def test_a_hint_of_ones_own_becomes_a_paragraph_unless_it_brings_its_own_space():
    assert Settings().hint == Settings(hint="plain").hint == HINT
    assert Settings(hint="Stop.").hint == "\n\nStop.\n\n"
    assert Settings(hint="\n</think>\n\n").hint == "\n</think>\n\n"
    for settings in (Settings(), Settings(hint="boxed", seed=5, temperature=0.7), Settings(hint="Stop. ", system="")):
        assert read_settings(words(settings)) == settings


def test_every_field_has_a_control_on_the_page_with_its_help():
    html = panel_html()
    for name, long in SHORT.items():
        assert f'id="{name}"' in html
        assert FIELDS[long].description in html


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *[("window", value) for value in ("abc", "0", "-1", "1e3", "²", "9" * 5000, 1.5, True, None, [], float("inf"))],
        *[("temperature", value) for value in ("nan", "-0.1", "2.1", "", None, {}, "inf", True)],
        *[("top_p", value) for value in ("0", "1.01", float("nan"))],
        *[("hint", value) for value in ("", " ", 3, [])],
        *[("seed", value) for value in ("-1", "x", "²", str(2**63), True, 1.5)],
        *[("system", value) for value in (3, "x" * 1_000_001, "\ud800")],
    ],
)
def test_what_is_not_usable_is_left_out_and_named(name: str, value: object):
    usable, complaints = usable_settings({name: value})
    assert usable == {}
    assert len(complaints) == 1
    assert "must be" in complaints[0]
    assert len(complaints[0]) < 150
    with pytest.raises(BadInput, match=rf"^{name} is .*; it must be a"):
        read_settings({name: value, "system": "ok"} if name != "system" else {name: value})


def test_a_link_says_what_it_set_and_what_it_did_not():
    assert link_sentence(*usable_settings({})) == ""
    sentence = link_sentence(*usable_settings({"window": "300", "total": "many"}))
    assert sentence.startswith("Set by the link: window. Not taken from the link: total is 'many'; it must be")


@pytest.mark.parametrize("context_tokens", [3, 100, 2048, 8192, 32_768])
def test_a_preset_leaves_room_for_prompt_and_answer(context_tokens: int):
    for preset in PRESETS.values():
        thinking_tokens, total_tokens = within(preset, context_tokens)
        assert 1 <= thinking_tokens < total_tokens < context_tokens


def test_the_preset_with_the_numbers_is_shown_and_stays_where_two_are_the_same():
    assert preset_of(with_numbers(Settings(), 1024, 2048), 32_768, "") == "Balanced"
    assert preset_of(with_numbers(Settings(), 1024, 2000), 32_768, "Balanced") == ""
    assert preset_of(with_numbers(Settings(), *within(PRESETS["Deep"], 2048)), 2048, "Deep") == "Deep"


@pytest.mark.parametrize(
    ("context_tokens", "chosen", "fitting"),
    [
        (8192, (9000, 12_000), (4096, 6144)),
        (8192, (100, 9000), (100, 6144)),
        (8192, (8000, 8192), (8000, 8192)),
        (2048, (1024, 2048), (1024, 1536)),  # a preset, which leaves no room for a prompt there
    ],
)
def test_settings_beyond_the_context_of_the_model_are_brought_back(context_tokens, chosen, fitting):
    settings = with_numbers(Settings(hint="boxed"), *chosen)
    assert fitted(settings, context_tokens, also_beyond=True) == with_numbers(settings, *fitting)


def test_what_a_program_asks_for_is_never_made_less_but_the_defaults_fit():
    assert fitted(Settings(), 2048) == with_numbers(Settings(), 1024, 1536)
    assert fitted(Settings(total_tokens=9000), 2048).total_tokens == 9000
    assert fitted(Settings(), None) == fitted(Settings(), None, also_beyond=True) == Settings()


def test_compare_begins_with_what_the_model_can_do_and_holds():
    assert compare_for("SmolLM2-135M-Shift is ready", 8192)["windows"] == "16, 64, 256"
    assert "+" in compare_for("SmolLM2-135M-Shift is ready", 8192)["question"]
    for context, windows in ((None, "128, 512, 2048"), (32_768, "128, 512, 2048"), (2048, "128, 512"), (64, "128")):
        assert compare_for("Z1-7B is ready", context)["windows"] == windows


def test_the_examples_are_of_both_kinds_and_for_the_model_that_runs():
    html = macros("tabs").think(SETS)
    assert html.count("data-for=") == 3
    names = ("SmolLM2-135M-Shift is ready", "loading SmolLM2-135M", "Z1-7B is ready")
    assert [examples_for(name) for name in names] == ["SmolLM2-135M-Shift", "SmolLM2-135M", ""]
    for word in ("easy", "hard", "code", "maths", "logic"):
        assert f">{word}<" in html
