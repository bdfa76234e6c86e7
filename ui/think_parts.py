"""Words, buttons and lines of the Think tab, and the file a visitor hands it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr

from ui.export import MOST_BYTES
from z1_core.errors import BadInput
from z1_core.host import Status

RUN, ANSWER_NOW, STOP = "Run", "Answer now", "Stop"
"""The style sheet puts the key beside each that presses it."""
FAULT = "This run failed because of a fault of this program; its log says more. The page goes on working."
STILL_RUNS = "a run is still going on; stop it first (Esc)"
EDITING = (
    '<div class="z1-editing">Run puts the edited question, with its new answer, in the place of the last turn.</div>'
)


EMPTY = """<div class="z1-empty"><h2>Thinking, with a limit</h2>
<p>The model thinks inside a window of tokens. If it stops by itself, that was the answer. If not, the window closes, a
hint is inserted, and it answers from what it has thought. Easy questions cost little; hard ones are capped.</p></div>"""


def run_button(status: Status, *, running: bool) -> Any:
    """The Run button, which says why it waits."""
    if running:
        return gr.update(value="Running", interactive=False)
    if status.state == "ready":
        return gr.update(value=RUN, interactive=True)
    if status.state == "starting":
        return gr.update(value=f"Waits: {status.text.partition(':')[0]}", interactive=False)
    return gr.update(value="Model not running", interactive=False)


def read_and_remove(path: str | None) -> bytes:
    """At most one byte more than a run may have. Raises BadInput where no file came."""
    if not path:
        raise BadInput("no file came; choose a run that was exported here")
    file = Path(path)
    try:
        with file.open("rb") as opened:
            return opened.read(MOST_BYTES + 1)
    finally:
        file.unlink(missing_ok=True)
