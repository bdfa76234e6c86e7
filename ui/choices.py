"""Settings that come from outside the page: from a link, or from what the browser remembers. Both may hold anything, so
every value is checked, and one that is not usable is left out and named."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from z1_core.errors import BadInput
from z1_core.prompt import SYSTEM_PROMPT
from z1_core.trained import Trained
from z1_core.window import BOXED_HINT, HINT

HINTS = {"Plain": HINT, "Boxed": BOXED_HINT}
OWN = "Own text"
MOST_TOKENS = 32_768
"""Upper end of the published sliders; a smaller context lowers it."""

MOST_CHARACTERS = 4000


@dataclass(frozen=True)
class Choice:
    """One field of the panel. name: its word in a link; told: its words in a sentence; default: where nobody chose."""

    name: str
    told: str
    default: int | float | str
    read: Callable[[object], int | float | str]


def of_model(trained: Trained) -> dict[str, str]:
    """What the fields stand at for a model, where nobody chose."""
    hint = next((name for name, phrase in HINTS.items() if phrase == trained.hint), OWN)
    return {"system": trained.system, "hint": hint, "own_hint": trained.hint.strip()}


def read_choices(values: Mapping[str, object]) -> tuple[dict[str, int | float | str], list[str]]:
    """The usable values by the fields' names, and a complaint about each that is not. Other names are passed over."""
    usable, complaints = {}, []
    for choice in CHOICES:
        if choice.name in values:
            try:
                usable[choice.name] = choice.read(values[choice.name])
            except BadInput as error:
                complaints.append(f"{choice.told} is {_shown(values[choice.name])}; it must be {error}")
    return usable, complaints


def link_sentence(usable: Mapping[str, object], complaints: list[str]) -> str:
    """What a link has set and what of it was passed over; empty for a plain address."""
    told = [choice.told for choice in CHOICES if choice.name in usable]
    parts = [f"Set by the link: {', '.join(told)}."] if told else []
    return " ".join([*parts, *(f"Not taken from the link: {complaint}." for complaint in complaints)])


def _count(value: object) -> int:
    if isinstance(value, float) and math.isfinite(value) and value == int(value):
        value = int(value)
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 9:
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= MOST_TOKENS:
        raise BadInput(f"a whole number from 1 to {MOST_TOKENS:,}")
    return value


def _between(low: float, high: float) -> Callable[[object], float]:
    def read(value: object) -> float:
        try:
            number = float(value) if isinstance(value, int | float | str) and not isinstance(value, bool) else math.nan
        except (ValueError, OverflowError):
            number = math.nan
        if not low <= number <= high:
            raise BadInput(f"a number from {low:g} to {high:g}")
        return number

    return read


def _text(value: object) -> str:
    if not isinstance(value, str) or len(value) > MOST_CHARACTERS or any("\ud800" <= c <= "\udfff" for c in value):
        raise BadInput(f"a text of at most {MOST_CHARACTERS:,} characters")
    return value


def _hint(value: object) -> str:
    if value not in (*HINTS, OWN):
        raise BadInput(f"one of {', '.join((*HINTS, OWN))}")
    return value


def _seed(value: object) -> str:
    text = str(value).strip() if isinstance(value, str | int) and not isinstance(value, bool) else "?"
    if text and not (text.isascii() and text.isdigit() and len(text) < 20 and int(text) < 2**63):
        raise BadInput("a whole number of at least 0, or empty")
    return text


def _shown(value: object) -> str:
    text = repr(value) if isinstance(value, str | int | float | None) else type(value).__name__
    return text if len(text) <= 40 else text[:37] + "..."


CHOICES = (
    Choice("window", "window", 1024, _count),
    Choice("total", "total tokens", 2048, _count),
    Choice("temperature", "temperature", 0.0, _between(0, 2)),
    Choice("top_p", "top-p", 1.0, _between(0.01, 1)),
    Choice("system", "system prompt", SYSTEM_PROMPT, _text),
    Choice("hint", "hint", "Plain", _hint),
    Choice("own_hint", "your hint", HINT.strip(), _text),
    Choice("seed", "seed", "", _seed),
)
"""In the order of SettingsPanel.inputs."""
