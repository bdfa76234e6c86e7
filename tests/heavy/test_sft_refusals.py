"""What cannot work is said in one sentence, before anything is loaded."""

from __future__ import annotations

import shutil
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import yaml
from accelerate.utils.launch import prepare_multi_gpu_env

from tests.heavy.tiny_training import ROOT, make_data, make_model, make_recipe, small_tokenizer, write_recipe
from training import run_folder, sft
from training.batches import train_rows
from training.export import main as export_main
from training.recipe import Recipe, load_recipe, recipe_from
from z1_core import models
from z1_core.engines.fake import CHATML
from z1_core.errors import BadInput

RECIPES = sorted((ROOT / "training/recipes").glob("*.yaml"))


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_model(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory, model: Path) -> Path:
    return make_data(tmp_path_factory.mktemp("data"), model)


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_every_recipe_loads_under_its_own_name_and_fits_its_gpus(path):
    recipe = load_recipe(path)
    assert recipe.name == path.stem
    for processes in (1, 2, 4):
        assert recipe.accumulation(processes) * processes * recipe.micro_batch == recipe.batch


def test_the_papers_recipe_makes_the_papers_steps():
    """836 steps for 107,173 rows and 2 epochs, of which 160 are held out."""
    recipe = load_recipe(ROOT / "training/recipes/z1_7b.yaml")
    assert recipe.accumulation(8) == 16
    assert recipe.epochs * ((107_173 - 160) // recipe.batch) == 836


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_trl_takes_every_recipe(tmp_path, path):
    """All but bf16, which it refuses where there is no GPU."""
    recipe = replace(load_recipe(path), device="cpu", precision="fp32")
    made = sft.arguments(sft.Plan(recipe, None, tmp_path, tmp_path, 1, recipe.accumulation(1)), evaluates=True)
    assert made.per_device_train_batch_size * made.gradient_accumulation_steps == recipe.batch
    assert (made.learning_rate, made.warmup_steps, made.num_train_epochs) == (
        recipe.learning_rate,
        recipe.warmup_steps,
        recipe.epochs,
    )
    assert made.gradient_checkpointing is (recipe.checkpointing != "none")
    assert (made.max_length, made.packing, made.loss_type) == (None, False, "nll")  # TRL neither cuts nor packs


@pytest.mark.parametrize("name", ["z1_7b", "z1_7b_lora", "ablation_random_16k"])
def test_the_papers_values_are_in_the_recipes_that_follow_it(name):
    recipe = load_recipe(ROOT / f"training/recipes/{name}.yaml")
    assert recipe.model == "Qwen/Qwen2.5-Coder-7B-Instruct"
    assert (recipe.warmup_steps, recipe.schedule, recipe.weight_decay, recipe.epochs) == (100, "cosine", 0.0, 2)
    assert recipe.learning_rate == (1e-4 if recipe.method == "lora" else 1e-5)
    assert recipe.max_length >= 8192


@pytest.mark.parametrize("path", sorted((ROOT / "training/launch").glob("*.yaml")), ids=lambda path: path.stem)
def test_accelerate_takes_every_launch_file(path):
    """As its own command reads them: an unknown key fails, FSDP 2 reaches the processes it starts."""
    from accelerate.commands import launch

    options = ["--config_file", str(path), "--machine_rank", "0", "--main_process_ip", "node1", "training.sft"]
    args, _, _ = launch._validate_launch_command(launch.launch_command_parser().parse_args(options))
    environment = prepare_multi_gpu_env(args)
    assert args.mixed_precision == "bf16"
    if args.num_processes > 1:
        assert environment["FSDP_VERSION"] == "2"
        assert environment["FSDP_TRANSFORMER_CLS_TO_WRAP"] == "Qwen2DecoderLayer"


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"lerning_rate": 1}, "no key 'lerning_rate'; did you mean 'learning_rate'"),
        ({"batch": "many"}, "batch is 'many'; it must be a whole number"),
        ({"batch": True}, "batch is True; it must be a whole number"),
        ({"learning_rate": "fast"}, "learning_rate is 'fast'; it must be a number"),
        ({"method": "qlora"}, "method is 'qlora'; it must be one of full, lora"),
        ({"micro_batch": 0}, "micro_batch is 0; it must be greater than 0"),
        ({"precision": "bf16"}, "precision is bf16 and device cpu"),
        ({"keep_checkpoints": 1}, "keep at least 2"),
        ({"log_every": 3}, "make the first a multiple of the second"),
        ({"max_steps": 0, "epochs": 0.0}, "one must be greater than 0"),
    ],
)
def test_a_recipe_that_makes_no_sense_is_refused_by_name(model, changes, complaint):
    with pytest.raises(BadInput, match=complaint):
        recipe_from({**asdict(make_recipe(model)), **changes})


def test_a_missing_key_is_named():
    with pytest.raises(BadInput, match="the recipe lacks model, max_length, batch, micro_batch, learning_rate"):
        recipe_from({"name": "x"})


def test_a_number_that_yaml_takes_for_a_text_is_a_number(tmp_path, model):
    path = write_recipe(tmp_path / "r.yaml", make_recipe(model))
    assert yaml.safe_load("1e-5") == "1e-5"
    assert load_recipe(path, ["learning_rate=1e-5"]).learning_rate == 1e-5


def test_a_batch_that_does_not_divide_is_refused(tmp_path, model, data, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "3")
    with pytest.raises(BadInput, match="batch 8 is not a multiple of 3 processes x micro_batch 2 = 6; choose"):
        sft.plan(make_recipe(model), data, tmp_path)


def test_a_gpu_recipe_without_a_gpu_is_refused_at_once(tmp_path, monkeypatch):
    monkeypatch.setattr(models, "has_gpu", lambda: False)
    recipe = load_recipe(ROOT / "training/recipes/z1_7b.yaml")
    with pytest.raises(BadInput, match="z1_7b needs a GPU and there is none here"):
        sft.plan(recipe, tmp_path / "no data yet", tmp_path)


def test_another_tokenizer_than_the_datas_is_refused(tmp_path, data):
    tokenizer = small_tokenizer()
    tokenizer.add_tokens(["<|new|>"])
    other = make_model(tmp_path / "other", tokenizer=tokenizer)
    with pytest.raises(BadInput, match="the data was made with another tokenizer"):
        sft.plan(make_recipe(other), data, tmp_path / "run")


def test_another_chat_template_than_the_datas_is_refused(tmp_path, model, data):
    other = shutil.copytree(model, tmp_path / "other")
    (other / "chat_template.jinja").write_text(CHATML.replace("\n", "\n\n"))
    with pytest.raises(BadInput, match="the data was made with another chat template"):
        sft.plan(make_recipe(other), data, tmp_path / "run")


def test_data_that_its_manifest_does_not_describe_is_refused(tmp_path, model, data):
    mixed = shutil.copytree(data, tmp_path / "data")
    shutil.copy(mixed / "held_out/data-00000-of-00001.arrow", mixed / "train/data-00000-of-00001.arrow")
    with pytest.raises(BadInput, match=r"is not the file that manifest\.json describes"):
        sft.plan(make_recipe(model), mixed, tmp_path / "run")


def test_a_folder_without_a_manifest_is_no_data(tmp_path, model):
    with pytest.raises(BadInput, match=r"holds no manifest\.json; make the data with"):
        sft.plan(make_recipe(model), tmp_path, tmp_path / "run")


def test_rows_longer_than_the_recipe_allows_are_refused_and_not_cut(tmp_path, model, data):
    with pytest.raises(BadInput, match=r"holds a row of \d+ tokens and max_length is 100"):
        sft.plan(make_recipe(model, max_length=100), data, tmp_path / "run")


def test_a_length_beyond_the_models_is_refused(tmp_path, model, data):
    run = sft.plan(make_recipe(model, max_length=4096), data, tmp_path / "run")
    with pytest.raises(BadInput, match=r"max_length is 4,096 and .* holds 2,048"):
        sft.load_model(run.recipe)


def test_too_few_rows_for_one_step_are_refused(tmp_path, model, data):
    with pytest.raises(BadInput, match="the data makes 34 rows and batch is 64"):
        train_rows(make_recipe(model, batch=64, micro_batch=1), data, cache=tmp_path / "packed.arrow")


@pytest.mark.parametrize("changes", [{"learning_rate": 2e-3}, {"seed": 7}, {"data": "other"}])
def test_the_folder_of_another_run_is_refused(tmp_path, model, changes):
    settings = {**asdict(make_recipe(model)), "data": "hash"}
    run_folder.claim(tmp_path / "run", settings, {"processes": 1})
    run_folder.claim(tmp_path / "run", settings, {"processes": 8})
    with pytest.raises(BadInput, match=f"holds another run: its {next(iter(changes))} is"):
        run_folder.claim(tmp_path / "run", {**settings, **changes}, {"processes": 1})


def test_a_folder_with_other_files_is_refused(tmp_path, model):
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(BadInput, match=r"holds other files and no run\.json"):
        run_folder.claim(tmp_path, asdict(make_recipe(model)), {})


def test_the_command_says_one_sentence_and_leaves(tmp_path, data, capsys, monkeypatch):
    monkeypatch.setattr(models, "has_gpu", lambda: False)
    given = [str(ROOT / "training/recipes/z1_7b.yaml"), "--data", str(data), "--out", str(tmp_path / "run")]
    assert sft.main(given) == 2
    assert capsys.readouterr().err.startswith("error: the recipe z1_7b needs a GPU")
    assert not (tmp_path / "run").exists()


def test_a_dry_run_tells_steps_and_batch_and_leaves_nothing(tmp_path, model, data, capsys):
    recipe = write_recipe(tmp_path / "r.yaml", make_recipe(model, max_steps=0, epochs=3.0))
    sft.main([str(recipe), "--data", str(data), "--out", str(tmp_path / "run"), "--dry-run"])
    said = capsys.readouterr().out
    assert "effective batch 8 rows = 1 processes x 2 x 4 accumulated; 12 steps" in said
    assert "[target]" in said
    assert not (tmp_path / "run").exists()


def test_a_torn_checkpoint_is_not_exported(tmp_path, capsys):
    assert export_main([str(tmp_path / "checkpoint-3"), "--out", str(tmp_path / "model")]) == 2
    assert "is no whole checkpoint" in capsys.readouterr().err


def test_a_recipe_has_no_field_that_nothing_reads():
    sources = "".join(path.read_text() for path in (ROOT / "training").glob("*.py") if path.stem != "recipe")
    sources += (ROOT / "training/recipe.py").read_text().partition("def __post_init__")[2]
    assert [name for name in Recipe.__dataclass_fields__ if f".{name}" not in sources] == []
