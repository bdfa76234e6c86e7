"""Comparing what a program printed or returned with what was expected: outside of the sandbox, on plain values."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Any


def same_output(got: str, expected: str) -> bool:
    """LiveCodeBench's rule: stripped lines alike, or else each line's tokens the same decimal numbers."""
    got_lines = [line.strip() for line in got.strip().split("\n")]
    expected_lines = [line.strip() for line in expected.strip().split("\n")]
    if len(got_lines) != len(expected_lines):
        return False
    return all(a == b or _same_numbers(a, b) for a, b in zip(got_lines, expected_lines, strict=True))


def same_value(got: Any, expected: Any) -> bool:
    """Python's own ==, as LiveCodeBench has it: exact floats, True == 1. Tuples arrive as lists already, by JSON."""
    return got == expected


def _same_numbers(got: str, expected: str) -> bool:
    try:
        return [Decimal(token) for token in got.split()] == [Decimal(token) for token in expected.split()]
    except InvalidOperation:  # a word, or the signalling NaN that may not even be compared
        return False
