"""What a model was trained under, from the file beside its weights: the defaults of whoever asks it.

The file may come from a stranger's repository, so every value is checked, and the hint's control tokens stay text.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from z1_core.errors import BadInput, ModelUnavailable
from z1_core.prompt import SYSTEM_PROMPT, check_text
from z1_core.window import HINT

FILE = "z1_training.json"
MOST_BYTES = 1 << 20
MOST_CHARACTERS = 4000
KINDS = ("tagged", "untagged")


@dataclass(frozen=True, slots=True)
class Trained:
    """system: "" for none. kind: untagged where the model was trained to think without the tags that its tokenizer has;
    None where nobody says."""

    system: str = SYSTEM_PROMPT
    hint: str = HINT
    kind: Literal["tagged", "untagged"] | None = None


UNKNOWN = Trained()
"""Of a model without the file: the published prompt and hint."""


def read_trained(folder: Path) -> Trained:
    """What training.export wrote; UNKNOWN where it wrote nothing. Raises ModelUnavailable for a file that is broken."""
    path = folder / FILE
    if not path.is_file():
        return UNKNOWN
    try:
        if path.stat().st_size > MOST_BYTES:
            raise BadInput(f"it is larger than {MOST_BYTES:,} bytes")
        return _checked(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, RecursionError) as error:  # BadInput is a ValueError
        reason = str(error).partition("\n")[0][:200]
        raise ModelUnavailable(
            f"{path} does not say how to ask the model ({reason}); export the model again, or remove the file"
        ) from error


def _checked(found: object) -> Trained:
    if not isinstance(found, dict):
        raise BadInput("it holds no named values")
    for name in ("system", "hint"):
        check_text(name, found.get(name))
        if len(found[name]) > MOST_CHARACTERS:
            raise BadInput(f"its {name} is longer than {MOST_CHARACTERS:,} characters")
    if not found["hint"].strip():
        raise BadInput("its hint is empty")
    if found.get("kind") not in KINDS:
        raise BadInput(f"its kind is {found.get('kind')!r:.40}, not one of {', '.join(KINDS)}")
    return Trained(found["system"], found["hint"], found["kind"])
