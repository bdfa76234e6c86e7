"""The settings of a run: every key of TRL's SFTConfig and ModelConfig, and five of our own, from a file and the command
line.

    run, model = read_settings(["--config", "training/recipes/smoke.yaml", "--learning_rate", "2e-5"])

A recipe is a YAML file of such keys. What the libraries raise about a value comes out as one sentence.
"""

from __future__ import annotations

import argparse
import difflib
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from trl import ModelConfig, SFTConfig, TrlParser

from z1_core.errors import BadInput, Z1Error

ABOUT = "Fine-tune a model: --config RECIPE.yaml --data DATA --output_dir RUN, and any key of TRL's SFTConfig."
PREPARED = "the rows were prepared by training.preprocess"
FIXED = {
    **dict.fromkeys(("dataset_text_field", "dataset_num_proc", "eos_token", "pad_token", "truncation_mode"), PREPARED),
    **dict.fromkeys(("chat_template_path", "completion_only_loss", "assistant_only_loss", "dataset_kwargs"), PREPARED),
    "packing_strategy": "rows are packed whole and kept apart, which is bfd",
    "eval_packing": "held-out rows are looked at one by one",
    "shuffle_dataset": "rows are shuffled by --seed",
    "auto_find_batch_size": "the batch is --batch on any machine",
    "resume_from_checkpoint": "the same command goes on from the last checkpoint",
    "load_best_model_at_end": "every checkpoint can be exported by training.export",
    **dict.fromkeys(("load_in_8bit", "load_in_4bit"), "LoRA here is on a base of --dtype"),
}
"""Keys that would do nothing, and why: refused where they are set."""


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
class RunConfig(SFTConfig):
    """TRL's SFTConfig and keys of ours. After its checks batch and gradient_accumulation_steps agree. Raises BadInput."""

    data: str = field(default="", metadata={"help": "The folder that training.preprocess made."})
    batch: int = field(
        default=0,
        metadata={
            "help": "Rows (packed sequences with --packing) of one optimiser step, over all processes. "
            "0: what per_device_train_batch_size and gradient_accumulation_steps make."
        },
    )
    eval_rows: int = field(default=512, metadata={"help": "At most so many held-out rows, always the same; 0: all."})
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
    def unit(self) -> str:
        """What batch counts."""
        return "packed sequences" if self.packing else "rows"

    def steps(self, sequences: int) -> int:
        """Of the whole run, as the trainer counts them; sequences: in whole batches."""
        return self.max_steps if self.max_steps > 0 else math.ceil(self.num_train_epochs * (sequences // self.batch))


DICTS = RunConfig._VALID_DICT_FIELDS
POSITIVE = (
    *("per_device_train_batch_size", "per_device_eval_batch_size", "gradient_accumulation_steps", "learning_rate"),
    *("logging_steps", "save_steps", "eval_steps", "num_train_epochs"),
)


def _check(run: RunConfig) -> None:
    """What the libraries would take and do something else with, or stumble over late. Raises BadInput."""
    for name in ("data", "output_dir"):
        if not getattr(run, name):
            raise BadInput(f"{name} is not given; name the folder with --{name}")
    _check_numbers(run)
    if run.save_strategy not in ("steps", "epoch"):
        raise BadInput(f"save_strategy is {run.save_strategy}; the export is of a checkpoint: take steps or epoch")
    if bool(run.packing) != bool(run.max_length):
        raise BadInput(
            f"packing is {run.packing} and max_length {run.max_length}; give both for packed sequences of that length, or "
            "neither: rows are never cut"
        )


def _check_numbers(run: RunConfig) -> None:
    for name in POSITIVE:
        value = getattr(run, name)
        if not (0 < value < math.inf if value is not None else name == "eval_steps"):
            raise BadInput(f"{name} is {value}; it must be greater than 0")
    for name in ("batch", "eval_rows", "seed", "weight_decay", "max_grad_norm"):
        value = getattr(run, name)
        if value is None or not value >= 0:
            raise BadInput(f"{name} is {value}; it must be at least 0")
    if run.max_steps == 0:
        raise BadInput("max_steps is 0; leave it out, and the epochs decide, or give at least 1")
    if run.save_total_limit is not None and run.save_total_limit < 2:
        raise BadInput(
            f"save_total_limit is {run.save_total_limit}; keep at least 2, so that one is left on a full disk"
        )


def read_settings(argv: Sequence[str] | None = None) -> tuple[RunConfig, ModelConfig]:
    """From the command line and the file that --config names; the command line goes first. Raises BadInput."""
    parser = _Parser((RunConfig, ModelConfig), prog="python -m training.sft", description=ABOUT, allow_abbrev=False)
    parser.add_argument("--config", metavar="RECIPE.yaml", help="a file of such keys")
    alone = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    alone.add_argument("--config", type=Path)
    named, words = alone.parse_known_args(argv)
    values = _recipe(named.config) if named.config else {}
    known = {action.dest for action in parser._actions}
    lists = {action.dest for action in parser._actions if action.nargs == "+"} | {"report_to"}
    for name, value in values.items():
        if name not in known:
            raise BadInput(f"{named.config} has an unknown key {name!r}; {_near(str(name), known)}")
        if isinstance(value, dict | list) and name not in (lists if isinstance(value, list) else DICTS):
            raise BadInput(f"{name} is {value!r:.60} in {named.config}; it takes one plain value")
    with one_sentence():
        plain = {name: value for name, value in values.items() if not isinstance(value, dict | list | None)}
        parser.set_defaults_with_config(**{name: value for name, value in values.items() if name not in plain})
        words = [f"--{name}={value}" for name, value in plain.items()] + words  # so that argparse looks at their types
        run, model, _, unknown = parser.parse_args_into_dataclasses(
            words, return_remaining_strings=True, look_for_args_file=False
        )
    if unknown:
        raise BadInput(f"{unknown[0]} is no option; {_near(unknown[0].lstrip('-').partition('=')[0], known)}")
    for name, why in FIXED.items():
        owner = run if name in RunConfig.__dataclass_fields__ else model
        if getattr(owner, name) != parser.first_defaults[name]:
            raise BadInput(f"{name} does nothing here: {why}; leave it out")
    if not model.model_name_or_path:
        raise BadInput("model_name_or_path is not given; name the model's folder or hub id")
    return run, model


class _Parser(TrlParser):
    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.set_defaults(**deepcopy(DEFAULTS))  # the trainer writes into them
        self.first_defaults = {action.dest: action.default for action in reversed(self._actions)}

    def error(self, message: str) -> None:
        raise BadInput(f"{message}; see python -m training.sft --help")


def _recipe(path: Path) -> dict[str, Any]:
    import yaml

    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadInput(
            f"the recipe {path} cannot be read: {error.strerror}; name a file of training/recipes"
        ) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise BadInput(f"the recipe {path} is no YAML: {' '.join(str(error).split())[:150]}") from error
    if not isinstance(values, dict):
        raise BadInput(f"the recipe {path} holds no keys; write one `name: value` a line")
    return values


def _near(name: str, known: set[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f"did you mean {near[0]}?" if near else "python -m training.sft --help lists all"


@contextmanager
def one_sentence(kinds: type[Exception] | tuple[type[Exception], ...] = Exception) -> Iterator[None]:
    """What transformers, TRL, accelerate and PEFT say of settings, in exceptions of many kinds, as BadInput."""
    try:
        yield
    except (Z1Error, MemoryError):
        raise
    except kinds as error:
        said = str(error).strip().partition("\n")[0][:300].rstrip(".")
        raise BadInput(f"{type(error).__name__}: {said}; change that key of the recipe, or that option") from error
