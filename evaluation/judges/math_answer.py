r"""Reads a stated answer into parts that math-verify reads as meant. Pure functions, and math-verify for prose.

Rules, as a strict human grader of MATH500 applies them:
- A name for the value does not count ("x = 5" is 5), units and degrees neither, nor a closing "for any constant c".
- \text{odd} and bare words of more letters than a product has ("even", not "abc") are compared as words, without case
  and articles; an answer of more than three words is a sentence; "p - q" is mathematics.
- "a and b", "a or b", "a, b" and \pm are several answers: all must be there, in any order, and nothing else; so
  "12 apples and 5 oranges" is not 12. A tuple is ordered, a set is not, a bare list may stand for either. Brackets count.
  What only restates the value ("15\frac{39}{40} or \frac{639}{40}") adds none.
- "2 3/4" is 11/4. 8% is 0.08, and also 8 where the problem may have asked for per cent. 1,234 is a number unless the
  reference is a list. A decimal counts for a fraction or root if right to 6 places; two exact numbers must be equal.
- A base that is named must be the reference's; 52 alone may stand for 52_8. Variables under roots are positive.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from z1_core.final_answer import EMPTY_BOX, FinalAnswer, affirmed, boxes, clause, final_answers, trimmed

TEXT = r"\\(?:text(?:bf|it|rm|tt|normal|sf)?|mbox|mathrm|operatorname)\s*\{([^{}]*)\}"
TEXT_COMMAND = re.compile(TEXT)
FUNCTIONS = ["sqrt", "pi", "sin", "cos", "tan", "cot", "sec", "csc", "log", "ln", "exp", "infty", "cup", "cap", "theta"]
JOINERS = {"or", "and", "in", "inf", "infinity"}
UNITS = r"(?!(?:is|are|was|were|not|and|or|to)\b)(?:[A-Za-z]{2,}\b\.?|(?<=[/ ])[mgshLJNKWVACF]\b)(?:\^\{?-?\d\}?)?"
TEXT_UNIT = re.compile(
    rf"(?<=[^\s_^{{])\s*\{{?(?:{TEXT}|\\frac\s*\{{{TEXT}\}}\s*\{{{TEXT}\}})\}}?(?:\s*\^\{{?-?\d\}}?)?$"
)
PLAIN_UNIT = re.compile(rf"(?<=[\d)}}%i])\s+{UNITS}(?:[ /]+{UNITS})*$|(?<=\d)(?:st|nd|rd|th|cm|km|kg|mm)$")
QUANTIFIER = re.compile(
    r"[,;\s]*(?:\\text\s*\{\s*,?\s*|\b)(?:for (?:any|all|some|every|each)|where|with)\b.*$"
    r"|,\s*[A-Za-z]\s*\\in\b.*$|\s*\\pmod\s*\{?\w+\}?$|\s*(?:\\text\s*\{)?\s*\(mod\b.*$",
    re.DOTALL,
)
REPEATING = re.compile(r"(\d*)\.(\d*?)(?:\\(?:overline|bar|dot)\s*\{?(\d+)\}?|(\d+?)\4{2,}\s*\\ldots)")
MIXED = re.compile(r"(?<![\d.,^_/\w])(\d+)(?: +(\d+)/(\d+)(?![\d./])| *\\frac\s*\{(\d+)\}\s*\{(\d+)\})")
TERM = re.compile(
    r"(?<![A-Za-z\\])(?:\d[A-Za-z]|[A-Za-z]\^|[A-Za-z]\s*[-+*/]\s*[\dA-Za-z]|\d\s*[-+*/]\s*[A-Za-z])(?![A-Za-z])"
)
"""A variable that is reckoned with."""
EQUALS = re.compile(
    r"=\s*[$€£]?\s*(-?\d[\d.,/]*+)(?!\s*[-+*/=^×]|[A-Za-z](?![A-Za-z])|\(|\\(?:sqrt|pi|frac|cdot|times))"
)
PREDICATE = re.compile(r"\b(?:is|are|equals)\b:?\s|:\s")
ATTAINED = re.compile(r",?\s(?:attained|achieved|when|where|at)\s")
AND_OR = re.compile(r"\\text\s*\{(?:[\s,]+|[^{}]*\b(?:and|or)\b[^{}]*)\}|(?<![A-Za-z\\])(?:and|or)(?![A-Za-z])")
BASE = re.compile(
    r"\(?([0-9A-Fa-f]+)\)?\s*(?:\\text\s*\{)?\s*(?:_|\(?base)[\s{(}]*(?:\\text\s*\{)?\s*(\d+|[a-z]{3,})[\s})]*"
)
LIST = ""
OPENING, CLOSING = ("(", "[", "{", r"\{"), (")", "]", "}", r"\}")
UNICODE = str.maketrans(
    {"°": r"^\circ ", "π": r"\pi ", "∞": r"\infty ", "≤": r"\le ", "≥": r"\ge ", "×": r"\times ", "·": r"\cdot "}
    | {"∪": r"\cup ", "±": r"\pm ", "−": "-", "–": "-", "\u00a0": " ", "\u202f": " ", "²": "^2 ", "³": "^3 "}
    | {"¼": " 1/4", "½": " 1/2", "¾": " 3/4", "⅓": " 1/3", "⅔": " 2/3", "÷": r"\div ", "…": r"\ldots ", "θ": r"\theta "}
)
BASES = ["two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"]

SPELLINGS = [
    (r"\\(?:left|right|displaystyle|[bB]igg?[lr]?|rm|bf)(?![A-Za-z])|\\!\s*|\\?[$€£]", ""),
    (r"\\text\s*\{\s*\}", ""),
    (r"\\text\s*\{([^{}]*\d[^{}]*)\}", r"\1"),
    (r"(?<![A-Za-z}_])\{(\\text\s*\{[^{}]*\})\}", r"\1"),
    (r"(?<!\\)\\(?:[,;: ]|q?quad(?![A-Za-z]))|~", " "),
    (r"(?:\\text\s*)?\{,\}", ","),
    (r"\\(?:[dtc]frac)(?![A-Za-z])", r"\\frac"),
    (r"\\color\s*\{\w+\}|\\(?:mathbf|mathit|boldsymbol)(?![A-Za-z])", ""),
    (r"\\(?:mathrm|text|rm)\s*\{\s*([ei])\s*\}", r"\1"),  # \mathrm{e} is a number, not a unit
    (r"\\(?:mathrm|text)\s*\{d([xyt])\}", r"d\1"),
    (r"\\frac\s*(\\[A-Za-z]+|\w)\s*(\\[A-Za-z]+|\w|\{[^{}]*\})", r"\\frac{\1}{\2}"),
    (r"\\\\\[[^\]]*\]|\\\\(?=\s*\\end)", lambda row: r"\\" if "[" in row[0] else ""),
    (r"\\degree(?![A-Za-z])", r"^\\circ "),
    (r"√\s*(\d+|[a-z]|\([^()]*\))", r"\\sqrt{\1}"),
    (r"(?<=\d)[eE](?=[-+]?\d)([-+]?\d+)(?![\w}])", r"\\times 10^{\1}"),
    (r"\*\*", "^"),
    (r"\*", r"\\cdot "),
    (r"(?<=\d)\s*\\cdot\s*(?=[a-z](?![a-z]))", ""),
    (r"\s*(?:\\text\{\s*)?(?:\bper ?cent(?:age)?\b|\\?%)(?:\s*\})?", r"\\%"),  # a bare % begins a comment
    (rf"(?<![\\A-Za-z])({'|'.join(FUNCTIONS)})(?![A-Za-z])", r"\\\1"),  # sqrt(3)
    (r"\\sqrt\s*\(([^()]*)\)", r"\\sqrt{\1}"),
    (r"(?<![A-Za-z\\])inf(?:inity)?(?![A-Za-z])", r"\\infty "),
    (r"\^(-?\d+)", r"^{\1}"),
    (r"\\[lc]?dots(?![A-Za-z])|\.\.\.", r"\\ldots "),
    (r"^\{([^{}]*,[^{}]*)\}$", r"\\{\1\\}"),
]


def spelled(answer: str) -> str:
    """The answer in one spelling of LaTeX; what math-verify reads otherwise than it is meant is respelled."""
    latex = answer.translate(UNICODE)
    for pattern, spelling in SPELLINGS:
        latex = re.sub(pattern, spelling, latex)
    latex = REPEATING.sub(_repeating, latex)
    return MIXED.sub(lambda mixed: _improper(mixed, r"\frac{%d}{%d}"), latex).strip().rstrip(".,;").lstrip("= ").strip()


def _improper(mixed: re.Match[str], form: str) -> str:
    whole, top, bottom = (int(digits) for digits in mixed.groups() if digits)
    return form % (whole * bottom + top, bottom) if top < bottom else mixed[0]


def _repeating(decimal: re.Match[str]) -> str:
    whole, start, period = decimal[1], decimal[2], decimal[3] or decimal[4]
    top = int(whole + start + period) - int(whole + start or 0)
    return rf"\frac{{{top}}}{{{'9' * len(period)}{'0' * len(start)}}}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One of the three: words; parts, in LaTeX, one for each of several answers; values that math-verify finds in prose.
    grouped, symbolic: of a reference, see parts_of()."""

    shown: str
    words: str = ""
    parts: Sequence[str] = ()
    values: Sequence[Any] = ()
    grouped: bool = True
    symbolic: bool = False


def read_reference(gold: str) -> Reading:
    latex = spelled(trimmed(", ".join(boxes(gold)[0]) if boxes(gold) else EMPTY_BOX.sub("", gold)))
    if is_words(latex):
        return Reading(shown=gold, words=words_of(latex))
    numbers = r"(?<![\d(\[{])\d{1,3}(?:,\d{3})+(?!\d)"
    grouped = not re.search(r"[,;]|\\pm|\b(?:and|or)\b", re.sub(numbers, "", latex))
    symbolic = has_variables(latex)
    parts = parts_of(latex, grouped=grouped, symbolic=symbolic)
    return Reading(shown=gold, parts=parts, grouped=grouped, symbolic=symbolic)


def answered(text: str, reference: Reading) -> Reading | None:
    """The final answer of a text, read as one of the reference's kind; None where it states none."""
    read = _in_words if reference.words else _in_parts
    for place in final_answers(text):
        said = clause(place.content) if place.kind == "statement" else place.content
        predicate = trimmed(PREDICATE.split(said)[-1])
        if reading := read(place, (place.content, said, predicate, ATTAINED.split(predicate)[0]), reference):
            return reading
        rejects = "answer" in said.lower() and not affirmed(predicate)
        has_value = re.search(r"[\d$\\]", said) and not reference.words and not rejects
        if has_value and (reading := _in_prose(said)):
            return reading
    return None


def _in_words(place: FinalAnswer, candidates: Sequence[str], reference: Reading) -> Reading | None:
    if any(words_of(candidate) == reference.words for candidate in candidates):
        return Reading(shown=place.content, words=reference.words)
    if place.kind == "box" or any(map(is_words, candidates)):
        return Reading(shown=place.content)
    return None


def _in_parts(place: FinalAnswer, candidates: Sequence[str], reference: Reading) -> Reading | None:
    """A box counts whatever it holds, a statement where it is mathematics, a line where it is like the reference."""
    for candidate in candidates:
        parts = parts_of(spelled(candidate), grouped=reference.grouped, symbolic=reference.symbolic)
        is_like = reference.symbolic or place.kind == "statement" or not any(map(has_variables, parts))
        if place.kind == "box" or (parts and is_like and all(map(is_expression, parts))):
            return Reading(shown=candidate, parts=parts)
    return None


def has_variables(latex: str) -> bool:
    """Besides the name in "x = 5" or "x < 5"."""
    bare = re.sub(r"^[A-Za-z\d_,()\s]*=|\\[A-Za-z]+", "", TEXT_COMMAND.sub("", latex))
    return bool(re.search("[A-Za-z]", bare)) and not re.search(r"[<>]|\\[lg]e", latex)


def _in_prose(text: str) -> Reading | None:
    """What stands behind the last "=", else what math-verify finds last."""
    from math_verify import parse

    text = (EQUALS.findall(text) or [text.translate(UNICODE)])[-1]
    if TERM.search(text):  # the 3 of "f(x) = 3x^4 + 2"
        return None
    values = parse(MIXED.sub(lambda mixed: _improper(mixed, "%d/%d"), text), parsing_timeout=None)
    found = [value for value in values if not isinstance(value, str)]
    return Reading(shown=str(values[-1]), values=found) if found else None


def parts_of(latex: str, *, grouped: bool, symbolic: bool) -> list[str]:
    """The several answers in a spelled one, without units: "2 m \\text{ and } 3 m" is ["2", "3"], "\\pm 6" ["+ 6", "- 6"].

    grouped: 1,234 is one number; symbolic: letters behind a number are variables, no unit.
    """
    latex = AND_OR.sub(", ", QUANTIFIER.sub("", latex))
    thousands = r"(?<![\d.,])\d{1,3}(?:[, ]\d{3})+(?!\d|,\d)"
    latex = re.sub(thousands, lambda number: re.sub(r"\D", "", number[0]), latex) if grouped else latex
    parts: list[str] = []
    for part in _split(latex):
        part = TEXT_COMMAND.sub(r"\1", TEXT_UNIT.sub("", part)).strip()
        part = part if symbolic else PLAIN_UNIT.sub("", part)
        parts += [part] if part.startswith(r"\{") else _both_signs(part)
    return parts


def _both_signs(part: str) -> list[str]:
    return [part.replace(r"\pm", sign) for sign in "+-"] if part.count(r"\pm") == 1 else [part]


def _split(latex: str) -> list[str]:
    """At the commas and semicolons outside of all brackets; nothing where a bracket closes that was not opened."""
    depth, start, parts = 0, 0, []
    for sign in re.finditer(r"\\[A-Za-z]+|\\.|[()\[\]{},;]", latex):
        depth += (sign[0] in OPENING) - (sign[0] in CLOSING)
        if depth < 0:
            return []
        if sign[0] in ",;" and depth == 0:
            parts.append(latex[start : sign.start()])
            start = sign.end()
    return [part.strip() for part in [*parts, latex[start:]] if part.strip()]


def enclosed(parts: Sequence[str]) -> tuple[str, Sequence[str]]:
    """Brackets and elements of a tuple, an interval or a set, named or not ("x \\in [1, 2)"); else LIST and the parts."""
    named = r"(?:[^=<>]*(?:=|\\in(?![a-z]))\s*)?(\\\{|[(\[])(.*)(\\\}|[)\]])"
    found = re.fullmatch(named, parts[0].strip(), re.DOTALL) if len(parts) == 1 else None
    elements = [element for part in _split(found[2]) for element in _both_signs(part)] if found else []
    if len(elements) > 1 or (elements and found[1] == r"\{"):
        return found[1] + found[3], elements
    return LIST, parts


def is_expression(line: str) -> bool:
    """Whether the whole line is mathematics: no words besides commands and functions, no delimiters inside."""
    if "$" in line or re.search(r"\\[()\[\]]|[A-Za-z]\.[A-Za-z]|[!?]$", line) or not re.search(r"[0-9A-Za-z]", line):
        return False
    bare = re.sub(r"\\(?:begin|end)\{\w+\}|\\[A-Za-z]+", " ", TEXT_COMMAND.sub(" ", line))
    words = {word.lower() for word in re.findall(r"[A-Za-z]{2,}", bare)}
    return len(line) <= 500 and words <= JOINERS.union(FUNCTIONS) and not re.match(r"[A-Za-z]\s+[A-Za-z]+\s", line)


def is_words(text: str) -> bool:
    plain = TEXT_COMMAND.sub(r"\1", text).strip()
    if plain == text.strip():
        return bool(re.fullmatch(r"(?=.{4})[A-Za-z'-]{2,}(?: [A-Za-z'-]{2,}){0,2}", plain))
    return bool(re.fullmatch(r"\(?[A-Za-z'-]+(?: [A-Za-z'-]+){0,2}\)?", plain))


def words_of(text: str) -> str:
    """Words to compare by: without commands, brackets, articles, and case."""
    plain = re.sub(r"[^A-Za-z0-9]+", " ", TEXT_COMMAND.sub(r" \1 ", text)).casefold().split()
    return " ".join(plain[1:] if len(plain) > 1 and plain[0] in ("a", "an", "the") else plain)


def number_and_base(answer: str) -> tuple[str, str] | None:
    r"""("52", "8") of 52_8, (52)_{8}, 52_{\text{eight}} or "52 (base 8)"; None where no base is named."""
    if found := BASE.fullmatch(answer):
        return found[1], str(BASES.index(found[2]) + 2) if found[2] in BASES else found[2]
    return None
