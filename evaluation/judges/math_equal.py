"""Compares what was read of an answer with the reference; the rules are in math_answer.py."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from evaluation.judges.math_answer import Reading, enclosed, number_and_base

SAME_ROUNDED, SAME_EXACT = 1e-5, 1e-40
"""Relative. math-verify rounds to 6 decimals: 0.0000672 would equal 0.0000668 (its issue #14)."""

PERCENT = r"\%"
LIST, SET, TUPLE = "", r"\{\}", "()"


def equal(reference: Reading, answer: Reading) -> bool:
    if reference.words:
        return reference.words == answer.words
    if answer.values:
        return _same_values(parsed(", ".join(reference.parts)), answer.values)
    return _same_parts(reference.parts, answer.parts)


def is_readable(reference: Reading) -> bool:
    return bool(reference.words) or any(
        not isinstance(value, str) for part in reference.parts for value in parsed(part)
    )


def parsed(latex: str) -> list[Any]:
    """The sympy value, if any, and the string. Only the latex itself is read: one that makes no sense must not fall back
    to a number inside it; no letter is dropped as a unit."""
    from latex2sympy2_extended import NormalizationConfig
    from math_verify import LatexExtractionConfig, parse

    normal = NormalizationConfig(basic_latex=True, units=False, malformed_operators=True, nits=True, boxed="all")
    config = [LatexExtractionConfig(boxed_match_priority=0, normalization_config=normal)]
    values = parse(f"\\boxed{{{latex}}}", config, extraction_mode="first_match", parsing_timeout=None)
    return [_with_imaginary_unit(value) for value in values]


def _with_imaginary_unit(value: Any) -> Any:
    """math-verify reads the i of "5i" as a variable, that of "5 i" not."""
    from sympy import Eq, Expr, I

    if isinstance(value, Eq):
        return Eq(value.lhs, _with_imaginary_unit(value.rhs), evaluate=False)
    if not isinstance(value, Expr):
        return value
    return value.subs({symbol: I for symbol in value.free_symbols if symbol.name == "i"})


def _same_parts(golds: Sequence[str], parts: Sequence[str]) -> bool:
    """Bare lists and sets are equal in any order; where one side is a tuple or an interval, the order counts."""
    (gold_brackets, opened_golds), (brackets, opened) = _opened(golds), _opened(parts)
    if len(golds) == len(parts) == 1 and LIST in (gold_brackets, brackets) and SET not in (gold_brackets, brackets):
        return _same(golds[0], parts[0])
    if len(golds) == 1 < len(parts) and gold_brackets == LIST:
        return _restated(golds[0], parts)
    golds, parts = opened_golds, opened
    if len(golds) != len(parts):
        return False
    if {gold_brackets, brackets} <= {LIST, SET}:
        left = list(parts)
        for gold in golds:
            same = next((part for part in left if _same_parts([gold], [part])), None)
            if same is None:
                return False
            left.remove(same)
        return True
    if gold_brackets != brackets and {gold_brackets, brackets} != {LIST, TUPLE}:
        return False
    return all(_same_parts([gold], [part]) for gold, part in zip(golds, parts, strict=True))


def _restated(gold: str, parts: Sequence[str]) -> bool:
    r"""The same value several times ("15\frac{39}{40} or \frac{639}{40}"), or a union given by its inequalities."""
    from sympy import Union

    if r"\cup" in gold and all(re.search(r"[<>]|\\[lg]e", part) for part in parts):
        return _same_values(parsed(gold), [Union(*(parsed(part)[0].as_set() for part in parts))])
    return all(_same_parts([gold], [part]) for part in parts)


def _opened(parts: Sequence[str]) -> tuple[str, Sequence[str]]:
    return (len(parts) == 1 and enclosed(parts[0])) or (LIST, parts)


def _same(gold: str, part: str) -> bool:
    if gold.endswith(PERCENT) != part.endswith(PERCENT):
        return any(_same(a, b) for a in _without_percent(gold) for b in _without_percent(part))
    gold_base, base = number_and_base(gold), number_and_base(part)
    if gold_base or base:
        gold_base = gold_base or (gold, "10")
        return gold_base == (base or (part, gold_base[1]))
    return re.sub(r"\s", "", gold) == re.sub(r"\s", "", part) or _same_values(parsed(gold), parsed(part))


def _without_percent(number: str) -> tuple[str, ...]:
    bare = number.removesuffix(PERCENT)
    return (number,) if bare == number else (bare, rf"\frac{{{bare}}}{{100}}")


def _same_values(golds: Sequence[Any], values: Sequence[Any]) -> bool:
    """Gold first: math-verify follows the reference's form."""
    from math_verify import verify

    if not values or not golds:
        return False
    if verify(list(golds), list(values), timeout_seconds=None, allow_set_relation_comp=True):
        return not _numbers_differ(golds[0], values[0])
    return _same_for_positive_variables(golds[0], values[0])


def _numbers_differ(gold: Any, value: Any) -> bool:
    """Whether two numbers that math-verify takes for equal are none."""
    from sympy import Float

    a, b = _value_of(gold), _value_of(value)
    if a == b or not (getattr(a, "is_number", False) and getattr(b, "is_number", False)):
        return False
    difference = (a - b).doit()
    if difference.is_Rational:
        return bool(difference != 0)
    bound = SAME_ROUNDED if a.has(Float) or b.has(Float) else SAME_EXACT
    return bool(abs(difference.evalf(50)) > bound * abs(a.evalf(50)))


def _value_of(equation: Any) -> Any:
    """5 of x = 5."""
    return equation.rhs if getattr(getattr(equation, "lhs", None), "is_Symbol", False) else equation


def _same_for_positive_variables(gold: Any, value: Any) -> bool:
    from sympy import Abs, Expr, Number, Symbol, nsimplify, simplify

    if not (isinstance(gold, Expr) and isinstance(value, Expr) and gold.free_symbols == value.free_symbols):
        return False
    if gold.has(Abs) or value.has(Abs) or isinstance(gold, Number) or isinstance(value, Number):
        return False
    positive = {symbol: Symbol(symbol.name, positive=True) for symbol in gold.free_symbols}
    gold, value = (nsimplify(one.subs(positive), rational=True) for one in (gold, value))
    return simplify(gold - value) == 0
