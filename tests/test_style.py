"""The style sheet costs little while a text streams."""

from __future__ import annotations

import re
from pathlib import Path

STYLE = Path(__file__).parents[1] / "ui" / "style.css"


def selectors() -> list[str]:
    rules = re.findall(r"([^{}]+)\{", re.sub(r"/\*.*?\*/", "", STYLE.read_text(encoding="utf-8"), flags=re.DOTALL))
    return [one.strip() for rule in rules for one in re.split(r",(?![^(]*\))", rule)]


def test_no_has_looks_into_what_streams():
    """At every change inside of it a browser looks for all that may look different now: it took a tenth of its time."""
    streams = re.compile(r"z1-(main|stack|talk|turn|trace|answer|card|ask)|\.md\b")
    assert not [one for one in selectors() if ":has(" in one and streams.search(one)]
    assert len(selectors()) > 100
