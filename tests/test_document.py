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
    assert client.head("/").headers["content-security-policy"] == CALLS_NOBODY
    other = client.get("/config")
    assert "content-security-policy" not in other.headers
    assert FRAMES.decode() not in other.text
