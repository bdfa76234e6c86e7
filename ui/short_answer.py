"""The answer inside an answer, in a few characters, so that answers can be put side by side: what is boxed, else what
is stated, else what is bold, else the last number, else the last line. For looking, not for judging (evaluation/ does
that). Code is left out where there is text beside it."""

from __future__ import annotations

import re

from z1_core.final_answer import BOLD, clause, final_answers

LONGEST = 60
_NUMBER = re.compile(r"-?\d+(?:,\d{3})*(?:[.:/]\d+)?")
_WORD = re.compile(r"(?<![A-Za-z\\])[A-Za-z]{2,}")
_CODE = re.compile(r"```.*?(?:```|$)", re.DOTALL)
_DECORATION = " \t*_$`."


def short_answer(text: str) -> str:
    """ "" where nothing was written."""
    text = _CODE.sub("", text).strip() or text
    places = final_answers(text)
    if not places:
        return ""
    surest = places[0]
    if surest.kind == "box":
        return _shortened(surest.content)
    if surest.kind == "statement":
        stated = clause(surest.content)
        return _shortened((_number_in(stated) if _WORD.search(stated) else None) or stated)
    if bold := BOLD.findall(text):
        return _shortened(bold[-1])
    return _shortened(_number_in(text) or surest.content)


def same_answer(one: str, other: str) -> bool:
    """Whether two short answers read the same: case, blanks and grouping commas aside."""
    return _folded(one) == _folded(other) != ""


def _number_in(text: str) -> str | None:
    numbers = _NUMBER.findall(text)
    return numbers[-1] if numbers else None


def _shortened(text: str) -> str:
    text = " ".join(text.split()).strip(_DECORATION)
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def _folded(text: str) -> str:
    return re.sub(r"[\s,$\\]", "", text).casefold()
