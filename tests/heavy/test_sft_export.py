"""What a run leaves behind: a model that others load and that stops."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig
from trl import ModelConfig

from tests.heavy.tiny_training import make_data, make_model, train
from tests.small_disk import disk_of
from training import manifest
from training.export import RECORD, export, save_adapter
from training.export import main as export_main
from training.pretrained import embedded_folder
from training.sft import Plan
from z1_core.engines.fake import small_text
from z1_core.engines.llama import LlamaEngine
from z1_core.errors import BadInput, Z1Error
from z1_core.jsonl import read_json
from z1_core.models import embedded_file
from z1_core.prompt import SYSTEM_PROMPT, chat
from z1_core.thinking import generate
from z1_core.trained import Trained, read_trained
from z1_core.window import HINT, Sampling


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = make_model(tmp_path_factory.mktemp("model"))
    GenerationConfig(eos_token_id=0, repetition_penalty=1.1).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory, base: Path) -> Path:
    return make_data(tmp_path_factory.mktemp("data"), base)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, base: Path, data: Path) -> Path:
    """Of all weights, four steps."""
    folder = tmp_path_factory.mktemp("runs") / "first"
    train(base, data, folder)
    return folder


def logits(model: torch.nn.Module) -> torch.Tensor:
    ids = torch.tensor([small_text().render(chat("How many?"))])
    with torch.no_grad():
        return model.eval()(ids).logits


def test_the_export_computes_what_the_trained_model_did(tmp_path, base, run):
    """Tied embeddings included, which some load paths untie. Any checkpoint can be exported later."""
    exported = AutoModelForCausalLM.from_pretrained(run / "model")
    checkpoint = AutoModelForCausalLM.from_pretrained(run / "checkpoint-4", dtype=torch.float32)
    torch.testing.assert_close(logits(exported), logits(checkpoint))
    assert exported.get_input_embeddings().weight is exported.get_output_embeddings().weight
    assert not torch.allclose(logits(exported), logits(AutoModelForCausalLM.from_pretrained(base)))
    assert export_main([str(run / "checkpoint-2"), "--out", str(tmp_path / "early")]) == 0
    assert not torch.equal(logits(AutoModelForCausalLM.from_pretrained(tmp_path / "early")), logits(exported))


async def test_an_adapter_apart_from_its_base_writes_on_llama_cpp_what_it_does_under_peft(tmp_path):
    """A strong one, on queries and keys too, whose rows llama.cpp keeps in another order."""
    from peft import LoraConfig, get_peft_model

    base, prompt = embedded_folder(), "The capital of France is"
    torch.manual_seed(0)
    plain = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    model = get_peft_model(plain, LoraConfig(r=4, lora_alpha=8, target_modules="all-linear", init_lora_weights=False))
    (checkpoint := tmp_path / "checkpoint").mkdir()
    model.save_pretrained(checkpoint)
    (folder := tmp_path / "adapter").mkdir()
    save_adapter(checkpoint, folder, base="embedded", revision=None)
    engine = LlamaEngine.start(embedded_file(), adapter=folder / "adapter.gguf", max_model_len=256, places=1)
    try:
        ids = engine.text.encode(prompt)
        deltas = [delta async for delta in generate(engine, ids, Sampling(max_tokens=6))]
    finally:
        await engine.close()
    written = [id_ for delta in deltas for id_ in delta.ids]
    with torch.no_grad():
        logits_of = model.eval()(torch.tensor([[*ids, *written]])).logits[0, len(ids) - 1 : -1]
        with model.disable_adapter():
            without = model(torch.tensor([[*ids, *written]])).logits[0, len(ids) - 1 : -1]
    ranks = (logits_of > logits_of.gather(1, torch.tensor(written)[:, None])).sum(1)
    assert ranks.max() <= 1, "the base is quantised: two that are nearly tied may change places"
    assert (without.argmax(1) != torch.tensor(written)).any()


def test_lora_is_merged_into_its_base(tmp_path, base, data):
    from peft import PeftModel

    train(base, data, tmp_path, use_peft=True, lora_target_modules="all-linear", learning_rate=1e-2)
    exported = AutoModelForCausalLM.from_pretrained(tmp_path / "model")
    plain = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    before = logits(plain)
    with_adapter = PeftModel.from_pretrained(plain, str(tmp_path / "checkpoint-4"))
    torch.testing.assert_close(logits(exported), logits(with_adapter), rtol=1e-4, atol=1e-4)
    assert not torch.allclose(logits(exported), before, atol=1e-3)


def test_an_adapter_is_merged_later_as_well(tmp_path):
    base = make_model(tmp_path / "llama", "llama")
    lora = {"use_peft": True, "lora_target_modules": "all-linear", "learning_rate": 1e-2}
    train(base, make_data(tmp_path, base), tmp_path / "run", **lora)
    export(tmp_path / "run/checkpoint-4", tmp_path / "adapter", as_adapter=True)
    export(tmp_path / "adapter", tmp_path / "late")
    late, at_once = (AutoModelForCausalLM.from_pretrained(tmp_path / name) for name in ("late", "run/model"))
    torch.testing.assert_close(logits(late), logits(at_once), rtol=1e-2, atol=2e-3)  # the adapter lay in bf16
    assert read_trained(tmp_path / "late") == read_trained(tmp_path / "run/model")


@pytest.mark.parametrize(
    ("options", "is_adapter"),
    [
        ({"use_peft": True}, True),
        ({}, False),
        ({"use_peft": True, "use_dora": True}, False),  # llama.cpp has no such adapter: the run would end in a refusal
        ({"use_peft": True, "use_rslora": True}, False),
        ({"use_peft": True, "lora_modules_to_save": ["embed_tokens"]}, False),
    ],
)
def test_a_run_on_the_embedded_model_ends_in_an_adapter_where_llama_can_load_it(options, is_adapter):
    config = ModelConfig(model_name_or_path="embedded", **options)
    assert Plan(config, base=None, data=None, kind="").is_for_the_embedded == is_adapter


def test_the_export_stops_at_the_end_token_and_keeps_the_tokenizer(base, run):
    made = read_json(run / "model/generation_config.json")
    assert made["eos_token_id"] == [small_text().eos_id, 0]
    assert "repetition_penalty" not in made
    assert read_json(run / "model/config.json")["eos_token_id"] == small_text().eos_id
    exported, before = (AutoTokenizer.from_pretrained(folder) for folder in (run / "model", base))
    assert manifest.identify(exported) == manifest.identify(before)
    record = read_json(run / "model" / RECORD)
    assert read_trained(run / "model") == Trained(SYSTEM_PROMPT, HINT, "untagged")
    assert (record["settings"]["batch"], record["base"], record["step"]) == (8, str(base), 4)
    assert {"commit", "revision", "versions"} <= record.keys()


def test_an_export_that_fails_leaves_nothing_half(tmp_path, run):
    full = r"again cannot be written: .*; free some space, then give the same command again"
    with disk_of(50_000), pytest.raises(Z1Error, match=full):
        export(run / "checkpoint-4", tmp_path / "again")
    with pytest.raises(BadInput, match="holds no adapter; train with --use_peft true"):
        export(run / "checkpoint-4", tmp_path / "again", as_adapter=True)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("run.json", "{}"),
        ("run.json", "[]"),
        ("checkpoint-4/config.json", "{}"),
        ("checkpoint-4/config.json", "{"),
        ("checkpoint-4/model.safetensors", "torn"),
    ],
)
def test_a_damaged_checkpoint_is_named_and_not_the_disk_it_is_to_be_written_to(tmp_path, run, capsys, file, content):
    for name in ("run.json", "checkpoint-4"):
        (shutil.copytree if (run / name).is_dir() else shutil.copy)(run / name, tmp_path / name)
    (tmp_path / file).write_text(content)
    assert export_main([str(tmp_path / "checkpoint-4"), "--out", str(tmp_path / "out")]) == 2
    assert f"{tmp_path / 'checkpoint-4'} cannot be exported: " in capsys.readouterr().err
    (tmp_path / "checkpoint-4").rename(tmp_path / "checkpoint-best")
    assert export_main([str(tmp_path / "checkpoint-best"), "--out", str(tmp_path / "out")]) == 2
    assert "checkpoint-best is no whole checkpoint" in capsys.readouterr().err


def test_an_export_removes_nothing_that_it_did_not_make(tmp_path, run, capsys):
    """Nor the run that it exports, nor another export in which a thesis may lie by now."""
    (tmp_path / "file").write_text("mine")
    before = sorted(run.parent.rglob("*"))
    checkpoint = run / "checkpoint-4"
    for out in (
        run,
        run.parent,
        checkpoint,
        checkpoint / "model",
        run / "model",
        run / "checkpoint-9",
        run / ".saving",
        tmp_path / "file",
    ):
        assert export_main([str(checkpoint), "--out", str(out)]) == 2, out
        assert "name another folder with --out" in capsys.readouterr().err
    assert sorted(run.parent.rglob("*")) == before
    assert (tmp_path / "file").read_text() == "mine"
