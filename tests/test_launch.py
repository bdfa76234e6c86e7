"""Where the page is served: the port that was asked for, or the first free one, also when another program is faster."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator

import gradio as gr
import httpx
import pytest
from gradio import http_server

import app
from ui.page import launch
from z1_core.errors import BadInput


def taken(port: int = 0) -> socket.socket:
    """A port that another program listens on."""
    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.bind(("127.0.0.1", port))
    listening.listen()
    return listening


@pytest.fixture
def page() -> Iterator[gr.Blocks]:
    def length(text: str) -> int:
        """How long a text is."""
        return len(text)

    with gr.Blocks(analytics_enabled=False) as page:
        gr.api(length)
    yield page
    page.close()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")  # uvicorn ends its thread so
def test_a_port_that_is_lost_after_the_look_leads_to_the_next(page, monkeypatch):
    start, others = http_server.Server.run_in_thread, []

    def too_late(server):
        if not others:
            others.append(taken(server.config.port))
        return start(server)

    monkeypatch.setattr(http_server.Server, "run_in_thread", too_late)
    address = launch(page, mcp_server=True)
    lost = others[0].getsockname()[1]
    assert int(address.rstrip("/").rsplit(":", 1)[1]) > lost
    assert httpx.get(f"{address}gradio_api/mcp/schema").json()[0]["name"] == "length"
    others[0].close()


@pytest.mark.parametrize("given", ["::1", "[::1]"])
def test_an_ipv6_address_may_be_given_with_brackets_or_without(page, monkeypatch, given):
    """Not every machine has one to listen on: what is asked of it and of Gradio."""
    asked = []
    monkeypatch.setattr("ui.page._is_free", lambda host, _: asked.append(host) or True)
    monkeypatch.setattr(page, "launch", lambda **options: (asked.append(options["server_name"]), "", None))
    launch(page, host=given)
    assert asked == ["::1", "[::1]"]


def test_a_port_that_is_asked_for_and_in_use_is_refused(page):
    with taken() as other:
        port = other.getsockname()[1]
        with pytest.raises(BadInput, match=f"port {port} is in use; choose another with --port"):
            launch(page, port=port)


@pytest.mark.parametrize("host", ["203.0.113.5", "no-such-host.invalid"])
def test_an_address_that_is_not_this_machines_is_refused_at_once(page, host):
    """Gradio looks for a free port there, a hundred times."""
    with pytest.raises(BadInput, match=rf"{host}, port \d+: [A-Z][\w ]+; choose another with --host or --port"):
        launch(page, host=host)


@pytest.mark.parametrize("port", ["0", "-5", "99999"])
def test_a_port_that_is_none_is_one_sentence(monkeypatch, capsys, port):
    monkeypatch.setattr(sys, "argv", ["app.py", "--fake", "--port", port])
    assert app.main() == 2
    assert f"error: --port is {port}; it must be from 1 to 65535" in capsys.readouterr().err
