"""The style sheet costs little while a text streams."""

from __future__ import annotations

import re
from pathlib import Path

STYLE = Path(__file__).parents[1] / "ui" / "style.css"


def selectors() -> list[str]:
    rules = re.findall(r"([^{}]+)\{", re.sub(r"/\*.*?\*/", "", STYLE.read_text(encoding="utf-8"), flags=re.DOTALL))
    return [one.strip() for rule in rules for one in re.split(r",(?![^(]*\))", rule)]


def test_what_has_restyles_is_found_by_a_class_of_our_own():
    """At every change inside of .z1-main:has(...) a browser looks for all that may look different now. For a bare div that
    is most of the page: it took a tenth of the browser's time."""
    restyled = [one for one in selectors() if re.search(r":has\(.*\)[^\s]*\s+\S", one)]
    common = [one for one in restyled if not re.search(r"[.#]z1-[\w-]+[^\s>]*$|#[\w-]+$", one)]
    assert len(restyled) >= 6
    assert not common
