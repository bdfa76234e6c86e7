"""How much of a data set a test goes through: a sample in `make test`, every row in `make test-all`."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

import pytest


def sample_or_all(*, step: int) -> pytest.MarkDecorator:
    """Runs the test with step=`step`, for rows[::step], and once more with 1."""
    every = pytest.param(1, id="every row", marks=pytest.mark.thorough)
    return pytest.mark.parametrize("step", [pytest.param(step, id="a sample"), every])


def count_of(total: int, step: int) -> int:
    """How many rows[::step] are."""
    return len(range(0, total, step))


def some_now(names: Iterable[str], *, now: Collection[str]) -> list[Any]:
    """Parameters: those of `now` in `make test`, the others in `make test-all`."""
    assert set(now) <= set(names)
    return [name if name in now else pytest.param(name, marks=pytest.mark.thorough) for name in names]
