"""Intervals, pass@k and the paired test, against published counts and against counting by hand."""

from itertools import combinations
from math import comb

import pytest

from evaluation.stats import mcnemar, pass_at_k, wilson


@pytest.mark.parametrize(
    ("right", "n", "low", "high"),
    [(382, 500, 72.5, 79.9), (94, 198, 40.6, 54.4), (311, 880, 32.3, 38.6), (33, 148, 16.3, 29.7), (0, 0, 0.0, 100.0)],
    ids=["MATH500", "GPQA", "LiveCodeBench", "BigCodeBench", "nothing"],
)
def test_the_intervals_of_the_papers_scores(right, n, low, high):
    interval = wilson(right, n)
    assert (round(100 * interval.low, 1), round(100 * interval.high, 1)) == (low, high)


@pytest.mark.parametrize("n", [1, 2, 20, 500, 10**6])
def test_an_interval_holds_its_share_and_stays_a_share(n):
    for right in {0, 1, n // 2, n - 1, n}:
        interval = wilson(right, n)
        assert 0.0 <= interval.low <= right / n <= interval.high <= 1.0
        assert interval.low < interval.high


def test_pass_at_k_is_the_share_of_draws_with_a_right_sample():
    for n in range(1, 8):
        for right in range(n + 1):
            for k in range(1, n + 1):
                draws = list(combinations([True] * right + [False] * (n - right), k))
                assert pass_at_k(n, right, k) == pytest.approx(sum(map(any, draws)) / len(draws))


def test_pass_at_k_stays_exact_where_binomials_overflow_a_float():
    n, right, k = 5000, 7, 1000
    assert pass_at_k(n, right, k) == pytest.approx(1 - comb(n - right, k) * 10**40 // comb(n, k) / 10**40)


@pytest.mark.parametrize(
    ("only_a", "only_b", "p_value"),
    [(0, 0, 1.0), (1, 1, 1.0), (9, 1, 2 * (1 + 10) / 2**10), (1, 9, 2 * (1 + 10) / 2**10), (6, 0, 2 / 2**6),
     (3000, 2000, pytest.approx(0, abs=1e-30))],
)  # fmt: skip
def test_the_paired_test_counts_coin_throws(only_a, only_b, p_value):
    assert mcnemar(only_a, only_b) == p_value
