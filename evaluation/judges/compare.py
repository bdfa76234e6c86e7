"""Comparing what a program printed or returned with what was expected: outside of the sandbox, on plain values.

Integers may have any length, Python's limit of 4,300 digits notwithstanding.
"""

from __future__ import annotations

import json
from decimal import Decimal, InvalidOperation
from typing import Any

LONG = 4000
SHOWN = 200


def same_output(got: str, expected: str) -> bool:
    """LiveCodeBench's rule: stripped lines alike, or else each line's tokens the same decimal numbers."""
    got_lines = [line.strip() for line in got.strip().split("\n")]
    expected_lines = [line.strip() for line in expected.strip().split("\n")]
    if len(got_lines) != len(expected_lines):
        return False
    return all(a == b or _same_numbers(a, b) for a, b in zip(got_lines, expected_lines, strict=True))


def read_json(text: str) -> Any:
    """Of a test. Raises ValueError, RecursionError."""
    return json.loads(text, parse_int=lambda digits: int(digits if len(digits) < LONG else Decimal(digits)))


def read_returned(text: str) -> Any:
    """What inside/functions.py made of a result. A long integer stays a Decimal: to make one an int takes the square of
    its length in time, and it is equal all the same. Raises ValueError, RecursionError."""
    return json.loads(text, parse_int=lambda digits: (int if len(digits) < LONG else Decimal)(digits))


def short(value: Any) -> str:
    """For people."""
    try:
        text = repr(value)
    except ValueError:
        return "an integer too long to show"
    return text if len(text) <= SHOWN else f"{text[: SHOWN // 2]} ... {text[-SHOWN // 2 :]}"


def _same_numbers(got: str, expected: str) -> bool:
    try:
        return [Decimal(token) for token in got.split()] == [Decimal(token) for token in expected.split()]
    except InvalidOperation:  # a word, or the signalling NaN that may not even be compared
        return False
