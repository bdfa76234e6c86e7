"""What a model was trained under, from the file beside its weights: the defaults of whoever asks it.

The file comes with the model, from a stranger's repository, too: every value is checked. Its hint may hold control tokens,
as the chat template beside it may.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from z1_core.errors import BadInput, ModelUnavailable, first_sentence
from z1_core.prompt import SYSTEM_PROMPT
from z1_core.window import HINT

if TYPE_CHECKING:
    from z1_core.engine import Engine

FILE = "z1_training.json"
KINDS = ("tagged", "untagged")


@dataclass(frozen=True, slots=True)
class Trained:
    """system: "" for none. kind: untagged where the model was trained to think without the tags that its tokenizer has;
    None where nobody says."""

    system: str = SYSTEM_PROMPT
    hint: str = HINT
    kind: Literal["tagged", "untagged"] | None = None

    @property
    def usual(self) -> dict[str, str]:
        """Settings of who chooses none."""
        return {"system": self.system, "hint": self.hint}

    def asked(self, messages: Sequence[Mapping[str, str]]) -> list[Mapping[str, str]]:
        """A benchmark's conversation under this system prompt; as it is where nobody says what the model was trained
        under."""
        if self.kind is None:
            return [*messages]
        system = [{"role": "system", "content": self.system}] if self.system.strip() else []
        return [*system, *(message for message in messages if message["role"] != "system")]


UNKNOWN = Trained()
"""Of a model without the file: the published prompt and hint."""


def knowing(engine: Engine, trained: Trained) -> Engine:
    """The engine, told what its model was trained under."""
    engine.trained = trained
    if trained.kind == "untagged":
        engine.text.thoughts = None
    return engine


def read_trained(model: Path) -> Trained:
    """What training.export wrote into the model's folder, or beside its file; UNKNOWN where it wrote nothing. Raises
    ModelUnavailable for a file that is broken."""
    path = (model if model.is_dir() else model.parent) / FILE
    if not path.is_file():
        return UNKNOWN
    from z1_core.settings import read_settings  # and with it pydantic, which no engine waits for without such a file

    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        settings = read_settings({name: found.get(name) for name in ("system", "hint")})
        if found.get("kind") not in KINDS:
            raise BadInput(f"its kind is {found.get('kind')!r:.40}, not one of {', '.join(KINDS)}")
        return Trained(settings.system, settings.hint, found["kind"])
    except (OSError, ValueError, AttributeError, RecursionError) as error:  # BadInput is a ValueError
        reason = first_sentence(error, 200)
        raise ModelUnavailable(
            f"{path} does not say how to ask the model ({reason}); export the model again, or remove the file"
        ) from error
