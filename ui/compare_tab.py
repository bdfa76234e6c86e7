"""The Compare tab: one prompt, several windows, one trace; and a re-cut wherever the reader clicks in it."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing
from itertools import zip_longest
from typing import Any

import gradio as gr

from ui import compare_views as views
from ui.comparison import MOST_PLACES, Compared, Comparison
from ui.long_markdown import LATEX
from ui.presets import COMPARED, compared_within
from ui.settings_panel import SettingsPanel, whole_number
from ui.turn_card import at_rest
from ui.views import STARTS_BY_ITSELF, error_html, live_html, sentence, waits
from ui.wiring import AS_WRITTEN, BUSY, QUICK, SILENT, only_changes
from z1_core.errors import BadInput, EngineDead, Z1Error
from z1_core.host import EngineHost

log = logging.getLogger(__name__)

RUN, STOP = "Compare", "Stop"
FAULT = "This comparison failed because of a fault of this program; its log says more. The page goes on working."
EMPTY = """<div class="z1-empty"><h2>What would a smaller window have answered?</h2>
<p>The model thinks once. At every window its trace passes, the hint is inserted and it answers from there, while the trace
goes on beside it. When it is done, click any word of the trace to cut it there.</p></div>"""
TRACE_HEAD = (
    '<div class="z1-card-head"><b>The trace</b><span class="z1-card-line">click a word to cut there</span></div>'
)
NOTE = '<div class="z1-compare-note">Temperature, top-p, system prompt, hint and seed are those of the Think tab.</div>'
EXAMPLE = "A train leaves at 9:40 and travels 150 km at 60 km/h. When does it arrive?"


class Card:
    """One place. Hidden until it is used."""

    def __init__(self) -> None:
        with gr.Column(visible=False, elem_classes="z1-card", min_width=250) as self.column:
            self.head = gr.HTML()
            self.answer = gr.Markdown(latex_delimiters=LATEX, elem_classes="z1-card-answer", line_breaks=True)
            self.foot = gr.HTML()

    @property
    def components(self) -> list[gr.blocks.Block]:
        return [self.column, self.head, self.answer, self.foot]


class CompareTab:
    """Builds the tab where it is made. settings: the panel whose temperature, top-p, system prompt, hint and seed count
    here too."""

    def __init__(self, host: EngineHost, settings: SettingsPanel) -> None:
        self.host = host
        self.state = gr.State(Compared())
        self.empty = gr.HTML(EMPTY)
        self._build_inputs()
        self.message = gr.HTML(elem_classes="z1-message")
        with gr.Column(visible=False, elem_classes="z1-turn z1-compare") as self.frame:
            self.ruler = gr.HTML()
            with gr.Row(elem_classes="z1-cards"):
                self.cards = [Card() for _ in range(MOST_PLACES)]
        with gr.Column(visible=False, elem_classes="z1-turn z1-after") as self.after:  # noqa: SIM117 - the page's tree
            with gr.Row(equal_height=False):
                with gr.Column(scale=3, min_width=320):
                    gr.HTML(TRACE_HEAD)
                    self.trace = gr.HTML()
                    with gr.Row(elem_classes="z1-recut-row"):
                        self.at = gr.Number(value=1, label="Cut after token", elem_id="recut-at", min_width=120)
                        self.recut = gr.Button("Answer from here", elem_id="recut", min_width=140)
                with gr.Column(scale=2, min_width=280):
                    gr.HTML('<div class="z1-card-head"><b>Answer against thinking tokens</b></div>')
                    self.plot = gr.Plot(show_label=False, elem_classes="z1-plot")
        self.status = gr.HTML(live_html(""), elem_classes="z1-sr")
        self._wire(settings)

    def _build_inputs(self) -> None:
        with gr.Column(elem_classes="z1-ask"):
            self.question = gr.Textbox(
                EXAMPLE, show_label=False, label="Your question", container=False, lines=2, max_lines=8,
                elem_id="compare-question",
            )  # fmt: skip
            with gr.Row(elem_classes="z1-buttons z1-compare-inputs", equal_height=True):
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
            with gr.Row(elem_classes="z1-buttons"):
                self.run = gr.Button(RUN, variant="primary", elem_id="compare", min_width=120)
                self.stop = gr.Button(STOP, interactive=False, elem_id="compare-stop", min_width=90)
                gr.HTML(NOTE)

    def _wire(self, settings: SettingsPanel) -> None:
        quick = {**QUICK, **AS_WRITTEN}
        inputs = [self.state, self.question, self.sizes, self.answer_tokens, *settings.inputs]
        compared = self.run.click(self._begin, inputs, self.outputs, **quick)
        cut = self.recut.click(self._begin_recut, [self.state, self.at], self.outputs, **quick)
        runs = []
        for begun in (compared, cut):
            followed = begun.success(self._follow, self.state, self.outputs, **SILENT, **AS_WRITTEN)
            followed.failure(self._refuse, self.state, self.outputs, **quick)
            runs.append(followed)
        self.stop.click(self._stop, self.state, self.outputs, cancels=runs, **quick)

    @property
    def outputs(self) -> list[gr.blocks.Block]:
        fixed = [self.empty, self.message, self.frame, self.ruler, self.after, self.trace, self.plot]
        cards = [component for card in self.cards for component in card.components]
        return [*fixed, *cards, self.run, self.stop, self.status]

    def fit(self, chosen: list[str], context_tokens: int | None) -> dict[gr.components.Component, Any]:
        """Leave out of the first choice what the model does not hold; what a visitor has chosen is theirs."""
        untouched = chosen == [*map(str, COMPARED)] and context_tokens
        return {self.sizes: [*map(str, compared_within(context_tokens))] if untouched else gr.update()}

    async def _begin(self, compared: Compared, question: str, sizes: list, answer: object, *settings: object) -> dict:
        """Check everything and show the empty cards; what cannot run is said in one sentence."""
        try:
            read = SettingsPanel.read(*settings)
            answer_tokens = whole_number("answer tokens", answer)
            await compared.begin(self.host, question, read, read_windows(sizes), answer_tokens)
        except Z1Error as error:
            return self._view(compared.current, complaint=str(error))
        except Exception:
            log.exception("a comparison could not begin")
            return self._view(compared.current, complaint=FAULT)
        return self._view(compared.current)

    async def _begin_recut(self, compared: Compared, at: object) -> dict:
        comparison = compared.current
        try:
            if comparison is None:
                raise BadInput("there is no trace yet; compare some windows first")
            self.host.engine(named=comparison.engine.name)
            comparison.begin_recut(whole_number("cut after token", at))
        except Z1Error as error:
            return self._view(comparison, complaint=str(error))
        return self._view(comparison)

    async def _follow(self, compared: Compared) -> AsyncGenerator[dict, None]:
        """What is written after every tick, and the view at the end. Closed by Stop or by a closed tab: then the engine is
        freed."""
        comparison, complaint = compared.current, ""
        follow = comparison and comparison.take()
        if not follow:  # refused: the sentence that says why stays where it is
            yield self._written(comparison)
            return
        try:
            changed = only_changes()
            async with aclosing(follow(self.host)) as ticks:
                async for _ in ticks:
                    yield changed(self._written(comparison))
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
        yield self._view(comparison, complaint=complaint)

    async def _refuse(self, compared: Compared) -> dict:
        """Gradio's queue did not take what was begun, or what follows it failed outside of its care."""
        comparison = compared.current
        complaint = BUSY if comparison and comparison.take() else FAULT
        return await self._stopped(comparison, complaint)

    async def _stop(self, compared: Compared) -> dict:
        return await self._stopped(compared.current, "")

    async def _stopped(self, comparison: Comparison | None, complaint: str) -> dict:
        if comparison:
            comparison.stop(complaint)
            await comparison.split()
        return self._view(comparison, complaint=complaint)

    def _view(self, comparison: Comparison | None, *, complaint: str = "") -> dict[gr.blocks.Block, Any]:
        complaint = complaint or (comparison.error if comparison else "")
        running = comparison is not None and comparison.is_running
        finished = comparison is not None and not running and len(comparison.trace.ids["trace"]) > 0
        places = comparison.places if comparison else []
        return {
            **self._written(comparison),
            self.empty: gr.update(visible=comparison is None),
            self.message: error_html(complaint) if complaint else "",
            self.frame: gr.update(visible=comparison is not None),
            self.after: gr.update(visible=finished),
            self.trace: views.trace_html(comparison) if finished else "",
            self.plot: self._plot(comparison) if finished and any(p.end_reason for p in places) else None,
            **{card.column: gr.update(visible=number < len(places)) for number, card in enumerate(self.cards)},
        }

    def _plot(self, comparison: Comparison) -> dict[str, Any]:
        return self.plot.postprocess(views.chart(comparison)).model_dump()

    def _written(self, comparison: Comparison | None) -> dict[gr.blocks.Block, Any]:
        """What changes with every token, and the buttons, which are blank when they are left out. Columns are left out: at
        every update of one, Gradio copies all that is in it."""
        running = comparison is not None and comparison.is_running
        places = sorted(comparison.places, key=lambda place: place.window.thinking_tokens) if comparison else []
        shown: dict[gr.blocks.Block, Any] = {
            self.ruler: views.ruler_html(comparison) if comparison else "",
            self.run: gr.update(value="Comparing" if running else RUN, interactive=not running),
            self.stop: gr.update(value=STOP, interactive=running),
            self.status: live_html(_status(comparison)),
        }
        for card, place in zip_longest(self.cards, places):
            shown |= self._card(card, comparison, place)
        return shown

    @staticmethod
    def _card(card: Card, comparison: Comparison | None, place: Any) -> dict[gr.blocks.Block, Any]:
        if place is None:
            return {card.head: "", card.answer: "", card.foot: ""}
        return {
            card.head: views.card_head_html(place),
            card.answer: at_rest(place.shown),
            card.foot: views.card_foot_html(comparison, place),
        }


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


def _status(comparison: Comparison | None) -> str:
    if comparison is None:
        return ""
    if comparison.error:
        return sentence(comparison.error)
    if comparison.trace.queue:
        return f"{waits(comparison.trace.queue)}. {STARTS_BY_ITSELF}"
    done = sum(place.end_reason is not None for place in comparison.places)
    return (
        f"{done} of {len(comparison.places)} places answered." if comparison.is_running else "The comparison is done."
    )
