"""Questions to begin with, within reach of the model that runs: easy and hard ones, what to watch for in each, and one to
compare at several windows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

SETS = json.loads((Path(__file__).parents[1] / "assets" / "examples.json").read_text(encoding="utf-8"))
"""By a part of the model's name; the last, "", is for every other."""


def examples_for(model: str) -> str:
    """The key of the set for what a status says of the model."""
    return next(name for name in SETS if name in model)


def compare_for(model: str, context_tokens: int | None) -> dict[str, Any]:
    """question and windows; those that leave a quarter of the context for prompt and answer, the first at least, and all
    while nobody knows it."""
    offer = SETS[examples_for(model)]["compare"]
    sizes = offer["windows"]
    fitting = [size for size in sizes if not context_tokens or size <= context_tokens * 3 // 4] or sizes[:1]
    return {"question": offer["question"], "windows": ", ".join(map(str, fitting))}
