"""HTML of the page, by the macros of the templates beside this file. Every value goes into them escaped, whatever it is."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader
from markupsafe import Markup

LONGEST_SHOWN = 200_000
"""Characters of one text; no page holds more with pleasure."""


@cache
def macros(template: str) -> Any:
    """Those of template.html; what they give is Markup."""
    loader = FileSystemLoader(Path(__file__).parent)
    made = Environment(loader=loader, autoescape=True, finalize=_shown, trim_blocks=True, lstrip_blocks=True)
    made.filters["sentence"] = sentence
    return made.get_template(f"{template}.html").module


def sentence(text: str) -> str:
    """Begins with a capital and ends with one full stop: errors of the library are parts of sentences."""
    return f"{text[:1].upper()}{text[1:].rstrip('.')}." if text else ""


def clean(text: object) -> str:
    """Text from files can hold halves of characters, which no page can be sent."""
    return str(text).encode("utf-8", "replace").decode("utf-8")


def _shown(value: Any) -> Any:
    text = clean(value)
    left_out = f"\n… and {len(text) - LONGEST_SHOWN:,} characters more, which the run's file has"
    return value if isinstance(value, Markup) else text[:LONGEST_SHOWN] + left_out * (len(text) > LONGEST_SHOWN)
