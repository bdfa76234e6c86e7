"""How the page's events are wired."""

import gradio as gr

from ui.page import build_page
from ui.wiring import only_changes
from z1_core.engines.fake import FakeEngine
from z1_core.host import EngineHost


def test_no_event_has_gradio_show_progress_on_anything():
    """Or every piece of a stream costs the browser a copy of all that the page holds."""
    page = build_page(EngineHost(lambda _report: FakeEngine()))
    events = [event for event in page.get_config_file()["dependencies"] if event["backend_fn"] and event["outputs"]]
    shown = [event for event in events if event["show_progress_on"] != [] and event["api_visibility"] != "public"]
    assert len(events) > 20
    assert not shown


def test_an_update_that_says_what_the_last_one_said_is_its_value_alone():
    """For each update Gradio builds the component anew."""
    with gr.Blocks():
        button, column, text = gr.Button(), gr.Column(), gr.HTML()

    def view(*, interactive: bool, words: str) -> dict:
        return {
            button: gr.update(value="Stop", interactive=interactive),
            column: gr.update(visible=True),
            text: words,
        }

    changed = only_changes()
    first = view(interactive=True, words="a")
    assert changed(first) == first
    assert changed(view(interactive=True, words="b")) == {**first, button: "Stop", text: "b"}
    off = view(interactive=False, words="b")
    assert changed(off) == off
    assert only_changes()(first) == first
