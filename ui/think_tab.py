"""The conversation: earlier turns, the current one as it is made, the box to ask in, and its buttons."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing
from html import escape
from typing import Any

import gradio as gr

from ui import views
from ui.conversation import Conversation, Turn
from ui.settings_panel import SettingsPanel
from ui.turn_card import TurnCard
from z1_core.errors import BadInput, Z1Error
from z1_core.host import EngineHost, Status

log = logging.getLogger(__name__)

RUN, ANSWER_NOW, STOP = "Run  Ctrl ↵", "Answer now  Ctrl E", "Stop  Esc"
EXAMPLES = [
    "How many r are in raspberry?",
    "A train leaves at 9:40 and travels 150 km at 60 km/h. When does it arrive?",
    "Write a Python function that reverses the words of a sentence, but not the letters in them.",
    "Prove that the square root of 2 is irrational.",
]
FAULT = "This run failed because of a fault of this program; its log says more. The page goes on working."


class ThinkTab:
    """Builds the tab where it is made and wires it to the engine."""

    def __init__(self, host: EngineHost, *, places: int) -> None:
        self.host = host
        self.conversation = gr.State(Conversation())
        with gr.Row(elem_classes="z1-main"):
            with gr.Column(scale=3, min_width=320):
                self._build_history()
                self.empty = gr.HTML(EMPTY)
                self.card = TurnCard()
                self.message = gr.HTML(elem_id="message")
                self._build_ask_box()
            self.settings = SettingsPanel()
        self.status = gr.HTML('<div role="status" aria-live="polite">Ready.</div>', elem_classes="z1-sr")
        self._wire(places)

    def _build_history(self) -> None:
        self.version = gr.Number(0, visible=False)

        @gr.render(
            inputs=[self.conversation], triggers=[self.version.change], show_progress="hidden", concurrency_limit=None
        )
        def earlier(conversation: Conversation) -> None:
            for turn in conversation.turns:
                TurnCard(turn, folded=bool(turn.tokens["hint"]))

    def _build_ask_box(self) -> None:
        with gr.Column(elem_classes="z1-ask"):
            self.question = gr.Textbox(
                show_label=False,
                label="Your question",
                container=False,
                lines=2,
                max_lines=10,
                placeholder="Ask something. Enter begins a new line, Ctrl+Enter runs.",
                elem_id="question",
            )
            with gr.Row(elem_classes="z1-buttons"):
                self.run = gr.Button("Starting", variant="primary", interactive=False, elem_id="run", min_width=130)
                self.answer_now = gr.Button(ANSWER_NOW, interactive=False, elem_id="answer-now", min_width=130)
                self.stop = gr.Button(STOP, interactive=False, elem_id="stop", min_width=90)
                self.clear = gr.Button("New conversation", elem_id="clear", min_width=130)
        gr.Examples(EXAMPLES, self.question, label="Try", elem_id="examples", cache_examples=False)

    def _wire(self, places: int) -> None:
        buttons = [self.run, self.answer_now, self.stop]
        view = [*self.card.components, *buttons, self.status]
        frame = [self.question, self.version, self.message, self.empty]
        quick = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
        begun = gr.on(
            [self.run.click, self.question.submit],
            self._begin,
            [self.question, self.conversation, self.version, *self.settings.inputs],
            [*view, *frame],
            **quick,
        )
        followed = begun.success(
            self._follow,
            self.conversation,
            view,
            show_progress="hidden",
            api_visibility="private",
            concurrency_limit=places,
        )
        followed.failure(self._refuse, self.conversation, view, **quick)
        self.answer_now.click(self._answer_now, self.conversation, None, **quick)
        self.stop.click(self._stop, self.conversation, view, cancels=[followed], **quick)
        self.clear.click(self._clear, [self.conversation, self.version], [*view, *frame], cancels=[followed], **quick)

    async def _begin(self, question: str, conversation: Conversation, version: int, *settings: object) -> dict:
        """Check everything and show the turn; what cannot run is said in one sentence, and the text stays in the box."""
        complaint = ""
        try:
            if conversation.is_running:
                raise BadInput("a run is still going on; stop it first (Esc)")
            await conversation.begin(self.host, question, SettingsPanel.read(*settings))
        except Z1Error as error:
            complaint = str(error)
        except Exception:
            log.exception("a run could not begin")
            complaint = FAULT
        return {
            **self._view(conversation),
            self.question: question if complaint else "",
            self.version: version if complaint else version + 1,
            self.message: _error_html(complaint) if complaint else "",
            self.empty: gr.update(visible=conversation.current is None),
        }

    async def _follow(self, conversation: Conversation) -> AsyncGenerator[dict, None]:
        """Stream the current turn. Closed by Stop or by a closed tab: then the engine is freed at once."""
        turn = conversation.take()
        if turn is None:  # the question was refused; a generator without a yield would blank its outputs
            yield self._view(conversation)
            return
        try:
            async with aclosing(turn.follow(self.host)) as ticks:
                async for _ in ticks:
                    yield self._view(conversation)
        except Z1Error as error:
            turn.stop("error", str(error))
        except Exception:
            log.exception("a run failed")
            turn.stop("error", FAULT)
        finally:
            turn.stop()
        yield self._view(conversation)

    def _answer_now(self, conversation: Conversation) -> None:
        if conversation.current:
            self.host.thread.loop.call_soon_threadsafe(conversation.current.close_window.set)

    async def _stop(self, conversation: Conversation) -> dict:
        if conversation.current:
            conversation.current.stop()
        return self._view(conversation)

    async def _refuse(self, conversation: Conversation) -> dict:
        """The queue took no more, so that the turn never ran."""
        if conversation.current:
            conversation.current.stop("error", "Too many people are waiting at the moment; try again in a minute.")
        return self._view(conversation)

    async def _clear(self, conversation: Conversation, version: int) -> dict:
        if conversation.current:
            conversation.current.stop()
        conversation.clear()
        return {
            **self._view(conversation),
            self.question: "",
            self.version: version + 1,
            self.message: "",
            self.empty: gr.update(visible=True),
        }

    def _buttons(self, conversation: Conversation) -> dict:
        turn, running = conversation.current, conversation.is_running
        return {
            self.run: run_button(self.host.status(), running=running),
            self.answer_now: gr.update(value=ANSWER_NOW, interactive=running and not turn.tokens["hint"]),
            self.stop: gr.update(value=STOP, interactive=running),
        }

    def _view(self, conversation: Conversation) -> dict:
        """What the current turn, the buttons and the status line show."""
        turn = conversation.current
        return {**self.card.values(turn), **self._buttons(conversation), self.status: _status_html(turn)}


EMPTY = """<div class="z1-empty"><h2>Thinking, with a limit</h2>
<p>The model thinks inside a window of tokens. If it stops by itself, that was the answer. If not, the window closes, a
hint is inserted, and it answers from what it has thought. Easy questions cost little; hard ones are capped.</p></div>"""


def run_button(status: Status, *, running: bool) -> Any:
    """The Run button, which says why it waits."""
    if running:
        return gr.update(value="Running", interactive=False)
    if status.state == "ready":
        return gr.update(value=RUN, interactive=True)
    if status.state == "starting":
        return gr.update(value=f"Waits: {status.text}", interactive=False)
    return gr.update(value="Model not running", interactive=False)


def _error_html(text: str) -> str:
    return f'<div class="z1-error" role="alert">{escape(text[:1].upper() + text[1:])}.</div>'


def _status_html(turn: Turn | None) -> str:
    return f'<div role="status" aria-live="polite">{escape(views.status_sentence(turn))}</div>'
