"""Which engine runs: what the options and the machine say, and what cannot be."""

from __future__ import annotations

import pytest

import app
from tests.stub_server import StubServer
from z1_core import engines
from z1_core.engines import choose, llama_process, start_engine
from z1_core.engines.fake import FakeEngine
from z1_core.engines.server import ServerEngine
from z1_core.errors import BadInput, ModelUnavailable


def machine(monkeypatch, *, gpu: bool, vllm: bool) -> None:
    monkeypatch.setattr(engines, "has_gpu", lambda: gpu)
    monkeypatch.setattr(engines, "find_spec", lambda name: vllm or None)


def options(*words: str):
    return app.parser().parse_args(words)


@pytest.mark.parametrize(
    ("words", "gpu", "vllm", "kind"),
    [
        ((), True, True, "vllm"),
        ((), True, False, "llama"),
        ((), False, True, "llama"),
        ((), False, False, "llama"),
        (("--engine", "llama"), True, True, "llama"),
        (("--engine", "vllm"), True, True, "vllm"),
        (("--server-url", "http://x"), True, True, "server"),
        (("--fake",), True, True, "fake"),
    ],
)
def test_a_server_wins_then_the_engine_that_was_named_then_the_one_for_the_machine(monkeypatch, words, gpu, vllm, kind):
    machine(monkeypatch, gpu=gpu, vllm=vllm)
    assert choose(options(*words)) == kind


@pytest.mark.parametrize(
    ("words", "error", "told"),
    [
        (
            ("--fake", "--server-url", "http://x"),
            BadInput,
            "for a server elsewhere, not for --fake; leave it out",
        ),
        (
            ("--fake", "--engine", "llama"),
            BadInput,
            "--engine is for .* llama.cpp here, not for --fake; leave",
        ),
        (
            ("--engine", "vllm", "--server-url", "http://x"),
            BadInput,
            "--engine is for .*, not for a server elsewhere",
        ),
        (
            ("--tokenizer", "a/b"),
            BadInput,
            r"for a server elsewhere, not for llama.cpp here; leave it out",
        ),
        (
            ("--server-url", "http://x", "--tensor-parallel-size", "2"),
            BadInput,
            "--tensor-parallel-size is for vLLM here",
        ),
        (("--server-url", "http://x", "--gpu-memory-utilization", "0.5"), BadInput, "for vLLM here, not for a server"),
        (("--gpu-memory-utilization", "0.5"), BadInput, "not for llama.cpp here; leave it out"),
        (("--fake", "--model", "a/b"), BadInput, "--model is for vLLM here or llama.cpp here or a server"),
        (("--fake", "--max-model-len", "99"), BadInput, "--max-model-len is for"),
        (("--model", ""), BadInput, "--model is empty; give it a value, or leave it out"),
        (("--server-url", ""), BadInput, "--server-url is empty"),
        (("--max-model-len", "0"), BadInput, "--max-model-len is 0; it must be from 1 to"),
        (("--engine", "vllm"), ModelUnavailable, "there is no NVIDIA GPU here.* leave --engine out"),
    ],
)
def test_what_cannot_be_is_one_sentence_with_the_remedy(monkeypatch, words, error, told):
    machine(monkeypatch, gpu=False, vllm=True)
    with pytest.raises(error, match=told):
        choose(options(*words))


def test_vllm_that_is_not_installed_is_told_where_it_was_asked_for(monkeypatch):
    machine(monkeypatch, gpu=True, vllm=False)
    with pytest.raises(ModelUnavailable, match=r"vLLM is not installed; pip install -r requirements\.txt"):
        choose(options("--engine", "vllm"))


@pytest.mark.parametrize("vllm", [True, False])
def test_without_a_gpu_and_without_llama_nothing_is_downloaded_before_it_is_said(monkeypatch, vllm):
    """As on a Space with the packages for a GPU on hardware that has none."""
    machine(monkeypatch, gpu=False, vllm=vllm)
    monkeypatch.setattr(llama_process, "find_spec", lambda name: None)
    monkeypatch.setattr(engines, "locate", lambda *_, **__: pytest.fail("a model was looked for"))
    with pytest.raises(
        ModelUnavailable, match=r"llama\.cpp is not installed; pip install -r requirements-cpu\.txt.*Space"
    ):
        start_engine(options(), lambda stage: None)


def test_the_model_that_is_named_goes_to_the_engine_for_the_machine(monkeypatch):
    asked = []

    def locate(model, *, engine, **_):
        asked.append((model, engine))
        raise ModelUnavailable("far enough")

    monkeypatch.setattr(engines, "locate", locate)
    for gpu in (True, False):
        machine(monkeypatch, gpu=gpu, vllm=True)
        with pytest.raises(ModelUnavailable, match="far enough"):
            start_engine(options("--model", "org/model"), lambda stage: None)
    assert asked == [("org/model", "vllm"), ("org/model", "llama")]


def test_a_server_of_vllms_kind_and_the_scripted_engine_are_started_as_they_are_named():
    assert isinstance(start_engine(options("--fake"), lambda stage: None), FakeEngine)
    with StubServer() as server:
        stages = []
        assert isinstance(start_engine(options("--server-url", server.url), stages.append), ServerEngine)
    assert stages == [f"asking {server.url}", "fetching the tokenizer of scripted/model-1b", stages[-1]]
