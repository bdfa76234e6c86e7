"""The Compare tab: one prompt, several windows, one trace; and a re-cut wherever the reader clicks in it."""

from __future__ import annotations

import re
from typing import Any

import gradio as gr

from ui.comparison import Compared, Comparison
from ui.examples import compare_for
from ui.html import macros
from ui.settings_panel import chosen
from ui.views import comparison_view
from ui.wiring import Tab, followed, told
from z1_core.errors import BadInput
from z1_core.host import EngineHost
from z1_core.settings import whole_number


class CompareTab(Tab):
    """Builds the tab where it is made."""

    name = "comparison"
    runs, ends = ("run", "recut"), ("stop",)

    def __init__(self, host: EngineHost) -> None:
        super().__init__(host, Compared(), macros("tabs").comparison())

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
