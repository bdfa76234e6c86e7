"""Questions for a teacher: {"id": ..., "question": ...}, one a line."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from training.rows import digest, id_of, parse_object, text_of
from z1_core.errors import BadInput


@dataclass(frozen=True, slots=True)
class Question:
    id: str
    question: str


def read_questions(path: Path) -> Iterator[Question]:
    """Raises BadInput, naming the line, for what is no question and for an id that comes twice."""
    seen: set[bytes] = set()
    try:
        with path.open("rb") as file:
            for number, raw in enumerate(file, start=1):
                if not raw.strip():
                    continue
                where = f"line {number} of {path.name}"
                row = parse_object(raw, where)
                for name in ("id", "question"):
                    if name not in row:
                        raise BadInput(f'{where} has no "{name}"; every question needs id and question')
                made = Question(id_of(row, where), text_of(row, "question", where))
                if (key := digest(made.id)) in seen:
                    raise BadInput(f'{where} has the id "{made.id}", which an earlier line has too; rename one of them')
                seen.add(key)
                yield made
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror or error}; name a JSONL file of questions") from error
