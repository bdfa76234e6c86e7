"""One YAML file names one training run: every value that changes the result is in it, and nothing else is.

    recipe = load_recipe(Path("training/recipes/smoke.yaml"), ["max_steps=10"])

An unknown key is refused by its name; what a key means stands beside its field below.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, Field, dataclass, fields
from pathlib import Path
from typing import Any, get_args, get_type_hints

from z1_core.errors import BadInput

CHOICES = {
    "method": ("full", "lora"),
    "batching": ("packed", "flat", "padded"),
    "device": ("gpu", "cpu"),
    "precision": ("bf16", "fp32"),
    "weights": ("fp32", "bf16"),
    "export_dtype": ("bf16", "fp32"),
    "checkpointing": ("none", "full", "selective"),
    "schedule": ("cosine", "linear", "constant", "constant_with_warmup"),
    "report": ("jsonl", "tensorboard", "trackio"),
}
POSITIVE = ("max_length", "batch", "micro_batch", "learning_rate", "log_every", "eval_every", "save_every")


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """The settings of a run. Raises BadInput for values that can not work together."""

    name: str
    model: str
    """Hub id or folder; "embedded" is the small model that z1_core prepares."""
    method: str = "full"
    device: str = "gpu"
    """gpu: refused at once where there is none. cpu: for the smoke recipe and the tests."""
    max_length: int
    """The most tokens of a row, prompt included, and of a packed row. Rows are never cut to it: longer ones were dropped
    by preprocess, and data made for a greater length is refused."""
    batching: str = "packed"
    """packed: rows share sequences of max_length (best fit, documents kept apart); batch counts sequences.
    flat: the rows of a micro-batch end to end without padding; batch counts rows, as in the paper.
    padded: the rows of a micro-batch padded to its longest; for comparison."""
    batch: int
    """Sequences (or rows) of one optimiser step, over all processes and accumulation."""
    micro_batch: int
    """Sequences (or rows) that one process holds at a time; accumulation follows from batch."""
    epochs: float = 1.0
    max_steps: int = 0
    """Stop here although epochs would go on; 0: epochs decide."""
    learning_rate: float
    warmup_steps: int = 0
    schedule: str = "cosine"
    weight_decay: float = 0.0
    max_grad_norm: float = 1.0
    optimizer: str = "adamw_torch"
    """As transformers' --optim; adamw_torch_fused on a GPU."""
    seed: int = 42
    precision: str = "bf16"
    """What the layers compute in."""
    weights: str = "fp32"
    """What the weights and with them Adam's moments are kept in; bf16 halves the memory and loses small updates."""
    export_dtype: str = "bf16"
    checkpointing: str = "full"
    """Gradient checkpointing: compute activations again in the backward pass instead of keeping them."""
    attention: str = "sdpa"
    """As transformers' attn_implementation."""
    compile: bool = False
    lora_rank: int = 16
    lora_alpha: int = 32
    lora_dropout: float = 0.0
    log_every: int = 1
    eval_every: int = 100
    save_every: int = 100
    keep_checkpoints: int = 2
    eval_rows: int = 512
    """At most so many held-out rows are looked at each time, the same ones always; 0: all."""
    report: str = "jsonl"
    """log.jsonl is always written; tensorboard or trackio come on top."""

    def __post_init__(self) -> None:
        for name, choices in CHOICES.items():
            if getattr(self, name) not in choices:
                raise BadInput(f"{name} is {getattr(self, name)!r}; it must be one of {', '.join(choices)}")
        for name in POSITIVE:
            if getattr(self, name) <= 0:
                raise BadInput(f"{name} is {getattr(self, name)}; it must be greater than 0")
        if self.epochs <= 0 and self.max_steps <= 0:
            raise BadInput(f"epochs is {self.epochs} and max_steps {self.max_steps}; one must be greater than 0")
        if self.keep_checkpoints < 2:
            raise BadInput(
                f"keep_checkpoints is {self.keep_checkpoints}; keep at least 2, so that one is left if the disk fills"
            )
        for name in ("save_every", "eval_every"):
            if getattr(self, name) % self.log_every:
                raise BadInput(
                    f"{name} is {getattr(self, name)} and log_every {self.log_every}; make the first a multiple of the "
                    "second, so that a loss that is no number is seen before it is saved"
                )
        if self.device == "cpu" and self.precision == "bf16":
            raise BadInput("precision is bf16 and device cpu; set precision: fp32 for a run without a GPU")

    @property
    def unit(self) -> str:
        """What batch counts."""
        return "packed sequences" if self.batching == "packed" else "rows"

    def accumulation(self, processes: int) -> int:
        """How many micro-batches each process runs for one step. Raises BadInput where the batch does not divide."""
        at_once = processes * self.micro_batch
        if self.batch % at_once:
            raise BadInput(
                f"batch {self.batch} is not a multiple of {processes} processes x micro_batch {self.micro_batch} = "
                f"{at_once}; choose another micro_batch, another number of processes, or batch "
                f"{max(1, round(self.batch / at_once)) * at_once}"
            )
        return self.batch // at_once


def load_recipe(path: Path, changes: Sequence[str] = ()) -> Recipe:
    """The recipe in a YAML file, with changes of the form "name=value" laid over it. Raises BadInput."""
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
    for change in changes:
        name, equals, value = change.partition("=")
        if not equals:
            raise BadInput(f"{change!r} is no change; write it as name=value")
        values[name] = yaml.safe_load(value)
    return recipe_from(values)


def recipe_from(values: Mapping[str, Any]) -> Recipe:
    """Raises BadInput for a key that no recipe has, one that is missing, and a value of the wrong type."""
    known = {field.name: field for field in fields(Recipe)}
    for name in values:
        if name not in known:
            near = difflib.get_close_matches(str(name), known, n=1)
            raise BadInput(
                f"a recipe has no key {name!r}; "
                + (f"did you mean {near[0]!r}?" if near else f"known: {sorted(known)}")
            )
    missing = [name for name, field in known.items() if field.default is MISSING and name not in values]
    if missing:
        raise BadInput(f"the recipe lacks {', '.join(missing)}; add a line for each")
    types = get_type_hints(Recipe)
    return Recipe(**{name: _typed(known[name], types[name], value) for name, value in values.items()})


def _typed(field: Field, wanted: type, value: Any) -> Any:
    """The value in the field's type; YAML reads 1e-5 as a text, which is the number it looks like."""
    assert not get_args(wanted), "the fields of a recipe are plain"
    if wanted is float and isinstance(value, (int, float, str)) and not isinstance(value, bool):
        try:
            return float(value)
        except ValueError:
            pass
    elif isinstance(value, wanted) and not (wanted is int and isinstance(value, bool)):
        return value
    raise BadInput(f"{field.name} is {value!r}; it must be {_NAMES[wanted]}")


_NAMES = {int: "a whole number", float: "a number", bool: "true or false", str: "a text"}
