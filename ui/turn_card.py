"""The card of one turn: question, meter, collapsible trace, cut line, answer, footer, and what can be done with it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import gradio as gr

from ui import export, views
from ui.conversation import Conversation, Turn
from ui.long_markdown import LongMarkdown, pieces
from ui.wiring import QUICK


def at_rest(text: str) -> str:
    """Model text for showing. Of all that Gradio lets through, a <meta http-equiv> alone acts by being there: it leads the
    page elsewhere. A mark without width keeps it from being a tag."""
    return re.sub("<(?=meta)", "<\u200b", text, flags=re.IGNORECASE) if "http-equiv" in text.lower() else text


class TurnCard:
    """Builds the components where it is made; values() says what they show for a turn.

    The trace and the answer are Markdown of their own, so that a code fence or a formula that the cut left open ends with
    the trace.
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
                    self.trace = LongMarkdown(turn and _trace(turn), elem_classes="z1-trace-text")
                self.cut = gr.HTML(shown["cut"])
                self.answer = LongMarkdown(turn and _answer(turn), elem_classes="z1-answer-text")
                self.footer = gr.HTML(shown["footer"])
                self.actions = Actions(self, turn)

    @property
    def components(self) -> list[gr.blocks.Block]:
        texts = [*self.trace.components, *self.answer.components]
        return [self.question, self.meter, self.cut, self.footer, *texts]

    def visible(self, turn: Turn | None) -> dict[gr.blocks.Block, Any]:
        """Whether the card is there. Not among what a stream brings: for every update of a column, also for one that
        changes nothing, Gradio copies all that is in it."""
        return {self.column: gr.update(visible=turn is not None)}

    def values(self, turn: Turn | None) -> dict[gr.blocks.Block, Any]:
        """A value for every component: one that is left out would be sent as an empty update, which blanks buttons and
        costs as much. Gradio sends only what differs from the last time."""
        return {
            **{getattr(self, name): value for name, value in _values(turn).items()},
            **self.trace.values(_trace(turn) if turn else []),
            **self.answer.values(_answer(turn) if turn else []),
        }


def _values(turn: Turn | None) -> dict[str, str]:
    if turn is None:
        return dict.fromkeys(("question", "meter", "cut", "footer"), "")
    return {
        "question": views.question_html(turn),
        "meter": views.meter_html(turn),
        "cut": views.cut_html(turn),
        "footer": views.footer_html(turn),
    }


def _trace(turn: Turn) -> list[str]:
    return pieces(at_rest(turn.texts["trace"]), turn.window.thinking_tokens)


def _answer(turn: Turn) -> list[str]:
    return pieces(at_rest(turn.texts["answer"]), turn.window.answer_tokens)


COPY = "Copy answer"


class Actions:
    """The buttons under a turn. The style sheet shows them when the turn has ended, so that a running one costs nothing
    for them. turn: an earlier one; None for the current, which is known only when a button is pressed."""

    def __init__(self, card: TurnCard, turn: Turn | None) -> None:
        with gr.Row(elem_classes="z1-actions"):
            self.copy = gr.Button(COPY, size="sm", min_width=60, elem_classes="z1-copy")
            if turn is None:
                self.again = gr.Button("Run again", size="sm", min_width=60, elem_id="again")
                self.edit = gr.Button("Edit question", size="sm", min_width=60, elem_id="edit")
            self.json = gr.Button("Export JSON", size="sm", min_width=60, elem_classes="z1-json")
            self.markdown = gr.Button("Export Markdown", size="sm", min_width=60, elem_classes="z1-markdown")
        self._file = gr.Textbox("", visible=False)
        answer, trace = card.answer.components, card.trace.components
        self.copy.click(
            None,
            [*answer, *trace],
            self.copy,
            js=f"async (...pieces) => [await window.z1.copyAnswer(pieces, {len(answer)})]",
        ).then(None, None, self.copy, js=f"() => window.z1.soon({json.dumps(COPY)})")
        if turn is not None:
            self._offer(lambda write: lambda: write(turn), None)

    def wire(self, conversation: gr.State) -> None:
        """For the current turn: let the exports take it from the conversation."""

        def current(write: Callable[[Turn], str]) -> Callable[[Conversation], str]:
            return lambda shown: write(shown.current) if shown.current and shown.current.end_reason else ""

        self._offer(current, conversation)

    def _offer(self, handler: Callable, inputs: gr.State | None) -> None:
        """The browser makes the file, so that no copy of it stays on the server."""
        for button, write, ending in ((self.json, export.to_json, "json"), (self.markdown, export.to_markdown, "md")):
            button.click(handler(write), inputs, self._file, **QUICK).success(
                None, self._file, None, js=f"(text) => {{ text && window.z1.save(text, '{ending}'); }}"
            )
