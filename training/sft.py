"""Fine-tune a model by a recipe; TRL's SFTTrainer on accelerate carries the loop.

    python -m training.sft training/recipes/smoke.yaml --data data/smoke --out runs/smoke
    accelerate launch --config_file training/launch/gpus8.yaml -m training.sft training/recipes/z1_7b.yaml \
        --data data/z1 --out runs/z1_7b

The same command goes on after a kill. --dry-run says what would happen: steps, batch, one decoded row.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from training import manifest, run_folder
from training.batches import held_out_rows, train_rows
from training.preprocess import show
from training.pretrained import load_tokenizer, model_folder
from training.recipe import Recipe, load_recipe
from z1_core.errors import BadInput
from z1_core.program import program

if TYPE_CHECKING:
    from transformers import PreTrainedModel
    from trl import SFTConfig

    from training.trainer import Trainer


@dataclass(frozen=True)
class Plan:
    """A run that has passed its checks. accumulation and steps follow from the recipe, the data and the processes."""

    recipe: Recipe
    data: manifest.Manifest
    data_folder: Path
    out: Path
    processes: int
    accumulation: int

    @property
    def packed(self) -> Path:
        """Where packed sequences are kept."""
        return self.out / f"packed-{self.data.fingerprint[:12]}.arrow"


def plan(recipe: Recipe, data_folder: Path, out: Path) -> Plan:
    """Everything that can be known to be wrong without loading the model is refused here. Raises BadInput."""
    from z1_core.models import has_gpu

    if recipe.device == "gpu" and not has_gpu():
        raise BadInput(
            f"the recipe {recipe.name} needs a GPU and there is none here; for a machine without one take "
            "training/recipes/smoke.yaml"
        )
    processes = int(os.environ.get("WORLD_SIZE", "1"))
    accumulation = recipe.accumulation(processes)
    if recipe.report != "jsonl" and find_spec(recipe.report) is None:
        raise BadInput(f"report is {recipe.report} and the package is not installed: pip install {recipe.report}")
    data = manifest.read(data_folder)
    manifest.check_tokenizer(load_tokenizer(recipe.model), data, recipe.model)
    manifest.check_data(data_folder, data)
    if data.tokens["longest"] > recipe.max_length:
        raise BadInput(
            f"the data holds a row of {data.tokens['longest']:,} tokens and max_length is {recipe.max_length:,}; raise "
            f"max_length or preprocess with --max-length {recipe.max_length}"
        )
    return Plan(recipe, data, data_folder, out, processes, accumulation)


def arguments(run: Plan, *, evaluates: bool) -> SFTConfig:
    """The recipe in the trainer's words. The rows are ready, so TRL neither tokenises, cuts nor packs them."""
    from trl import SFTConfig

    recipe = run.recipe
    checkpointing = recipe.checkpointing != "none"
    word = (
        "activation" if hasattr(SFTConfig, "activation_checkpointing") else "gradient"
    )  # its name up to transformers 5.17
    selective = {"selective": True} if recipe.checkpointing == "selective" else {}
    return SFTConfig(
        output_dir=str(run.out),
        dataset_kwargs={"skip_prepare_dataset": True},
        max_length=None,
        packing=False,
        padding_free=recipe.batching != "padded",
        pad_to_multiple_of=None,
        per_device_train_batch_size=recipe.micro_batch,
        per_device_eval_batch_size=1,  # each held-out row alone: its loss depends on nothing beside it
        gradient_accumulation_steps=run.accumulation,
        num_train_epochs=recipe.epochs,
        max_steps=recipe.max_steps or -1,
        learning_rate=recipe.learning_rate,
        warmup_steps=recipe.warmup_steps,
        lr_scheduler_type=recipe.schedule,
        weight_decay=recipe.weight_decay,
        max_grad_norm=recipe.max_grad_norm,
        optim=recipe.optimizer,
        seed=recipe.seed,
        data_seed=recipe.seed,
        use_cpu=recipe.device == "cpu",
        bf16=recipe.precision == "bf16",
        torch_compile=recipe.compile,
        **{
            f"{word}_checkpointing": checkpointing,
            f"{word}_checkpointing_kwargs": {"use_reentrant": False, **selective} if checkpointing else None,
        },
        logging_steps=recipe.log_every,
        logging_nan_inf_filter=False,
        eval_strategy="steps" if evaluates else "no",
        eval_steps=recipe.eval_every,
        eval_on_start=evaluates,
        save_strategy="steps",
        save_steps=recipe.save_every,
        save_total_limit=recipe.keep_checkpoints,
        report_to=[] if recipe.report == "jsonl" else [recipe.report],
        project="shifted-thinking",  # of trackio
        run_name=recipe.name,
        disable_tqdm=True,
        remove_unused_columns=False,
        dataloader_pin_memory=recipe.device == "gpu",
    )


def load_model(recipe: Recipe) -> PreTrainedModel:
    import torch
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(
        model_folder(recipe.model),
        dtype=torch.float32 if recipe.weights == "fp32" else torch.bfloat16,
        attn_implementation=recipe.attention,
    )
    longest = model.config.max_position_embeddings
    if recipe.max_length > longest:
        raise BadInput(f"max_length is {recipe.max_length:,} and {recipe.model} holds {longest:,}; lower max_length")
    return model


def build(run: Plan) -> Trainer:
    """The trainer, with its batch asserted."""
    from transformers import PrinterCallback

    from training.callbacks import JsonlLog, StopOnNan, flops_per_token
    from training.trainer import Trainer

    recipe, held_out = run.recipe, held_out_rows(run.recipe, run.data_folder)
    args = arguments(run, evaluates=bool(held_out))
    model = load_model(recipe)
    flops = flops_per_token(model, context_tokens=run.data.context_tokens, trains_all=recipe.method == "full")
    log = JsonlLog(
        run.out / run_folder.LOG,
        flops_per_token=flops,
        masked_fraction=run.data.masked_fraction,
        held_out_rows={name: len(rows) for name, rows in held_out.items()},
        tell=lambda line: print(line, flush=True),
    )
    trainer = Trainer(
        model=model,
        args=args,
        train_dataset=train_rows(recipe, run.data_folder, cache=run.packed),
        eval_dataset=held_out or None,
        processing_class=load_tokenizer(recipe.model),
        callbacks=[StopOnNan(), log],
        peft_config=lora(recipe) if recipe.method == "lora" else None,
    )
    trainer.remove_callback(PrinterCallback)  # the log tells the same in words
    at_once = trainer.args.world_size * trainer.args.train_batch_size * trainer.args.gradient_accumulation_steps
    if at_once != recipe.batch:
        raise BadInput(f"the launcher would train on {at_once} {recipe.unit} a step, the recipe says {recipe.batch}")
    return trainer


def lora(recipe: Recipe) -> Any:
    from peft import LoraConfig

    return LoraConfig(
        r=recipe.lora_rank,
        lora_alpha=recipe.lora_alpha,
        lora_dropout=recipe.lora_dropout,
        target_modules="all-linear",  # of the layers; the head stays as it is
        task_type="CAUSAL_LM",
    )


def describe(run: Plan, sequences: int) -> str:
    recipe, data = run.recipe, run.data
    steps = recipe.max_steps or int(recipe.epochs * (sequences // recipe.batch))
    return (
        f"{recipe.name}: {data.counts['train']:,} rows, {data.tokens['all']:,} tokens, "
        f"{data.masked_fraction:.1%} of them without loss; {sequences:,} {recipe.unit} in whole batches\n"
        f"effective batch {recipe.batch} {recipe.unit} = {run.processes} processes x {recipe.micro_batch} x "
        f"{run.accumulation} accumulated; {steps:,} steps"
    )


def train(run: Plan) -> None:
    """From the last whole checkpoint, if there is one, to the exported model and the plots."""
    from accelerate import PartialState

    from training.export import export
    from training.plots import plot_run

    state = PartialState(cpu=run.recipe.device == "cpu")
    settings = {**asdict(run.recipe), "data": run.data.fingerprint}
    with state.main_process_first():
        if state.is_main_process:
            run_folder.claim(run.out, settings, {"versions": versions(), "processes": run.processes})
            manifest.write_json(run.out / run_folder.DATA, asdict(run.data))
            run_folder.clear_torn(run.out)
    last = next(reversed(run_folder.checkpoints(run.out)), None)
    if state.is_main_process:
        run_folder.rewind_log(run.out / run_folder.LOG, run_folder.step_of(last) if last else -1)
    trainer = build(run)
    if state.is_main_process:
        print(describe(run, len(trainer.train_dataset)) + (f"; going on from {last.name}" if last else ""), flush=True)
    trainer.args.eval_on_start = trainer.args.eval_on_start and last is None
    trainer.train(resume_from_checkpoint=str(last) if last else None)
    trainer.accelerator.wait_for_everyone()
    if state.is_main_process:
        if not (run.out / "model").exists():  # a run that is given again is finished already
            export(run_folder.checkpoints(run.out)[-1], run.out / "model", recipe=run.recipe, data=run.data)
        plot_run(run.out, run.data, run.recipe.name)
    trainer.accelerator.wait_for_everyone()


def versions() -> dict[str, str]:
    return {name: version(name) for name in ("torch", "transformers", "trl", "accelerate", "datasets", "peft")}


@program(stopped="stopped; the same command goes on from the last checkpoint", needs="training/requirements.txt")
def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m training.sft", description=__doc__.split("\n\n")[0])
    parser.add_argument("recipe", type=Path, help="a file of training/recipes")
    parser.add_argument("--data", type=Path, required=True, help="the folder that training.preprocess made")
    parser.add_argument("--out", type=Path, required=True, help="the folder of the run; the same one continues it")
    parser.add_argument("--model", help="folder or hub id, instead of the recipe's")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="change a key of the recipe")
    parser.add_argument("--dry-run", action="store_true", help="check everything, say what would be done, and stop")
    options = parser.parse_args(argv)
    if not sys.stderr.isatty():
        _hide_bars()
    recipe = load_recipe(options.recipe, options.set)
    run = plan(replace(recipe, model=options.model or recipe.model), options.data, options.out)
    if options.dry_run:
        dry_run(run)
    else:
        train(run)


def _hide_bars() -> None:
    """Of libraries that draw them into log files too."""
    from datasets import disable_progress_bars
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bars()
    disable_progress_bar()


def dry_run(run: Plan) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        print(describe(run, len(train_rows(run.recipe, run.data_folder, cache=Path(folder, "packed.arrow")))))
    print(show(run.data_folder, 1))


if __name__ == "__main__":
    sys.exit(main())
