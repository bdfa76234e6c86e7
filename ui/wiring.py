"""What the tabs share: components of our own, how their events are wired, and how a run is followed."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from functools import wraps
from typing import Any

import gradio as gr

from ui.conversation import Kept
from z1_core.errors import BadInput, EngineDead, Z1Error
from z1_core.host import EngineHost

log = logging.getLogger(__name__)

SILENT = {"show_progress": "hidden", "show_progress_on": [], "api_visibility": "private"}
"""No spinner, no endpoint for programs. With nothing to show progress on: Gradio otherwise tells every component that any
event has ever written to, at each piece that a stream brings, and copies all that it holds for it."""

QUICK = {"queue": False, **SILENT}
"""For what is done at once: no queue either."""

FAULT = "This run failed because of a fault of this program; its log says more. The page goes on working."

SCRIPTS = '<link rel="stylesheet" href="z1/vendor/katex.css">' + "".join(
    f'<script src="z1/{name}.js"></script>'
    for name in ("vendor/marked", "vendor/purify", "vendor/katex", "text", "settings", "model", "view")
)
"""Of ui/static, which the page serves below z1/. Gradio waits for them, and loads them once."""


def component(frame: str, name: str, events: Sequence[str], **options: Any) -> gr.HTML:
    """One that a script draws. frame: its HTML; name: of its function in ui/static; events: what that triggers."""
    call = f"window.z1.{name}(element, props, trigger, watch, {[*events]});"
    return gr.HTML(html_template=frame, js_on_load=call, head=SCRIPTS, apply_default_css=False, **options)


def told(event: gr.EventData, name: str, kind: type) -> Any:
    """What the page's script sends along with an event. Raises BadInput for a call that the script has not made."""
    try:
        value = getattr(event, name)
    except (AttributeError, TypeError):
        value = None
    if not isinstance(value, kind):
        raise BadInput("this call has not the form that the page's own have")
    return value


class Tab:
    """A tab that is one component. Each event is a method of it, which gets what the visitor keeps and gives a view.

    name: of its function in ui/static. runs: the events that stream views; ends: those that end these; others: what is done
    at once."""

    name: str
    runs: Sequence[str]
    ends: Sequence[str]
    others: Sequence[str] = ()

    def __init__(self, host: EngineHost, kept: Kept, frame: str) -> None:
        self.host = host
        self.kept = gr.State(kept)
        self.view = component(frame, self.name, [*self.runs, *self.ends, *self.others], elem_id=self.name)
        self.begun = [self._on(event, **SILENT) for event in self.runs]
        for event in self.ends:
            self._on(event, cancels=self.begun, **QUICK)
        for event in self.others:
            self._on(event, **QUICK)

    def _on(self, event: str, **how: Any) -> gr.events.Dependency:
        return getattr(self.view, event)(getattr(self, f"_{event}"), self.kept, self.view, **how)

    def show(self, kept: Kept, *, complaint: str = "") -> dict[str, Any]:
        """What the component is to draw."""
        raise NotImplementedError


def followed(begin: Callable[..., Awaitable[Any]]) -> Callable[..., AsyncGenerator[dict[str, Any], None]]:
    """Decorator for the method of a tab that gives a run which is to be followed: it becomes the whole run, as views of
    the tab. What cannot run is said in one sentence, and the text stays in the box. Closed by Stop or by a closed tab, it
    frees the engine at once."""

    @wraps(begin)
    async def views(tab: Tab, asked: gr.EventData, kept: Kept) -> AsyncGenerator[dict[str, Any], None]:
        run, complaint = None, ""
        try:
            run = await begin(tab, asked, kept)
            yield tab.show(kept)
            async with aclosing(run.follow(tab.host)) as ticks:
                async for _ in ticks:
                    yield tab.show(kept)
        except EngineDead as error:
            complaint = str(error)
            await tab.host.notice()  # the button then says why it waits
        except Z1Error as error:
            complaint = str(error)
        except Exception:
            log.exception("a run failed")
            complaint = FAULT
        finally:
            if run:
                run.stop(complaint)
        yield tab.show(kept, complaint="" if run and run.error else complaint)

    return views
