"""The model's badge, and the list that it opens where whoever sees the page may choose another model.

All of it stands in the page's header, as HTML (model.html, static/model.js); what is pressed there comes back as one event.
"""

from __future__ import annotations

import re

import gradio as gr

from ui.html import macros, sentence
from ui.wiring import QUICK
from z1_core.choice import Choice
from z1_core.errors import BadInput
from z1_core.gguf_header import free_memory_bytes
from z1_core.host import EngineHost, EngineStatus
from z1_core.models import EMBEDDED_NAME, OFFERS, SHIFT_NAME, is_on_disk

NOTES = {
    SHIFT_NAME: "A small model, trained here on sums and lists to sort: of little else it knows much.",
    EMBEDDED_NAME: "A small model: it shows the mechanism, not the quality of Z1-7B.",
}
BETTER = " A better one is two clicks away, on its name."


def wire_chooser(header: gr.HTML, host: EngineHost) -> gr.events.Dependency:
    """Do what is pressed in the panel. Not to be called for a page whose visitors may not choose."""

    def act(wish: gr.EventData) -> None:
        try:
            host.choose(str(wish.model).strip()) if wish.model else host.cancel_choice()
        except BadInput as error:  # another tab was faster
            gr.Warning(sentence(str(error)))

    return header.submit(act, None, None, **QUICK)


def badge_html(status: EngineStatus, choice: Choice | None = None, *, may_choose: bool) -> str:
    """What the model is doing, and beside a small one what it is good for."""
    note = next((note for name, note in NOTES.items() if name in status.text and status.state != "failed"), "")
    if note and may_choose:
        note += BETTER
    is_busy = may_choose and choice is not None and choice.is_on_its_way
    way = f"{_name(choice.model)} {_percent(choice) or choice.state}" if is_busy else ""
    return macros("model").badge(status, note, may_choose, way).strip()


def panel_html(model: str | None, choice: Choice | None) -> str:
    """The list of models. model: the one that runs, as --model takes it; None where none does."""
    on_disk = [offer.model for offer in OFFERS if is_on_disk(offer.model)]
    free_mb = free_memory_bytes() // 1_000_000
    return macros("model").panel(OFFERS, model, choice, _percent(choice), free_mb, on_disk)


def _name(model: str) -> str:
    """For people, and short."""
    return next((offer.name for offer in OFFERS if offer.model == model), re.split(r"[\\/]", model)[-1])


def _percent(choice: Choice | None) -> str:
    return "" if choice is None or choice.share is None else f"{100 * choice.share:.0f} %"
