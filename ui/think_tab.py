"""The Think tab: one component that holds the conversation and the box to ask in, and one event that is a run."""

from __future__ import annotations

from typing import Any

import gradio as gr

from ui.conversation import Conversation, Turn
from ui.examples import SETS, examples_for
from ui.export import from_json, to_json
from ui.html import macros
from ui.settings_panel import SettingsPanel, chosen
from ui.views import conversation_view
from ui.wiring import Tab, followed, told
from z1_core.errors import BadInput, Z1Error
from z1_core.host import EngineHost, EngineStatus

STILL_RUNS = "a run is still going on; stop it first (Esc)"


class ThinkTab(Tab):
    """Builds the tab where it is made and wires it to the engine."""

    name = "think"
    runs, ends, others = ("run",), ("stop", "clear"), ("answer_now", "export", "bring")

    def __init__(self, host: EngineHost) -> None:
        with gr.Row(elem_classes="z1-main"):
            with gr.Column(scale=3, min_width=320, elem_classes="z1-talk"):
                super().__init__(host, Conversation(), macros("tabs").think(SETS))
            self.settings = SettingsPanel(host)

    def show(self, conversation: Conversation, *, complaint: str = "", **more: Any) -> dict[str, Any]:
        """more: a file to save in the browser, so that no copy of it stays here."""
        status, view = self.host.status(), conversation_view(conversation, complaint=complaint)
        can = {
            "ready": status.state == "ready" and not view["running"],
            "run": "Running" if view["running"] else run_words(status),
            "examples": examples_for(status.text),
        }
        return {**view, **can, "saved": 0, **more}

    @followed
    async def _run(self, asked: gr.EventData, conversation: Conversation) -> Turn:
        if conversation.is_running:
            raise BadInput(STILL_RUNS)
        settings = chosen(asked)
        if told(asked, "again", bool):  # above temperature 0 with a new seed, unless one is asked for
            return await conversation.again(self.host, new_seed=settings.seed)
        question, editing = told(asked, "question", str), told(asked, "editing", bool)
        return await conversation.begin(self.host, question, settings, editing=editing)

    async def _stop(self, conversation: Conversation) -> dict[str, Any]:
        if conversation.current:
            conversation.current.stop()
        return self.show(conversation)

    async def _clear(self, conversation: Conversation) -> dict[str, Any]:
        await self._stop(conversation)
        conversation.turns = []
        return self.show(conversation)

    def _answer_now(self, conversation: Conversation) -> dict[str, Any]:
        if conversation.current:
            self.host.thread.loop.call_soon_threadsafe(conversation.current.close_window.set)
        return self.show(conversation)

    async def _export(self, asked: gr.EventData, conversation: Conversation) -> dict[str, Any]:
        """The browser makes the file of what it is given."""
        try:
            wanted = told(asked, "id", str)
        except BadInput as error:
            return self.show(conversation, complaint=str(error))
        turn = next((each for each in conversation.turns if f"{id(each):x}" == wanted), None)
        if turn is None or turn.is_running:
            return self.show(conversation)
        return self.show(conversation, saved=conversation.shown + 1, file=to_json(turn))

    async def _bring(self, asked: gr.EventData, conversation: Conversation) -> dict[str, Any]:
        """Show a run from a file, which the browser has read, as the last turn. size: in bytes, with no text beyond
        what a run may have."""
        try:
            if conversation.is_running:
                raise BadInput(STILL_RUNS)
            conversation.turns.append(from_json(told(asked, "text", str), size=told(asked, "size", int)))
        except Z1Error as error:
            return self.show(conversation, complaint=str(error))
        return self.show(conversation)


def run_words(status: EngineStatus) -> str:
    """What the Run button says: why it waits."""
    if status.state == "ready":
        return "Run"
    return f"Waits: {status.text.partition(':')[0]}" if status.state == "starting" else "Model not running"
