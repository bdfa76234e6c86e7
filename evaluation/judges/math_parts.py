r"""The several answers that stand in one, in the spelling of math_spelling.py: at their commas, "and", "or" and \pm, without
units and quantifiers. Pure functions."""

from __future__ import annotations

import re
from collections.abc import Sequence

TEXT = r"\\(?:text(?:bf|it|rm|tt|normal|sf)?|mbox|mathrm|operatorname)\s*\{([^{}]*)\}"
TEXT_COMMAND = re.compile(TEXT)
UNITS = r"(?!(?:is|are|was|were|not|and|or|to)\b)(?:[A-Za-z]{2,}\b\.?|(?<=[/ ])[mgshLJNKWVACF]\b)(?:\^\{?-?\d\}?)?"
TEXT_UNIT = re.compile(
    rf"(?<=[^\s_^{{])\s*\{{?(?:{TEXT}|\\frac\s*\{{{TEXT}\}}\s*\{{{TEXT}\}})\}}?(?:\s*\^\{{?-?\d\}}?)?$"
)
PLAIN_UNIT = re.compile(rf"(?<=[\d)}}%i])\s+{UNITS}(?:[ /]+{UNITS})*$|(?<=\d)(?:st|nd|rd|th|[ckm]?m|kg)$")
QUANTIFIER = re.compile(
    r"[,;\s]*(?:\\text\s*\{\s*,?\s*|\b)(?:for (?:any|all|some|every|each)|where|with)\b.*$"
    r"|,\s*[A-Za-z]\s*\\in\b.*$|\s*\\pmod\s*\{?\w+\}?$|\s*(?:\\text\s*\{)?\s*\(mod\b.*$",
    re.DOTALL,
)
AND_OR = re.compile(r"\\text\s*\{(?:[\s,]+|[^{}]*\b(?:and|or)\b[^{}]*)\}|(?<![A-Za-z\\])(?:and|or)(?![A-Za-z])")
BOTH = re.compile(
    r"(?<=[<>=\d\w])\s*(?:\\text\s*\{\s*and\s*\}|(?<![A-Za-z\\])and(?![A-Za-z]))(?=[^,;=]*(?:[<>]|\\[lg]e))"
)
"""Of two inequalities."""
LIST = ""
OPENING, CLOSING = ("(", "[", "{", r"\{"), (")", "]", "}", r"\}")


def parts_of(latex: str, *, grouped: bool, symbolic: bool) -> list[str]:
    """The several answers in a spelled one, without units: "2 m \\text{ and } 3 m" is ["2", "3"], "\\pm 6" ["+ 6", "- 6"].

    grouped: 1,234 is one number; symbolic: letters behind a number are variables, no unit.
    """
    latex = AND_OR.sub(", ", BOTH.sub(r" \\land ", QUANTIFIER.sub("", latex)))
    thousands = r"(?<![\d.,])\d{1,3}(?:[, ]\d{3})+(?!\d|,\d)"
    latex = re.sub(thousands, lambda number: re.sub(r"\D", "", number[0]), latex) if grouped else latex
    parts: list[str] = []
    for part in _split(latex):
        part = TEXT_COMMAND.sub(r"\1", TEXT_UNIT.sub("", part)).strip()
        part = part if symbolic else PLAIN_UNIT.sub("", part)
        parts += [part] if part.startswith(r"\{") else _both_signs(part)
    return parts


def _both_signs(part: str) -> list[str]:
    if len(re.findall(r"\\(?:pm|mp)", part)) != 1:
        return [part]
    return [re.sub(r"\\(?:pm|mp)", sign, part) for sign in "+-"]


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
