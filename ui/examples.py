"""Questions to begin with, easy and hard, within a small model's reach or a large one's, and what to watch for in each."""

from __future__ import annotations

import json
from html import escape
from pathlib import Path

FILE = Path(__file__).parents[1] / "assets" / "examples.json"


def examples_html() -> str:
    """The script of the page shows those for the model that runs, and puts the text of a pressed one into the box."""
    sets = json.loads(FILE.read_text(encoding="utf-8"))
    grids = "".join(
        f'<div class="z1-examples-grid" data-for="{size}">{"".join(map(_card, examples))}</div>'
        for size, examples in sets.items()
    )
    return f'<div class="z1-examples"><h2>Try one, and watch</h2>{grids}</div>'


def _card(example: dict[str, str]) -> str:
    text = {name: escape(value) for name, value in example.items()}
    return (
        f'<button type="button" class="z1-example" data-example="{text["prompt"]}">'
        f'<span><em class="z1-{text["level"]}">{text["level"]}</em> <em>{text["field"]}</em></span>'
        f'<b class="z1-example-text">{text["prompt"]}</b><span class="z1-watch">{text["watch"]}</span></button>'
    )
