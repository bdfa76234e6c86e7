"""Trajectories that go round in circles.

The paper removed about 3 % as repetitive and published neither detector nor threshold. These were set on 2,055 rows,
short and long traces of several models, where they call 65 (3.2 %) a loop.
"""

from __future__ import annotations

import zlib
from collections import Counter

from training.decontaminate import runs

LOOP_WORDS, LOOP_TIMES, LOOP_SHARE = 10, 5, 0.2
"""A loop: runs of ten words that come five times or more cover a fifth of the trajectory."""

TAIL_BYTES, TAIL_RATIO = 4000, 10
"""A loop without spaces: the last 4,000 bytes deflate to less than a tenth. Prose and code reach a third to a sixth."""


def loop_in(text: str) -> str | None:
    """What is repeated, or None."""
    words = text.lower().split()
    found = list(runs(words, LOOP_WORDS))
    often = {run: times for run, times in Counter(found).items() if times >= LOOP_TIMES}
    covered = {start + step for start, run in enumerate(found) if run in often for step in range(LOOP_WORDS)}
    if often and len(covered) >= LOOP_SHARE * len(words):
        phrase = max(often, key=often.get)
        return f"{len(covered) / len(words):.0%} repeats; {often[phrase]} times {phrase[:80]!r}"
    tail = text.encode()[-TAIL_BYTES:]
    ratio = len(tail) / len(zlib.compress(tail))
    return f"the end deflates {ratio:.0f} times: {text[-40:]!r}" if ratio >= TAIL_RATIO else None
