"""Trajectories that go round in circles.

The paper removed about 3 % as repetitive and published neither detector nor threshold. These were set on 2,055 rows,
short and long traces of several models, where they call 65 (3.2 %) a loop.
"""

from __future__ import annotations

import zlib

import numpy as np

from training.words import ngram_hashes, printed_words

LOOP_WORDS, LOOP_TIMES, LOOP_SHARE = 10, 5, 0.2
"""A loop: runs of ten words that come five times or more cover a fifth of the trajectory."""

TAIL_BYTES, TAIL_RATIO = 4000, 10
"""A loop without spaces: the last 4,000 bytes deflate to less than a tenth. Prose and code reach a third to a sixth."""


def loop_in(text: str) -> str | None:
    """What is repeated, or None."""
    words = printed_words(text)
    hashes = ngram_hashes(words, LOOP_WORDS)
    if hashes.size >= LOOP_TIMES:
        _, place_of, times = np.unique(hashes, return_inverse=True, return_counts=True)
        starts = np.flatnonzero(times[place_of] >= LOOP_TIMES)
        if starts.size:
            covered = np.zeros(len(words), bool)
            for step in range(LOOP_WORDS):
                covered[starts + step] = True
            if covered.mean() >= LOOP_SHARE:
                first = starts[np.argmax(times[place_of][starts])]
                phrase = " ".join(words[first : first + LOOP_WORDS])
                return f"{covered.mean():.0%} repeats; {times[place_of][first]} times {phrase[:80]!r}"
    tail = text.encode()[-TAIL_BYTES:]
    ratio = len(tail) / len(zlib.compress(tail))
    return f"the end deflates {ratio:.0f} times: {text[-40:]!r}" if ratio >= TAIL_RATIO else None
