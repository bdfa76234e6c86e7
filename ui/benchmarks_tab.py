"""The Benchmarks tab: the paper's figures, the reports of the results folder beside them, and every answer of a run."""

from __future__ import annotations

import logging
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import gradio as gr
from jinja2 import Environment, FileSystemLoader
from markupsafe import Markup

from ui.benchmark_runs import ALL, UNJUDGED, Key, Run, answers_of, clean, find_runs
from ui.views import error_html
from ui.wiring import QUICK
from z1_core.errors import BadInput
from z1_core.scaling_plot import PAPER_MODEL, paper, paper_points, run_points, scaling_chart, styled
from z1_core.statuses import STATUSES

log = logging.getLogger(__name__)
PLACE = {
    "width": "container",
    "height": 300,
    "autosize": {"type": "fit-x", "contains": "padding"},
    "usermeta": {"embedOptions": {"actions": False, "renderer": "svg"}},
}
"""Of the plot, which is as wide as its place; colours of texts and lines come from style.css, so that both themes suit."""
LONGEST_SHOWN = 200_000
"""Characters of one text; no page holds more with pleasure."""
FAULT = "this answer is not what a run writes, or was changed meanwhile; press Refresh"


@cache
def html() -> Any:
    """The macros of benchmarks.html. Every value goes into them escaped, whatever it is."""

    def shown(value: Any) -> Any:
        text = clean(value)
        left_out = f"\n… and {len(text) - LONGEST_SHOWN:,} characters more, which the run's file has"
        return value if isinstance(value, Markup) else text[:LONGEST_SHOWN] + left_out * (len(text) > LONGEST_SHOWN)

    loader = FileSystemLoader(Path(__file__).parent)
    made = Environment(loader=loader, autoescape=True, finalize=shown, trim_blocks=True, lstrip_blocks=True)
    return made.get_template("benchmarks.html").module


class BenchmarksTab:
    """Builds the tab where it is made. results: the only folder that is read. opened: the tab's select event, so that the
    folder is looked at when somebody comes, and not when the page is built.

    What a visitor's browser names (a benchmark, a run, a window, a verdict) is looked up in what was found; no text of it
    becomes part of a path."""

    def __init__(self, results: Path, *, opened: Any) -> None:
        self.results = results
        self.kept = gr.State(None)
        """The answer on show, which stays when another window is chosen."""
        gr.HTML(html().intro())
        with gr.Row(elem_classes="z1-bench-top"):
            self.benchmark = gr.Dropdown([], label="Benchmark", elem_id="benchmarks-which", min_width=200)
            self.refresh = gr.Button("Refresh", size="sm", scale=0, min_width=110, elem_id="benchmarks-refresh")
        self.found = gr.HTML()
        with gr.Column(elem_classes="z1-turn z1-bench-card"):
            gr.HTML(html().card_head("Accuracy against thinking tokens", "bars are 95 % intervals"))
            with gr.Row(equal_height=False, elem_classes="z1-bench-pair"):
                with gr.Column(scale=3, min_width=300) as self.plot:
                    self.scaling = gr.Plot(show_label=False, elem_classes="z1-plot z1-bench-plot")
                with gr.Column(scale=2, min_width=300):
                    self.figures = gr.HTML()
        with gr.Column(elem_classes="z1-turn z1-bench-card", visible=False) as self.frame:
            gr.HTML(html().card_head("Every answer", "asked, thought, cut, inserted, answered, judged"))
            with gr.Row(elem_classes="z1-bench-choice"):
                self.run = gr.Dropdown([], label="Run", elem_id="answers-run", min_width=200, scale=2)
                self.window = gr.Dropdown([], label="Window", elem_id="answers-window", min_width=120)
                self.status = gr.Dropdown([], label="Verdict", elem_id="answers-status", min_width=150)
                self.before = gr.Button("← Previous", size="sm", elem_id="answers-before", min_width=110, scale=0)
                self.after = gr.Button("Next →", size="sm", elem_id="answers-after", min_width=110, scale=0)
            self.note, self.shown = gr.HTML(), gr.HTML()
        self._wire(opened)

    def _wire(self, opened: Any) -> None:
        chosen = [self.benchmark, self.run, self.window, self.status, self.kept]
        shown = [part for part in vars(self).values() if isinstance(part, gr.blocks.Block)]
        gr.on([self.refresh.click, self.benchmark.input, opened], self.look, chosen, shown, **QUICK)
        gr.on([self.run.input, self.window.input, self.status.input], self.browse, chosen, shown, **QUICK)
        self.before.click(lambda *given: self.browse(*given, step=-1), chosen, shown, **QUICK)
        self.after.click(lambda *given: self.browse(*given, step=1), chosen, shown, **QUICK)

    def look(self, benchmark: Any, *chosen: Any) -> dict[gr.blocks.Block, Any]:
        """Read the folder anew; what a visitor has chosen stays where it is still there."""
        runs, complaints = find_runs(self.results)
        titles = {
            run.task.benchmark: run.task.title.removesuffix(f", {run.task.method.replace('-', ' ')}") for run in runs
        }
        titles |= {name: about["title"] for name, about in paper()["benchmarks"].items()}
        judged = {run.task.benchmark for run in runs if any(window.n for window in run.task.windows)}
        names = sorted(titles, key=lambda name: (name not in judged, not paper_points(name)))
        benchmark = benchmark if benchmark in names else names[0]
        mine = [run for run in runs if run.task.benchmark == benchmark]
        points = [point for run in mine for point in run_points(run.label, run.task.model_dump()["windows"])]
        points += paper_points(benchmark)
        chart = points and scaling_chart(points, titles[benchmark])
        return {
            self.found: html().found(len({run.folder.parent for run in runs}), complaints, self.results / "z1"),
            self.benchmark: gr.update(choices=[(titles[name], name) for name in names], value=benchmark),
            self.plot: gr.update(visible=bool(points)),
            self.scaling: styled(chart.properties(**PLACE)) if points else None,
            self.figures: html().figures(points, paper()["table1"], PAPER_MODEL, benchmark),
            self.frame: gr.update(visible=bool(mine)),
            **self.browse(benchmark, *chosen),
        }

    def browse(
        self, benchmark: Any, label: Any, window: Any, status: Any, kept: Any, step: int = 0
    ) -> dict[gr.blocks.Block, Any]:
        """What the browser of answers shows; what is not there any more gives way to the first that is. step: from the
        answer that was on show."""
        runs = {run.label: run for run in find_runs(self.results)[0] if run.task.benchmark == benchmark}
        label = label if label in list(runs) else next(iter(runs), None)
        chosen = {self.run: gr.update(choices=list(runs), value=label), self.kept: kept, self.note: "", self.shown: ""}
        try:
            return chosen | (self._answers(runs[label], window, status, kept, step) if runs else {})
        except BadInput as error:
            return chosen | {self.shown: error_html(str(error))}
        except Exception:
            log.exception("an answer could not be shown")
            return chosen | {self.shown: error_html(FAULT)}

    def _answers(self, run: Run, window: Any, status: Any, kept: Any, step: int) -> dict[gr.blocks.Block, Any]:
        answers = answers_of(run)
        window = window if window in answers.windows else max(answers.windows, default=0)
        counts = Counter(map(answers.status, answers.find(window)))
        order = sorted(counts, key=[*STATUSES.values(), UNJUDGED].index)
        status = status if status in [each.name for each in counts] else ALL
        keys = answers.find(window, status)
        at = Key(*kept[:2], window) if kept else None
        place = max(0, min((keys.index(at) if at in keys else 0) + step, len(keys) - 1))
        verdicts = [(f"{each.sign} {each.words} ({counts[each]:,})", each.name) for each in order]
        return {
            self.window: gr.update(choices=[(f"{each:,}", each) for each in answers.windows], value=window),
            self.status: gr.update(choices=[(f"all ({counts.total():,})", ALL), *verdicts], value=status),
            self.before: gr.update(interactive=place > 0),
            self.after: gr.update(interactive=place + 1 < len(keys)),
            self.note: html().note(run.task, answers.unreadable, place + 1, len(keys)),
            self.shown: html().answer(**answers.read(keys[place])) if keys else "",
            self.kept: keys[place] if keys else kept,
        }
