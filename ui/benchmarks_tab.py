"""The Benchmarks tab: the paper's figures, the reports of the results folder beside them, and every answer of a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr

from ui import benchmark_views as views
from ui.benchmark_browser import BenchmarkBrowser
from ui.benchmark_data import Found, find_reports, paper_titles
from ui.wiring import QUICK


class BenchmarksTab:
    """Builds the tab where it is made. results: the only folder that is read. opened: the tab's select event, so that
    the folder is looked at when somebody comes, and not when the page is built."""

    def __init__(self, results: Path, *, opened: Any) -> None:
        self.results = results
        self.names = gr.State([])
        gr.HTML(views.INTRO)
        titles = paper_titles()
        with gr.Row(elem_classes="z1-bench-top"):
            self.benchmark = gr.Dropdown(
                [(title, name) for name, title in titles.items()], value=next(iter(titles)), label="Benchmark",
                elem_id="benchmarks-which", elem_classes="z1-bench-which", min_width=200,
            )  # fmt: skip
            self.refresh = gr.Button("Refresh", size="sm", scale=0, min_width=110, elem_id="benchmarks-refresh")
        self.found = gr.HTML()
        self._build_figures()
        self.browser = BenchmarkBrowser(results, self.names)
        self._wire(opened)

    def _build_figures(self) -> None:
        with gr.Column(elem_classes="z1-turn z1-bench-card"):
            gr.HTML(views.head_html("Accuracy against thinking tokens", "bars are 95 % intervals"))
            with gr.Row(equal_height=False, elem_classes="z1-bench-pair"):
                with gr.Column(scale=3, min_width=300):
                    self.scaling = gr.Plot(show_label=False, elem_classes="z1-plot z1-bench-plot")
                with gr.Column(scale=2, min_width=300):
                    self.figures = gr.HTML()
        with gr.Column(elem_classes="z1-turn z1-bench-card"):
            gr.HTML(views.head_html("The paper's Table 1", "as published"))
            with gr.Row(equal_height=False, elem_classes="z1-bench-pair"):
                with gr.Column(scale=2, min_width=300):
                    self.table1 = gr.HTML()
                with gr.Column(scale=1, min_width=300):
                    self.table1_plot = gr.Plot(show_label=False, elem_classes="z1-plot z1-bench-plot")

    def _wire(self, opened: Any) -> None:
        figures = [self.scaling, self.figures, self.table1, self.table1_plot]
        gr.on(
            [self.refresh.click, opened],
            self._look,
            [self.names, self.benchmark, *self.browser.choices, self.browser.kept],
            [self.names, self.found, self.benchmark, *figures, self.browser.frame, *self.browser.outputs],
            **QUICK,
        )
        self.benchmark.input(self._choose, self.benchmark, figures, **QUICK)

    def _look(self, names: list[str], benchmark: str, run: Any, *choices: Any) -> dict[gr.blocks.Block, Any]:
        """Read the folder anew; what a visitor has chosen stays where it is still there."""
        found = find_reports(self.results)
        chosen = names[run] if isinstance(run, int) and 0 <= run < len(names) else None
        first_time = chosen is None
        names, titles = [report.name for report in found.reports], found.titles()
        if first_time or benchmark not in titles:
            benchmark = found.first_benchmark()
        return {
            self.names: names,
            self.found: views.found_html(found, str(self.results)),
            self.benchmark: gr.update(choices=[(title, name) for name, title in titles.items()], value=benchmark),
            **self._figures(found, benchmark),
            self.browser.frame: gr.update(visible=bool(names)),
            **self.browser.values(names, names.index(chosen) if chosen in names else 0, *choices),
        }

    def _choose(self, benchmark: str) -> dict[gr.blocks.Block, Any]:
        return self._figures(find_reports(self.results), benchmark)

    def _figures(self, found: Found, benchmark: str) -> dict[gr.blocks.Block, Any]:
        from ui import benchmark_plots as plots  # altair takes a second, for which no page should wait before it is up

        title, lines = found.titles().get(benchmark, ""), found.lines(benchmark)
        return {
            self.scaling: plots.scaling_chart(lines, title),
            self.figures: views.lines_html(lines),
            self.table1: views.table1_html(benchmark),
            self.table1_plot: plots.table1_chart(benchmark, title),
        }
