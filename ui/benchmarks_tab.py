"""The Benchmarks tab: the paper's figures, the reports of the results folder beside them, and every answer of a run."""

from __future__ import annotations

import logging
from functools import partial
from pathlib import Path
from typing import Any

import gradio as gr

from ui.benchmark_runs import Run, answers_of, find_runs
from ui.html import clean, macros
from ui.wiring import QUICK
from z1_core.errors import BadInput
from z1_core.scaling_plot import PAPER_MODEL, paper, paper_points, run_points, scaling_chart, styled

log = logging.getLogger(__name__)
PLACE = {
    "width": "container",
    "height": 300,
    "autosize": {"type": "fit-x", "contains": "padding"},
    "usermeta": {"embedOptions": {"actions": False, "renderer": "svg"}},
}
"""Of the plot, which is as wide as its place; colours of texts and lines come from style.css, so that both themes suit."""
FAULT = "this answer is not what a run writes, or was changed meanwhile; open this tab again"


class BenchmarksTab:
    """Builds the tab where it is made. results: the only folder that is read. opened: the tab's select event, so that the
    folder is looked at when somebody comes, and not when the page is built.

    What a visitor's browser names (a benchmark, a run, a window, an answer) is looked up in what was found; no text of it
    becomes part of a path."""

    def __init__(self, results: Path, *, opened: Any) -> None:
        self.results = results
        plain, html = partial(gr.HTML, apply_default_css=False), macros("benchmarks")
        plain(html.intro())
        with gr.Row(elem_classes=["z1-bench-choice", "z1-bench-top"]):
            self.benchmark = gr.Dropdown([], label="Benchmark", elem_id="benchmarks-which", min_width=200)
        self.found = plain()
        with gr.Column(elem_classes="z1-turn z1-bench-card"):
            plain(html.card_head("Accuracy against thinking tokens", "bars are 95 % intervals"))
            with gr.Row(equal_height=False):
                with gr.Column(scale=3, min_width=300) as self.place:
                    self.plot = gr.Plot(show_label=False, elem_classes="z1-plot z1-bench-plot")
                with gr.Column(scale=2, min_width=300):
                    self.figures = plain()
        with gr.Column(elem_classes="z1-turn z1-bench-card", visible=False) as self.frame:
            plain(html.card_head("Every answer", "a part of a name or verdict finds it"))
            with gr.Row(elem_classes="z1-bench-choice"):
                self.run = gr.Dropdown([], label="Run", elem_id="answers-run", min_width=200, scale=2)
                self.window = gr.Dropdown([], label="Window", elem_id="answers-window", min_width=120)
                self.answer = gr.Dropdown([], label="Answer", elem_id="answers-answer", min_width=200, scale=2)
            self.shown = plain()
        chosen = [self.benchmark, self.run, self.window, self.answer]
        drawn = [part for part in vars(self).values() if isinstance(part, gr.blocks.Block)]
        how = {"trigger_mode": "multiple", **QUICK}  # "once" drops what is chosen while an answer is on its way
        gr.on([self.benchmark.input, opened], self.look, chosen, drawn, **how)
        gr.on([self.run.input, self.window.input, self.answer.input], self.browse, chosen, drawn, **how)

    def look(self, benchmark: Any, *chosen: Any) -> dict[gr.blocks.Block, Any]:
        """Read the folder anew; what a visitor has chosen stays where it is still there."""
        html, (runs, complaints) = macros("benchmarks"), find_runs(self.results)
        titles = {run.task.benchmark: run.task.title.partition(", ")[0] for run in runs}
        titles |= {name: about["title"] for name, about in paper()["benchmarks"].items()}
        judged = {run.task.benchmark for run in runs if any(window.n for window in run.task.windows)}
        names = sorted(titles, key=lambda name: (name not in judged, not paper_points(name)))
        benchmark = benchmark if benchmark in names else names[0]
        mine = [run for run in runs if run.task.benchmark == benchmark]
        points = [point for run in mine for point in run_points(run.label, run.task.model_dump()["windows"])]
        points += paper_points(benchmark)
        chart = points and scaling_chart(points, titles[benchmark])
        return {
            self.found: html.found(len({run.folder.parent for run in runs}), complaints, self.results / "z1"),
            self.benchmark: gr.update(choices=[(titles[name], name) for name in names], value=benchmark),
            self.place: gr.update(visible=bool(points)),
            self.plot: styled(chart.properties(**PLACE)) if points else None,
            self.figures: html.figures(points, paper()["table1"], PAPER_MODEL, benchmark),
            self.frame: gr.update(visible=bool(mine)),
            **self.browse(benchmark, *chosen),
        }

    def browse(self, benchmark: Any, label: Any, window: Any, answer: Any) -> dict[gr.blocks.Block, Any]:
        """What the browser of answers shows; what is not there any more gives way to the first that is."""
        runs = {run.label: run for run in find_runs(self.results)[0] if run.task.benchmark == benchmark}
        label = _or_first(label, [*runs])
        chosen = {self.run: gr.update(choices=[*runs], value=label), self.shown: ""}
        try:
            return chosen | (self._answers(runs[label], window, answer) if runs else {})
        except BadInput as error:
            return chosen | {self.shown: macros("model").error(str(error))}
        except Exception:
            log.exception("an answer could not be shown")
            return chosen | {self.shown: macros("model").error(FAULT)}

    def _answers(self, run: Run, window: Any, answer: Any) -> dict[gr.blocks.Block, Any]:
        """An answer stays when another window is chosen: it goes by its problem and sample."""
        html, answers = macros("benchmarks"), answers_of(run)
        window = _or_first(window, answers.windows[::-1])
        keys = {f"{key.problem_id} #{key.sample + 1}": key for key in answers.at(window)}
        name = _or_first(answer, [*keys])
        statuses = {each: answers.status(key) for each, key in keys.items()}
        named = {each: f"{each.removesuffix(' #1')}  {said.sign} {said.words}" for each, said in statuses.items()}
        return {
            self.window: gr.update(choices=[(f"{each:,}", each) for each in answers.windows], value=window),
            self.answer: gr.update(choices=[(clean(words), each) for each, words in named.items()], value=name),
            self.shown: html.note(run.task) + (html.answer(**answers.read(keys[name])) if keys else ""),
        }


def _or_first(wanted: Any, there: list) -> Any:
    """None where nothing is."""
    return wanted if wanted in there else next(iter(there), None)
