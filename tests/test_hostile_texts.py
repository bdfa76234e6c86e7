"""No text, whatever it says and however it says it, steers a model: not as a question, nor as a system prompt, an earlier
turn or a hint. On tokenizers of every kind; the real one of llama.cpp is in integration/test_text_safety.py."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.hostile_texts import BROKEN, CONTROL, MARKUP, ODD, STEERING
from tests.kinds_of_text import controls_in, kinds
from z1_core.engines.tokenizer_text import TokenizerText
from z1_core.errors import BadInput
from z1_core.prompt import chat

KINDS = kinds()
QUICK = settings(derandomize=True, deadline=None, max_examples=150, database=None)


def conversation(text: str) -> list[dict]:
    """The text in every place where one can be."""
    return chat(f"x{text}x", system=f"x{text}x", history=[(f"x{text}x", f"x{text}x")])


def steers(model: TokenizerText, text: str) -> bool:
    as_hint = controls_in(model, model.encode(text))
    in_prompt = controls_in(model, model.render(conversation(text)))
    return bool(as_hint) or in_prompt != controls_in(model, model.render(conversation("")))


def is_changed(model: TokenizerText, text: str) -> bool:
    """Behind other text, as a hint is: at the beginning SentencePiece's decoders take a space away. Its mark for a space is
    one to it."""
    back = model.decode([*model.encode("x"), *model.encode(text)], control=True)
    return back != f"x{text}" and back != f"x{text}".replace("▁", " ")


@pytest.mark.parametrize("name", STEERING)
def test_no_string_of_a_family_steers_in_any_disguise(name: str):
    texts = STEERING[name]
    for kind, model in KINDS.items():
        if steers(model, " ".join(texts)) or steers(model, "".join(texts)):
            pytest.fail(f"{kind}: {next((text for text in texts if steers(model, text)), texts)!r}")


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "unigram"])  # which knows no bytes
def test_every_text_of_a_family_comes_back_as_it_was(kind: str):
    changed = [text for texts in STEERING.values() for text in texts if is_changed(KINDS[kind], text)]
    assert not changed, min(changed, key=len)


@pytest.mark.parametrize("name", ODD)
def test_odd_and_huge_texts_stay_text_and_take_no_time(name: str):
    for kind, model in KINDS.items():
        begun_s = time.process_time()
        assert not steers(model, ODD[name]), kind
        assert time.process_time() - begun_s < 5, kind


@pytest.mark.parametrize("name", MARKUP)
def test_markup_is_only_text_to_a_model(name: str):
    for kind, model in KINDS.items():
        assert not steers(model, "\n".join(MARKUP[name])), kind


@pytest.mark.parametrize("text", BROKEN)
@pytest.mark.parametrize("kind", KINDS)
def test_half_a_character_is_refused_in_words(kind: str, text: str):
    for make in (KINDS[kind].encode, lambda words: KINDS[kind].render(chat(words))):
        with pytest.raises(BadInput, match="half a character"):
            make(text)


STRINGS = sorted({string for family in CONTROL.values() for string in family})
PARTS = st.one_of(
    st.sampled_from(STRINGS),
    st.builds(lambda s, cut: s[: cut % len(s)], st.sampled_from(STRINGS), st.integers(1, 30)),
    st.builds(lambda s, cut: s[cut % len(s) :], st.sampled_from(STRINGS), st.integers(1, 30)),
    st.text(max_size=4),
)


@QUICK
@given(st.lists(PARTS, max_size=12).map("".join), st.sampled_from(sorted(KINDS)))
def test_no_mixture_of_parts_steers(text: str, kind: str):
    assert not steers(KINDS[kind], text)
    if kind != "unigram":
        assert not is_changed(KINDS[kind], text)
