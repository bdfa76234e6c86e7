"""python -m z1_core.serve: the command it makes of the options, the model and the machine. test_server.py runs it."""

from __future__ import annotations

import json
import os
import shlex
from dataclasses import replace
from pathlib import Path

import pytest
from z1_core.cpu import GIB, CpuSettings
from z1_core.fake_engine import small_tokenizer

from z1_core import serve
from z1_core.errors import BadInput
from z1_core.models import Model
from z1_core.window import BOXED_HINT, HINT

CPU = CpuSettings(threads_bind="0,1,2,3", kv_cache_bytes=4 * GIB)
ON_HUB = Model(name="Z1-7B", source="efficientscaling/Z1-7B", folder=Path("/models/Z1-7B"))


def command(*words: str, settings: CpuSettings | None = None, model: Model = ON_HUB) -> dict[str, str]:
    """The options that reach vllm serve, by their names."""
    made = serve.serve_command(serve.parser().parse_args(words), model, "<|im_start|>assistant\n", settings)
    assert made[1:5] == ["-m", "vllm.entrypoints.openai.api_server", "--model", str(model.folder)]
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


def test_a_gpu_keeps_vllms_own_choices_and_a_cpu_gets_those_for_its_cores():
    assert not {"--block-size", "--kv-cache-memory-bytes", "--enforce-eager", "--dtype"} & set(command())
    on_cpu = command(settings=CPU)
    assert (on_cpu["--block-size"], on_cpu["--kv-cache-memory-bytes"]) == ("32", str(4 * GIB))
    assert "--enforce-eager" in on_cpu
    assert (on_cpu["--dtype"], command(settings=replace(CPU, dtype="float32"))["--dtype"]) == ("auto", "float32")


def test_one_replica_computes_in_the_engines_process_and_several_in_workers(monkeypatch):
    monkeypatch.delenv("VLLM_CPU_OMP_THREADS_BIND", raising=False)
    assert command(settings=CPU)["--distributed-executor-backend"] == "uni"
    for words in (("--data-parallel-size", "2"), ("--tensor-parallel-size", "2")):
        assert "--distributed-executor-backend" not in command(*words, settings=CPU)
    monkeypatch.setenv("VLLM_CPU_OMP_THREADS_BIND", "0")  # the user's own choice stays
    assert "--distributed-executor-backend" not in command(settings=CPU)


def test_replicas_share_memory_and_cores():
    assert command("--data-parallel-size", "2", settings=CPU)["--kv-cache-memory-bytes"] == str(2 * GIB)
    assert "--data-parallel-size" not in command()
    shares = {(bind, count): serve.shared_cores(bind, count) for bind in ("0,1,2,3", "auto") for count in (1, 2, 8)}
    assert shares["0,1,2,3", 1] == "0,1,2,3"
    assert shares["0,1,2,3", 2] == "0,1|2,3"
    assert shares["0,1,2,3", 8] == "auto"
    assert {shares["auto", count] for count in (1, 2, 8)} == {"auto"}


def test_the_hub_id_is_the_served_name_and_a_folders_name_where_there_is_none(tmp_path):
    assert command()["--served-model-name"] == "efficientscaling/Z1-7B"
    own = Model(name="mine", source=str(tmp_path), folder=tmp_path)
    assert command(model=own)["--served-model-name"] == "mine"


def test_the_key_is_on_no_command_line(monkeypatch):
    monkeypatch.setenv("LD_PRELOAD", "own.so")
    monkeypatch.setenv("VLLM_NO_USAGE_STATS", "0")
    one, two = (serve.parser().parse_args(["--data-parallel-size", count]) for count in ("1", "2"))
    made = serve.environment(one, CPU, "secret")
    assert (made["VLLM_API_KEY"], made["OMP_NUM_THREADS"]) == ("secret", "4")
    assert not any(name.endswith("AFFINITY") for name in made)
    assert serve.environment(two, CPU, "")["VLLM_CPU_OMP_THREADS_BIND"] == "0,1|2,3"
    assert made["LD_PRELOAD"].startswith("own.so")
    assert made["VLLM_NO_USAGE_STATS"] == "0"  # the user's own choice stays
    assert "VLLM_API_KEY" not in serve.environment(one, None, "")
    assert "secret" not in str(command(settings=CPU))


def test_the_turn_of_the_chat_template_is_found():
    assert serve.start_of_turn(small_tokenizer()) == "<|im_start|>assistant\n"
    turnless = type(small_tokenizer())(tokenizer_object=small_tokenizer().backend_tokenizer, chat_template="hello")
    with pytest.raises(BadInput, match="opens no assistant turn"):
        serve.start_of_turn(turnless)


@pytest.mark.parametrize("key", [True, False])
def test_the_line_to_try_is_a_whole_command(key):
    options = serve.parser().parse_args(["--host", "0.0.0.0"])
    words = shlex.split(serve.curl(options, "Z1-7B", key=key))
    assert words[:2] == ["curl", "http://127.0.0.1:8000/v1/chat/completions"]
    body = json.loads(words[words.index("-d") + 1])
    assert (body["model"], body["thinking_token_budget"]) == ("Z1-7B", 64)
    assert ("Authorization: Bearer $Z1_API_KEY" in words) == key


@pytest.mark.parametrize(
    ("host", "key", "warned"), [("127.0.0.1", "", False), ("0.0.0.0", "", True), ("0.0.0.0", "x", False)]
)
def test_an_open_door_is_warned_of(monkeypatch, capsys, tmp_path, host, key, warned):
    small_tokenizer().save_pretrained(tmp_path)
    started: list[list[str]] = []
    monkeypatch.setattr(serve, "locate", lambda *_, **__: Model(name="m", source=str(tmp_path), folder=tmp_path))
    monkeypatch.setattr(os, "execve", lambda _, command, __: started.append(command))
    monkeypatch.setenv("Z1_API_KEY", key)
    serve.main(["--host", host, "--max-num-seqs", "8"])
    assert started[0][-2:] == ["--max-num-seqs", "8"]  # what is not ours is vLLM's
    said = capsys.readouterr()
    assert ("warning: anybody who reaches 0.0.0.0:8000" in said.err) == warned
    assert "curl http://127.0.0.1:8000/v1/chat/completions" in said.out
