"""The settings of a run: every key of TRL's SFTConfig and ModelConfig, and four of our own, from a file and the command
line.

    config = read_settings(["--config", "training/recipes/smoke.yaml", "--learning_rate", "2e-5"])

A recipe is a YAML file of such keys. What the libraries raise about a value comes out as one sentence.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path

import torch
from trl import ModelConfig, SFTConfig, TrlParser

from training.libraries import refusing
from z1_core.errors import BadInput

SETTINGS = ("the settings are refused", "change that key of the recipe, or that option")
ABOUT = "Fine-tune a model: --config RECIPE.yaml --data DATA --output_dir RUN, and any key of TRL's SFTConfig."
IDLE = {
    *("dataset_text_field", "dataset_num_proc", "eos_token", "pad_token", "truncation_mode", "chat_template_path"),
    *("completion_only_loss", "assistant_only_loss", "dataset_kwargs", "packing_strategy", "eval_packing"),
    *("shuffle_dataset", "auto_find_batch_size", "resume_from_checkpoint", "load_best_model_at_end"),
    *("load_in_8bit", "load_in_4bit", "config"),
}
"""Keys that would do nothing, and are refused: training.preprocess has prepared the rows, the batch is --batch on any
machine, the same command goes on from the last checkpoint, and LoRA is on a base of --dtype."""

NULL = "tag:yaml.org,2002:null"
DEFAULTS = {
    "output_dir": "",  # has to be named
    "dataset_kwargs": {"skip_prepare_dataset": True},  # or TRL would go through all rows again at every start
    "max_length": None,  # rows are never cut
    # FSDP2 then adds each micro-batch to sharded fp32 gradients. accelerate's own way: every GPU keeps all of them in bf16
    # until the step, and adds up in 8 bits of mantissa.
    "accelerator_config": {"gradient_accumulation_kwargs": {"sync_each_batch": True}},
    "per_device_eval_batch_size": 1,  # a row's loss hangs on none beside it
    "eval_strategy": "steps",
    "eval_on_start": True,
    "logging_steps": 1,
    "logging_nan_inf_filter": False,  # a run ends where the loss is no number
    "save_total_limit": 2,
    "report_to": "none",  # log.jsonl is written in any case
    "disable_tqdm": True,
    "remove_unused_columns": False,
}
"""Where they differ from TRL's."""


@dataclass
class RunConfig(SFTConfig, ModelConfig):
    """All of TRL's keys and ours. After its checks batch and gradient_accumulation_steps agree. Raises BadInput."""

    data: str = field(default="", metadata={"help": "The folder that training.preprocess made."})
    batch: int = field(
        default=0,
        metadata={
            "help": "Rows (packed sequences with --packing) of one optimiser step, over all processes. "
            "0: what per_device_train_batch_size and gradient_accumulation_steps make."
        },
    )
    export_dtype: str = field(
        default="bfloat16", metadata={"help": "Of the exported weights.", "choices": ["bfloat16", "float32"]}
    )
    dry_run: bool = field(default=False, metadata={"help": "Print steps, tokens, memory and disk, and stop; no GPU."})

    def __post_init__(self) -> None:
        if self.dry_run:
            self.use_cpu = True
        elif not self.use_cpu and not torch.accelerator.is_available():
            raise BadInput(
                "there is no GPU here; to train without one: --use_cpu true --bf16 false, or training/recipes/smoke.yaml; "
                "to look at what a GPU would do: --dry_run"
            )
        _check(self)
        if self.data_seed is None:  # resuming would draw another order
            self.data_seed = self.seed
        super().__post_init__()
        ModelConfig.__post_init__(self)
        self._divide()

    def _divide(self) -> None:
        at_once, accumulation = self.world_size * self.per_device_train_batch_size, self.gradient_accumulation_steps
        if not self.batch:
            self.batch = at_once * accumulation
        if self.batch % at_once or accumulation not in (1, self.batch // at_once):
            near = max(1, round(self.batch / at_once)) * at_once
            raise BadInput(
                f"batch {self.batch} is not {self.world_size} processes x per_device_train_batch_size "
                f"{self.per_device_train_batch_size} x {f'{accumulation} ' if accumulation > 1 else ''}accumulated; change "
                f"one of them (batch {near}, for instance), and leave gradient_accumulation_steps out"
            )
        self.gradient_accumulation_steps = self.batch // at_once

    @property
    def place_model_on_device(self) -> bool | None:
        """transformers' question; a model without weights has no place."""
        return False if self.dry_run else super().place_model_on_device

    @property
    def unit(self) -> str:
        """What batch counts."""
        return "packed sequences" if self.packing else "rows"

    def steps(self, sequences: int) -> int:
        """Of the whole run, as the trainer counts them; sequences: in whole batches."""
        return self.max_steps if self.max_steps > 0 else math.ceil(self.num_train_epochs * (sequences // self.batch))


POSITIVE = (
    *("per_device_train_batch_size", "per_device_eval_batch_size", "gradient_accumulation_steps", "learning_rate"),
    *("logging_steps", "save_steps", "eval_steps", "num_train_epochs"),
)
NOT_NEGATIVE = ("batch", "seed", "weight_decay", "max_grad_norm", "warmup_steps")


def _check(run: RunConfig) -> None:
    """What the libraries would take and do something else with, or stumble over late. Raises BadInput."""
    for name in ("data", "output_dir"):
        if not getattr(run, name):
            raise BadInput(f"{name} is not given; name the folder with --{name}")
    for name in POSITIVE:
        if (value := getattr(run, name)) is not None and not 0 < value < math.inf:
            raise BadInput(f"{name} is {value}; it must be greater than 0 and finite")
    for name in NOT_NEGATIVE:
        if not getattr(run, name) >= 0:
            raise BadInput(f"{name} is {getattr(run, name)}; it must be at least 0")
    if run.max_steps < 1 and run.max_steps != -1:
        raise BadInput(f"max_steps is {run.max_steps}; it must be at least 1, or -1 for all of num_train_epochs")
    if run.save_strategy not in ("steps", "epoch"):
        raise BadInput(f"save_strategy is {run.save_strategy}; the export is of a checkpoint: take steps or epoch")
    if bool(run.packing) != bool(run.max_length):
        raise BadInput(
            f"packing is {run.packing} and max_length {run.max_length}; give both for packed sequences of that length, or "
            "neither: rows are never cut"
        )


def read_settings(argv: Sequence[str] | None = None) -> RunConfig:
    """From the command line and the file that --config names; the command line goes first. Raises BadInput."""
    file = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    file.add_argument("--config", type=Path, metavar="RECIPE.yaml", help="a file of such keys")
    about = {"prog": "python -m training.sft", "description": ABOUT}
    parser = _Parser(RunConfig, **about, parents=[file], allow_abbrev=False)
    parser.set_defaults(**deepcopy(DEFAULTS))  # the trainer writes into them
    named, words = file.parse_known_args(argv)
    if named.config:
        words = [*_words(named.config), *words]
    for word in words:
        name = word.removeprefix("--").partition("=")[0].replace("-", "_")
        if word.startswith("--") and name in IDLE:
            raise BadInput(f"{name} does nothing here; leave it out")
    with refusing(*SETTINGS):
        run, _ = parser.parse_args_into_dataclasses(words, look_for_args_file=False)
    if not run.model_name_or_path:
        raise BadInput("model_name_or_path is not given; name the model's folder or hub id")
    return run


class _Parser(TrlParser):
    def error(self, message: str) -> None:
        raise BadInput(f"{message}; see python -m training.sft --help")


def _words(recipe: Path) -> list[str]:
    """The keys as words of the command line, in the letters of the file: YAML makes a text of 1e-5, and false of `no`."""
    import yaml

    with refusing(f"the recipe {recipe} is no YAML", "mend it", (yaml.YAMLError, UnicodeDecodeError)):
        whole = yaml.compose(recipe.read_text(encoding="utf-8"), yaml.SafeLoader)
    if not isinstance(whole, yaml.MappingNode):
        raise BadInput(f"the recipe {recipe} holds no keys; write one `name: value` a line")
    words, names = [], [key.value for key, _ in whole.value]
    for key, value in whole.value:
        if value.tag == NULL or names.count(key.value) > 1:
            fault = "no value" if value.tag == NULL else "several values"
            raise BadInput(f"{key.value} has {fault} in the recipe {recipe}; give it one, or leave it out")
        if isinstance(value, yaml.SequenceNode):
            words += [f"--{key.value}", *(str(each.value) for each in value.value)]
        elif isinstance(value, yaml.MappingNode):
            words.append(f"--{key.value}={json.dumps(yaml.safe_load(yaml.serialize(value)))}")
        else:
            words.append(f"--{key.value}={value.value}")
    return words
