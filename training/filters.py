"""What a trajectory is left out for where that is asked for: loops, questions that come again, questions of a benchmark.

The paper removed about 3 % as repetitive and published neither detector nor threshold; those here were set on 2,055 rows,
short and long traces of several models, where they call 65 (3.2 %) a loop. Questions that nearly come again are found by
datasketch's index of word 5-grams, and the texts decide. A benchmark's question is any run of n words in common, n from 8
(open-r1) to 13 (s1); one that is shorter has no such run and would always pass, so it is looked for whole.
"""

from __future__ import annotations

import re
import unicodedata
import zlib
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

from evaluation.rows import BadRow, read_rows
from training.rows import Row
from z1_core.errors import BadInput

FILTERS = ("loop", "duplicate", "near_duplicate")

LOOP_WORDS, LOOP_TIMES, LOOP_SHARE = 10, 5, 0.2
"""A loop: runs of ten words that come five times or more cover a fifth of the trajectory."""

TAIL_BYTES, TAIL_RATIO = 4000, 10
"""A loop without spaces: the last 4,000 bytes deflate to less than a tenth. Prose and code reach a third to a sixth."""

SHINGLE_WORDS, SIMILAR_FROM, PERMUTATIONS = 5, 0.8, 64
MISSES_WEIGH = (0.05, 0.95)
"""False alarms cost a second look, misses cost a duplicate: the bands are chosen for few misses (5 % at 0.8 alike)."""

STATEMENTS = (
    "problem", "question", "Question", "prompt", "question_content", "instruct_prompt", "complete_prompt",
    "problem_description", "content",
)  # fmt: skip
"""Where the published benchmark files keep their questions; all that a row has count."""

WORD = re.compile(r"[^\W_]+")
WITHIN_FROM_WORDS = 4
"""A benchmark question shorter than this is only found as the whole question: "Find x" stands in too many others."""


class Filters:
    """Those of these names ("all" for all of them), and the benchmarks."""

    def __init__(self, names: Sequence[str], against: Sequence[str], ngram: int) -> None:
        """Raises BadInput."""
        self._names = {*FILTERS} if "all" in names else {*names}
        self._benchmarks = Benchmarks(against, ngram)
        self._questions = Questions(near="near_duplicate" in self._names)

    def fault(self, row: Row) -> tuple[str, str] | None:
        """The first reason to leave the row out, with what was found."""
        if "loop" in self._names and (loop := loop_in(row.response)):
            return "loop", loop
        if match := self._benchmarks.match(row.question):
            return "contaminated", match
        return self._questions.repeated(row) if {"duplicate", "near_duplicate"} & self._names else None


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


class Questions:
    """The questions of the rows that stayed, in memory, whatever the case, the white space and the encoding of accents."""

    def __init__(self, *, near: bool) -> None:
        """near: find those, too, of which four fifths of the word 5-grams agree."""
        self._ids: dict[str, str] = {}
        self._near = None
        if near:
            from datasketch import MinHash, MinHashLSH

            self._near = MinHashLSH(threshold=SIMILAR_FROM, num_perm=PERMUTATIONS, weights=MISSES_WEIGH)
            self._empty = MinHash(num_perm=PERMUTATIONS, seed=1, scheme="affine32", hashfunc=zlib.crc32)

    def repeated(self, row: Row) -> tuple[str, str] | None:
        """Reason and detail where the question is an earlier one; else it is remembered."""
        text = " ".join(unicodedata.normalize("NFC", row.question.casefold()).split())
        if text in self._ids:
            return "duplicate", f"the question of {self._ids[text]}"
        if self._near is not None:
            signature = self._empty.copy()
            signature.update_batch(shingle.encode() for shingle in shingles(text))
            for earlier in sorted(self._near.query(signature)):
                if (alike := similarity(text, earlier)) >= SIMILAR_FROM:
                    return "near_duplicate", f"{alike:.0%} the question of {self._ids[earlier]}"
            self._near.insert(text, signature)
        self._ids[text] = row.id
        return None


def shingles(text: str) -> set[str]:
    """Runs of five words; a shorter text is one run."""
    words = text.split()
    return {*runs(words, min(SHINGLE_WORDS, len(words)))}


def similarity(first: str, second: str) -> float:
    """The Jaccard index of the two texts' runs of five words."""
    one, other = shingles(first), shingles(second)
    return len(one & other) / len(one | other)


class Benchmarks:
    """The questions to keep out of a training set: each run of words with the file and the row it comes from."""

    def __init__(self, files: Sequence[str], n: int) -> None:
        """files: each "FILE" or "FILE:FIELD". Raises BadInput."""
        if not 2 <= n <= 50:
            raise BadInput(f"--ngram is {n}; it must be from 2 to 50 (8 is strict, 13 lenient)")
        self._n = n
        self._runs: dict[int, dict[str, str]] = defaultdict(dict)
        for where, text in (question for given in files for question in questions_of(given)):
            words = folded_words(text)
            length = min(n, len(words))
            for run in runs(words, length):
                if length < n or not run.replace(" ", "").isdecimal():  # 1 2 3 4 5 6 7 8 proves nothing
                    self._runs[length].setdefault(run, where)

    def match(self, question: str) -> str | None:
        """The first run of words that the question has in common with a benchmark, and where that one stands."""
        words = folded_words(question)
        for length in sorted(self._runs, reverse=True):
            if length >= min(self._n, WITHIN_FROM_WORDS) or length == len(words):
                for run in runs(words, length):
                    if run in self._runs[length]:
                        return f"{self._runs[length][run]}: {run!r}"
        return None


def folded_words(text: str) -> list[str]:
    """Lower-cased words without punctuation, so that "\\frac{1}{2}," and "frac 1 2" are the same."""
    return WORD.findall(unicodedata.normalize("NFKC", text).lower())


def runs(words: Sequence[str], length: int) -> Iterator[str]:
    """Of no words there is none."""
    return (" ".join(words[start : start + length]) for start in range(len(words) - length + 1) if length)


def questions_of(given: str) -> Iterator[tuple[str, str]]:
    """Where it stands, and its text, of each question in "FILE" or "FILE:FIELD". Raises BadInput for a file that cannot
    be read or holds no question where it should."""
    path = benchmark_path(given)
    fields = STATEMENTS if path == Path(given) else (given.rpartition(":")[2],)
    found = 0
    for row in read_rows(path):
        if isinstance(row, BadRow):
            raise BadInput(f"{row}; mend the file given to --against")
        where, values = row
        for text in (values.get(name) for name in fields):
            if isinstance(text, str) and text.strip():
                found += 1
                yield where, text
    if not found:
        raise BadInput(f'{path.name} has no question under {", ".join(fields)}; name the field: "{path}:FIELD"')


def benchmark_path(given: str) -> Path:
    """The file in "FILE" or "FILE:FIELD"."""
    return Path(given) if Path(given).exists() or ":" not in given else Path(given.rpartition(":")[0])
