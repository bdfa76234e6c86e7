"""What a run would do and cost, before a GPU is paid for: steps, tokens, memory, disk, one decoded row."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from training.libraries import refusing
from training.preprocess import show
from training.recipe import SETTINGS
from training.sft import Plan, build, describe
from training.trainer import Trainer


def dry_run(run: Plan) -> None:
    """Prints; leaves nothing. Raises BadInput for what trainer, optimiser and schedule refuse."""
    with TemporaryDirectory() as run.config.output_dir:  # a trainer makes it
        trainer = build(run)
    sequences = len(trainer.train_dataset)
    with refusing(*SETTINGS):
        trainer.create_optimizer_and_scheduler(run.config.steps(sequences))
    print(describe(run, sequences), costs(run, trainer), show(Path(run.config.data), 1), sep="\n")


def costs(run: Plan, trainer: Trainer) -> str:
    """Tokens, memory and disk, with Adam. trainer: of the dry run, whose model has no weights."""
    config, base, sequences = run.config, run.base, len(trainer.train_dataset)
    weights = [*trainer.model.parameters()]
    trained = sum(weight.numel() for weight in weights if weight.requires_grad)
    frozen = sum(weight.numel() for weight in weights) - trained
    width = 2 if config.dtype in ("bfloat16", "float16") else 4
    wide = 4 if config.use_peft else width  # adapters are kept in fp32
    held = width * frozen + 4 * wide * trained  # weights, gradients, two moments
    length = config.max_length or run.data.tokens["longest"]
    kept = base.num_hidden_layers * base.hidden_size * 2 * length * config.per_device_train_batch_size
    steps, most = config.steps(sequences), config.save_total_limit
    many = f"{most} are kept, {most + 1} while one is saved" if most else "all are kept"
    tokens = run.data.tokens["all"] * steps * config.batch / sequences
    whole = frozen or trained  # an adapter is merged
    return (
        f"{tokens:,.0f} tokens to train on, {steps * config.batch / sequences:.3g} epochs\n"
        f"memory: {_gb(held)} of weights, gradients and Adam's moments ({trained / 1e9:.3g} of {whole / 1e9:.3g} G "
        f"parameters trained), with FSDP2 spread over all GPUs ({_gb(held / 8)} on each of 8); on each GPU up to "
        f"{_gb(kept)} more for what checkpointed layers keep of a micro-batch, and what one layer takes\n"
        f"disk: {_gb(3 * wide * trained)} a checkpoint, with FSDP2 {_gb(4 * wide * trained)} (the weights lie in it "
        f"twice); {many}; {_gb(whole * (2 if config.export_dtype == 'bfloat16' else 4))} the export"
    )


def _gb(bytes_: float) -> str:
    return f"{bytes_ / 1e9:,.3g} GB"
