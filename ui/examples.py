"""Questions to begin with, easy and hard, and what to watch for in each."""

from __future__ import annotations

import json
from html import escape
from pathlib import Path

FILE = Path(__file__).parents[1] / "assets" / "examples.json"


def examples_html() -> str:
    """The script of the page puts the text of a pressed example into the question's box."""
    cards = "".join(_card(example) for example in json.loads(FILE.read_text(encoding="utf-8")))
    return f'<div class="z1-examples"><h2>Try one, and watch</h2><div class="z1-examples-grid">{cards}</div></div>'


def _card(example: dict[str, str]) -> str:
    text = {name: escape(value) for name, value in example.items()}
    return (
        f'<button type="button" class="z1-example" data-example="{text["prompt"]}">'
        f'<span><em class="z1-{text["level"]}">{text["level"]}</em> <em>{text["field"]}</em></span>'
        f'<b class="z1-example-text">{text["prompt"]}</b><span class="z1-watch">{text["watch"]}</span></button>'
    )
