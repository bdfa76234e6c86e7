"""Questions that are in a benchmark: any run of n words in common, after folding case and punctuation.

n is 8 (open-r1) to 13 (s1). A benchmark question shorter than n words has no such run and would always pass, so it is
looked for whole.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn

import pandas as pd

from training.words import folded_words
from z1_core.errors import BadInput
from z1_core.jsonl import lines

STATEMENTS = (
    "problem", "question", "Question", "prompt", "question_content", "instruct_prompt", "complete_prompt",
    "problem_description", "content",
)  # fmt: skip
"""Where the published benchmark files keep their questions; all that a row has count."""

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


def runs(words: Sequence[str], length: int) -> Iterator[str]:
    """Of no words there is none."""
    return (" ".join(words[start : start + length]) for start in range(len(words) - length + 1) if length)


def questions_of(given: str) -> Iterator[tuple[str, str]]:
    """Where it stands, and its text, of each question in "FILE" or "FILE:FIELD". Raises BadInput for a file that cannot
    be read or holds no question where it should."""
    path = benchmark_path(given)
    fields = STATEMENTS if path == Path(given) else (given.rpartition(":")[2],)
    found = 0
    for number, row in enumerate(_rows(path), start=1):
        for text in (row.get(name) for name in fields):
            if isinstance(text, str) and text.strip():
                found += 1
                yield f"{path.name} row {number}", text
    if not found:
        raise BadInput(f'{path.name} has no question under {", ".join(fields)}; name the field: "{path}:FIELD"')


def benchmark_path(given: str) -> Path:
    """The file in "FILE" or "FILE:FIELD"."""
    return Path(given) if Path(given).exists() or ":" not in given else Path(given.rpartition(":")[0])


def _rows(path: Path) -> list[dict[str, Any]]:
    try:
        match path.suffix.lower():
            case ".jsonl":
                return [line.row or _refuse(f"{line.where}: {line.fault}") for line in lines(path)]
            case ".json":  # a list of rows, or a dict whose values are the rows
                content = json.loads(path.read_bytes().decode("utf-8-sig"))
                return pd.DataFrame(list(content.values()) if isinstance(content, dict) else content).to_dict("records")
            case ".csv":
                return pd.read_csv(path, dtype=str, encoding="utf-8-sig").to_dict("records")
            case ".parquet":
                return pd.read_parquet(path).to_dict("records")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error).splitlines()[0]
        raise BadInput(f"{path} cannot be read: {reason}; check the file given to --against") from error
    raise BadInput(f"{path.name} is no .jsonl, .json, .csv or .parquet file; give --against one of these")


def _refuse(fault: str) -> NoReturn:
    raise ValueError(fault)
