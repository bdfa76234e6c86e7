"""The whole page: header with the state of the model, the Think tab, the note on what is running."""

from __future__ import annotations

import errno
import socket
import time
from contextlib import suppress
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import gradio as gr
from gradio import http_server
from starlette.middleware import Middleware
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles

from ui.api import add_api
from ui.benchmarks_tab import BenchmarksTab
from ui.compare_tab import CompareTab
from ui.comparison import Compared
from ui.conversation import Conversation
from ui.door import Blocks, Door
from ui.model_chooser import badge_html, panel_html, wire_chooser
from ui.theme import THEME
from ui.think_tab import ThinkTab
from ui.wiring import QUICK, component
from z1_core.errors import BadInput
from z1_core.host import EngineHost
from z1_core.models import SHIFT_NAME

LOOK_S, CALM_LOOK_S = 1.0, 15.0
"""How often the page asks for the model's state: while it starts, and later. A look costs browser and server some 60 ms,
which on a laptop the model computes with; a run that fails tells it at once."""

MOST_EVENTS = 512
"""So many Gradio works on at once, and as many may wait. Who may run is for the engine to say (z1_core/engine.py): one
who waits for a place is an event that runs. This is against a flood."""

HERE = Path(__file__).parent
TITLE = "Shifted thinking"
LAUNCH = {
    "theme": THEME,
    "css_paths": HERE / "style.css",
    "footer_links": ["api", "settings"],
    "run_history": False,
    "ssr_mode": False,
    "enable_monitoring": False,
    "show_error": False,
    "max_threads": MOST_EVENTS,
    "prevent_thread_lock": True,
    "quiet": True,
}
"""What belongs to the page but is given to launch(). Gradio's run history, which keeps prompts in the visitor's browser
without asking, is off."""

LOGO = (
    '<svg width="26" height="26" viewBox="0 0 26 26" aria-hidden="true"><rect x="2" y="6" width="22" height="14" rx="4" '
    'fill="none" stroke="var(--z1-thinking)" stroke-width="2"/><rect x="5" y="9" width="9" height="8" rx="2" '
    'fill="var(--z1-thinking)"/><path d="M17 3v20" stroke="currentColor" stroke-width="2" stroke-dasharray="3 2"/></svg>'
)
RESTART = '<button type="button" id="restart" class="z1-button">Start the model again</button>'


def launch(page: gr.Blocks, *, host: str | None = None, port: int | None = None, **options: Any) -> str:
    """Serve the page as it is meant to look, and tell its address. options: of Gradio's launch().

    host, port: None takes Gradio's own and the first free one from Gradio's first on. Gradio's search goes on at the next
    port whatever is wrong, and MCP, which starts once for each launch, fails there. Raises BadInput for what cannot be had.
    """
    host, first = (host or http_server.LOCALHOST_NAME).strip("[]"), http_server.INITIAL_PORT_VALUE
    for each in [port] if port else range(first, first + http_server.TRY_NUM_PORTS):
        if not _is_free(host, each):
            continue
        static = Mount("/z1", StaticFiles(directory=HERE / "static"))
        door = {"middleware": [Middleware(Door)], "routes": [static]}  # anew each time: Gradio adds to it
        name = f"[{host}]" if ":" in host else host  # as in a web address
        with suppress(OSError):  # another program has taken it since
            return page.launch(**LAUNCH, app_kwargs=door, server_name=name, server_port=each, **options)[1]
    wanted = port or f"range {first}-{first + http_server.TRY_NUM_PORTS - 1}"
    raise BadInput(f"port {wanted} is in use; choose another with --port")


def _is_free(host: str, port: int) -> bool:
    """Raises BadInput where this machine, or this user, cannot have it at all."""
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        socket.create_server(address, family=family).close()
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            return False
        why = error.strerror.partition(" (")[0]
        raise BadInput(f"{host}, port {port}: {why}; choose another with --host or --port") from None
    return True


def listens_here_alone(host: str | None) -> bool:
    """Whether only this machine reaches a page that launch() serves at that address."""
    name = (host or http_server.LOCALHOST_NAME).strip("[]")
    with suppress(ValueError):  # another name than this
        return name == "localhost" or ip_address(name).is_loopback
    return False


def build_page(host: EngineHost, *, results: Path = Path("results"), may_choose: bool = False) -> gr.Blocks:
    """The page on an engine that may still be starting. may_choose: let whoever sees the page go over to another model."""
    with Blocks(title=TITLE, analytics_enabled=False, fill_width=True) as page:
        shown, pressed = header_html(host, may_choose=may_choose), ["restart", "submit"] if may_choose else ["restart"]
        header = component("${value}", "model", pressed, value=shown, elem_classes="z1-header")
        with gr.Tabs(elem_classes="z1-tabs"):
            with gr.Tab("Think", id="think"):
                tab = ThinkTab(host)
            with gr.Tab("Compare windows", id="compare"):
                compare = CompareTab(host)
            with gr.Tab("Benchmarks", id="benchmarks") as benchmarks:
                BenchmarksTab(results, opened=benchmarks.select)
        add_api(host)
        known, clock = gr.State(""), gr.Timer(LOOK_S)

        def look(conversation: Conversation, compared: Compared, known_before: str) -> dict:
            """And what depends on the model's state, where that is another: the Run button, the bounds of the windows."""
            status, shown = host.status(), {header: header_html(host, may_choose=may_choose)}
            since_s = round(time.monotonic() - status.seconds)  # an engine that came back is ready anew
            told = f"{status.state} {status.text} {host.is_choosing} {since_s}"
            if told == known_before:
                return shown
            return shown | {
                known: told,
                tab.view: tab.show(conversation),
                compare.view: compare.show(compared),
                tab.settings.view: {"ask": told},
                clock: gr.Timer(LOOK_S if status.state == "starting" or host.is_choosing else CALM_LOOK_S),
            }

        given = [tab.kept, compare.kept, known]
        drawn = [header, known, tab.view, compare.view, tab.settings.view, clock]
        gr.on([clock.tick, page.load], look, given, drawn, **QUICK)
        acts = [*tab.begun, *compare.begun, header.restart(host.start, None, None, **QUICK)]
        if may_choose:
            acts.append(wire_chooser(header, host))
        for act in acts:
            act.then(look, given, drawn, **QUICK)
    return page.queue(max_size=MOST_EVENTS, default_concurrency_limit=None, api_open=False)


def header_html(host: EngineHost, *, may_choose: bool) -> str:
    """Logo, title, what the model is doing, the way out of a failure, and where it may be chosen, the list of models."""
    status, choice = host.status(), host.choice
    running = None if status.state == "failed" else host.model or SHIFT_NAME
    panel = panel_html(running, choice) if may_choose else ""
    badge = badge_html(status, choice, may_choose=may_choose)
    restart = RESTART if status.state == "failed" else ""
    return f'<div class="z1-title">{LOGO}<h1>{TITLE}</h1>{badge}{restart}</div>{panel}'
