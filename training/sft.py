"""Fine-tune a model; TRL's SFTTrainer on accelerate carries the loop.

    python -m training.sft --config training/recipes/smoke.yaml --data data/smoke --output_dir runs/smoke
    accelerate launch --config_file training/launch/fsdp2.yaml -m training.sft --config training/recipes/z1_7b.yaml \
        --data data/z1_7b --output_dir runs/z1_7b

The same command goes on after a kill. --dry_run says what would happen: steps, tokens, memory, disk, one decoded row.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from training import manifest, run_folder
from training.libraries import refusing
from training.pretrained import commit_of, load_config, load_tokenizer, model_folder
from z1_core.engines.tokenizer_text import TokenizerText
from z1_core.errors import BadInput, Z1Error
from z1_core.folder import held
from z1_core.program import program
from z1_core.provenance import commit, versions

if TYPE_CHECKING:
    from accelerate import PartialState
    from datasets import Dataset
    from transformers import PreTrainedConfig, PreTrainedModel

    from training.recipe import RunConfig
    from training.trainer import Trainer
    from z1_core.thoughts import Thoughts

LIBRARIES = ("torch", "transformers", "trl", "accelerate", "datasets", "peft")
LOOKED_AT_FOR_TAGS = 64


@dataclass(frozen=True)
class Plan:
    """A run that has passed its checks."""

    config: RunConfig
    base: PreTrainedConfig
    data: manifest.Manifest
    kind: str
    """Whether what is trained on marks its thoughts: tagged or untagged."""

    @property
    def out(self) -> Path:
        return Path(self.config.output_dir)

    @property
    def is_for_the_embedded(self) -> bool:
        """A plain LoRA stays beside the embedded model, where llama.cpp runs it without a GPU; others are merged."""
        model = self.config
        is_plain = model.use_peft and not (model.use_rslora or model.use_dora or model.lora_modules_to_save)
        return is_plain and model.model_name_or_path == "embedded"

    @property
    def record(self) -> dict[str, Any]:
        """What run.json says, and an export with it."""
        return {
            "base": self.config.model_name_or_path,
            "revision": commit_of(self.config.model_name_or_path, self.config.model_revision),
            "kind": self.kind,
            "processes": self.config.world_size,
            "versions": versions(LIBRARIES),
            "commit": commit(),
            "settings": self.config.to_dict(),
            "fingerprint": self.data.fingerprint,
            "data": self.data.model_dump(),
        }


def plan(config: RunConfig) -> Plan:
    """Everything that can be known to be wrong without loading the model is refused here. Raises BadInput."""
    folder, name = Path(config.data), config.model_name_or_path
    data, base = manifest.read(folder), load_config(name, config.model_revision)
    tokenizer = load_tokenizer(name, config.model_revision)
    manifest.check_tokenizer(tokenizer, data, name)
    longest, holds = data.tokens["longest"], base.max_position_embeddings
    if config.max_length and longest > config.max_length:
        raise BadInput(
            f"the data holds a row of {longest:,} tokens and max_length is {config.max_length:,}; raise max_length or "
            f"preprocess with --max-length {config.max_length}"
        )
    if (most := config.max_length or longest) > holds:
        raise BadInput(f"sequences have up to {most:,} tokens and {name} holds {holds:,}; preprocess with --max-length")
    return Plan(config, base, data, kind_of(TokenizerText.of_transformers(tokenizer).thoughts, folder))


def kind_of(thoughts: Thoughts | None, data: Path) -> str:
    """tagged where one of the first rows closes a thought by a tag of the model's own."""
    rows = manifest.rows(data, "train")
    seen = (thoughts.closes_id in row for row in rows[:LOOKED_AT_FOR_TAGS]["labels"]) if thoughts else ()
    return "tagged" if any(seen) else "untagged"


def train_rows(run: Plan) -> Dataset:
    """What the trainer draws from: rows, or packed sequences (in memory, 8 bytes a token), and of both whole batches only.

    The rows of an incomplete last batch are left out, as the published trainer did (836 steps for 107,173 rows). Raises
    BadInput for less than one batch.
    """
    from trl import pack_dataset

    config = run.config
    rows = _rows(run, "train").shuffle(seed=config.seed, keep_in_memory=True)
    if config.packing:
        rows = pack_dataset(rows, config.max_length, "bfd", {"keep_in_memory": True})
    whole = len(rows) - len(rows) % config.batch
    if not whole:
        raise BadInput(
            f"the data makes {len(rows):,} {config.unit} and batch is {config.batch}; lower batch or take more data"
        )
    return rows.select(range(whole))


def _rows(run: Plan, side: str) -> Dataset:
    return manifest.rows(Path(run.config.data), side).select_columns(["input_ids", "labels"])


def load_model(run: Plan) -> PreTrainedModel:
    """In a dry run one without weights."""
    import torch
    from transformers import AutoModelForCausalLM

    if run.config.dry_run:
        with torch.device("meta"):
            return AutoModelForCausalLM.from_config(run.base)
    return AutoModelForCausalLM.from_pretrained(
        model_folder(run.config.model_name_or_path),
        revision=run.config.model_revision,
        dtype=run.config.dtype,
        attn_implementation=run.config.attn_implementation,
        trust_remote_code=run.config.trust_remote_code,
        **(run.config.model_init_kwargs or {}),
    )


def build(run: Plan) -> Trainer:
    """Raises BadInput for what the libraries refuse."""
    from transformers import PrinterCallback
    from trl import get_peft_config

    from training.recipe import SETTINGS
    from training.trainer import Log, Trainer

    config = run.config
    held_out = _rows(run, "held_out") if run.data.counts.get("held_out") else None  # datasets cannot read no rows
    if held_out is None:
        config.eval_strategy = "no"
    config.eval_on_start = config.eval_on_start and config.eval_strategy != "no"
    with refusing(*SETTINGS):
        trainer = Trainer(
            model=load_model(run),
            args=config,
            train_dataset=train_rows(run),
            eval_dataset=held_out,
            processing_class=load_tokenizer(run.config.model_name_or_path, run.config.model_revision),
            callbacks=[Log(run.out / run_folder.LOG)],
            peft_config=get_peft_config(config),
        )
    trainer.remove_callback(PrinterCallback)  # the log tells the same in words
    return trainer


def describe(run: Plan, sequences: int) -> str:
    config, tokens = run.config, run.data.tokens
    return (
        f"{len(_rows(run, 'train')):,} rows, {tokens['all']:,} tokens, {1 - tokens['labelled'] / tokens['all']:.1%} of "
        "them without loss; "
        f"{sequences:,} {config.unit} in whole batches\n"
        f"effective batch {config.batch} {config.unit} = {config.world_size} processes x "
        f"{config.per_device_train_batch_size} x {config.gradient_accumulation_steps} accumulated; "
        f"{config.steps(sequences):,} steps"
    )


def train(run: Plan) -> None:
    """From the last whole checkpoint, if there is one, to the exported model and the figure. Raises BadInput where another
    process is at it, or the folder is another run's."""
    from accelerate import PartialState

    state = PartialState()
    with held(run.out) if state.is_main_process else nullcontext():
        _train(run, state)


def _train(run: Plan, state: PartialState) -> None:
    import torch

    from training.export import export
    from training.recipe import SETTINGS

    with state.main_process_first():
        if state.is_main_process:
            run_folder.claim(run.out, run.record, is_begun=bool(run_folder.checkpoints(run.out)))
            shutil.rmtree(run.out / run_folder.SAVING, ignore_errors=True)  # what a killed run was still writing
    last = next(reversed(run_folder.checkpoints(run.out)), None)
    trainer = build(run)
    if state.is_main_process:
        print(describe(run, len(trainer.train_dataset)) + (f"; going on from {last.name}" if last else ""), flush=True)
    trainer.args.eval_on_start = trainer.args.eval_on_start and last is None
    try:
        late = (ValueError, TypeError, ImportError, NotImplementedError)  # of the optimiser and the schedule
        with refusing(*SETTINGS, late):
            if not last or run_folder.step_of(last) < run.config.steps(len(trainer.train_dataset)):
                trainer.train(resume_from_checkpoint=str(last) if last else None)  # which takes a step in any case
    except torch.OutOfMemoryError as error:
        raise Z1Error(
            "the GPU's memory is full; halve per_device_train_batch_size, which leaves batch as it is, or take more GPUs"
        ) from error
    trainer.accelerator.wait_for_everyone()
    if state.is_main_process:
        model = run.out / "model"
        if not model.exists():  # a run that is given again is finished already
            export(run_folder.checkpoints(run.out)[-1], model, as_adapter=run.is_for_the_embedded)
        run_folder.plot(run.out)
        print(f"the model is in {model}, its loss in {run.out}/loss.png; ask it: python app.py --model {model}")
    trainer.accelerator.wait_for_everyone()


@program(stopped="stopped; the same command goes on from the last checkpoint", needs="training/requirements.txt")
def main(argv: Sequence[str] | None = None) -> None:
    import warnings

    from training.recipe import read_settings

    warnings.filterwarnings("ignore", "`(is_)?gradient_checkpointing`", FutureWarning)  # TRL's name for it, up to v6
    run = plan(read_settings(argv))
    if run.config.dry_run:
        from training.dry_run import dry_run

        dry_run(run)
    else:
        train(run)


if __name__ == "__main__":
    sys.exit(main())
