"""The page's HTML comes with its policy and with a hold on its frames; nothing else is touched."""

from __future__ import annotations

from collections.abc import Iterator

import gradio as gr
import httpx
import pytest

from ui.door import CALLS_NOBODY, FRAMES
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
    assert response.text.index(FRAMES.decode()) < response.text.index("window.gradio_config")
    assert response.text.rstrip().endswith("</html>")


@pytest.mark.parametrize("path", ["/config", "/theme.css", "/gradio_api/info", "/nowhere"])
def test_all_else_passes_through(client: httpx.Client, path: str):
    response = client.get(path)
    assert "content-security-policy" not in response.headers
    assert FRAMES.decode() not in response.text


def test_a_page_that_is_only_asked_about_tells_the_same(client: httpx.Client):
    told = client.head("/")
    assert told.status_code == 200
    assert told.headers["content-security-policy"] == CALLS_NOBODY
