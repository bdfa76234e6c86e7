"""The page's HTML carries what must be in force before Gradio's scripts run; nothing else is touched."""

from __future__ import annotations

from collections.abc import Iterator

import gradio as gr
import httpx
import pytest

from ui.document import CALLS_NOBODY, NO_CLOCK
from ui.page import launch


@pytest.fixture(scope="module")
def client() -> Iterator[httpx.Client]:
    with gr.Blocks(analytics_enabled=False) as page:
        gr.Markdown("hello")
    with httpx.Client(base_url=launch(page), follow_redirects=True) as client:
        yield client
    page.close()


@pytest.mark.parametrize("encoding", ["identity", "br, gzip"])
def test_the_page_has_both_and_is_whole(client: httpx.Client, encoding: str):
    response = client.get("/", headers={"accept-encoding": encoding})
    assert response.headers["content-security-policy"] == CALLS_NOBODY
    assert response.text.index(NO_CLOCK) < response.text.index("window.gradio_config")
    assert response.text.rstrip().endswith("</html>")


@pytest.mark.parametrize("path", ["/config", "/theme.css", "/gradio_api/info", "/nowhere"])
def test_all_else_passes_through(client: httpx.Client, path: str):
    response = client.get(path)
    assert "content-security-policy" not in response.headers
    assert NO_CLOCK not in response.text


def test_a_page_that_is_only_asked_about_tells_the_same(client: httpx.Client):
    told = client.head("/")
    assert told.status_code == 200
    assert told.headers["content-security-policy"] == CALLS_NOBODY
