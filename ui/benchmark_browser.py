"""Every answer of a run, one at a time: chosen by run, benchmark, window and verdict, shown from question to verdict."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import gradio as gr

from ui import benchmark_views as views
from ui.benchmark_data import Report, Task, clean, find_reports
from ui.benchmark_problems import Index, Item, index
from ui.views import error_html
from ui.wiring import QUICK
from z1_core.errors import BadInput

log = logging.getLogger(__name__)

ALL = "all"
MOST_CHOICES = 1000
"""A list that a browser can still open at once; the verdict's filter makes it shorter."""
FAULT = "this answer cannot be shown because of a fault of this program; its log says more"
GONE = "this report is no longer there; press Refresh"


class BenchmarkBrowser:
    """Builds its part of the tab where it is made.

    The browser at the other end names a run, a benchmark and an answer by places in lists that were made here, so that no
    text of a visitor becomes part of a path. names: the reports' folders as the visitor was last shown them.
    """

    def __init__(self, results: Path, names: gr.State) -> None:
        self.results = results
        self.kept = gr.State(None)
        """The answer on show, which stays when another window is chosen."""
        with gr.Column(elem_classes="z1-turn z1-bench-card", visible=False) as self.frame:
            gr.HTML(views.head_html("Every answer", "asked, thought, cut, inserted, answered, judged"))
            with gr.Row(elem_classes="z1-bench-choice"):
                self.run = gr.Dropdown([], label="Run", elem_id="answers-run", min_width=200, scale=2)
                self.task = gr.Dropdown([], label="Benchmark", elem_id="answers-task", min_width=150)
                self.window = gr.Dropdown([], label="Window", elem_id="answers-window", min_width=120)
                self.status = gr.Dropdown([], label="Verdict", elem_id="answers-status", min_width=150)
            with gr.Row(elem_classes="z1-bench-choice z1-bench-step"):
                self.item = gr.Dropdown([], label="Problem", elem_id="answers-item", min_width=220, scale=2)
                self.before = gr.Button("← Previous", elem_id="answers-before", min_width=140, scale=0)
                self.after = gr.Button("Next →", elem_id="answers-after", min_width=140, scale=0)
            self.note = gr.HTML()
            self.shown = gr.HTML()
        self._wire(names)

    @property
    def choices(self) -> list[gr.Dropdown]:
        return [self.run, self.task, self.window, self.status]

    @property
    def outputs(self) -> list[gr.blocks.Block]:
        return [*self.choices, self.item, self.before, self.after, self.note, self.shown, self.kept]

    def _wire(self, names: gr.State) -> None:
        read = [names, *self.choices]
        gr.on([choice.input for choice in self.choices], self.values, [*read, self.kept], self.outputs, **QUICK)
        self.item.input(self._turn_by(0), [*read, self.kept, self.item], self.outputs, **QUICK)
        self.before.click(self._turn_by(-1), [*read, self.kept, self.item], self.outputs, **QUICK)
        self.after.click(self._turn_by(1), [*read, self.kept, self.item], self.outputs, **QUICK)

    def _turn_by(self, step: int) -> Callable[..., dict]:
        def turn(names: list, run: Any, task: Any, window: Any, status: Any, kept: Any, item: Any) -> dict:
            place = item + step if isinstance(item, int) else 0
            return self.values(names, run, task, window, status, kept, place)

        return turn

    def values(
        self, names: Sequence[str], run: Any, task: Any, window: Any, status: Any, kept: Any, place: int | None = None
    ) -> dict[gr.blocks.Block, Any]:
        """What every component shows; what is not there any more gives way to the first that is. place: in the list of
        problems; None for the answer that was on show."""
        try:
            return self._values(names, run, task, window, status, kept, place)
        except BadInput as error:
            return self._nothing(str(error))
        except Exception:
            log.exception("an answer could not be shown")
            return self._nothing(FAULT)

    def _values(
        self, names: Sequence[str], run: Any, task: Any, window: Any, status: Any, kept: Any, place: int | None
    ) -> dict[gr.blocks.Block, Any]:
        report = self._report(names, run)
        made: Task = report.tasks[task if _is_place(task, report.tasks) else 0]
        at = window if window in made.windows else max(made.windows, default=0)
        found = index(self.results, report.name, made.name)
        counts = found.counts(at)
        status = status if status in counts else ALL
        items = found.items(at, None if status == ALL else status)[:MOST_CHOICES]
        if place is None:
            place = items.index(kept) if kept in items else 0
        place = max(0, min(place, len(items) - 1))
        return {
            self.run: gr.update(choices=self._runs(names), value=run),
            self.task: gr.update(
                choices=_numbered(each.title for each in report.tasks), value=report.tasks.index(made)
            ),
            self.window: gr.update(choices=[(f"{each:,}", each) for each in made.windows], value=at),
            self.status: gr.update(choices=_status_choices(counts), value=status),
            self.item: _item_update(found, items, at, place),
            self.before: gr.update(value="← Previous", interactive=place > 0),
            self.after: gr.update(value="Next →", interactive=place + 1 < len(items)),
            self.note: views.task_note_html(made, found.unreadable),
            self.shown: views.shown_html(found.read(items[place], at)) if items else views.NOTHING_SHOWN,
            self.kept: items[place] if items else kept,
        }

    def _report(self, names: Sequence[str], run: Any) -> Report:
        reports = {report.name: report for report in find_reports(self.results).reports}
        report = reports.get(names[run]) if _is_place(run, names) else None
        if report is None or not report.tasks:
            raise BadInput(GONE)
        return report

    def _runs(self, names: Sequence[str]) -> list[tuple[str, int]]:
        models = {report.name: report.model for report in find_reports(self.results).reports}
        return _numbered(f"{models[name]} ({name})" if name in models else f"{name} (gone)" for name in names)

    def _nothing(self, complaint: str) -> dict[gr.blocks.Block, Any]:
        """The choice of run stays usable."""
        empty = {each: gr.update(choices=[], value=None) for each in (self.task, self.window, self.status, self.item)}
        return {
            **empty,
            self.run: gr.update(),
            self.before: gr.update(value="← Previous", interactive=False),
            self.after: gr.update(value="Next →", interactive=False),
            self.note: "",
            self.shown: error_html(complaint),
            self.kept: None,
        }


def _is_place(value: Any, of: Sequence) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < len(of)


def _numbered(texts: Any) -> list[tuple[str, int]]:
    return [(text, number) for number, text in enumerate(texts)]


def _status_choices(counts: dict[str, int]) -> list[tuple[str, str]]:
    """In a fixed order; a status from elsewhere comes last."""
    order = [*(status for status in views.STATUSES if status in counts), *sorted(set(counts) - set(views.STATUSES))]
    total = sum(counts.values())
    return [(f"all ({total:,})", ALL), *((f"{views.status_text(name)} ({counts[name]:,})", name) for name in order)]


def _item_update(found: Index, items: Sequence[Item], window: int, place: int) -> Any:
    def label(number: int, item: Item) -> str:
        sample = f", sample {item[1]}" if item[1] else ""
        return f"{number + 1:,}. {clean(item[0])}{sample} · {views.status_text(found.status(item, window))}"

    title = f"Problem ({place + 1:,} of {len(items):,})" if items else "Problem"
    choices = [(label(number, item), number) for number, item in enumerate(items)]
    return gr.update(choices=choices, value=place if items else None, label=title)
