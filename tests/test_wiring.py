"""How the page's events are wired."""

from importlib import import_module
from importlib.metadata import version
from inspect import signature

import gradio as gr

from ui.door import LOOKS_S, PROGRESS_LOOKS_S
from ui.page import LAUNCH, build_page
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


USED = {
    "gradio": "HTML Plot Timer State Row Column Tab Tabs Dropdown Blocks EventData Error Warning api on update",
    "gradio.http_server": "LOCALHOST_NAME INITIAL_PORT_VALUE TRY_NUM_PORTS",
    "gradio_client.utils": "is_http_url_like apply_diff",
}


def test_what_the_page_uses_of_gradio_is_there():
    """A name that another version lacks is told here, and not by a page that looks odd."""
    for module, names in USED.items():
        missing = [name for name in names.split() if not hasattr(import_module(module), name)]
        assert not missing, f"{module} {version('gradio')}"
    for made, names in (
        (gr.HTML, {"html_template", "js_on_load", "head", "apply_default_css"}),
        (gr.Blocks.launch, {*LAUNCH, "app_kwargs", "prevent_thread_lock", "mcp_server"}),
        (gr.Blocks.queue, {"max_size", "default_concurrency_limit", "api_open"}),
        (gr.Timer().tick, {"show_progress", "show_progress_on", "api_visibility", "queue", "trigger_mode", "cancels"}),
    ):
        assert names - signature(made).parameters.keys() == set(), f"{made.__qualname__} of {version('gradio')}"


def test_the_queue_sleeps_between_its_looks():
    """Gradio's own pauses cost a core 3 %; what they are called is no promise of its."""
    host = EngineHost(lambda _report: FakeEngine())
    pauses = {"sleep_when_free": LOOKS_S, "progress_update_sleep_when_free": PROGRESS_LOOKS_S}
    assert pauses.keys() <= vars(gr.Blocks()._queue).keys(), version("gradio")
    assert pauses.items() <= vars(build_page(host)._queue).items()
    host.close()


def test_a_program_that_chooses_nothing_gets_what_the_operator_chose():
    host = EngineHost(lambda _report: FakeEngine(), usual={"temperature": "0.5", "system": "Be brief."})
    parameters = build_page(host).get_api_info()["named_endpoints"]["/think"]["parameters"]
    host.close()
    defaults = {each["parameter_name"]: each["parameter_default"] for each in parameters}
    assert (defaults["temperature"], defaults["thinking_tokens"], defaults["seed"]) == (0.5, 1024, None)
