"""How the page's events are wired."""

from __future__ import annotations

from typing import Any

import gradio as gr

from z1_core.errors import BadInput

SILENT = {"show_progress": "hidden", "show_progress_on": [], "api_visibility": "private"}
"""No spinner, no endpoint for programs. With nothing to show progress on: Gradio otherwise tells every component that any
event has ever written to, at each piece that a stream brings, and copies all that it holds for it."""

QUICK = {"queue": False, **SILENT}
"""For what is done at once: no queue either."""

BUSY = "Too many people are waiting at the moment; try again in a minute."
"""What a visitor is told whom the queue does not take."""

HEAD = '<link rel="stylesheet" href="z1/vendor/katex.css">' + "".join(
    f'<script src="z1/{name}.js"></script>' for name in ("vendor/marked", "vendor/purify", "vendor/katex", "view")
)
"""What a component of our own needs (ui/static, which the page serves below z1/). Gradio waits for it, and loads it once."""


def told(event: gr.EventData, name: str, kind: type) -> Any:
    """What the page's script sends along with an event. Raises BadInput for a call that the script has not made."""
    try:
        value = getattr(event, name)
    except (AttributeError, TypeError):
        value = None
    if not isinstance(value, kind):
        raise BadInput("this call has not the form that the page's own have")
    return value
