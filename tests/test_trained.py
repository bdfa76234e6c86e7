"""A model's folder may say what it was trained under; whoever asks the model goes by that."""

from __future__ import annotations

import argparse
import asyncio
import json
from pathlib import Path
from types import SimpleNamespace

import gradio as gr
import pytest

from evaluation.plan import make_plan
from evaluation.run import parser
from tests.conftest import wait_until_ready
from ui.settings_panel import SettingsPanel
from z1_core import __main__ as cli
from z1_core import engines, serve
from z1_core.engines.fake import FakeEngine, small_text
from z1_core.errors import ModelUnavailable
from z1_core.host import EngineHost
from z1_core.models import Model
from z1_core.options import add_engine_options
from z1_core.prompt import SYSTEM_PROMPT
from z1_core.settings import Settings, read_settings
from z1_core.trained import FILE, UNKNOWN, Trained, knowing, read_trained
from z1_core.window import BOXED_HINT, HINT

SAID = {"system": "", "hint": "\n\nSo:\n\n", "kind": "untagged", "base": "x", "data": {}}
ASKED = [{"role": "system", "content": "Answer in a box."}, {"role": "user", "content": "1 + 1?"}]


def folder(tmp_path: Path, content: object = SAID) -> Path:
    data = content if isinstance(content, bytes) else json.dumps(content).encode()
    (tmp_path / FILE).write_bytes(data)
    return tmp_path


def test_the_folder_says_prompt_hint_and_kind_and_need_not(tmp_path):
    assert read_trained(tmp_path) == UNKNOWN == Trained(SYSTEM_PROMPT, HINT, None)
    assert read_trained(folder(tmp_path)) == Trained("", "\n\nSo:\n\n", "untagged")
    assert read_trained(folder(tmp_path, {**SAID, "hint": "So:"})).hint == "\n\nSo:\n\n", "a paragraph, as anywhere"


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"{", "Expecting"),
        (b"\xff\xfe", "decode"),
        ([], "'list' object"),
        (b"[" * 100_000, "recursion"),
        ({**SAID, "system": None}, "system is empty; it must be a text"),
        ({**SAID, "hint": " "}, "hint is ' '; it must be a text of 1 to"),
        ({**SAID, "hint": ["So:"]}, "it must be a text"),
        ({**SAID, "hint": "\ud800"}, "it must be a text"),
        ({**SAID, "kind": "curious"}, "its kind is 'curious', not one of tagged, untagged"),
        ({"system": "", "hint": "So:"}, "its kind is None"),
    ],
)
def test_a_broken_one_is_one_sentence(tmp_path, content, complaint):
    with pytest.raises(ModelUnavailable, match=complaint) as told:
        read_trained(folder(tmp_path, content))
    assert "\n" not in str(told.value)
    assert str(told.value).endswith("export the model again, or remove the file")


def test_every_engine_that_loads_the_model_knows_it(tmp_path, monkeypatch):
    """The folder of safetensors, or the one that a GGUF file lies in."""
    options = argparse.ArgumentParser()
    add_engine_options(options)
    for kind, path in (("vllm", folder(tmp_path)), ("llama", tmp_path / "model.gguf")):
        started = FakeEngine(text=small_text())
        module = SimpleNamespace(
            LlamaEngine=SimpleNamespace(start=lambda *_, started=started, **__: started),
            VllmEngine=SimpleNamespace(start=lambda *_, started=started, **__: started),
            PLACES=1,
            check_installed=lambda: None,
        )
        for name in ("llama", "vllm", "llama_process"):
            monkeypatch.setitem(__import__("sys").modules, f"z1_core.engines.{name}", module)
        monkeypatch.setattr(engines, "choose", lambda _, kind=kind: kind)
        monkeypatch.setattr(engines, "locate", lambda *_, path=path, **__: Model("m", "m", path))
        engine = engines.start_engine(options.parse_args([]), lambda stage: None)
        assert engine.trained == Trained("", "\n\nSo:\n\n", "untagged")
        assert engine.text.thoughts is None


@pytest.mark.parametrize(
    ("words", "system", "hint"),
    [
        ([], "<|im_start|>user", "\n\nSo:\n\n"),
        (["--system", "Be brief.", "--hint", "boxed"], "Be brief.", BOXED_HINT),
    ],
)
def test_the_terminal_asks_as_the_model_was_trained_unless_told_otherwise(monkeypatch, capsys, words, system, hint):
    prompts = []

    def said(prompt: str) -> str:
        prompts.append(prompt)
        return "Let me think. " * 40

    engine = knowing(FakeEngine(said, text=small_text()), Trained("", "\n\nSo:\n\n", "untagged"))
    monkeypatch.setattr(cli, "start_engine", lambda *_, **__: engine)
    assert cli.main(["1 + 1?", "--thinking-tokens", "20", "--answer-tokens", "5", "--json", *words]) == 0
    assert system in prompts[0]
    assert SYSTEM_PROMPT not in prompts[0]
    assert prompts[1].endswith(hint)


def test_the_server_hands_its_hint_to_plain_clients(tmp_path):
    model = Model("m", "m", folder(tmp_path))
    command = serve.serve_command(serve.parser().parse_args([]), model, "<|im_start|>assistant\n")
    assert json.loads(command[command.index("--reasoning-config") + 1])["reasoning_end_str"] == "\n\nSo:\n\n"


def test_the_page_begins_with_it():
    trained = Trained("", "\n\nSo:\n\n", "untagged")
    host = EngineHost(lambda report: knowing(FakeEngine(), trained), usual={"temperature": "0.5"})
    try:
        assert host.usual() == Settings(temperature=0.5)
        wait_until_ready(host)
        assert host.usual() == Settings(system="", hint=trained.hint, temperature=0.5)
        assert not host.is_from_visitor(trained.hint)
        with gr.Blocks():
            panel = SettingsPanel(host)
        asked = {"edits": 0, "values": {}, "link": "?window=300&total=x", "opens": True, "preset": "", "shown": ""}
        drawn = asyncio.run(panel._follow(gr.EventData(None, asked)))
    finally:
        host.close()
    settings = read_settings(drawn["values"])
    assert (settings.system, settings.hint, settings.thinking_tokens) == (trained.system, trained.hint, 300)
    assert drawn["told"].startswith("Set by the link: window. Not taken from the link: total is 'x'")
    assert drawn["leaves"].startswith("Leaves 1,")


def test_benchmarks_are_asked_under_it(tmp_path):
    """In the paper's words where nobody says what the model was trained under, as of Z1-7B."""
    assert UNKNOWN.asked(ASKED) == ASKED
    assert Trained("", HINT, "untagged").asked(ASKED) == ASKED[1:]
    assert Trained("Be brief.", HINT, "tagged").asked(ASKED)[0] == {"role": "system", "content": "Be brief."}
    (tmp_path / "rows.jsonl").write_text('{"question": "1 + 1?", "answer": "#### 2"}')
    options = ["gsm8k", "--data", str(tmp_path / "rows.jsonl"), "--hint", "plain", "boxed"]
    plan = make_plan(parser().parse_args(options)).for_model(knowing(FakeEngine(), Trained("", "So:", "untagged")))
    assert [task.hint for task in plan.run.benchmarks.values()] == ["So:", BOXED_HINT]
