r"""Where in a text its final answer stands, and that answer as LaTeX that math-verify reads rightly. Pure functions.

math-verify finds answers itself, but takes the last of several numbers where a sentence states another one, and reads
bare LaTeX, bare equations and words not at all (its issues #60, #76). So the statement is looked for first, in this
order: the last \boxed{} or \fbox{}; a "####" line (GSM8K); "the answer is ..."; a last line that is nothing but an
expression. Only a text without any of them is left to math-verify as a whole.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

BOX = re.compile(r"\\(?:boxed|fbox|framebox)\s*\{")
UNBRACED_BOX = re.compile(r"\\(?:boxed|fbox)\s*(-?\d+(?:[.,]\d+)*)")
BRACE = re.compile(r"\\(?:boxed|fbox|framebox)\s*\{|\\.|[{}]", re.DOTALL)
BETWEEN_ONE_ANSWERS_BOXES = re.compile(
    r"(?:[\s$,;]|\\[()\[\],; ]|\\q?quad)*(?:\\text\{\s*)?(?:and|or|,|;)[\s}$\\()\[\]]*"
)
HASHES = re.compile(r"^[ \t]*####[ \t]*(\S.*)$", re.MULTILINE)
STATEMENT = re.compile(r"\banswer(?:\s+is|\s+should be|\s+would be|\s*:|\s*=)+\s*(?=([^\n]{1,300}))", re.IGNORECASE)
REASON = re.compile(r"[.;]\s|,?\s(?:because|since|as|which|so)\s")
STARTS_WITH_NUMBER = re.compile(r"[-$€£\\(*\s]*\d")
BOLD = re.compile(r"(?<![\w)}\]])\*\*(?=\S)([^*\n]+)(?<=\S)\*\*(?!\w)")
DELIMITERS = re.compile(r"^(?:\$\$?|\\\(|\\\[)(.*?)(?:\$\$?|\\\)|\\\])$", re.DOTALL)
TEXT_COMMAND = re.compile(r"\\(?:text(?:bf|it|rm|tt|normal)?|mbox|mathrm|mathbf|operatorname)\s*\{([^{}]*)\}")
FUNCTIONS = ["sqrt", "pi", "sin", "cos", "tan", "cot", "sec", "csc", "log", "ln", "exp", "infty", "cup", "cap"]
JOINERS = {"or", "and", "in", "inf", "infinity"}
UNIT = re.compile(r"^(\\?\$?-?\d[\d.,]*)\s+([A-Za-z]+(?:[ /][A-Za-z]+)*)(?:\^\{?\d\}?)?$")
UNICODE = str.maketrans(
    {"°": r"^\circ ", "π": r"\pi ", "∞": r"\infty ", "≤": r"\le ", "≥": r"\ge ", "×": r"\times ", "·": r"\cdot "}
    | {"∪": r"\cup ", "±": r"\pm ", "−": "-", "–": "-", "√": r"\sqrt ", "\u00a0": " ", "\u202f": " "}
)
MOST_BETWEEN_BOXES = 40
MOST_WORDS = 3
"""A last line of more words is a sentence, no answer like "no solution"."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stated:
    """kind: how sure the place is: a box or "####" is the answer whatever it holds; a "line" only if it reads as one;
    a "text" is all there is."""

    kind: Literal["box", "line", "text"]
    content: str


def stated(text: str) -> Stated | None:
    """The last final answer stated in the text; None for a text without any content."""
    text = UNBRACED_BOX.sub(r"\\boxed{\1}", BOLD.sub(r"\1", text)).strip()
    boxes = last_boxes(text)
    if boxes:
        return Stated(kind="box", content=", ".join(boxes))
    if hashes := HASHES.findall(text):
        return Stated(kind="box", content=_trimmed(hashes[-1]))
    text = BOX.split(text)[0].strip() if BOX.search(text) else text
    if not text:
        return None
    statements = STATEMENT.findall(text)
    clause = REASON.split(statements[-1])[0] if statements else ""
    for candidate in map(_trimmed, (statements[-1], clause) if statements else text.splitlines()[-1:]):
        if is_expression(candidate) or is_words(candidate):
            return Stated(kind="line", content=candidate)
    if STARTS_WITH_NUMBER.match(clause):  # "18 dollars, since 9 * 2 = 18 and ...": not the last number
        return Stated(kind="text", content=clause)
    return Stated(kind="text", content=text)


def last_boxes(text: str) -> list[str]:
    r"""The contents of the last box, and of those before it that only "and", "or" or a comma part from it, in order.

    Empty boxes do not count (a prompt's "in \boxed{}" repeated), nor one that was cut before its brace closed: who
    boxed "12" may have been writing 123.
    """
    last: list[str] = []
    start_of_next: int | None = None
    for start, end, content in reversed(_closed_boxes(text)):
        if start_of_next is not None:
            between = text[end:start_of_next]
            if len(between) > MOST_BETWEEN_BOXES or not BETWEEN_ONE_ANSWERS_BOXES.fullmatch(between):
                break
        last.append(content)
        start_of_next = start
    return last[::-1]


def _closed_boxes(text: str) -> list[tuple[int, int, str]]:
    """Start, end and content of each box with content that lies in no other; in one pass, however hostile the text."""
    open_braces: list[re.Match[str]] = []
    boxes: list[tuple[int, int, str]] = []
    for brace in BRACE.finditer(text):
        if brace[0].endswith("{") and brace[0] != "\\{":
            open_braces.append(brace)
        elif brace[0] == "}" and open_braces:
            opening = open_braces.pop()
            content = text[opening.end() : brace.start()].strip() if opening[0] != "{" else ""
            if content:
                while boxes and boxes[-1][0] > opening.start():
                    boxes.pop()
                boxes.append((opening.start(), brace.end(), content))
    return boxes


def _trimmed(line: str) -> str:
    """Without what surrounds an answer in prose: emphasis, quotes, a full stop, math delimiters, a currency sign."""
    line = line.strip().strip("*_`\"' \t").rstrip(".;,!:*_ ").strip()
    if wrapped := DELIMITERS.match(line):
        inner = wrapped[1].strip()
        line = inner if not re.search(r"\$|\\[()\[\]]", inner) else line
    return re.sub(r"^(-?)\\?[$€£](?=[\d.])(?!.*\$)", r"\1", line)


def is_expression(line: str) -> bool:
    """Whether the whole line is mathematics: no words besides commands and functions, no delimiters inside."""
    if "$" in line or re.search(r"\\[()\[\]]", line) or not re.search(r"[0-9A-Za-z]", line):
        return False
    bare = re.sub(r"\\(?:begin|end)\{\w+\}|\\[A-Za-z]+", " ", TEXT_COMMAND.sub(" ", line))
    words = {word.lower() for word in re.findall(r"[A-Za-z]{2,}", bare)}
    return len(line) <= 500 and words <= JOINERS.union(FUNCTIONS) and not re.match(r"[A-Za-z]\s+[A-Za-z]+\s", line)


def is_words(text: str) -> bool:
    r"""Whether this is an answer in words, as MATH's \text{east} and \text{(C)}: letters, in or out of a command."""
    plain = TEXT_COMMAND.sub(r"\1", text)
    words = re.fullmatch(r"\s*\(?([A-Za-z][A-Za-z' -]*)\)?\s*", plain)
    return bool(words) and len(words[1].split()) <= MOST_WORDS and (plain != text or len(words[1]) > 1)


def words_of(text: str) -> str:
    """Words to compare by: without commands, brackets, articles, and case."""
    plain = re.sub(r"[^A-Za-z0-9]+", " ", TEXT_COMMAND.sub(r" \1 ", text)).casefold().split()
    return " ".join(plain[1:] if len(plain) > 1 and plain[0] in ("a", "an", "the") else plain)


def as_latex(answer: str) -> str:
    r"""The answer in the spelling that math-verify reads as meant; each line is a case it gets wrong (see its tests)."""
    latex = answer.strip().translate(UNICODE)
    latex = re.sub(r"^\\text\w*\s*\{([^{}]*\d[^{}]*)\}$", r"\1", latex)  # \text{18 dollars}
    latex = UNIT.sub(_unit_as_text, latex)
    latex = re.sub(r"\\text\s*\{\s*\\?\$\s*\}", "", latex)  # a dollar sign of its own
    latex = re.sub(r"\\(?:mathrm|text|rm)\s*\{([ei])\}", r"\1", latex)  # \mathrm{e} is a number, not a unit
    latex = re.sub(r"\\(?:mathrm|text)\s*\{d([xyt])\}", r"d\1", latex)
    latex = re.sub(r"(?<![\d.])\d{1,3}(?:(?:\\[,;: ]|~| )\d{3})+(?![\d.])", _joined_digits, latex)  # 10\,000
    latex = re.sub(r"(?<!\\)%", r"\\%", latex)  # LaTeX would take the rest for a comment
    latex = latex.replace("**", "^")
    latex = re.sub(rf"(?<![\\A-Za-z])({'|'.join(FUNCTIONS)})(?![A-Za-z])", r"\\\1", latex)  # sqrt(3)
    latex = re.sub(r"\\sqrt\s*\(([^()]*)\)", r"\\sqrt{\1}", latex)
    return re.sub(r"^\s*[A-Za-z]\s*\\in\s*(?=[\[({\\])", "", latex)  # x \in [1,2] is the interval


def _unit_as_text(quantity: re.Match[str]) -> str:
    """As text a unit is dropped by math-verify, whichever it is; its own list of units lacks dollars and m/s."""
    number, unit = quantity[1], quantity[2]
    is_unit = not JOINERS.union(FUNCTIONS).intersection(unit.lower().split()) and (len(unit) > 1)
    return rf"{number}\text{{ {unit}}}" if is_unit else quantity[0]


def _joined_digits(number: re.Match[str]) -> str:
    return re.sub(r"\D", "", number[0])


def option_of(answer: str) -> str | None:
    r"""The letter of a reference that is one of the problem's options, as \text{(C)}; None for any other."""
    option = re.fullmatch(r"\s*(?:\\text\w*\s*\{)?\s*\(([A-H])\)\s*\}?\s*", answer)
    return option[1] if option else None


def base_of(answer: str) -> str | None:
    """The base of a number like 52_8, which math-verify drops; None where none is named."""
    base = re.fullmatch(r"\s*[0-9A-Fa-f]+_\{?(\d+)\}?\s*", answer)
    return base[1] if base else None
