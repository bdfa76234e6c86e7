"""How sure a score is: intervals, pass@k, and the comparison of two runs on the same problems. Standard library only."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

from z1_core.errors import BadInput

Z_95 = NormalDist().inv_cdf(0.975)


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """Of a share: both ends lie between 0 and 1."""

    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Paired:
    """Two runs on the same problems. only_a: problems that only the first has right; p_value: exact, two-sided."""

    only_a: int
    only_b: int
    p_value: float


def wilson(right: float, n: int) -> Interval:
    """The 95 % Wilson score interval of right/n. It stays inside 0..1 and holds for small n, where the normal
    approximation does neither. No problem at all: anything is possible, 0 to 1."""
    _check_counts(right, n)
    if n == 0:
        return Interval(low=0.0, high=1.0)
    share, z2 = right / n, Z_95 * Z_95
    centre = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = Z_95 / (1 + z2 / n) * math.sqrt(share * (1 - share) / n + z2 / (4 * n * n))
    # At the ends the formula is 0 and 1 exactly; floats miss it by an ulp.
    low = 0.0 if right == 0 else centre - half
    high = 1.0 if right == n else centre + half
    return Interval(low=low, high=high)


def pass_at_k(n: int, right: int, k: int) -> float:
    """The chance that at least one of k samples is right, without bias, from n samples of which `right` are right:
    1 - C(n - right, k) / C(n, k) (Chen et al. 2021, arXiv 2107.03374, equation 1), as a product, which no n overflows.
    """
    _check_counts(right, n)
    if not 1 <= k <= n:
        raise BadInput(f"pass@{k} cannot be told from {n} samples; take k between 1 and {n}, or more samples")
    if n - right < k:
        return 1.0
    return 1.0 - math.prod(1.0 - k / i for i in range(n - right + 1, n + 1))


def paired(a: Sequence[bool], b: Sequence[bool]) -> Paired:
    """The exact McNemar test: of the problems on which two runs differ, each is a fair coin if both are equally good.

    a, b: whether each problem is right, in the same order. Raises BadInput for runs of different length.
    """
    if len(a) != len(b):
        raise BadInput(f"{len(a)} and {len(b)} problems cannot be paired; compare two runs on the same problems")
    only_a = sum(1 for in_a, in_b in zip(a, b, strict=True) if in_a and not in_b)
    only_b = sum(1 for in_a, in_b in zip(a, b, strict=True) if in_b and not in_a)
    differing = only_a + only_b
    tail = sum(math.comb(differing, i) for i in range(min(only_a, only_b) + 1))
    return Paired(only_a=only_a, only_b=only_b, p_value=min(1.0, 2 * tail / 2**differing))


def _check_counts(right: float, n: int) -> None:
    if not 0 <= right <= n:
        raise BadInput(f"{right} right of {n} is no count; right must lie between 0 and {n}")
