"""The conversation: earlier turns, the current one as it is made, the box to ask in, and its buttons."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing

import gradio as gr

from ui.conversation import Conversation
from ui.examples import examples_html
from ui.export import from_json
from ui.settings_panel import SettingsPanel, read_seed
from ui.think_parts import (
    ANSWER_NOW,
    EDITING,
    EMPTY,
    FAULT,
    STILL_RUNS,
    STOP,
    read_and_remove,
    run_button,
)  # fmt: skip
from ui.turn_card import TurnCard
from ui.views import error_html, live_html, status_sentence
from ui.wiring import AS_WRITTEN, BUSY, QUICK, SILENT, only_changes
from z1_core.errors import BadInput, EngineDead, Z1Error
from z1_core.host import EngineHost

log = logging.getLogger(__name__)


class ThinkTab:
    """Builds the tab where it is made and wires it to the engine."""

    def __init__(self, host: EngineHost) -> None:
        self.host = host
        self.conversation = gr.State(Conversation())
        with gr.Row(elem_classes="z1-main"):
            with gr.Column(scale=3, min_width=320):
                self._build_history()
                gr.HTML(EMPTY, elem_classes="z1-empty-outer")
                self.card = TurnCard()
                self.message = gr.HTML(elem_id="message")
                self._build_ask_box()
                gr.HTML(examples_html(), elem_id="examples")
            self.settings = SettingsPanel()
        self.status = gr.HTML(live_html(status_sentence(None)), elem_classes="z1-sr")
        self._wire()
        self.settings.offer_presets(host.context_tokens)
        self.settings.remember(host.context_tokens)
        self.settings.show_what_follows(host.context_tokens, host.count_tokens)

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
            with gr.Row(visible=False, elem_classes="z1-editing-row") as self.editing:
                gr.HTML(EDITING)
                self.keep = gr.Button("Leave it as it is", size="sm", scale=0, min_width=120, elem_id="keep")
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
                self.run = gr.Button("Starting", variant="primary", interactive=False, elem_id="run", min_width=110)
                self.answer_now = gr.Button(ANSWER_NOW, interactive=False, elem_id="answer-now", min_width=130)
                self.stop = gr.Button(STOP, interactive=False, elem_id="stop", min_width=90)
                with gr.Row(elem_classes="z1-quiet"):
                    self.clear = gr.Button("New conversation", elem_id="clear", size="sm", min_width=130)
                    self.load = gr.UploadButton(
                        "Import run", file_types=[".json"], elem_id="import", size="sm", min_width=90
                    )

    def _wire(self) -> None:
        quick = {**QUICK, **AS_WRITTEN}
        buttons = [self.run, self.answer_now, self.stop]
        view = [*self.card.components, *buttons, self.status]
        beside = [self.card.column, self.message, self.editing]
        frame = [*beside, self.question, self.version]
        begun = gr.on(
            [self.run.click, self.question.submit],
            self._begin,
            [self.question, self.conversation, self.version, *self.settings.inputs],
            [*view, *frame],
            **quick,
        )
        actions = self.card.actions
        actions.wire(self.conversation)
        again = actions.again.click(self._again, [self.conversation, self.settings.seed], [*view, *beside], **quick)
        again.then(None, None, None, js="() => window.z1.focus('stop')")
        runs = [self._follow_after(event, view) for event in (begun, again)]
        edit = actions.edit.click(self._edit, self.conversation, [*beside, self.question], **quick)
        edit.then(None, None, None, js="() => window.z1.focus('question')")
        self.keep.click(self._keep, self.conversation, [*beside, self.question], **quick)
        self.load.upload(
            self._import,
            [self.load, self.conversation, self.version],
            [*view, *beside, self.version],
            **quick,
        )
        self.answer_now.click(self._answer_now, self.conversation, None, **quick)
        self.stop.click(self._stop, self.conversation, view, cancels=runs, **quick)
        self.clear.click(self._clear, [self.conversation, self.version], [*view, *frame], cancels=runs, **quick)

    def _follow_after(self, event: gr.events.Dependency, view: list[gr.blocks.Block]) -> gr.events.Dependency:
        followed = event.success(self._follow, self.conversation, view, **SILENT, **AS_WRITTEN)
        followed.failure(self._refuse, self.conversation, view, **QUICK, **AS_WRITTEN)
        return followed

    async def _begin(self, question: str, conversation: Conversation, version: int, *settings: object) -> dict:
        """Check everything and show the turn; what cannot run is said in one sentence, and the text stays in the box."""

        async def begin() -> None:
            await conversation.begin(self.host, question, SettingsPanel.read(*settings))

        complaint = await self._attempt(conversation, begin)
        return {
            **self._view(conversation),
            **self._beside(conversation, complaint),
            self.question: question if complaint else "",
            self.version: version if complaint else version + 1,
        }

    async def _again(self, conversation: Conversation, seed: str) -> dict:
        """The last turn once more; above temperature 0 with a new seed, unless one is asked for."""

        async def again() -> None:
            await conversation.again(self.host, new_seed=read_seed(seed))

        complaint = await self._attempt(conversation, again)
        return {**self._view(conversation), **self._beside(conversation, complaint)}

    async def _attempt(self, conversation: Conversation, begin: Callable[[], Awaitable[None]]) -> str:
        """Begin a run; what is wrong with it, in one sentence."""
        try:
            if conversation.is_running:
                raise BadInput(STILL_RUNS)
            await begin()
        except Z1Error as error:
            return str(error)
        except Exception:
            log.exception("a run could not begin")
            return FAULT
        return ""

    async def _edit(self, conversation: Conversation) -> dict:
        """Put the last question into the box again; the next run takes its turn's place."""
        turn = conversation.current
        if turn is None or turn.end_reason is None:
            return {**self._beside(conversation, STILL_RUNS), self.question: gr.update()}
        conversation.editing = True
        return {**self._beside(conversation), self.question: turn.question}

    async def _keep(self, conversation: Conversation) -> dict:
        conversation.editing = False
        return {**self._beside(conversation), self.question: ""}

    async def _import(self, path: str, conversation: Conversation, version: int) -> dict:
        """Show a run from a file as the last turn. The upload is read once, and removed."""
        complaint = ""
        try:
            if conversation.is_running:
                raise BadInput(STILL_RUNS)
            conversation.show(from_json(read_and_remove(path)))
        except Z1Error as error:
            complaint = str(error)
        except Exception:
            log.exception("an import failed")
            complaint = FAULT
        return {
            **self._view(conversation),
            **self._beside(conversation, complaint),
            self.version: version if complaint else version + 1,
        }

    async def _follow(self, conversation: Conversation) -> AsyncGenerator[dict, None]:
        """Stream the current turn. Closed by Stop or by a closed tab: then the engine is freed at once."""
        turn = conversation.take()
        if turn is None:  # the question was refused; a generator without a yield would blank its outputs
            yield self._view(conversation)
            return
        changed = only_changes()
        try:
            async with aclosing(turn.follow(self.host)) as ticks:
                async for _ in ticks:
                    yield changed(self._view(conversation))
        except EngineDead as error:
            turn.stop("error", str(error))
            await self.host.notice()  # the button then says why it waits
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
        """Gradio's queue did not take the turn, or what follows it failed outside of its care."""
        never_ran = conversation.take()
        if conversation.current:
            conversation.current.stop("error", BUSY if never_ran else FAULT)
        return self._view(conversation)

    async def _clear(self, conversation: Conversation, version: int) -> dict:
        if conversation.current:
            conversation.current.stop()
        conversation.clear()
        return {
            **self._view(conversation),
            **self._beside(conversation),
            self.question: "",
            self.version: version + 1,
        }

    def _beside(self, conversation: Conversation, complaint: str = "") -> dict:
        """What stands beside the turn and changes only when someone presses something."""
        return {
            **self.card.visible(conversation.current),
            self.message: error_html(complaint) if complaint else "",
            self.editing: gr.update(visible=conversation.editing),
        }

    def _buttons(self, conversation: Conversation) -> dict:
        turn, running = conversation.current, conversation.is_running
        thinks = running and turn is not None and turn.phase == "trace"
        return {
            self.run: run_button(self.host.status(), running=running),
            self.answer_now: gr.update(value=ANSWER_NOW, interactive=thinks),
            self.stop: gr.update(value=STOP, interactive=running),
        }

    def _view(self, conversation: Conversation) -> dict:
        """What the current turn, the buttons and the status line show."""
        turn = conversation.current
        return {**self.card.values(turn), **self._buttons(conversation), self.status: live_html(status_sentence(turn))}
