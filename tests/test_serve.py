"""python -m z1_core.serve: the command it makes of the options, the model and the machine. test_server.py runs it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from z1_core import serve
from z1_core.engines.fake import CHATML
from z1_core.errors import BadInput
from z1_core.models import Model
from z1_core.plain_text import chat_template
from z1_core.window import BOXED_HINT, HINT

ON_HUB = Model(name="Z1-7B", source="efficientscaling/Z1-7B", path=Path("/models/Z1-7B"))


class Templated:
    """As much of a tokenizer of transformers as is asked; tests/heavy/test_server.py has a real one."""

    def __init__(self, template: str = CHATML) -> None:
        self.render = chat_template(template)

    def apply_chat_template(self, messages, *, tokenize, add_generation_prompt=False) -> str:
        text = self.render(messages)
        return text if add_generation_prompt else text.removesuffix("<|im_start|>assistant\n")


def command(*words: str, model: Model = ON_HUB) -> dict[str, str]:
    """The options that reach vllm serve, by their names."""
    made = serve.serve_command(serve.parser().parse_args(words), model, "<|im_start|>assistant\n")
    assert made[1:5] == ["-m", "vllm.entrypoints.openai.api_server", "--model", str(model.path)]
    named: dict[str, str] = {}
    for word in made[5:]:
        if word.startswith("--"):
            named[(last := word)] = ""
        else:
            named[last] = word
    return named


def test_it_listens_on_this_machine_only_unless_asked():
    assert (command()["--host"], command()["--port"]) == ("127.0.0.1", "8000")
    assert command("--host", "0.0.0.0", "--port", "80")["--host"] == "0.0.0.0"


def test_vllm_is_given_the_hint_and_where_a_turn_begins():
    told = json.loads(command()["--reasoning-config"])
    assert told == {"reasoning_start_str": "<|im_start|>assistant\n", "reasoning_end_str": HINT}
    assert json.loads(command("--hint", BOXED_HINT)["--reasoning-config"])["reasoning_end_str"] == BOXED_HINT


def test_vllms_own_choices_stay_and_a_split_over_gpus_is_handed_on():
    assert not {"--block-size", "--enforce-eager", "--dtype", "--data-parallel-size"} & set(command())
    assert "--enable-prefix-caching" in command()
    split = command("--data-parallel-size", "2", "--tensor-parallel-size", "4", "--max-model-len", "4096")
    assert [split[f"--{name}"] for name in ("data-parallel-size", "tensor-parallel-size", "max-model-len")] == [
        "2",
        "4",
        "4096",
    ]


def test_the_hub_id_is_the_served_name_and_a_folders_name_where_there_is_none(tmp_path):
    assert command()["--served-model-name"] == "efficientscaling/Z1-7B"
    own = Model(name="mine", source=str(tmp_path), path=tmp_path)
    assert command(model=own)["--served-model-name"] == "mine"


def test_the_key_is_on_no_command_line(monkeypatch):
    monkeypatch.setenv("VLLM_NO_USAGE_STATS", "0")
    made = serve.environment("secret")
    assert made["VLLM_API_KEY"] == "secret"
    assert made["VLLM_NO_USAGE_STATS"] == "0"  # the user's own choice stays
    assert "VLLM_API_KEY" not in serve.environment("")
    assert "secret" not in str(command())


def test_the_turn_of_the_chat_template_is_found():
    assert serve.start_of_turn(Templated()) == "<|im_start|>assistant\n"
    refusing = "{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system') }}{% endif %}"
    assert serve.start_of_turn(Templated(refusing + CHATML)) == "<|im_start|>assistant\n"
    assert serve.start_of_turn(Templated("hello")) is None
    served_all_the_same = serve.serve_command(serve.parser().parse_args([]), ON_HUB, None)
    assert "--reasoning-config" not in served_all_the_same
    with pytest.raises(BadInput, match=r"no usable chat template \(no roles\)"):
        serve.start_of_turn(Templated("{{ raise_exception('no roles') }}"))


@pytest.mark.parametrize(
    ("host", "key", "warned"), [("127.0.0.1", "", False), ("0.0.0.0", "", True), ("0.0.0.0", "x", False)]
)
def test_an_open_door_is_warned_of(monkeypatch, capsys, tmp_path, host, key, warned):
    monkeypatch.setattr(serve, "_tokenizer", lambda model: Templated())
    monkeypatch.setattr(serve, "find_spec", lambda name: name)
    started: list[list[str]] = []
    monkeypatch.setattr(serve, "locate", lambda *_, **__: Model(name="m", source=str(tmp_path), path=tmp_path))
    monkeypatch.setattr(os, "execve", lambda _, command, __: started.append(command))
    monkeypatch.setenv("Z1_API_KEY", key)
    serve.main(["--host", host, "--max-num-seqs", "8"])
    assert started[0][-2:] == ["--max-num-seqs", "8"]  # what is not ours is vLLM's
    assert ("warning: anybody who reaches 0.0.0.0:8000" in capsys.readouterr().err) == warned


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["org/model"], "org/model stands alone; name a model as --model org/model"),
        (["--port", "99999"], "--port is 99999; it must be from 1 to 65535"),
        (["--data-parallel-size", "0"], "--data-parallel-size is 0; it must be from 1 to"),
        (["--max-model-len", "0"], "--max-model-len is 0; it must be from 1 to"),
    ],
)
def test_what_cannot_be_is_told_before_a_model_is_fetched(monkeypatch, capsys, words, told):
    monkeypatch.setattr(serve, "locate", lambda *_, **__: pytest.fail("it fetches"))
    assert serve.main(words) == 2
    assert f"error: {told}" in capsys.readouterr().err


def test_no_model_is_fetched_for_a_vllm_that_is_not_there(monkeypatch, capsys):
    monkeypatch.setattr(serve, "find_spec", lambda name: None)
    monkeypatch.setattr(serve, "locate", lambda *_, **__: pytest.fail("it fetches"))
    assert serve.main([]) == 2
    assert "vllm is not installed" in capsys.readouterr().err
