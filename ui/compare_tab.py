"""The Compare tab: one prompt, several windows, one trace; and a re-cut wherever the reader clicks in it."""

from __future__ import annotations

import re
from typing import Any

import gradio as gr

from ui.compare_views import comparison_view
from ui.comparison import Compared, Comparison
from ui.examples import compare_for
from ui.settings_panel import chosen
from ui.wiring import BUSY, HEAD, QUICK, SILENT, Follow, followed, told
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
<button type="button" id="compare" class="z1-button z1-primary">Compare</button>
<button type="button" id="compare-stop" class="z1-button" disabled>Stop</button>
<span class="z1-compare-note">Temperature, top-p, system prompt, hint and seed are those of the Think tab.</span></div>
<div class="z1-message z1-error" role="alert"></div>
<div class="z1-empty z1-compare-empty"><h2>What would a smaller window have answered?</h2>
<p>The model thinks once. At every window its trace passes, the hint is inserted and it answers from there, while the trace
goes on beside it. When it is done, click any word of the trace to cut it there.</p></div>
<div class="z1-turn z1-compare" hidden><div class="z1-meter z1-compare-meter"><div class="z1-head"><b></b><span></span></div>
<div class="z1-bar" role="img"><i class="z1-thinking"></i></div></div><div class="z1-cards"></div></div>
<div class="z1-turn z1-after" hidden><div class="z1-card-head"><b>The trace</b>
<span class="z1-card-line">click a word to cut there</span></div>
<div class="z1-tokens" tabindex="0" role="group" aria-label="The trace, by tokens"></div>
<div class="z1-recut-row"><label id="recut-at">Cut after token <input type="number" min="1" step="1" value="1"></label>
<button type="button" id="recut" class="z1-button">Answer from here</button></div></div>
<div role="status" aria-live="polite" class="z1-sr"></div></div>"""
ON_LOAD = 'window.z1.compare(element, props, trigger, watch, ["run", "stop", "recut"]);'


class CompareTab:
    """Builds the tab where it is made."""

    def __init__(self, host: EngineHost) -> None:
        self.host = host
        self.compared = gr.State(Compared())
        self.view = gr.HTML(
            elem_id="comparison", html_template=FRAME, js_on_load=ON_LOAD, head=HEAD, apply_default_css=False
        )
        self.run = self.view.run(self._run, self.compared, self.view, **SILENT)
        recut = self.view.recut(self._recut, self.compared, self.view, **SILENT)
        self.view.stop(self._stop, self.compared, self.view, cancels=[self.run, recut], **QUICK)
        for event in (self.run, recut):
            event.failure(self._refuse, self.compared, self.view, **QUICK)

    def show(self, compared: Compared, *, complaint: str = "") -> dict[str, Any]:
        """What the component is to draw. The question and windows are offers, until the visitor writes others."""
        offered = compare_for(self.host.status().text, self.host.context_tokens())
        return {**comparison_view(compared, complaint=complaint), **offered}

    @followed
    async def _run(self, asked: gr.EventData, compared: Compared) -> tuple[Comparison, Follow]:
        settings, question = chosen(asked), told(asked, "question", str)
        sizes, answer = read_windows(told(asked, "windows", str)), whole_number("answer", told(asked, "answer", str))
        comparison = await compared.begin(self.host, question, settings, sizes, answer)
        return comparison, comparison.follow

    @followed
    async def _recut(self, asked: gr.EventData, compared: Compared) -> tuple[Comparison, Follow]:
        if compared.current is None:
            raise BadInput("there is no trace yet; compare some windows first")
        at_tokens = whole_number("cut after token", told(asked, "at", str))
        return compared.current, compared.current.recut(at_tokens)

    async def _refuse(self, compared: Compared) -> dict[str, Any]:
        """Gradio's queue did not take it."""
        return self.show(compared, complaint=BUSY)

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
