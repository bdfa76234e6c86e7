"""Questions that are in a benchmark: any run of n words in common, after folding case and punctuation.

n is 8 (open-r1) to 13 (s1). A benchmark question shorter than n words has no such run and would always pass, so it is
looked for whole.
"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

from evaluation.rows import BadRow, read_rows
from z1_core.errors import BadInput

STATEMENTS = (
    "problem", "question", "Question", "prompt", "question_content", "instruct_prompt", "complete_prompt",
    "problem_description", "content",
)  # fmt: skip
"""Where the published benchmark files keep their questions; all that a row has count."""

WORD = re.compile(r"[^\W_]+")
WITHIN_FROM_WORDS = 4
"""A benchmark question shorter than this is only found as the whole question: "Find x" stands in too many others."""


class Benchmarks:
    """The questions to keep out of a training set: each run of words with the file and the row it comes from."""

    def __init__(self, files: Sequence[str], n: int) -> None:
        """files: each "FILE" or "FILE:FIELD". Raises BadInput."""
        if not 2 <= n <= 50:
            raise BadInput(f"--ngram is {n}; it must be from 2 to 50 (8 is strict, 13 lenient)")
        self._n = n
        self._runs: dict[int, dict[str, str]] = defaultdict(dict)
        for given in files:
            for where, text in questions_of(given):
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
