"""The model's badge, and the list that it opens where whoever sees the page may choose another model.

All of it stands in the page's header, as HTML; what is pressed there comes back as one event.
"""

from __future__ import annotations

import re
from html import escape

import gradio as gr

from ui.views import error_html, sentence
from ui.wiring import QUICK
from z1_core.choice import Choice
from z1_core.errors import BadInput
from z1_core.gguf_header import free_memory_bytes
from z1_core.host import EngineHost, Status
from z1_core.models import EMBEDDED_NAME, OFFERS, SHIFT_NAME, Offer, is_on_disk

NOTES = {
    SHIFT_NAME: "A small model, trained here on sums and lists to sort: of little else it knows much.",
    EMBEDDED_NAME: "A small model: it shows the mechanism, not the quality of Z1-7B.",
}
BETTER = " A better one is two clicks away, on its name."
OTHER = "Another GGUF: file, hub id, or HUB_ID:FILE.gguf"

ON_LOAD = """
const find = (selector) => element.querySelector(selector);
const isOpen = () => element.hasAttribute("data-open");
const show = (open) => {
  element.toggleAttribute("data-open", open);
  find("#model-badge").setAttribute("aria-expanded", open);
};
let pressed = false, wasBusy = false;
element.addEventListener("click", ({ target }) => {
  const button = target.closest("button");
  if (button?.id === "model-badge") show(!isOpen());
  if (!button?.dataset.model && button?.id !== "cancel-model") return;
  pressed = true;
  trigger("submit", { model: button.dataset.model ?? null });
});
element.addEventListener("submit", (event) => {
  event.preventDefault();
  if (find("#other-model").value.trim()) trigger("submit", { model: find("#other-model").value });
});
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || !isOpen()) return;
  event.stopPropagation();  // it would stop a run
  show(false);
  find("#model-badge").focus();
}, true);
watch("value", () => {
  const fails = wasBusy && find("#model-panel [role=alert]") !== null;  // is told also where the list was closed
  wasBusy = find("#cancel-model") !== null;
  show(isOpen() || fails);
  if (!pressed || document.activeElement.closest("button:enabled")) return;
  pressed = false;  // what was pressed cannot be pressed any more, and would take the focus along
  (find("#cancel-model") ?? find("#model-badge")).focus({ preventScroll: true });
});
"""
"""Runs once: of its HTML Gradio changes what is different and leaves the rest, the focus and a typed text included."""


def wire_chooser(header: gr.HTML, host: EngineHost) -> gr.events.Dependency:
    """Do what is pressed in the panel. Not to be called for a page whose visitors may not choose."""

    def act(wish: gr.EventData) -> None:
        try:
            host.choose(str(wish.model).strip()) if wish.model else host.cancel_choice()
        except BadInput as error:  # another tab was faster
            gr.Warning(sentence(str(error)))

    return header.submit(act, None, None, **QUICK)


def badge_html(status: Status, choice: Choice | None = None, *, may_choose: bool) -> str:
    """What the model is doing, and beside a small one what it is good for."""
    text = escape(status.text) + (f" … {status.seconds:.0f} s" if status.state == "starting" else "")
    note = next((note for name, note in NOTES.items() if name in status.text and status.state != "failed"), "")
    note = note and f'<span class="z1-note">{note}{BETTER if may_choose else ""}</span>'
    inside, look = f"<i></i><span>{text}</span>", f"z1-chip z1-{status.state}"
    if not may_choose:
        return f'<span class="{look}">{inside}</span>{note}'
    is_busy = choice is not None and choice.is_on_its_way
    way = f"<em>{escape(_name(choice.model))} {_percent(choice) or choice.state}</em>" if is_busy else ""
    hidden = '<span class="z1-sr">; choose another model</span>'
    return (
        f'<button type="button" id="model-badge" class="{look}" aria-expanded="false" aria-controls="model-panel">'
        f"{inside}{way}{hidden}</button>{note}"
    )


def panel_html(model: str | None, choice: Choice | None) -> str:
    """The list of models. model: the one that runs, as --model takes it; None where none does."""
    free_mb = free_memory_bytes() // 1_000_000
    is_busy = choice is not None and choice.is_on_its_way
    rows = [_offer_html(offer, in_use=offer.model == model, free_mb=free_mb, is_busy=is_busy) for offer in OFFERS]
    if model and model not in {offer.model for offer in OFFERS}:
        rows.append(f'<li aria-current="true"><div><b>{escape(model)}</b></div><em>in use</em></li>')
    return (
        f'<section id="model-panel" aria-label="Choose a model"><div id="model-way">{_way_html(choice)}</div>'
        f'<ul>{"".join(rows)}</ul><form><label for="other-model">{OTHER}</label>'
        f'<input id="other-model" type="text" autocomplete="off" spellcheck="false">'
        f'<button type="submit" class="z1-button"{" disabled" if is_busy else ""}>Use it</button></form></section>'
    )


def _offer_html(offer: Offer, *, in_use: bool, free_mb: int, is_busy: bool) -> str:
    memory = f"{offer.memory_mb:,} MB of memory"
    if offer.memory_mb > free_mb and not in_use:
        memory = f"<strong>needs {memory}, and {free_mb:,} MB are free</strong>"
    way = "on this disk" if is_on_disk(offer.model) else f"{offer.download_mb:,} MB download"
    facts = f"{way} · {memory} · <span>{offer.licence}</span>"
    button = (
        f'<button type="button" class="z1-button" data-model="{escape(offer.model)}" aria-label="Use {escape(offer.name)}"'
        f"{' disabled' if is_busy else ''}>Use</button>"
    )
    return (
        f"<li{' aria-current=true' if in_use else ''}><div><b>{escape(offer.name)}</b> {escape(offer.note)}"
        f"<p>{facts}</p></div>{'<em>in use</em>' if in_use else button}</li>"
    )


def _way_html(choice: Choice | None) -> str:
    """What became of the choice. The numbers stand beside the text that screen readers speak."""
    if choice is None:
        return ""
    if choice.state == "failed":
        return error_html(choice.text)
    said = f'<p role="status">{escape(sentence(choice.text))}</p>'
    if not choice.is_on_its_way:
        return said
    percent = round(100 * (choice.share or 0))
    bar = (
        f'<div class="z1-bar" role="progressbar" aria-label="Download" aria-valuenow="{percent}">'
        f'<i class="z1-thinking" style="width:{percent}%"></i></div>'
    )
    cancel = '<button type="button" class="z1-button" id="cancel-model">Cancel</button>'
    return f"{said}{bar}<span>{_percent(choice)}</span>{cancel}"


def _name(model: str) -> str:
    """For people, and short."""
    return next((offer.name for offer in OFFERS if offer.model == model), re.split(r"[\\/]", model)[-1])


def _percent(choice: Choice) -> str:
    return "" if choice.share is None else f"{100 * choice.share:.0f} %"
