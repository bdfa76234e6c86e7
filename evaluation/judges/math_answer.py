r"""Reads a stated answer into parts that math-verify reads as meant. Pure functions, and math-verify for prose.

Rules, as a strict human grader of MATH500 applies them:
- A name for the value does not count ("x = 5" is 5), units and degrees neither, nor a closing "for any constant c".
- \text{odd} and bare words of more letters than a product has ("even", not "abc") are compared as words, without case
  and articles; an answer of more than three words is a sentence; "p - q" is mathematics.
- "a and b", "a or b", "a, b" and \pm are several answers: all must be there, in any order, and nothing else; so
  "12 apples and 5 oranges" is not 12. A tuple is ordered, a set is not, a bare list may stand for either. Brackets count.
  What only restates the value ("15\frac{39}{40} or \frac{639}{40}") adds none. A vector may stand in a row: (1, 2).
- Inequalities are the set they describe: 5 > x > -3, "x > -3 and x < 5" and ]-3, 5[ are (-3, 5); "and" is no "or".
- "12:1" is a ratio: it may stand for a fraction, never for 12. "6:30 p.m." and \text{7:30} are compared whole.
  60^\circ is \frac{\pi}{3}, and 60; a sentence that rejects its value ("isn't 12", "at least 12") or asks states none,
  nor does a text that gives up ("I don't know, I got to 7").
- "2 3/4" is 11/4. 8% is 0.08, and also 8 where the problem may have asked for per cent. 1,234 is a number unless the
  reference is a list. A decimal counts for a fraction or root if right to 6 places; two exact numbers must be equal.
- 36 cents are no \$36, $70k is 70000, 18 dollars and 90 cents are 18.90; 2 hours and 30 minutes are 150, or 2.5.
- A base that is named must be the reference's; 52 alone may stand for 52_8. Variables under roots are positive.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from evaluation.judges.math_parts import TEXT_COMMAND, parts_of
from evaluation.judges.math_spelling import FUNCTIONS, MIXED, UNICODE, WORDS, improper, in_units_of, number, spelled
from z1_core.final_answer import EMPTY_BOX, FinalAnswer, affirmed, boxes, clause, final_answers, trimmed

TERM = re.compile(
    r"(?<![A-Za-z\\])(?:\d[A-Za-z]|[A-Za-z][\^(]|[A-Za-z]\s*[-+*/]+\s*[\dA-Za-z]|\d\s*[-+*/^]+\s*[A-Za-z])(?![A-Za-z])"
)
"""A variable that is reckoned with."""
EQUALS = re.compile(
    r"(?<![<>!])=\s*[$€£]?\s*(-?\d[\d.,/]*+)(?!\s*[-+*/=^×]|[A-Za-z](?![A-Za-z])|\(|\\(?!text|mathrm|mbox)[a-z])"
)
LAST_SIDE = re.compile(r"^(?!.*\\\[).*(?<![<>!])=((?!.*(?<![\\A-Za-z])[a-z]{2,}\s)[^=]+?)\$?$")
"""Of an equation, without prose behind it."""
PREDICATE = re.compile(
    r"(?:(?:\b(?:is|are|was|were|equals|gives?|yields?|becomes?|get|obtain|\w+[sy] (?:to|as))|,\s(?:so|thus|hence))\b:?\s"
    r"(?:at\s)?|:\s|\b(?:in|at) (?=\$?(?:\\left)?[(\[])|\\implies|⇒|^[A-Z]\w+,? (?=[a-z]\s*=))(?![^()]*\)\W*$)"
)
LONGEST_LINE = 500
TIME = re.compile(r"(\d{1,2}):(\d\d)\s*(?:([ap])\.?\s*m\b\.?|\.?$)", re.IGNORECASE)
ASIDE = re.compile(
    r"(?:, not| rather than| instead of)\b[^,.;]*$|, (?:since|because|as|half|twice)\b(?:[^.=]*|[^.]*\bnot\b[^.]*)$"
    r"|(?<=\d) (?:out )?of (?:the |these |those |all )?\d[\d,]*"
    r"|(?<=\d)[^=\d]{0,40}?\s(?:(?:on|for|after|from|to (?:make|earn|get|buy|pay|reach)"
    r"|which (?:is (?:about|less|more)|includes))\b"
    r"(?! a total|[^\d]*\$)[^,;=+\d]*\d[\d,.]*[^;=+\d]*|(?:when|at|for(?: all)?) \$?[a-z]\s*(?:[=<>]|\\[gl]e)[^,;]*)$"
)
"""What does not answer, though a number stands in it: the 3 of "42 on 3 items", the 2 of "7 when y = 2"."""
REFUSED = re.compile(
    r"(?:\b(?:is|are|equals|equal to)|=)[\s:=\\(\[$]*$|\?\W*$|\b(?:wrong|incorrect)\b[^.;=]*$"
    r"|(?:\b(?:not|never|cannot|(?:could|might|may) be|different from|multiple of|at (?:least|most)"
    r"|(?:less|more|fewer|greater|smaller) than)\b"
    r"|\\neq?\b|[<>!]=|≠)(?=[^=]*\d)(?:[^,.;=]|[,.;](?=\S|\D*$))*$",
    re.IGNORECASE,
)
"""An end that asks, or rejects a value."""
GIVES_UP = re.compile(
    r"\b(?:g[ia]v(?:e|ing) up(?! \$)|no idea|do not know|(?:unable|impossible|not able|not sure how) to"
    r"|(?:can|ca|could) ?not (?:be )?(?:solve|determine|answer|compute|find the))\b",
    re.IGNORECASE,
)
NOT_ALONE = re.compile(
    r"\?|,(?! (?:at|with|who|which)\b)"
    r"|\b(?:not|never|no|neither|nor|cannot|and|or|if|whether|could|might|may|opposite|wrong|than|from|before|after)\b",
    re.IGNORECASE,
)
REASON_FIRST = re.compile(r"^(?:(?:As|Because|Since|After|\w+ing)\b[^,]*|\w+),")
COUNTED = re.compile(
    rf"\b(?:is|are|has|have|exactly|only|needs?|gets?|takes?)\s+(?:exactly |only |just )?({WORDS}|no)\b(?! doubt| of\b)",
    re.IGNORECASE,
)
NUMBERED = re.compile(
    r"^\s*\(?\d+[.)]\s+(?=\D*[A-Za-z])|\b(?:step|example|case|figure|equation|part|problem|question|method)\s+\(?\d+\)?",
    re.IGNORECASE,
)
"""What counts the lines or names a place, and is no value."""
PYTHON = re.compile(r"^[ \t]*```(?:python|py)\d?[ \t]*$.*?(?:```|\Z)", re.MULTILINE | re.DOTALL | re.IGNORECASE)
"""A program states no answer; its output may."""
DELIMITED = re.compile(r"\$(?=\S)([^$\n]+)(?<=\S)\$(?!\d)|\\\((.+?)\\\)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One of the three: words; parts, in LaTeX, one for each of several answers; values that math-verify finds in prose.
    grouped, letters: of a reference, see parts_of(); letters are its variables."""

    shown: str
    words: str = ""
    parts: Sequence[str] = ()
    values: Sequence[Any] = ()
    grouped: bool = True
    letters: frozenset[str] = frozenset()


def read_reference(gold: str) -> Reading:
    stated = ", ".join(boxes(gold)[0]) if boxes(gold) else EMPTY_BOX.sub("", in_units_of(gold, gold))
    latex = spelled(stated if stated.endswith("!") else trimmed(stated))  # a factorial, no exclamation
    if is_words(stated if ":" in stated else latex):
        return Reading(shown=gold, words=words_of(latex))
    numbers = r"(?<![\d(\[{])\d{1,3}(?:,\d{3})+(?!\d)"
    grouped = not re.search(r"[,;]|\\pm|\b(?:and|or)\b", re.sub(numbers, "", latex))
    letters = variables(latex)
    parts = parts_of(latex, grouped=grouped, symbolic=bool(letters))
    return Reading(shown=gold, parts=parts, grouped=grouped, letters=letters)


def answered(text: str, reference: Reading) -> Reading | None:
    """The final answer of a text, read as one of the reference's kind; None where it states none."""
    read = _in_words if reference.words else _in_parts
    places = final_answers(in_units_of(reference.shown, PYTHON.sub("", text)))
    for place in places:
        if place.kind == "line" and not reference.words and GIVES_UP.search(place.content):
            return None
        said = clause(place.content) if place.kind == "statement" else ASIDE.sub("", place.content[-4 * LONGEST_LINE :])
        predicate = trimmed(PREDICATE.split(said)[-1])
        last = [] if re.search(r"\. |\b(?:which|so)\b|\$[^$]*\s\(", predicate) else [clause(predicate)]
        candidates = [place.content, said, predicate, *last, _formulas(said, predicate), *LAST_SIDE.findall(said)]
        if reading := read(place, candidates, reference):
            return reading
        if not reference.words and (reading := _in_prose(said)):
            return reading
    return None if reference.words else next(filter(None, map(_counted, places)), None)


def _counted(place: FinalAnswer) -> Reading | None:
    """A number in words within a sentence: "There are two solutions." """
    found = COUNTED.findall(place.content) if not REFUSED.search(place.content) else []
    if len(found) != 1:
        return None
    return Reading(shown=found[0], parts=["0" if found[0].lower() == "no" else str(number(found[0]))])


def _formulas(said: str, predicate: str) -> str:
    """Those of "so $x = 1$ or $x = -2$." as one answer; the predicate's first; or the one at the end."""
    found = boxes(DELIMITED.sub(lambda formula: rf"\boxed{{{formula[1] or formula[2]}}}", said))
    first = DELIMITED.match(predicate)
    if found and len(found[0]) > 1 and found[0][-1].count("=") < 2:
        return ", ".join(found[0])
    if first and "=" not in predicate[first.end() :]:
        return first[1] or first[2]
    return found[0][-1] if found and said.endswith(("$", r"\)")) else said


def _in_words(place: FinalAnswer, candidates: Sequence[str], reference: Reading) -> Reading | None:
    is_leading = place.kind != "box" and words_of(place.content.partition(",")[0]) == reference.words  # "Yes, it is."
    if is_leading or any(words_of(candidate) == reference.words for candidate in candidates) or _says(place, reference):
        return Reading(shown=place.content, words=reference.words)
    if place.kind == "box" or any(map(is_words, candidates)):
        return Reading(shown=place.content)
    return None


def _says(place: FinalAnswer, reference: Reading) -> bool:
    """Whether a sentence ends in them ("She faces west."), or begins in a name: "Evelyn has the greatest average speed."
    It must affirm them, and them alone."""
    words, said, around = reference.words, words_of(place.content), ""
    if said.endswith(f" {words}"):
        around = REASON_FIRST.sub("", place.content[: -len(words)])
    elif words.title() in reference.shown and said.startswith(f"{words} "):
        around = place.content[len(words) :]
    return place.kind != "box" and bool(around) and not NOT_ALONE.search(around)


def _in_parts(place: FinalAnswer, candidates: Sequence[str], reference: Reading) -> Reading | None:
    """A box counts whatever it holds, a statement where it is mathematics, a line where it is like the reference."""
    for candidate in candidates:
        parts = parts_of(spelled(candidate), grouped=reference.grouped, symbolic=bool(reference.letters))
        is_like = reference.letters or place.kind == "statement" or not any(map(variables, parts))
        if place.kind == "box" or (parts and is_like and all(is_expression(part, reference.letters) for part in parts)):
            return Reading(shown=candidate, parts=parts)
    return None


def variables(latex: str) -> frozenset[str]:
    """Besides the name in "x = 5" or "x < 5"."""
    bare = re.sub(r"^[A-Za-z\d_,()\s]*(?:=|\\in(?![a-z]))|\\[A-Za-z]+", "", TEXT_COMMAND.sub("", latex))
    return frozenset() if re.search(r"[<>]|\\[lgn]e", latex) else frozenset(re.findall("[A-Za-z]", bare))


def _in_prose(text: str) -> Reading | None:
    """What stands behind the last "=", else what math-verify finds last; nothing where the end rejects or asks."""
    from math_verify import parse

    text = NUMBERED.sub("", text[-LONGEST_LINE:].translate(UNICODE)).rstrip(". ")
    rejects = "answer" in text.lower() and not affirmed(PREDICATE.split(text)[-1])
    if rejects or REFUSED.search(text) or not re.search(r"[\d$\\]", text):
        return None
    text = (EQUALS.findall(text) or [text])[-1]
    if TERM.search(text):  # the 3 of "f(x) = 3x^4 + 2"
        return None
    values = parse(MIXED.sub(lambda mixed: improper(mixed, "%d/%d"), text), parsing_timeout=None)
    found = [value for value in values if not isinstance(value, str)]
    return Reading(shown=str(values[-1]), values=found) if found else None


def is_expression(line: str, letters: frozenset[str]) -> bool:
    """Whether the whole line is mathematics: no words besides commands, functions and products of the letters, no
    delimiters inside."""
    if "$" in line or re.search(r"\\[()\[\]]|[A-Za-z]\.[A-Za-z]|[!?=]$", line) or not re.search(r"[0-9A-Za-z]", line):
        return False
    bare = re.sub(r"\\(?:begin|end)\{\w+\}|\\[A-Za-z]+|^[A-Z]{2,4}\s*=", " ", TEXT_COMMAND.sub(" ", line))
    words = [word for word in re.findall(r"[A-Za-z]{2,}", bare) if len(word) > 3 or not letters.issuperset(word)]
    return {"or", "and", *FUNCTIONS}.issuperset(map(str.lower, words))


def is_words(text: str) -> bool:
    plain = TEXT_COMMAND.sub(r"\1", text).strip()
    time = TIME.fullmatch(plain)
    if time and (time[3] or plain != text.strip()):  # 7:30 alone is a ratio
        return True
    if plain == text.strip():
        return bool(re.fullmatch(r"(?=.{4})[A-Za-z'-]{2,}(?: [A-Za-z'-]{2,}){0,2}", plain))
    return bool(re.fullmatch(r"\(?[A-Za-z'-]+(?: [A-Za-z'-]+){0,2}\)?", plain))


def words_of(text: str) -> str:
    """Words to compare by: without commands, brackets, articles, "function", and case; of a time of day, that alone."""
    if times := TIME.findall(TEXT_COMMAND.sub(r" \1 ", text)):
        return " ".join(times[-1]).casefold().strip()
    plain = re.sub(r"[^A-Za-z0-9]+", " ", TEXT_COMMAND.sub(r" \1 ", text)).casefold().split()
    return " ".join([word for word in plain if word not in ("a", "an", "the", "function")] or plain)
