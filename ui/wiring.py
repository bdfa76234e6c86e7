"""How the page's events are wired, and how a run is followed."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from functools import wraps
from typing import Any

import gradio as gr

from z1_core.errors import BadInput, EngineDead, Z1Error
from z1_core.host import EngineHost

log = logging.getLogger(__name__)

SILENT = {"show_progress": "hidden", "show_progress_on": [], "api_visibility": "private"}
"""No spinner, no endpoint for programs. With nothing to show progress on: Gradio otherwise tells every component that any
event has ever written to, at each piece that a stream brings, and copies all that it holds for it."""

QUICK = {"queue": False, **SILENT}
"""For what is done at once: no queue either."""

BUSY = "Too many people are waiting at the moment; try again in a minute."
"""What a visitor is told whom the queue does not take."""

FAULT = "This run failed because of a fault of this program; its log says more. The page goes on working."

HEAD = '<link rel="stylesheet" href="z1/vendor/katex.css">' + "".join(
    f'<script src="z1/{name}.js"></script>'
    for name in ("vendor/marked", "vendor/purify", "vendor/katex", "text", "settings", "view")
)
"""What a component of our own needs (ui/static, which the page serves below z1/). Gradio waits for it, and loads it once."""


def told(event: gr.EventData, name: str, kind: type) -> Any:
    """What the page's script sends along with an event. Raises BadInput for a call that the script has not made."""
    try:
        value = getattr(event, name)
    except (AttributeError, TypeError):
        value = None
    if not isinstance(value, kind):
        raise BadInput("this call has not the form that the page's own have")
    return value


Follow = Callable[[EngineHost], AsyncGenerator[None, None]]


def followed(
    begin: Callable[..., Awaitable[tuple[Any, Follow]]],
) -> Callable[..., AsyncGenerator[dict[str, Any], None]]:
    """Decorator for the method of a tab that begins a run and gives it with what follows it: it becomes the whole run, as
    views of the tab. What cannot run is said in one sentence, and the text stays in the box. Closed by Stop or by a closed
    tab, it frees the engine at once."""

    @wraps(begin)
    async def views(tab: Any, asked: gr.EventData, kept: Any) -> AsyncGenerator[dict[str, Any], None]:
        run, complaint = None, ""
        try:
            run, follow = await begin(tab, asked, kept)
            yield tab.show(kept)
            async with aclosing(follow(tab.host)) as ticks:
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
