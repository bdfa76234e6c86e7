"""How sure a score is: intervals, pass@k, and the comparison of two runs on the same problems. Standard library only."""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import NamedTuple

Z_95 = NormalDist().inv_cdf(0.975)


class Interval(NamedTuple):
    """Of a share: both ends lie between 0 and 1."""

    low: float
    high: float


def wilson(right: float, n: int) -> Interval:
    """The 95 % Wilson score interval of right/n. It stays inside 0..1 and holds for small n, where the normal
    approximation does neither. No problem at all: anything is possible, 0 to 1."""
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
    """The chance that at least one of k samples is right, without bias, from n >= k samples of which `right` are right:
    1 - C(n - right, k) / C(n, k) (Chen et al. 2021, arXiv 2107.03374, equation 1), as a product, which no n overflows.
    """
    if n - right < k:
        return 1.0
    return 1.0 - math.prod(1.0 - k / i for i in range(n - right + 1, n + 1))


def mcnemar(only_a: int, only_b: int) -> float:
    """The exact two-sided p-value for two runs on the same problems: of those that one run alone has right, each is a fair
    coin if both are equally good."""
    differing = only_a + only_b
    tail = sum(math.comb(differing, i) for i in range(min(only_a, only_b) + 1))
    return min(1.0, 2 * tail / 2**differing)
