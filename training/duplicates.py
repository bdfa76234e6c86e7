"""Questions that come again, word for word or nearly: datasketch's index of word 5-grams finds them, the texts decide."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from zlib import crc32

from training.decontaminate import runs
from training.rows import digest

SHINGLE_WORDS = 5
SIMILAR_FROM = 0.8
PERMUTATIONS = 64
MISSES_WEIGH = (0.05, 0.95)
"""False alarms cost a second look, misses cost a duplicate: the bands are chosen for few misses (5 % at 0.8 alike)."""


@dataclass(frozen=True, slots=True)
class Repeat:
    """of: the place of the earlier question; similarity: 1 where they agree word for word."""

    of: int
    similarity: float


class Questions:
    """The questions that were taken so far."""

    def __init__(self, *, near: bool, question_at: Callable[[int], str]) -> None:
        """near: find those, too, of which four fifths of the word 5-grams agree. question_at: reads one again, by place."""
        self._whole: dict[bytes, int] = {}
        self._question_at = question_at
        self._near = None
        if near:
            from datasketch import MinHash, MinHashLSH

            self._near = MinHashLSH(threshold=SIMILAR_FROM, num_perm=PERMUTATIONS, weights=MISSES_WEIGH)
            self._empty = MinHash(num_perm=PERMUTATIONS, seed=1, scheme="affine32", hashfunc=crc32)

    def take(self, question: str, place: int) -> Repeat | None:
        """What the question repeats, whatever its case and white space; if nothing, it is remembered under its place."""
        key = digest(" ".join(words_of(question)))
        if key in self._whole:
            return Repeat(self._whole[key], 1.0)
        if self._near is not None:
            signature = self._empty.copy()
            signature.update_batch(shingle.encode() for shingle in shingles(question))
            for earlier in sorted(self._near.query(signature)):
                alike = similarity(question, self._question_at(earlier))
                if alike >= SIMILAR_FROM:
                    return Repeat(earlier, alike)
            self._near.insert(place, signature)
        self._whole[key] = place
        return None


def words_of(text: str) -> list[str]:
    """Whatever the case, the white space and the way in which accents are encoded."""
    return unicodedata.normalize("NFC", text.casefold()).split()


def shingles(text: str) -> set[str]:
    """Runs of five words; a shorter text is one run."""
    words = words_of(text)
    return {*runs(words, min(SHINGLE_WORDS, len(words)))}


def similarity(first: str, second: str) -> float:
    """The Jaccard index of the two texts' runs of five words."""
    one, other = shingles(first), shingles(second)
    return len(one & other) / len(one | other)
