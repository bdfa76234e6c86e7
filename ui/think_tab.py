"""The Think tab: one component that holds the conversation and the box to ask in, and one event that is a run."""

from __future__ import annotations

from typing import Any

import gradio as gr

from ui.conversation import Conversation, Turn
from ui.examples import examples_for, examples_html
from ui.export import from_json, to_json
from ui.settings_panel import SettingsPanel, chosen
from ui.views import conversation_view
from ui.wiring import BUSY, HEAD, QUICK, SILENT, Follow, followed, told
from z1_core.errors import BadInput, Z1Error
from z1_core.host import EngineHost, Status

STILL_RUNS = "a run is still going on; stop it first (Esc)"
FRAME = """<div class="z1-stack"><div class="z1-turns"></div>
<div class="z1-empty"><h2>Thinking, with a limit</h2>
<p>The model thinks inside a window of tokens. If it stops by itself, that was the answer. If not, the window closes, a
hint is inserted, and it answers from what it has thought. Easy questions cost little; hard ones are capped.</p></div>
<div id="message" class="z1-error" role="alert"></div>
<div class="z1-ask"><div class="z1-editing-row" hidden>
<span>Run puts the edited question, with its new answer, in the place of the last turn.</span>
<button type="button" id="keep" class="z1-button">Leave it as it is</button></div>
<div id="question"><textarea rows="2" aria-label="Your question"
placeholder="Ask something. Enter begins a new line, Ctrl+Enter runs."></textarea></div>
<div class="z1-buttons"><button type="button" id="run" class="z1-button z1-primary" disabled>Starting</button>
<button type="button" id="answer-now" class="z1-button" disabled>Answer now</button>
<button type="button" id="stop" class="z1-button" disabled>Stop</button>
<span class="z1-quiet"><button type="button" id="clear">New conversation</button>
<button type="button" id="import">Import run</button><input type="file" accept=".json" hidden></span></div></div>
<div role="status" aria-live="polite" class="z1-sr"></div>"""
ON_LOAD = 'window.z1.think(element, props, trigger, watch, ["run", "stop", "answer_now", "clear", "export", "bring"]);'


class ThinkTab:
    """Builds the tab where it is made and wires it to the engine."""

    def __init__(self, host: EngineHost) -> None:
        self.host = host
        self.conversation = gr.State(Conversation())
        with gr.Row(elem_classes="z1-main"):
            with gr.Column(scale=3, min_width=320, elem_classes="z1-talk"):
                frame = f"{FRAME}{examples_html()}</div>"
                self.view = gr.HTML(
                    elem_id="think", html_template=frame, js_on_load=ON_LOAD, head=HEAD, apply_default_css=False
                )
            self.settings = SettingsPanel(host)
        self._wire()

    def _wire(self) -> None:
        self.run = run = self.view.run(self._run, self.conversation, self.view, **SILENT)
        run.failure(self._refuse, self.conversation, self.view, **QUICK)
        self.view.stop(self._stop, self.conversation, self.view, cancels=[run], **QUICK)
        self.view.clear(self._clear, self.conversation, self.view, cancels=[run], **QUICK)
        self.view.answer_now(self._answer_now, self.conversation, None, **QUICK)
        self.view.export(self._export, self.conversation, self.view, **QUICK)
        self.view.bring(self._bring, self.conversation, self.view, **QUICK)

    def show(self, conversation: Conversation, *, complaint: str = "", **more: Any) -> dict[str, Any]:
        """What the component is to draw. more: a file to save in the browser, so that no copy of it stays here."""
        status = self.host.status()
        model = {"ready": status.state == "ready", "words": run_words(status), "examples": examples_for(status.text)}
        return {**conversation_view(conversation, complaint=complaint), "model": model, "saved": 0, **more}

    @followed
    async def _run(self, asked: gr.EventData, conversation: Conversation) -> tuple[Turn, Follow]:
        if conversation.is_running:
            raise BadInput(STILL_RUNS)
        settings = chosen(asked)
        if told(asked, "again", bool):  # above temperature 0 with a new seed, unless one is asked for
            turn = await conversation.again(self.host, new_seed=settings.seed)
        else:
            question, editing = told(asked, "question", str), told(asked, "editing", bool)
            turn = await conversation.begin(self.host, question, settings, editing=editing)
        return turn, turn.follow

    async def _stop(self, conversation: Conversation) -> dict[str, Any]:
        if conversation.current:
            conversation.current.stop()
        return self.show(conversation)

    async def _refuse(self, conversation: Conversation) -> dict[str, Any]:
        """Gradio's queue did not take the run."""
        return self.show(conversation, complaint=BUSY)

    async def _clear(self, conversation: Conversation) -> dict[str, Any]:
        await self._stop(conversation)
        conversation.turns = []
        return self.show(conversation)

    def _answer_now(self, conversation: Conversation) -> None:
        if conversation.current:
            self.host.thread.loop.call_soon_threadsafe(conversation.current.close_window.set)

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


def run_words(status: Status) -> str:
    """What the Run button says: why it waits."""
    if status.state == "ready":
        return "Run"
    return f"Waits: {status.text.partition(':')[0]}" if status.state == "starting" else "Model not running"
