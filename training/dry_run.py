"""What a run would do and cost, before a GPU is paid for: steps, tokens, memory, disk, one decoded row."""

from __future__ import annotations

from pathlib import Path

from training.libraries import refusing
from training.preprocess import show
from training.recipe import SETTINGS
from training.sft import Plan, describe, train_rows


def dry_run(run: Plan) -> None:
    """Prints; leaves nothing."""
    sequences = len(train_rows(run))
    print(describe(run, sequences), costs(run, sequences), show(Path(run.config.data), 1), sep="\n")


def costs(run: Plan, sequences: int) -> str:
    """Tokens, memory and disk, with Adam. Nothing is loaded: the parameters are counted on a model without weights."""
    config, base = run.config, run.base
    all_, trained = parameters(run)
    width = 2 if config.dtype in ("bfloat16", "float16") else 4
    frozen, width = (all_ * width, 4) if config.use_peft else (0, width)  # adapters are kept in fp32
    held = frozen + 4 * width * trained  # weights, gradients, two moments
    length = config.max_length or run.data.tokens["longest"]
    kept = base.num_hidden_layers * base.hidden_size * 2 * length * config.per_device_train_batch_size
    steps, most = config.steps(sequences), config.save_total_limit
    many = f"{most} are kept, {most + 1} while one is saved" if most else "all are kept"
    tokens = run.data.tokens["all"] * steps * config.batch / sequences
    return (
        f"{tokens:,.0f} tokens to train on, {steps * config.batch / sequences:.3g} epochs\n"
        f"memory: {_gb(held)} of weights, gradients and Adam's moments ({trained / 1e9:.3g} of {all_ / 1e9:.3g} G "
        f"parameters trained), with FSDP2 spread over all GPUs ({_gb(held / 8)} on each of 8); on each GPU up to "
        f"{_gb(kept)} more for what checkpointed layers keep of a micro-batch, and what one layer takes\n"
        f"disk: {_gb(3 * width * trained)} a checkpoint, with FSDP2 {_gb(4 * width * trained)} (the weights lie in it "
        f"twice); {many}; {_gb(all_ * (2 if config.export_dtype == 'bfloat16' else 4))} the export"
    )


def parameters(run: Plan) -> tuple[int, int]:
    """How many the model has, and how many of them are trained."""
    import torch
    from peft import get_peft_model
    from transformers import AutoModelForCausalLM
    from trl import get_peft_config

    with torch.device("meta"), refusing(*SETTINGS):
        model = AutoModelForCausalLM.from_config(run.base)
        all_ = model.num_parameters()
        if adapter := get_peft_config(run.config):
            model = get_peft_model(model, adapter)
    return all_, sum(weight.numel() for weight in model.parameters() if weight.requires_grad)


def _gb(bytes_: float) -> str:
    return f"{bytes_ / 1e9:,.3g} GB"
