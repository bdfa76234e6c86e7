"""The most frequent word trigrams of a set of trajectories, counted exactly in memory that does not grow (paper,
section 2.1 and Tables 4 and 5).

A first pass adds every trigram to one of four million counters, shared by whatever hashes to the same one, so a counter
is never below the count of any of its trigrams. A second pass counts by name only those whose counter could reach the
top. If the last of the top is no rarer than every trigram that was passed over could be, the table is exact.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from training.words import ngram_hashes, printed_words

N = 3
COUNTER_BITS = 22
NAMED_AT_FIRST = 4000
"""So many counters are looked into for a top of 50."""


@dataclass(frozen=True, slots=True)
class Trigrams:
    """top: (trigram, count), most frequent first, ties in alphabetical order. total: all there are."""

    top: tuple[tuple[str, int], ...]
    total: int


def top_trigrams(texts: Callable[[], Iterable[str]], size: int = 50) -> Trigrams:
    """The `size` most frequent trigrams. texts: called for each pass, and gives the same texts each time."""
    counters = np.zeros(1 << COUNTER_BITS, np.int64)
    for text in texts():
        np.add.at(counters, _counters_of(printed_words(text)), 1)
    total = int(counters.sum())
    named = max(NAMED_AT_FIRST, 4 * size)
    while True:
        at_least = max(1, int(np.partition(counters, -named)[-named])) if named < counters.size else 1
        top = _named(texts, counters, at_least).most_common()
        top.sort(key=lambda entry: (-entry[1], entry[0]))
        if at_least == 1 or (len(top) >= size and top[size - 1][1] >= at_least):
            return Trigrams(tuple(top[:size]), total)
        named *= 8


def _named(texts: Callable[[], Iterable[str]], counters: np.ndarray, at_least: int) -> Counter[str]:
    """Exact counts of the trigrams whose counter is at_least or more."""
    found: Counter[str] = Counter()
    for text in texts():
        words = printed_words(text)
        for start in np.flatnonzero(counters[_counters_of(words)] >= at_least):
            found[" ".join(words[start : start + N])] += 1
    return found


def _counters_of(words: list[str]) -> np.ndarray:
    return (ngram_hashes(words, N) >> np.uint64(64 - COUNTER_BITS)).astype(np.int64)
