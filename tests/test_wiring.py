"""How the page's events are wired."""

from ui.page import build_page
from z1_core.engines.fake import FakeEngine
from z1_core.host import EngineHost


def test_no_event_has_gradio_show_progress_on_anything():
    """Or every piece of a stream costs the browser a copy of all that the page holds."""
    host = EngineHost(lambda _report: FakeEngine())
    page = build_page(host)
    host.close()
    events = [event for event in page.get_config_file()["dependencies"] if event["backend_fn"] and event["outputs"]]
    shown = [event for event in events if event["show_progress_on"] != [] and event["api_visibility"] != "public"]
    assert len(events) > 15
    assert not shown
