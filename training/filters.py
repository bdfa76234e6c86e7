"""What disqualifies a trajectory by itself: going round in circles, or left open.

The paper removed about 3 % as repetitive and published neither detector nor threshold. These were set on 2,055 rows,
short and long traces of several models, where they call 65 (3.2 %) a loop.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable

import numpy as np

from training.words import ngram_hashes, printed_words

LOOP_WORDS, LOOP_TIMES, LOOP_SHARE = 10, 5, 0.2
"""A loop: runs of ten words that come five times or more cover a fifth of the trajectory."""

TAIL_BYTES, TAIL_RATIO = 4000, 10
"""A loop without spaces: the last 4,000 bytes deflate to less than a tenth. Prose and code reach a third to a sixth."""

FENCED = re.compile(r"^ *(`{3,}|~{3,})[^\n]*\n.*?^ *\1[`~]* *$", re.DOTALL | re.MULTILINE)
FENCE = re.compile(r"^ *(?:`{3,}|~{3,})", re.MULTILINE)
PAIRS = (
    (re.compile(r"(?<!\\)\\\["), re.compile(r"(?<!\\)\\\]")),
    (re.compile(r"(?<!\\)\\\("), re.compile(r"(?<!\\)\\\)")),
    (re.compile(r"\\begin\{"), re.compile(r"\\end\{")),
    (re.compile(r"<think>"), re.compile(r"</think>")),
)
TAG = re.compile(r"<\|(begin|end)_of_(\w+)\|>")


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


def left_open(text: str) -> str | None:
    """What is still open at the end: a code fence, a formula, a thought; None if nothing is."""
    outside = FENCED.sub("", text)
    if FENCE.search(outside):
        return "a code fence"
    tags = TAG.findall(outside)
    if tags and tags[-1][0] == "begin":
        return f"<|begin_of_{tags[-1][1]}|>"
    for opening, closing in PAIRS:
        last = _last(opening, outside)
        if last > _last(closing, outside):
            return repr(outside[last : last + 40])
    return None


def _last(pattern: re.Pattern[str], text: str) -> int:
    return max((match.start() for match in pattern.finditer(text)), default=-1)


FILTERS: dict[str, Callable[[str], str | None]] = {"loop": loop_in, "unclosed": left_open}
"""What each finds in a response; None where it is sound."""
