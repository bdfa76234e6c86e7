"""Choosing another model on the page: who may, what the list says, and what is done with a wish."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator

import gradio as gr
import pytest
from gradio import http_server

import app
from tests.conftest import wait_until_ready
from ui import model_chooser
from ui.model_chooser import badge_html, panel_html
from ui.page import build_page
from z1_core.choice import Choice
from z1_core.engines.fake import FakeEngine
from z1_core.errors import BadInput
from z1_core.host import EngineHost, EngineStatus
from z1_core.models import EMBEDDED_NAME, OFFERS, SHIFT_NAME

READY = EngineStatus("ready", f"{EMBEDDED_NAME} is ready", 5)
QWEN = OFFERS[2].model


@pytest.fixture
def host() -> Iterator[EngineHost]:
    host = EngineHost(lambda report, **_: FakeEngine())
    wait_until_ready(host)
    yield host
    host.close()


@pytest.fixture(autouse=True)
def machine(monkeypatch):
    """It has the embedded model and 2,000 MB of free memory."""
    monkeypatch.delenv("SPACE_ID", raising=False)
    monkeypatch.setattr(model_chooser, "is_on_disk", lambda model: model == EMBEDDED_NAME)
    monkeypatch.setattr(model_chooser, "free_memory_bytes", lambda: 2_000_000_000)


def lets_choose(*options: str, kind: str = "llama") -> bool:
    return app.lets_choose(app.parser().parse_args(options), kind)


def rows(html: str) -> list[str]:
    """The text of each model's row."""
    return [re.sub("<[^>]+>", "|", re.sub("</?span>", "", row)) for row in re.findall("<li.*?</li>", html)]


# Who may choose


@pytest.mark.parametrize(
    ("options", "may"),
    [
        ("", True),
        ("--host 127.0.0.2", True),
        ("--host localhost", True),
        ("--host ::1", True),
        ("--host [::1]", True),
        ("--choose-model no", False),
        ("--host 0.0.0.0", False),
        ("--host ::", False),
        ("--host no-such.invalid", False),
        ("--share", False),
        ("--share --choose-model yes", True),
        ("--host 0.0.0.0 --choose-model yes", True),
    ],
)
def test_only_where_this_machine_alone_reaches_the_page_or_its_owner_says_so(options, may):
    assert lets_choose(*options.split()) is may


def test_a_space_and_an_address_from_gradios_own_variable_are_public(monkeypatch):
    monkeypatch.setattr(http_server, "LOCALHOST_NAME", "0.0.0.0")
    assert not lets_choose()
    monkeypatch.undo()
    monkeypatch.setenv("SPACE_ID", "someone/z1")
    assert not lets_choose()


@pytest.mark.parametrize("kind", ["vllm", "server", "fake"])
def test_only_llama_goes_over_to_another_model(kind):
    assert not lets_choose(kind=kind)
    with pytest.raises(BadInput, match="--choose-model yes goes with llama"):
        app.check(app.parser().parse_args(["--choose-model", "yes"]), kind)


@pytest.mark.parametrize(
    ("arguments", "variable", "sentence"),
    [
        ([], "Z1_ENGINE=gpu", "--engine is gpu; it is vllm or llama"),
        (["--engine", "vllm"], "Z1_PORT=", "there is no NVIDIA GPU here, and --engine vllm needs one"),
        (["--engine", "llama"], "Z1_CHOOSE_MODEL=perhaps", "--choose-model is perhaps; it is yes or no"),
        (["--engine", "llama", "--places", "0"], "Z1_PORT=", "--places is 0; it must be from 1 to"),
    ],
)
def test_what_cannot_be_ends_the_program_before_the_page_opens(monkeypatch, capsys, arguments, variable, sentence):
    monkeypatch.setattr("z1_core.engines.has_gpu", lambda: False)
    monkeypatch.setattr("ui.page.launch", lambda *_, **__: pytest.fail("the page opened"))
    monkeypatch.setenv(*variable.split("="))
    monkeypatch.setattr(sys, "argv", ["app.py", *arguments])
    assert app.main() == 2
    assert f"error: {sentence}" in capsys.readouterr().err


@pytest.mark.parametrize(("kind", "places"), [("llama", 8), ("vllm", 32), ("server", 32), ("fake", 32)])
def test_as_many_places_as_suit_the_engine(kind, places):
    assert app.places_for(app.parser().parse_args([]), kind) == places
    assert app.places_for(app.parser().parse_args(["--places", "3"]), kind) == 3


def test_on_a_public_page_nothing_that_chooses_is_even_registered(host):
    pages = {may: build_page(host, may_choose=may) for may in (True, False)}
    acts = {may: [event for event in page.fns.values() if event.name == "act"] for may, page in pages.items()}
    assert (len(acts[True]), len(acts[False])) == (1, 0)
    assert acts[True][0].api_visibility == "private"
    config = {may: str(page.get_config_file()["components"]) for may, page in pages.items()}
    assert "model-panel" in config[True]
    assert "model-panel" not in config[False]


# What it shows


def test_the_badge_is_a_button_only_for_those_who_may_choose():
    assert badge_html(READY, may_choose=False).startswith('<span class="z1-chip z1-ready">')
    assert badge_html(READY, may_choose=False).endswith("it shows the mechanism, not the quality of Z1-7B.</span>")
    assert "trained here on sums and lists" in badge_html(
        EngineStatus("ready", f"{SHIFT_NAME} is ready", 5), may_choose=False
    )
    for_choosers = badge_html(READY, may_choose=True)
    assert for_choosers.startswith('<button type="button" id="model-badge"')
    assert "A better one is two clicks away" in for_choosers
    other = EngineStatus("ready", "Qwen3-0.6B is ready", 5)
    assert "z1-note" not in badge_html(other, may_choose=True) + badge_html(other, may_choose=False)


def test_the_list_says_what_each_model_weighs_needs_and_may_be_used_for():
    _, smol, qwen, _, largest = rows(panel_html(EMBEDDED_NAME, None))
    assert "on this disk · 500 MB of memory · Apache-2.0" in smol
    assert smol.endswith("|in use||")
    assert "639 MB download · 1,800 MB of memory · Apache-2.0" in qwen
    assert qwen.endswith("|Use||")
    assert "needs 3,000 MB of memory, and 2,000 MB are free" in largest
    assert largest.endswith("|Use||")  # its own check refuses it, or finds that memory has become free
    *offered, mine = rows(panel_html("/models/<b>mine.gguf", None))
    assert "/models/&lt;b&gt;mine.gguf" in mine
    assert mine.endswith("|in use||")
    assert all(row.endswith("|Use||") for row in [*offered, *rows(panel_html(None, None))])


def test_a_choice_on_its_way_has_a_bar_and_a_button_that_cancels_it_and_none_that_starts_another():
    way = badge_html(READY, Choice(QWEN, "downloading", "downloading it", 0.456), may_choose=True)
    assert f"{READY.text}</span><em>Qwen3 0.6B 46 %</em>" in way
    assert "<em>" not in badge_html(READY, Choice(QWEN, "failed", "no room"), may_choose=True)
    html = panel_html(EMBEDDED_NAME, Choice(QWEN, "downloading", "downloading Qwen/<b>", 0.456))
    assert '<p role="status">Downloading Qwen/&lt;b&gt;.</p>' in html
    assert 'aria-valuenow="46"' in html
    assert "width:46%" in html
    assert "cancel-model" in html
    assert html.count("Use</button>") == html.count("disabled>Use</button>") == 4
    assert "disabled>Use it</button>" in html


@pytest.mark.parametrize("state", ["failed", "cancelled", "done"])
def test_how_a_choice_ended_is_one_sentence_beside_the_list(state):
    html = panel_html(EMBEDDED_NAME, Choice(QWEN, state, "the <b>disk</b> is full: make room"))
    assert "The &lt;b&gt;disk&lt;/b&gt; is full: make room." in html
    assert ('role="alert"' in html) == (state == "failed")
    assert "disabled" not in html
    assert "cancel-model" not in html


# What is done with a wish


def test_a_wish_is_done_and_one_that_comes_too_late_is_said(host, monkeypatch):
    said, asked = [], []
    monkeypatch.setattr(gr, "Warning", said.append)
    monkeypatch.setattr(host, "choose", asked.append)
    (act,) = [event.fn for event in build_page(host, may_choose=True).fns.values() if event.name == "act"]
    act(gr.EventData(None, {"model": f" {QWEN} "}))
    assert asked == [QWEN]

    def choose(model: str) -> None:
        raise BadInput("it is on its way already; cancel that first")

    monkeypatch.setattr(host, "choose", choose)
    monkeypatch.setattr(host, "cancel_choice", lambda: asked.append("cancelled"))
    act(gr.EventData(None, {"model": QWEN}))
    act(gr.EventData(None, {"model": None}))
    assert said == ["It is on its way already; cancel that first."]
    assert asked == [QWEN, "cancelled"]
