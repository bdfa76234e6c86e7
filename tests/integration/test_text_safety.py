"""No text steers the embedded model: its own tokenizer, in llama.cpp's server. Other kinds are in test_hostile_texts.py."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from tests.hostile_texts import BROKEN, CONTROL, DISGUISES, MARKUP, ODD, STEERING
from z1_core.engine import Engine, Text
from z1_core.errors import BadInput
from z1_core.prompt import chat

SHORT = {name: text for name, text in ODD.items() if len(text) < 2_000}


@pytest.fixture(scope="module")
def text(llama_engine: Engine) -> Text:
    return llama_engine.text


@pytest.fixture(scope="module")
def control(text: Text) -> set[int]:
    """The ids of what the model knows of all families' strings."""
    parsed = [text.parse(string) for family in CONTROL.values() for string in family]
    found = {ids[0] for ids in parsed if len(ids) == 1}
    assert {text.parse(string)[0] for string in CONTROL["smollm"]} <= found
    return found


def steered(text: Text, control: set[int], texts: Sequence[str]) -> bool:
    def in_prompt(words: str) -> list[int]:
        messages = chat(f"x{words}x", system=f"x{words}x", history=[(f"x{words}x", f"x{words}x")])
        return [id_ for id_ in text.render(messages) if id_ in control]

    joined = " ".join(texts)
    return bool(control & {*text.encode(joined)}) or in_prompt(joined) != in_prompt("")


@pytest.mark.parametrize("disguise", DISGUISES)
def test_no_string_of_any_family_steers_in_this_disguise(text: Text, control: set[int], disguise: str):
    texts = [each for family in CONTROL for each in STEERING[f"{family}, {disguise}"]]
    if steered(text, control, texts):
        pytest.fail(repr(next((each for each in texts if steered(text, control, [each])), texts)))
    assert text.decode(text.encode(" ".join(texts)), control=True) == " ".join(texts)


@pytest.mark.parametrize("name", [*SHORT, *MARKUP])
def test_odd_texts_and_markup_are_only_text(text: Text, control: set[int], name: str):
    assert not steered(text, control, MARKUP.get(name) or [SHORT[name]])


@pytest.mark.parametrize("words", BROKEN)
def test_half_a_character_is_refused_in_words(text: Text, words: str):
    for make in (text.encode, lambda broken: text.render(chat(broken))):
        with pytest.raises(BadInput, match="half a character"):
            make(words)
