"""How the page's events are wired."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gradio as gr

SILENT = {"show_progress": "hidden", "show_progress_on": [], "api_visibility": "private"}
"""No spinner, no endpoint for programs. With nothing to show progress on: Gradio otherwise tells every component that any
event has ever written to, at each piece that a stream brings, and copies all that it holds for it."""

QUICK = {"queue": False, **SILENT}
"""For what is done at once: no queue either."""

AS_WRITTEN = {"postprocess": False}
"""For what shows a model's text: Gradio takes away the indentation that all lines of it but the first share, which flattens
lists, and changes threads for every component at every update."""

BUSY = "Too many people are waiting at the moment; try again in a minute."
"""What a visitor is told whom the queue does not take."""


def only_changes() -> Callable[[dict[gr.blocks.Block, Any]], dict[gr.blocks.Block, Any]]:
    """For the views of one stream: a gr.update that says what the last one said gives way to its bare value. For each
    update Gradio builds the component anew, which was half of what a tick cost."""
    last: dict[gr.blocks.Block, Any] = {}

    def changed(view: dict[gr.blocks.Block, Any]) -> dict[gr.blocks.Block, Any]:
        same = {block for block, given in view.items() if last.get(block) == given and isinstance(given, dict)}
        last.update(view)
        return {block: given["value"] if block in same and "value" in given else given for block, given in view.items()}

    return changed
