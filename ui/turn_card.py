"""The card of one turn: question, meter, collapsible trace, cut line, answer, footer."""

from __future__ import annotations

from typing import Any

import gradio as gr

from ui import views
from ui.conversation import Turn

LATEX = [
    {"left": "$$", "right": "$$", "display": True},
    {"left": "\\[", "right": "\\]", "display": True},
    {"left": "\\(", "right": "\\)", "display": False},
]
"""A single $ is left out: it eats prices."""


class TurnCard:
    """Builds the components where it is made; updates() says what changed since it was last asked for that turn.

    The trace and the answer are components of their own, so that a code fence or a formula that the cut left open ends
    with the trace.
    """

    def __init__(self, turn: Turn | None = None, *, folded: bool = False) -> None:
        shown = _values(turn)
        with gr.Column(elem_classes="z1-turn-outer", visible=turn is not None) as self.column:
            self.question = gr.HTML(shown["question"])
            with gr.Column(elem_classes="z1-turn"):
                self.meter = gr.HTML(shown["meter"])
                with gr.Accordion(
                    "Trace: what the model wrote in the window", open=not folded, elem_classes="z1-trace"
                ):
                    self.trace = gr.Markdown(
                        shown["trace"], latex_delimiters=LATEX, elem_classes="z1-trace-text", line_breaks=True
                    )
                self.cut = gr.HTML(shown["cut"])
                self.answer = gr.Markdown(
                    shown["answer"],
                    latex_delimiters=LATEX,
                    elem_classes="z1-answer-text",
                    line_breaks=True,
                    visible=bool(shown["answer"]),
                )
                self.footer = gr.HTML(shown["footer"])

    @property
    def components(self) -> list[gr.blocks.Block]:
        return [self.column, self.question, self.meter, self.trace, self.cut, self.answer, self.footer]

    def updates(self, turn: Turn | None, last: dict[str, str]) -> dict[gr.blocks.Block, Any]:
        """Values for the components whose content differs from `last`, which is brought up to date."""
        shown = _values(turn)
        changed = {name: value for name, value in shown.items() if last.get(name) != value}
        if not last:
            changed["column"] = turn is not None
        last.update(shown)
        return {getattr(self, name): _update(name, value) for name, value in changed.items()}


def _values(turn: Turn | None) -> dict[str, str]:
    if turn is None:
        return dict.fromkeys(("question", "meter", "trace", "cut", "answer", "footer"), "")
    return {
        "question": views.question_html(turn),
        "meter": views.meter_html(turn),
        "trace": turn.texts["trace"],
        "cut": views.cut_html(turn),
        "answer": turn.texts["answer"],
        "footer": views.footer_html(turn),
    }


def _update(name: str, value: Any) -> Any:
    if name == "column":
        return gr.update(visible=value)
    return gr.update(value=value, visible=bool(value)) if name == "answer" else value
