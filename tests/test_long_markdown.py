"""Long text is cut into pieces that stay where they are while more is written, and never inside code or a formula."""

from __future__ import annotations

import random

import pytest

from ui.long_markdown import MOST_PIECES, PIECE_CHARACTERS, pieces

PARAGRAPH = "Some words of a thought that goes on and on. " * 12
CODE = "```python\n" + "x = 1\n\n" * 600 + "```"
FORMULA = "\\[\n" + "a + b\n\n" * 300 + "\\]"
DOLLARS = FORMULA.replace("\\[", "$$").replace("\\]", "$$")


def text_of(*blocks: str) -> str:
    return "\n\n".join(blocks)


def test_a_short_text_is_one_piece_and_none_is_none():
    assert pieces("", 100) == []
    assert pieces("Hello", 100) == ["Hello"]


def test_pieces_are_the_text_and_not_much_longer_than_they_must_be():
    text = text_of(*[PARAGRAPH] * 30)
    made = pieces(text, 4000)
    assert "".join(made) == text
    assert len(made) == 5
    assert all(PIECE_CHARACTERS <= len(piece) < PIECE_CHARACTERS + len(PARAGRAPH) + 2 for piece in made[:-1])


@pytest.mark.parametrize("tokens", [100, 8000, 100_000])
def test_there_are_never_more_than_the_page_has_room_for(tokens: int):
    text = text_of(*[PARAGRAPH] * 400)
    made = pieces(text, tokens)
    assert "".join(made) == text
    assert len(made) <= MOST_PIECES


@pytest.mark.parametrize("whole", [CODE, CODE.replace("```", "~~~~"), FORMULA, DOLLARS])
def test_code_and_formulas_stay_whole(whole: str):
    made = pieces(text_of(*[PARAGRAPH] * 6, whole, *[PARAGRAPH] * 6), 4000)
    assert len(made) > 1
    assert sum(whole in piece for piece in made) == 1


def test_a_fence_inside_a_longer_fence_does_not_end_it():
    whole = "````markdown\n```python\n" + "x = 1\n\n" * 600 + "```\n" + "y\n\n" * 900 + "````"
    assert sum(whole in piece for piece in pieces(text_of(whole, PARAGRAPH), 4000)) == 1


def test_what_belongs_to_a_list_item_stays_with_it():
    items = text_of(*[f"{n}. {PARAGRAPH}\n\n    more of item {n}" for n in range(1, 40)])
    assert all(not piece[0].isspace() for piece in pieces(items, 8000))


def test_a_formula_that_never_ends_holds_up_one_piece_only():
    made = pieces(text_of("It costs $$ or so.", *[PARAGRAPH] * 60), 4000)
    assert len(made) >= 5
    assert all(len(piece) < 2 * PIECE_CHARACTERS + len(PARAGRAPH) + 30 for piece in made[:-1])


def test_pieces_stay_where_they_are_while_the_text_grows():
    drawn = random.Random(1)
    blocks = [
        PARAGRAPH,
        "- a\n- b",
        "1. one\n\n   two",
        "```\ncode\n\ncode\n```",
        "$$\nx\n\n$$",
        "",
        "## Head",
        "a\r\nb",
    ]
    text = text_of(*[drawn.choice(blocks) for _ in range(200)])
    whole, end = pieces(text, 4000), 0
    assert len(whole) > 3
    while end < len(text):
        end += drawn.randrange(1, 40)
        made = pieces(text[:end], 4000)
        assert "".join(made) == text[:end]
        assert made[:-1] == whole[: len(made) - 1]
