"""Compares what was read of an answer with the reference; the rules are in math_answer.py."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from evaluation.judges.math_answer import TERM, Reading
from evaluation.judges.math_parts import LIST, enclosed

BASE = re.compile(r"\(?([0-9A-Fa-f]+)[\s){(]*(?:\\text)?[\s{(]*(?:_|(?:in )?base)[\s{(}]*(?:\\text)?[\s{]*(\d+)[\s})]*")
"""52_8, (52)_{8}, 52_{\\text{eight}} or "52 (base 8)"."""
SET, TUPLE, PERCENT = r"\{\}", "()", r"\%"
INEQUALITY = re.compile(r"[<>]|\\[lg]e(?:q|qslant|slant)?(?![A-Za-z])")
SAME_ROUNDED, SAME_EXACT = 1e-5, 1e-40
"""Relative. math-verify rounds to 6 decimals: 0.0000672 would equal 0.0000668 (its issue #14)."""


def equal(reference: Reading, answer: Reading) -> bool:
    if reference.words:
        return reference.words == answer.words
    if answer.values:
        return _same_values(parsed(", ".join(reference.parts)), answer.values)
    return _same_parts(reference.parts, answer.parts)


def parsed(latex: str) -> list[Any]:
    """The sympy value; nothing where there is none. Only the latex itself is read: one that makes no sense must not fall
    back to a number inside it; no letter is dropped as a unit; i is the imaginary unit (math-verify: in "5 i" only)."""
    from latex2sympy2_extended import NormalizationConfig
    from math_verify import LatexExtractionConfig, parse
    from sympy import And, Eq, Expr, Float, I

    if r"\land" in latex:
        both = [value for part in latex.split(r"\land") for value in parsed(part)]
        return [And(*both)] if both else []
    normal = NormalizationConfig(basic_latex=True, units=False, malformed_operators=True, nits=True, boxed="all")
    config = [LatexExtractionConfig(boxed_match_priority=0, normalization_config=normal)]
    value = (parse(f"\\boxed{{{latex}}}", config, extraction_mode="first_match", parsing_timeout=None) or [""])[0]
    if isinstance(value, Expr | Eq):
        units = {symbol: I for symbol in value.free_symbols if symbol.name == "i"}
        value = Eq(value.lhs, value.rhs.subs(units), evaluate=False) if isinstance(value, Eq) else value.subs(units)
        value = value.evalf() if value.is_number and value.has(Float) else value  # 38.88\% in one number
    return [] if isinstance(value, str) else [value]


def _same_parts(golds: Sequence[str], parts: Sequence[str]) -> bool:
    """Bare lists and sets are equal in any order; where one side is a tuple or an interval, the order counts."""
    (gold_brackets, gold_elements), (brackets, elements) = enclosed(golds), enclosed(parts)
    if brackets == SET != gold_brackets and len(elements) == 1:
        return _same_parts(golds, elements)
    kinds = {gold_brackets, brackets}
    if len(golds) == 1 and any(INEQUALITY.search(part) for part in parts):
        return _same_reals(golds[0], parts) or (len(parts) == 1 and _same(golds[0], parts[0]))
    if len(golds) == 1 and r"\begin" in golds[0] and brackets == TUPLE:  # a vector in a row
        return _same(golds[0], r"\begin{pmatrix}" + r" \\ ".join(elements) + r"\end{pmatrix}")
    if len(golds) == len(parts) == 1 and LIST in kinds and SET not in kinds:
        return _same(golds[0], parts[0])
    if len(golds) == 1 < len(parts) and gold_brackets == LIST:
        return all(_same_parts(golds, [part]) for part in parts)  # a value restated
    if len(gold_elements) != len(elements):
        return False
    if kinds <= {LIST, SET}:
        for gold in gold_elements:
            at = next((i for i, one in enumerate(elements) if _same_parts([gold], [one])), None)
            if at is None:
                return False
            elements = [*elements[:at], *elements[at + 1 :]]
        return True
    in_order = zip(gold_elements, elements, strict=True)
    return (len(kinds) == 1 or kinds == {LIST, TUPLE}) and all(_same_parts([gold], [one]) for gold, one in in_order)


def _same_reals(gold: str, parts: Sequence[str]) -> bool:
    """Real numbers given by inequalities, "x < 2 or x > 3"; those of the gold, or an interval."""
    from sympy import Set, Union

    golds = parsed(re.sub(r"^[A-Za-z]\s*\\in(?![a-z])", "", gold))
    values = [value for part in parts for value in parsed(part)]
    sets = [value if isinstance(value, Set) else value.as_set() for value in (*golds, *values) if _is_of_one(value)]
    return bool(golds) and len(sets) == len(golds) + len(parts) and sets[0] == Union(*sets[1:])


def _is_of_one(value: Any) -> bool:
    """A set, or a condition on one variable."""
    from sympy import Set
    from sympy.logic.boolalg import Boolean

    return isinstance(value, Set) or (isinstance(value, Boolean) and len(value.free_symbols) == 1)


def _same(gold: str, part: str) -> bool:
    name, sign, value = part.rpartition("=")
    if sign and "=" not in gold and not name.endswith(("<", ">", "!")) and (TERM.search(gold) or not TERM.search(name)):
        part = value.strip()
    if ":" in part and not re.search(r":|/|frac", gold):
        return False
    if r"\pi" in gold + part and (r"\circ" in gold) != (r"\circ" in part):
        gold, part = (re.sub(r"\^\{?\s*\\circ\s*\}?$", r" \\cdot \\frac{\\pi}{180}", one) for one in (gold, part))
    if gold.endswith(PERCENT) != part.endswith(PERCENT):
        bare, number = (part, gold[:-2]) if gold.endswith(PERCENT) else (gold, part[:-2])
        return r"\circ" not in bare and (_same(bare, number) or _same(bare, rf"\frac{{{number}}}{{100}}"))
    gold, part = gold.removesuffix(PERCENT), part.removesuffix(PERCENT)
    gold_based, based = BASE.fullmatch(gold), BASE.fullmatch(part)
    if gold_based or based:
        number, base = gold_based.groups() if gold_based else (gold, "10")
        return (number, base) == (based.groups() if based else (part, base))
    return re.sub(r"\s(?!\d)", "", gold) == re.sub(r"\s(?!\d)", "", part) or _same_values(parsed(gold), parsed(part))


def _same_values(golds: list[Any], values: list[Any]) -> bool:
    """Gold first: math-verify follows the reference's form."""
    from math_verify import verify

    if not golds or not values:
        return False
    if verify(golds, values, timeout_seconds=None, allow_set_relation_comp=True):
        return not _numbers_differ(golds[0], values[0])
    return _same_for_positive_variables(golds[0], values[0])


def _numbers_differ(gold: Any, value: Any) -> bool:
    """Whether two numbers that math-verify takes for equal are none."""
    from sympy import Float

    if gold == value or not (getattr(gold, "is_number", False) and getattr(value, "is_number", False)):
        return False
    difference = (gold - value).doit()
    if difference.is_Rational:
        return bool(difference != 0)
    bound = SAME_ROUNDED if difference.has(Float) else SAME_EXACT
    return bool(abs(difference.evalf(50)) > bound * abs(gold.evalf(50)))


def _same_for_positive_variables(gold: Any, value: Any) -> bool:
    r"""\sqrt{1/n} is 1/\sqrt{n}; decimals in exponents are exact."""
    from sympy import Abs, Expr, Number, Symbol, nsimplify, simplify

    if not (isinstance(gold, Expr) and isinstance(value, Expr) and gold.free_symbols == value.free_symbols):
        return False
    if gold.has(Abs) or value.has(Abs) or isinstance(gold, Number) or isinstance(value, Number):
        return False
    positive = {symbol: Symbol(symbol.name, positive=True) for symbol in gold.free_symbols}
    gold, value = (nsimplify(one.subs(positive), rational=True) for one in (gold, value))
    return simplify(gold - value) == 0
