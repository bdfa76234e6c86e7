"""Multiple choice: options in a stable order that is not the author's, and the letter that a text settles on.

The file that Z1's evaluation read GPQA from has the right option at "A" in all 198 rows, which pays a model that
favours "A"; so each problem's options are shuffled by a hash of its id: the same everywhere, and even over many.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass

from z1_core.errors import BadInput
from z1_core.final_answer import boxes

LETTERS = "ABCDEFGHIJ"
ENDS_LETTER = r"[).\]:,;!?/&]|\s*$|\s*\n|\s+(?:because|since|as|and|or|due|with|[-–—=])(?:\s|$)"
"""What may follow a letter that is an answer; any other word makes it part of a phrase."""

STATEMENT = re.compile(
    r"\b(?:answer|choice|option)(?:\s+(?:is|should be|would be|must be)\b|\s*[:=])+\s*(?=([^\n]{0,80}))", re.IGNORECASE
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shuffled:
    """options: in the order shown; order: for each of them its index in the original; letter: of the right one."""

    options: tuple[str, ...]
    order: tuple[int, ...]
    letter: str


def shuffled(options: Sequence[str], *, problem_id: str) -> Shuffled:
    """The options in the order of a hash of problem id and option index; options[0] is the right one.

    A hash and not random.shuffle: its order is part of the record and must not change with Python's version.
    """
    if not 2 <= len(options) <= len(LETTERS):
        raise BadInput(f"{problem_id} has {len(options)} options; give 2 to {len(LETTERS)}")
    order = tuple(sorted(range(len(options)), key=lambda i: hashlib.sha256(f"{problem_id}:{i}".encode()).digest()))
    return Shuffled(options=tuple(options[i] for i in order), order=order, letter=LETTERS[order.index(0)])


def letter_of(text: str, letters: str = "ABCD") -> str | None:
    r"""The letter that the text settles on; None where it names none, or several at once.

    The last \boxed{} counts before the last "the answer is", that before lines led by a letter. Only capitals are
    letters, and only where they stand as one: the A of "A cat" is an article, the B of "B cells" a name.
    """
    one = rf"[{re.escape(letters)}]"
    if groups := boxes(text):
        found = "".join(_leading_letters(_plain(box), one) for box in groups[0])
    else:
        plain = _plain(text)
        found = _stated_letters(plain, one) or _letters_of_lines(plain, one)
    return found[0] if len(set(found)) == 1 else None


def _leading_letters(text: str, one: str) -> str:
    """The letters that the text starts with: "C" of "(C) 5 eV", "AC" of "A and C", "" of "A cat"."""
    letter = re.compile(rf"\s*(?:\(({one})\)|\[({one})\]|({one})(?={ENDS_LETTER}))")
    text = re.sub(r"^\s*(?i:(?:is\s+)?(?:option|choice|letter|answer)\b[\s:]*)+", "", text)
    found, first = "", letter.match(text)
    while first:
        found += first[first.lastindex]
        joined = re.compile(r"[).\]: ]*(?:[,/&]|and\b|or\b)+").match(text, first.end())
        first = letter.match(text, joined.end()) if joined else None
    return found


def _stated_letters(plain: str, one: str) -> str:
    """Of the last statement that names any: "the answer is (C)", "Answer: C", "option C is correct"."""
    found = [(tail.start(), _leading_letters(tail[1], one)) for tail in STATEMENT.finditer(plain)]
    is_right = re.compile(rf"(?<![A-Za-z])\(?({one})\)?\s+is\s+(?:the\s+)?(?:only\s+)?(?:correct|right|best)\b")
    found += [(judged.start(), judged[1]) for judged in is_right.finditer(plain)]
    named = [letters for _, letters in sorted(found) if letters]
    return named[-1] if named else ""


def _letters_of_lines(plain: str, one: str) -> str:
    """A last line that is a letter alone; otherwise all letters that lead lines: a repeated list of the options names
    several, and so settles on none."""
    lines = [line for line in plain.splitlines() if line.strip()]
    if lines and re.fullmatch(rf"\s*[(\[]?{one}[)\]]?[\s.]*", lines[-1]):
        return _leading_letters(lines[-1], one)
    return "".join(_leading_letters(line, one) for line in lines)


def _plain(text: str) -> str:
    r"""Without the dress of Markdown and LaTeX: \text{(C)}, **C**, $C$ and `C` are C."""
    text = re.sub(r"\\(?:text(?:bf|it|rm|tt)?|mathrm|mathbf|mbox|mathsf)\s*(?=\{)", "", text)
    text = re.sub(r"\\[()\[\], ;]", " ", text)
    return re.sub(r"[*_`${}]+", "", text)
