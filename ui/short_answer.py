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


def short_answer(text: str) -> str:
    """ "" where nothing was written."""
    text = _CODE.sub("", text).strip() or text
    surest = next(iter(final_answers(text)), None)
    short = surest.content if surest else ""
    if surest and surest.kind == "statement":
        short = clause(short)
        short = [short, *_NUMBER.findall(short)][-1] if _WORD.search(short) else short
    elif surest and surest.kind == "line":
        short = [short, *_NUMBER.findall(text), *BOLD.findall(text)][-1]
    short = " ".join(short.split()).strip(" *_`$.")
    return short if len(short) <= LONGEST else short[: LONGEST - 1] + "…"


def same_answer(one: str, other: str) -> bool:
    """Whether two short answers read the same: case, blanks and grouping commas aside."""
    folded = [re.sub(r"[\s,$\\]", "", answer).casefold() for answer in (one, other)]
    return folded[0] == folded[1] != ""
