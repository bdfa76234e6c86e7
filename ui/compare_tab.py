"""The Compare tab: one prompt, several windows, one trace; and a re-cut wherever the reader clicks in it."""

from __future__ import annotations

import re
from typing import Any

import gradio as gr

from ui.comparison import Compared, Comparison
from ui.examples import compare_for
from ui.settings_panel import chosen
from ui.views import comparison_view
from ui.wiring import Tab, followed, told
from z1_core.errors import BadInput
from z1_core.host import EngineHost
from z1_core.settings import whole_number

FRAME = """<div class="z1-stack"><div class="z1-ask">
<textarea rows="2" id="compare-question" aria-label="Your question"></textarea>
<div class="z1-compare-inputs"><label>Windows<input type="text" id="compare-windows" autocomplete="off"
aria-describedby="compare-windows-help"></label><p id="compare-windows-help">Thinking tokens, with commas between them.</p>
<label>Answer<input type="number" id="compare-answer" min="1" step="1" value="256"
aria-describedby="compare-answer-help"></label><p id="compare-answer-help">Tokens at most, at each window.</p></div></div>
<div class="z1-buttons">
<button type="button" id="compare" class="z1-button z1-primary" data-say="compare" data-on="ready">Compare</button>
<button type="button" id="compare-stop" class="z1-button" data-on="running" disabled>Stop</button>
<span class="z1-compare-note">Temperature, top-p, system prompt, hint and seed are those of the Think tab.</span></div>
<div class="z1-message z1-error" role="alert" data-say="complaint"></div>
<div class="z1-empty" data-if="empty"><h2>What would a smaller window have answered?</h2>
<p>The model thinks once. At every window its trace passes, the hint is inserted and it answers from there, while the trace
goes on beside it. When it is done, click any word of the trace to cut it there.</p></div>
<div class="z1-turn z1-compare" data-if="begun" hidden><div class="z1-meter"></div><div class="z1-cards"></div></div>
<div class="z1-turn z1-after" data-if="done" hidden><div class="z1-card-head"><b>The trace</b>
<span class="z1-card-line">click a word to cut there</span></div>
<div class="z1-tokens" tabindex="0" role="group" aria-label="The trace, by tokens"></div>
<div class="z1-recut-row"><label id="recut-at">Cut after token <input type="number" min="1" step="1" value="1"></label>
<button type="button" id="recut" class="z1-button">Answer from here</button></div></div>
<div role="status" aria-live="polite" class="z1-sr" data-say="head"></div></div>"""


class CompareTab(Tab):
    """Builds the tab where it is made."""

    def __init__(self, host: EngineHost) -> None:
        super().__init__(host, Compared(), FRAME, "comparison", runs=("run", "recut"), ends=["stop"])

    def show(self, compared: Compared, *, complaint: str = "") -> dict[str, Any]:
        """The question and windows are offers, until the visitor writes others."""
        offered = compare_for(self.host.status().text, self.host.context_tokens())
        return {**comparison_view(compared, complaint=complaint), **offered}

    @followed
    async def _run(self, asked: gr.EventData, compared: Compared) -> Comparison:
        settings, question = chosen(asked), told(asked, "question", str)
        sizes, answer = read_windows(told(asked, "windows", str)), whole_number("answer", told(asked, "answer", str))
        return await compared.begin(self.host, question, settings, sizes, answer)

    @followed
    async def _recut(self, asked: gr.EventData, compared: Compared) -> Comparison:
        if compared.current is None:
            raise BadInput("there is no trace yet; compare some windows first")
        compared.current.recut(whole_number("cut after token", told(asked, "at", str)))
        return compared.current

    async def _stop(self, compared: Compared) -> dict[str, Any]:
        if compared.current:
            compared.current.stop()
            await compared.current.split()
        return self.show(compared)


def read_windows(typed: str) -> list[int]:
    """Whole numbers in growing order, each once. Raises BadInput, naming what is none."""
    sizes = sorted({whole_number("window", size) for size in re.split(r"[\s,;]+", typed) if size})
    if not sizes:
        raise BadInput("no window is chosen; write at least one")
    return sizes
