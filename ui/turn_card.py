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
    """Builds the components where it is made; values() says what they show for a turn.

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
                    shown["answer"], latex_delimiters=LATEX, elem_classes="z1-answer-text", line_breaks=True
                )
                self.footer = gr.HTML(shown["footer"])

    @property
    def components(self) -> list[gr.blocks.Block]:
        return [self.column, self.question, self.meter, self.trace, self.cut, self.answer, self.footer]

    def values(self, turn: Turn | None) -> dict[gr.blocks.Block, Any]:
        """A value for every component: one that is left out would be sent as an empty update, which blanks buttons and
        costs as much. Gradio sends only what differs from the last time."""
        shown = {getattr(self, name): value for name, value in _values(turn).items()}
        return {**shown, self.column: gr.update(visible=turn is not None)}


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
