"""The Compare tab: one prompt, several windows, one trace; and a re-cut wherever the reader clicks in it."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import gradio as gr

from ui.compare_views import chart, comparison_view
from ui.comparison import Compared, Follow
from ui.presets import COMPARED, compared_within
from ui.settings_panel import SettingsPanel, whole_number
from ui.wiring import BUSY, HEAD, QUICK, SILENT, told
from z1_core.errors import BadInput, EngineDead, Z1Error
from z1_core.host import EngineHost

log = logging.getLogger(__name__)

FAULT = "This comparison failed because of a fault of this program; its log says more. The page goes on working."
EXAMPLE = "A train leaves at 9:40 and travels 150 km at 60 km/h. When does it arrive?"
FRAME = """<div class="z1-stack"><div class="z1-buttons">
<button type="button" id="compare" class="z1-button z1-primary">Compare</button>
<button type="button" id="compare-stop" class="z1-button" disabled>Stop</button>
<span class="z1-compare-note">Temperature, top-p, system prompt, hint and seed are those of the Think tab.</span></div>
<div class="z1-message"></div>
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
    """Builds the tab where it is made. settings: the panel whose temperature, top-p, system prompt, hint and seed count
    here too."""

    def __init__(self, host: EngineHost, settings: SettingsPanel) -> None:
        self.host = host
        self.compared = gr.State(Compared())
        self._build_inputs()
        self.view = gr.HTML(html_template=FRAME, js_on_load=ON_LOAD, head=HEAD, apply_default_css=False)
        self.plot = gr.Plot(visible=False, show_label=False, elem_classes="z1-plot z1-turn")
        self._wire(settings)

    def _build_inputs(self) -> None:
        with gr.Column(elem_classes="z1-ask z1-compare-ask"):
            self.question = gr.Textbox(
                EXAMPLE, show_label=False, label="Your question", container=False, lines=2, max_lines=8,
                elem_id="compare-question",
            )  # fmt: skip
            with gr.Row(elem_classes="z1-compare-inputs", equal_height=True):
                self.sizes = gr.Dropdown(
                    ["32", "64", "128", "256", "512", "1024", "2048", "4096"],
                    value=[*map(str, COMPARED)],
                    multiselect=True,
                    allow_custom_value=True,
                    label="Windows (tokens)",
                    info="Pick some or type your own.",
                    elem_id="compare-windows",
                    scale=3,
                    min_width=260,
                )
                self.answer_tokens = gr.Number(
                    256, label="Answer (tokens)", info="At most, at each window.", scale=1,
                    elem_id="compare-answer", min_width=150,
                )  # fmt: skip

    def _wire(self, settings: SettingsPanel) -> None:
        inputs = [self.compared, self.question, self.sizes, self.answer_tokens, *settings.inputs]
        self.run = self.view.run(self._run, inputs, self.view, **SILENT)
        recut = self.view.recut(self._recut, self.compared, self.view, **SILENT)
        stop = self.view.stop(self._stop, self.compared, self.view, cancels=[self.run, recut], **QUICK)
        for event in (self.run, recut):
            event.failure(self._refuse, self.compared, self.view, **QUICK)
        for event in (self.run, recut, stop):
            event.then(self._plot, self.compared, self.plot, **QUICK)

    def fit(self, chosen: list[str], context_tokens: int | None) -> dict[gr.components.Component, Any]:
        """Leave out of the first choice what the model does not hold; what a visitor has chosen is theirs."""
        untouched = chosen == [*map(str, COMPARED)] and context_tokens
        return {self.sizes: [*map(str, compared_within(context_tokens))] if untouched else gr.update()}

    async def _run(
        self, compared: Compared, question: str, sizes: list, answer: object, *settings: object
    ) -> AsyncGenerator[dict[str, Any], None]:
        """A comparison from its question to its end; what cannot run is said in one sentence."""

        async def begin() -> Follow:
            chosen, answer_tokens = SettingsPanel.read(*settings), whole_number("answer tokens", answer)
            await compared.begin(self.host, question, chosen, read_windows(sizes), answer_tokens)
            return compared.current.follow

        async with aclosing(self._followed(compared, begin)) as views:
            async for view in views:
                yield view

    async def _recut(self, asked: gr.EventData, compared: Compared) -> AsyncGenerator[dict[str, Any], None]:
        async def begin() -> Follow:
            if compared.current is None:
                raise BadInput("there is no trace yet; compare some windows first")
            self.host.engine(named=compared.current.engine.name)
            return compared.current.begin_recut(read_place(told(asked, "at", str)))

        async with aclosing(self._followed(compared, begin)) as views:
            async for view in views:
                yield view

    async def _followed(self, compared: Compared, begin: Any) -> AsyncGenerator[dict[str, Any], None]:
        """What is to be drawn, at every tick. Closed by Stop or by a closed tab: then the engine is freed."""
        try:
            follow = await begin()
        except Z1Error as error:
            yield comparison_view(compared, complaint=str(error))
            return
        except Exception:
            log.exception("a comparison could not begin")
            yield comparison_view(compared, complaint=FAULT)
            return
        comparison, complaint = compared.current, ""
        try:
            yield comparison_view(compared)
            async with aclosing(follow(self.host)) as ticks:
                async for _ in ticks:
                    yield comparison_view(compared)
        except EngineDead as error:
            complaint = str(error)
            await self.host.notice()
        except Z1Error as error:
            complaint = str(error)
        except Exception:
            log.exception("a comparison failed")
            complaint = FAULT
        finally:
            comparison.stop(complaint)
        await comparison.split()
        yield comparison_view(compared, complaint=complaint)

    async def _refuse(self, compared: Compared) -> dict[str, Any]:
        """Gradio's queue did not take it."""
        return comparison_view(compared, complaint=BUSY)

    async def _stop(self, compared: Compared) -> dict[str, Any]:
        if compared.current:
            compared.current.stop()
            await compared.current.split()
        return comparison_view(compared)

    def _plot(self, compared: Compared) -> Any:
        comparison = compared.current
        answered = comparison and not comparison.is_running and any(each.end_reason for each in comparison.places)
        return gr.update(value=chart(comparison) if answered else None, visible=bool(answered))


def read_windows(chosen: list | None) -> list[int]:
    """Whole numbers in growing order, each once. Raises BadInput, naming what is none."""
    sizes = set()
    for value in chosen or []:
        text = str(value).replace(",", "").strip()
        if not (text.isascii() and text.isdigit()) or int(text) < 1:
            raise BadInput(f"window {str(value)[:40]!r} is no whole number of at least 1")
        sizes.add(int(text))
    if not sizes:
        raise BadInput("no window is chosen; pick at least one")
    return sorted(sizes)


def read_place(typed: str) -> int:
    """The place of a re-cut, as it stands in its box. Raises BadInput."""
    text = typed.strip()
    try:
        number = float(text) if text else None
    except ValueError:
        number = text
    return whole_number("cut after token", number)
