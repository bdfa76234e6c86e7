"""The recipe is the paper's, and what cannot work is said in one sentence before anything is loaded."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
import transformers
import yaml
from accelerate import FullyShardedDataParallelPlugin
from accelerate.utils import fsdp_utils
from accelerate.utils.launch import prepare_multi_gpu_env
from datasets import Dataset

from tests.heavy.tiny_training import ROOT, make_data, make_model, make_plan, options, small_tokenizer
from training import manifest, run_folder, sft
from training.dry_run import costs
from training.recipe import read_settings
from z1_core.engines.fake import CHATML
from z1_core.errors import BadInput
from z1_core.jsonl import read_json, write_json

PAPER = ["--config", str(ROOT / "training/recipes/z1_7b.yaml")]
FSDP2 = ROOT / "training/launch/fsdp2.yaml"
GIVEN = ["--data", "data", "--output_dir", "run"]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_model(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory, model: Path) -> Path:
    return make_data(tmp_path_factory.mktemp("data"), model)


@pytest.mark.parametrize("processes", [1, 8, 32])
def test_the_papers_values_are_in_its_recipe(monkeypatch, processes):
    """256 rows a step on any number of GPUs."""
    monkeypatch.setattr(transformers.TrainingArguments, "world_size", processes)
    run = read_settings([*PAPER, *GIVEN, "--dry_run"])
    assert run.model_name_or_path == "Qwen/Qwen2.5-Coder-7B-Instruct"
    schedule = (run.num_train_epochs, run.learning_rate, run.warmup_steps, run.lr_scheduler_type)
    assert schedule == (2, 1e-5, 100, "cosine")
    assert (run.weight_decay, run.bf16, run.dtype, run.use_peft, run.max_length) == (0, True, "float32", False, None)
    assert run.gradient_accumulation_steps * run.per_device_train_batch_size * processes == run.batch == 256
    assert (run.steps(418 * 256), (107_173 - 160) // 256) == (836, 418)
    assert run.accelerator_config.gradient_accumulation_kwargs == {"sync_each_batch": True}


def pretended(tmp_path: Path, model: Path, rows: int) -> Path:
    """A data set of so many rows of two tokens."""
    made = make_data(tmp_path, model)
    shutil.rmtree(made / "train")
    Dataset.from_dict({"input_ids": [[1, 2]] * rows, "labels": [[1, 2]] * rows}).save_to_disk(made / "train")
    return made


@pytest.mark.parametrize(
    ("rows", "changes", "steps"),
    [
        (107_013, {"num_train_epochs": 2}, 836),  # the paper's rows but for the 160 that are held out
        (15_840, {"num_train_epochs": 2}, 122),  # random 16K
        (107_013, {"num_train_epochs": 0.3}, 126),  # 125.4
        (107_013, {"num_train_epochs": 2.7, "max_steps": 900}, 900),  # beyond the epochs, too
    ],
)
def test_the_steps_that_are_told_are_the_trainers(tmp_path, model, rows, changes, steps):
    size = {"batch": 256, "per_device_train_batch_size": 2, "max_steps": -1, "warmup_steps": 0.12}
    run = make_plan(model, pretended(tmp_path, model, rows), tmp_path / "run", **{**size, **changes})
    trainer = sft.build(run)
    counted = trainer.set_initial_training_values(trainer.args, trainer.get_train_dataloader())[-1]
    assert run.config.steps(len(trainer.train_dataset)) == counted == steps
    assert f"; {steps:,} steps" in sft.describe(run, len(trainer.train_dataset))
    if steps in (836, 122):
        assert run.config.get_warmup_steps(steps) == {836: 101, 122: 15}[steps]  # in proportion: --warmup_steps 0.12


@pytest.mark.parametrize("kind", ["Qwen2", "Llama", "Mistral"])
def test_fsdp2_wraps_the_layers_of_any_model(kind, monkeypatch):
    """As accelerate's own command reads the file, and its plugin what the command hands to the processes."""
    from accelerate.commands import launch

    words = ["--config_file", str(FSDP2), "--num_machines", "2", "--num_processes", "16", "--machine_rank", "1"]
    words += ["--main_process_ip", "node1", "--main_process_port", "29500", "training.sft"]
    args, _, _ = launch._validate_launch_command(launch.launch_command_parser().parse_args(words))
    assert (args.mixed_precision, args.num_processes, args.num_machines) == ("bf16", 16, 2)
    for name, value in prepare_multi_gpu_env(args).items():
        if name.startswith("FSDP_"):
            monkeypatch.setenv(name, value)
    plugin = FullyShardedDataParallelPlugin()
    assert plugin.fsdp_version == 2
    sizes = {"hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 3, "num_attention_heads": 2}
    config = getattr(transformers, f"{kind}Config")(vocab_size=16, num_key_value_heads=2, **sizes)
    made = getattr(transformers, f"{kind}ForCausalLM")(config)
    wraps = fsdp_utils.fsdp2_prepare_auto_wrap_policy(plugin, made)
    assert [type(module).__name__ for module in made.modules() if wraps(module)] == [f"{kind}DecoderLayer"] * 3


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"lerning_rate": 1}, r"arguments are not used .*: \['--lerning_rate=1'\]; change that key"),
        ({"batch": "many"}, "invalid int value: 'many'"),
        ({"learning_rate": "nan"}, "learning_rate is nan; it must be greater than 0"),
        ({"lr_scheduler_type": "cosin"}, "invalid choice: 'cosin'"),
        ({"use_peft": "perhaps"}, "Truthy value expected: got perhaps"),
        ({"per_device_train_batch_size": 0}, "per_device_train_batch_size is 0; it must be greater than 0"),
        ({"max_grad_norm": "nan"}, "max_grad_norm is nan; it must be at least 0"),
        ({"max_steps": -1, "num_train_epochs": 0}, "num_train_epochs is 0.0; it must be greater than 0"),
        ({"max_steps": 0}, "max_steps is 0; it must be at least 1, or -1 for all of num_train_epochs"),
        ({"save_strategy": "no"}, "save_strategy is no; the export is of a checkpoint"),
        ({"batch": 9}, "batch 9 is not 1 processes x per_device_train_batch_size 2 x accumulated; change one"),
        ({"gradient_accumulation_steps": 8}, "batch 8 is not 1 processes x .* 2 x 8 accumulated"),
        ({"packing": True, "padding_free": False}, "packing is True and max_length None; give both"),
        ({"max_length": 512}, "packing is False and max_length 512; give both .* or neither: rows are never cut"),
        ({"assistant_only_loss": True}, "assistant_only_loss does nothing here; leave it out"),
        ({"warmup_steps": -3}, "warmup_steps is -3.0; it must be at least 0"),
        ({"accelerator_config": '{"sync": 1}'}, "'sync'; change that key"),
        ({"accelerator_config": "nix.json"}, "No such file or directory: 'nix.json'; change that key"),
        ({"fp16": True, "bf16": True}, "At most one of fp16 and bf16"),
    ],
)
def test_a_value_that_makes_no_sense_is_refused_by_name(tmp_path, model, data, capsys, changes, complaint):
    """TRL's and transformers' own complaints included."""
    with pytest.raises(BadInput, match=complaint) as told:
        make_plan(model, data, tmp_path / "run", **changes)
    assert "\n" not in str(told.value)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"attn_implementation": "flash_attention_9"}, "flash_attention_9"),
        ({"model_init_kwargs": '{"speed": "high"}'}, "speed"),
        *(
            (changes | {"dry_run": is_dry}, complaint)
            for is_dry in (False, True)
            for changes, complaint in (
                ({"report_to": "wandb"}, "pip install wandb"),
                ({"use_peft": True, "lora_target_modules": "nothing"}, "nothing"),
                ({"adam_beta1": 7}, "Invalid beta parameter"),
                ({"lr_scheduler_type": "cosine_with_min_lr"}, "min_lr"),
            )
        ),
    ],
)
def test_what_the_libraries_find_out_late_is_one_sentence_too(tmp_path, model, data, capsys, changes, complaint):
    assert sft.main(options(model, data, tmp_path / "run", **changes)) == 2
    said = capsys.readouterr().err
    assert complaint in said
    assert "Traceback" not in said
    assert (tmp_path / "run").exists() is not changes.get("dry_run", False)


@pytest.mark.parametrize(
    ("recipe", "complaint"),
    [
        ("lerning_rate: 1", r"arguments are not used .*: \['--lerning_rate=1'\]; change that key"),
        ("batch: [1", "is no YAML"),
        ("just text", "holds no keys"),
        ("learning_rate: [1, 2]", r"arguments are not used .*: \['2'\]"),
        ("max_steps: 2026-01-01", "invalid int value: '2026-01-01'"),
        ("load_in_8bit: true", "load_in_8bit does nothing here; leave it out"),
        ("config: other.yaml", "config does nothing here; leave it out"),
        ("max_length: null", "max_length has no value in the recipe"),
        ("seed: 1\nseed: 2", "seed has several values in the recipe"),
        ("save_strategy: no", "save_strategy is no; the export is of a checkpoint"),
        ("use_peft: true", "model_name_or_path is not given"),
    ],
)
def test_so_it_is_in_a_recipe(tmp_path, recipe, complaint):
    (tmp_path / "r.yaml").write_text(recipe)
    with pytest.raises(BadInput, match=complaint):
        read_settings(["--config", str(tmp_path / "r.yaml"), *GIVEN, "--use_cpu", "true", "--bf16", "false"])


def test_every_key_of_trl_can_be_set_from_the_file_and_the_command_line(tmp_path):
    assert yaml.safe_load("1e-5") == "1e-5"  # which YAML takes for a text
    keys = {"learning_rate": "1e-5", "neftune_noise_alpha": 5.0, "lr_scheduler_kwargs": {"num_cycles": 1}}
    keys |= {"use_cpu": True, "bf16": False, "model_name_or_path": "embedded"}
    keys |= {"lora_target_modules": ["q_proj", "v_proj"]}
    (tmp_path / "r.yaml").write_text(f"{yaml.safe_dump(keys)}eval_strategy: no\n")  # which YAML takes for false
    run = read_settings([*GIVEN, "--config", str(tmp_path / "r.yaml"), "--neftune-noise-alpha", "7"])
    assert (run.learning_rate, run.neftune_noise_alpha, run.lr_scheduler_kwargs) == (1e-5, 7.0, {"num_cycles": 1})
    assert run.eval_strategy == "no"
    assert (run.lora_target_modules, run.logging_steps) == (["q_proj", "v_proj"], 1)


def test_a_gpu_recipe_without_a_gpu_is_refused_at_once(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(torch.accelerator, "is_available", lambda: False)
    assert sft.main([*PAPER, "--data", "none", "--output_dir", str(tmp_path / "r")]) == 2
    assert capsys.readouterr().err.startswith("error: there is no GPU here; to train without one: --use_cpu true")
    assert not (tmp_path / "r").exists()


def test_data_of_another_tokenizer_or_template_or_none_is_refused(tmp_path, model, data):
    tokenizer = small_tokenizer()
    tokenizer.add_tokens(["<|new|>"])
    with pytest.raises(BadInput, match="the data was made with another tokenizer"):
        make_plan(make_model(tmp_path / "other", tokenizer=tokenizer), data, tmp_path / "run")
    other = shutil.copytree(model, tmp_path / "template")
    (other / "chat_template.jinja").write_text(CHATML.replace("\n", "\n\n"))
    with pytest.raises(BadInput, match="the data was made with another chat template"):
        make_plan(other, data, tmp_path / "run")
    with pytest.raises(BadInput, match=r"holds no manifest\.json; make the data with"):
        make_plan(model, tmp_path, tmp_path / "run")


def test_a_manifest_or_rows_that_are_damaged_are_refused_in_a_sentence(tmp_path, model, data):
    shutil.copytree(data, tmp_path / "data")
    whole = read_json(data / manifest.FILE)
    for part, complaint in {
        "tokens": r"is of another version \(tokens.longest: field required\); preprocess the data again",
        "source": r"is of another version \(source: input should be a valid list\); preprocess the data again",
        "tokenizer": "the data was made with another tokenizer",
    }.items():
        write_json(
            tmp_path / "data" / manifest.FILE, whole | {part: {"all": 1, "labelled": 1} if part == "tokens" else {}}
        )
        with pytest.raises(BadInput, match=complaint):
            make_plan(model, tmp_path / "data", tmp_path / "run")
    write_json(tmp_path / "data" / manifest.FILE, whole)
    (tmp_path / "data" / "train" / "state.json").write_text("{")
    with pytest.raises(BadInput, match=r"data/train cannot be read: .*; preprocess the data again"):
        make_plan(model, tmp_path / "data", tmp_path / "run")


def test_rows_longer_than_a_sequence_or_the_model_are_refused_and_not_cut(tmp_path, model, data):
    packing = {"packing": True, "padding_free": False}
    with pytest.raises(BadInput, match=r"holds a row of \d+ tokens and max_length is 50"):
        make_plan(model, data, tmp_path / "run", max_length=50, **packing)
    with pytest.raises(BadInput, match=r"sequences have up to 4,096 tokens and .* holds 2,048"):
        make_plan(model, data, tmp_path / "run", max_length=4096, **packing)


def test_too_few_rows_for_one_step_are_refused(tmp_path, model, data):
    with pytest.raises(BadInput, match="the data makes 34 rows and batch is 64"):
        sft.train_rows(make_plan(model, data, tmp_path, batch=64))


def test_the_folder_of_another_run_is_refused(tmp_path, model, data):
    first = make_plan(model, data, tmp_path / "run").record
    run_folder.claim(tmp_path / "run", {**first, "fingerprint": "of what was tried before"})
    run_folder.claim(tmp_path / "run", first, is_begun=False)
    again = make_plan(model, data, tmp_path / "run", per_device_train_batch_size=4, report_to="tensorboard").record
    run_folder.claim(tmp_path / "run", again)
    others = {
        name: {**first, "settings": {**first["settings"], name: 7}} for name in ("learning_rate", "seed", "batch")
    }
    for name, other in {**others, "data": {**first, "fingerprint": "another"}}.items():
        with pytest.raises(BadInput, match=f"holds another run: its {name} is"):
            run_folder.claim(tmp_path / "run", other)
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(BadInput, match=r"holds other files and no run\.json"):
        run_folder.claim(tmp_path, {})


def test_a_dry_run_tells_steps_and_batch_and_leaves_nothing(tmp_path, model, data, capsys):
    sft.main(options(model, data, tmp_path / "run", max_steps=-1, num_train_epochs=3, dry_run=True, use_cpu=False))
    said = capsys.readouterr().out
    assert "effective batch 8 rows = 1 processes x 2 x 4 accumulated; 12 steps" in said
    assert "[target]" in said
    assert not (tmp_path / "run").exists()


def test_a_dry_run_tells_what_a_gpu_would_cost(tmp_path, model, data):
    """Z1-7B by its config alone: 122 GB, and as much a checkpoint."""
    run = make_plan(model, data, tmp_path / "run", dry_run=True)
    sizes = {"hidden_size": 3584, "intermediate_size": 18944, "num_hidden_layers": 28, "vocab_size": 152064}
    base = transformers.Qwen2Config(**sizes, num_attention_heads=28, num_key_value_heads=4, tie_word_embeddings=False)

    def told(run: sft.Plan) -> str:
        run = replace(run, base=base)
        return costs(run, sft.build(run))

    said = told(run)
    assert "memory: 122 GB of weights, gradients and Adam's moments (7.62 of 7.62 G parameters trained)" in said
    assert "(15.2 GB on each of 8)" in said
    assert "disk: 91.4 GB a checkpoint, with FSDP2 122 GB" in said
    assert "2 are kept, 3 while one is saved; 30.5 GB the export" in said  # in fp32, as the tiny run is
    lora = {"use_peft": True, "lora_r": 64, "lora_target_modules": "all-linear", "dtype": "bfloat16"}
    lora_run = make_plan(model, data, tmp_path / "run", dry_run=True, export_dtype="bfloat16", **lora)
    said = told(lora_run)
    assert "memory: 17.8 GB" in said
    assert "(0.161 of 7.62 G parameters trained)" in said
    assert "15.2 GB the export" in said


@pytest.mark.parametrize("tag", ["</think>", "nothing"])
def test_the_kind_of_a_run_is_what_its_rows_are(tmp_path, tag):
    """A model with tags that is trained on traces without them thinks without them."""
    Dataset.from_dict({"labels": [[-100, 7], [-100, 9 if tag == "</think>" else 7]]}).save_to_disk(tmp_path / "train")
    thoughts = SimpleNamespace(closes_id=9)
    assert sft.kind_of(thoughts, tmp_path) == ("tagged" if tag == "</think>" else "untagged")
    assert sft.kind_of(None, tmp_path) == "untagged"
