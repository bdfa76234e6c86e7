"""What a run of benchmarks keeps in its folder: one form, which evaluation writes, and judge, report and page read.

OUT/run.json                    the settings of all of it, and of each part (one a start) what it was made with
OUT/<task>/problems.jsonl       what was asked, with prompt ids, and the reference unless it is long
OUT/<task>/answers.jsonl        one line for each problem, sample and window
OUT/<task>/verdicts.jsonl       the same judged (evaluation.judge); where a key is there twice, the last one holds
OUT/judge.json                  what they were judged with

Halves of characters, which neither tables nor pages can hold, are read as question marks.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, NonNegativeInt, PositiveInt, ValidationError

from z1_core.errors import BadInput
from z1_core.jsonl import own_lines, read_json, row_at
from z1_core.statuses import STATUSES
from z1_core.window import Completion, EndReason, Window

WINDOW = "window"
"""The project's own method; others are named by what differs."""
StatusName = Literal[tuple(STATUSES)]
Text = Annotated[
    str, BeforeValidator(lambda said: said.encode("utf-8", "replace").decode() if isinstance(said, str) else said)
]
Texts = Mapping[str, Text]


class Key(NamedTuple):
    """What makes an answer one of its kind."""

    problem_id: str
    sample: int
    thinking_tokens: int


class Line(BaseModel):
    model_config = ConfigDict(frozen=True)


class Keyed(Line):
    problem_id: Text
    sample: NonNegativeInt
    thinking_tokens: PositiveInt

    @property
    def key(self) -> Key:
        return Key(self.problem_id, self.sample, self.thinking_tokens)


class Answer(Keyed):
    """What was written for a problem at one window. Token ids are the record, texts show them.

    hint: the phrase that was inserted; None where none was (--hint none), or where the model stopped inside the window.
    """

    trace: Text
    trace_ids: list[NonNegativeInt]
    hint: Text | None
    hint_ids: list[NonNegativeInt]
    answer: Text
    answer_ids: list[NonNegativeInt]
    end_reason: EndReason
    seconds: float | None

    @classmethod
    def of(cls, run: Completion, window: Window, *, problem_id: str, sample: int) -> Answer:
        made = {name: getattr(run, name) for name in cls.model_fields if hasattr(run, name)}
        hint = window.hint if run.end_reason != "inside" else None
        named = {"problem_id": problem_id, "sample": sample, "thinking_tokens": window.thinking_tokens, "hint": hint}
        return cls(**made | named | {"seconds": round(run.seconds, 3)})


class Judged(Keyed):
    """judged: which text the verdict is about; sha256: of the texts and the judge that it holds for."""

    status: StatusName
    extracted: Text = ""
    detail: Text = ""
    judged: Literal["answer", "trace", "trace and answer"]
    sha256: str = ""


class Asked(Line):
    """sha256: of the problem as the data has it. reference: None where it is too long to be kept."""

    problem_id: Text
    sha256: str
    messages: list[Texts]
    prefill: Text
    reference: dict[str, Any] | None
    labels: Texts
    prompt_ids: list[NonNegativeInt] = []
    prompt_text: Text = ""


class TaskRecord(BaseModel):
    """A benchmark under one hint. bad_rows: of the data, which were left out, and why."""

    title: Text
    benchmark: str
    method: str
    hint: Text | None = None
    origin: str = ""
    data: str | None = None
    bad_rows: list[Text] = []


class RunRecord(BaseModel):
    """run.json. benchmarks: by their folders, none of which leads out of the run's; parts: what each start was made with."""

    model_config = ConfigDict(strict=True)
    model: Text
    context_tokens: int = 0
    windows: list[int]
    answer_tokens: int
    samples: PositiveInt
    sampling: dict[str, int | float | None]
    benchmarks: Annotated[dict[Annotated[str, Field(pattern=r"^\w[\w.-]*$")], TaskRecord], Field(min_length=1)]
    parts: list[dict[str, Any]] = []


Kind = TypeVar("Kind", bound=Line)


def read(path: Path, kind: type[Kind], *, name: str | None = None) -> Iterator[tuple[int, Kind]]:
    """The lines of a file, each with the byte at which it begins. name: as people are told, its path by default. Raises
    BadInput for one that no run writes."""
    for line in own_lines(path, name=name):
        try:
            yield line.begin, kind.model_validate(line.row)
        except ValidationError as error:
            raise BadInput(f"{line.where} is not what a run writes ({first_complaint(error)}); delete it") from error


def read_at(path: Path, begin: int, kind: type[Kind]) -> Kind:
    """One that was read before."""
    return kind.model_validate(row_at(path, begin))


def read_run(folder: Path) -> RunRecord:
    """Raises BadInput where there is none."""
    record = read_json(folder / "run.json")
    try:
        return RunRecord.model_validate(record)
    except ValidationError as error:
        raise BadInput(
            f"{folder / 'run.json'} is not what this version of python -m evaluation.run writes ({first_complaint(error)}); "
            "restore it, or name another folder"
        ) from error


def first_complaint(error: ValidationError) -> str:
    """Where it is, and what is wrong there."""
    fault = error.errors(include_url=False)[0]
    return f"{'.'.join(map(str, fault['loc'])) or 'all of it'}: {fault['msg'][:1].lower()}{fault['msg'][1:]}"
