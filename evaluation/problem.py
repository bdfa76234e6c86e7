"""What a benchmark is made of: problems, verdicts, and the tools that judge. Plain values; nothing here runs a model."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from z1_core.record import Asked, StatusName

if TYPE_CHECKING:
    from evaluation.data import Source
    from evaluation.judges.mathematics import MathJudge
    from evaluation.sandbox.bubblewrap import Sandbox
    from z1_core.engine import Text

KEPT_REFERENCE_CHARS = 20_000
"""A longer reference (hidden tests run to megabytes) stays in the data, and the judge reads it there again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One row of a benchmark, ready to be asked and judged.

    messages: the conversation in the paper's words; prefill: the start of the assistant's turn, put behind the prompt.
    reference: what the judge needs, as JSON values; never shown to the model.
    labels: by which the report groups ("level": "5"), as texts.
    """

    id: str
    messages: Sequence[Mapping[str, str]]
    reference: Mapping[str, Any]
    prefill: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)

    def prompt_ids(self, text: Text) -> list[int]:
        return text.render(self.messages) + (text.encode(self.prefill) if self.prefill else [])

    @property
    def sha256(self) -> str:
        """Of all that is asked and judged, whatever kind of file it was read from: what makes two problems the same."""
        asked = [self.id, list(self.messages), self.prefill, self.reference]
        return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()

    @classmethod
    def of(cls, asked: Asked) -> Problem:
        """As it was asked before; its reference must have been kept."""
        named = {name: getattr(asked, name) for name in ("messages", "reference", "prefill", "labels")}
        return cls(id=asked.problem_id, **named)

    def as_asked(self, messages: Sequence[Mapping[str, str]], prompt_ids: Sequence[int], prompt_text: str) -> Asked:
        """The line of problems.jsonl. messages: as the model was asked."""
        is_short = len(json.dumps(self.reference)) <= KEPT_REFERENCE_CHARS
        return Asked(
            problem_id=self.id,
            sha256=self.sha256,
            messages=messages,
            prefill=self.prefill,
            reference=self.reference if is_short else None,
            labels=self.labels,
            prompt_ids=prompt_ids,
            prompt_text=prompt_text,
        )


def conversation(user: str, *, system: str = "") -> tuple[Mapping[str, str], ...]:
    """The messages of a problem; no system text by default."""
    before = ({"role": "system", "content": system},) if system else ()
    return (*before, {"role": "user", "content": user})


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """extracted: the answer as it was read from the text, for people; detail: why it is what it is, in words.

    not_judged: the means to judge are missing here (a library of a BigCodeBench task); never counted as wrong.
    """

    status: StatusName
    extracted: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judges:
    """What judging needs besides the text. Both are used from several threads at once.

    sandbox: None where no benchmark is judged by running code.
    """

    math: MathJudge
    sandbox: Sandbox | None


class Benchmark(Protocol):
    """One file in evaluation/benchmarks: what it asks, in the paper's words, and how its answers are judged."""

    name: str
    """On the command line, "math500"."""
    title: str
    """In tables, "MATH500"."""
    source: Source | str
    """Its rows on the Hub, for when no --data is given; or the command that makes a file of them."""
    gold_field: str | None
    """The one entry of `reference` that is all the judge needs; None where it needs tests."""

    def make_problem(self, row: Mapping[str, Any]) -> Problem:
        """The problem of one row. Raises BadInput, saying what is wrong with the row."""
        ...

    def judge(self, problem: Problem, text: str, judges: Judges) -> Verdict:
        """The verdict on one text: an answer, or a trace that holds one. Pure but for the tools it is given."""
        ...
