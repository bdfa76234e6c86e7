"""The most frequent word trigrams of sets of trajectories, beside each other (paper, section 2.1 and Tables 4 and 5).

    python -m training.trigrams z1-107k.jsonl openthoughts.jsonl --figure trigrams.png

They are counted exactly in memory that does not grow. A first pass adds every trigram to one of four million counters,
shared by whatever hashes to the same one, so a counter is never below the count of any of its trigrams. A second pass
counts by name only those whose counter could reach the top. If the last of the top is no rarer than every trigram that
was passed over could be, the table is exact.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from training.rows import Rows, add_max_bad
from z1_core.errors import BadInput
from z1_core.program import program

N = 3
ODD = np.uint64(0x9E3779B97F4A7C15)
"""Multiplier of the polynomial that makes one number of three words: odd, and without a pattern in its bits."""

COUNTER_BITS = 22
DRAWN = (".png", ".svg", ".pdf")
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
        np.add.at(counters, _counters_of(_words(text)), 1)
    total = int(counters.sum())
    named = max(NAMED_AT_FIRST, 4 * size)
    while True:
        at_least = max(1, int(np.partition(counters, -named)[-named])) if named < counters.size else 1
        top = sorted(_named(texts, counters, at_least).items(), key=lambda entry: (-entry[1], entry[0]))[:size]
        if at_least == 1 or (len(top) == size and top[-1][1] >= at_least):
            return Trigrams(tuple(top), total)
        named *= 8


def _named(texts: Callable[[], Iterable[str]], counters: np.ndarray, at_least: int) -> Counter[str]:
    """Exact counts of the trigrams whose counter is at_least or more."""
    found: Counter[str] = Counter()
    for text in texts():
        words = _words(text)
        for start in np.flatnonzero(counters[_counters_of(words)] >= at_least):
            found[" ".join(words[start : start + N])] += 1
    return found


def _words(text: str) -> list[str]:
    """As they stand between white space, punctuation kept: the paper's Tables 4 and 5."""
    return text.lower().split()


def _counters_of(words: list[str]) -> np.ndarray:
    """Of each trigram. They differ from one process to the next and are never written."""
    each = np.fromiter(map(hash, words), np.int64, len(words)).view(np.uint64)
    mixed = np.zeros(max(0, len(words) - N + 1), np.uint64)
    for place in range(N):
        mixed = (mixed ^ (mixed >> np.uint64(29))) * ODD + each[place : place + mixed.size]
    return (mixed >> np.uint64(64 - COUNTER_BITS)).astype(np.int64)


def table(name: str, counted: Trigrams) -> str:
    lines = [f"{name}: {counted.total:,} trigrams", f"{'rank':>4} {'count':>12} {'per million':>12}  trigram"]
    for rank, (words, count) in enumerate(counted.top, start=1):
        lines.append(f"{rank:4} {count:12,} {1e6 * count / counted.total:12,.0f}  {words}")
    return "\n".join(lines)


def draw(sets: dict[str, Trigrams], path: Path) -> None:
    """The paper's Figure 3: a panel for each set; what is in all of them is grey."""
    from matplotlib.figure import Figure

    shared = set.intersection(*({words for words, _ in each.top} for each in sets.values())) if len(sets) > 1 else set()
    figure = Figure(
        figsize=(6 * len(sets), 2 + 0.2 * max(len(each.top) for each in sets.values())), layout="constrained"
    )
    for axes, (name, each) in zip(figure.subplots(1, len(sets), squeeze=False)[0], sets.items(), strict=True):
        rates = [1e6 * count / each.total for _, count in each.top]
        axes.barh(
            range(len(rates)), rates, color=["#b9b2a7" if words in shared else "#b4531f" for words, _ in each.top]
        )
        axes.set_yticks(range(len(rates)), [words[:40] for words, _ in each.top], fontsize=8, parse_math=False)
        axes.invert_yaxis()
        axes.set(title=f"{name}{' (grey: in all)' * bool(shared)}", xlabel="occurrences per million trigrams")
    figure.savefig(path, dpi=130)


@program(needs="training/requirements.txt")
def main(argv: Sequence[str] | None = None) -> None:
    options = argparse.ArgumentParser(prog="python -m training.trigrams", description=__doc__.split("\n\n")[0])
    options.add_argument("sources", nargs="+", type=Path, metavar="ROWS.jsonl", help="rows with a response")
    options.add_argument("--figure", type=Path, metavar="FILE.png", help="draw them, too")
    add_max_bad(options)
    chosen = options.parse_args(argv)
    if chosen.figure and (chosen.figure.suffix.lower() not in DRAWN or not chosen.figure.parent.is_dir()):
        raise BadInput(f"--figure is {chosen.figure}; name one of {', '.join(DRAWN)} in a folder that is there")
    rows = {str(path): Rows([path], fields=("response",), max_bad=chosen.max_bad) for path in chosen.sources}
    sets = {name: top_trigrams(lambda file=file: (row.response for row in file)) for name, file in rows.items()}
    for name, counted in sets.items():
        print(table(name, counted))
    if chosen.figure:
        draw(sets, chosen.figure)


if __name__ == "__main__":
    sys.exit(main())
