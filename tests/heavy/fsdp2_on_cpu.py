"""A worker under torchrun: a step of training.sft as on GPUs, FSDP2 in bf16 over two processes, on the CPU.

accelerate keeps FSDP2 for GPUs; told that these processes are such, it wraps the model on gloo by its own code. Printed is
how far the gradients of the step lie from those of the same micro-batches added up in fp32, as a share of their length: by
the settings as they are given, and by the default of accelerate.
"""

from __future__ import annotations

import sys

import torch
from accelerate import FullyShardedDataParallelPlugin
from accelerate.state import AcceleratorState
from accelerate.utils import DistributedType
from torch.distributed.fsdp import FSDPModule
from torch.distributed.tensor import DTensor
from transformers import TrainerCallback

from training import sft
from training.recipe import read_settings


class Added(Exception):
    """The gradients of a step are there. What follows, saving, hangs on gloo."""


class Gradients(TrainerCallback):
    def on_step_begin(self, args, state, control, **_) -> None:
        """What accelerate has looked up again since the model was wrapped."""
        AcceleratorState().distributed_type = DistributedType.FSDP

    def on_pre_optimizer_step(self, args, state, control, model, **_) -> None:
        """As the optimiser is given them, each whole."""
        assert isinstance(model, FSDPModule)
        found = [weight.grad for weight in model.parameters()]
        whole = [each.full_tensor() if isinstance(each, DTensor) else each for each in found]
        raise Added(torch.cat([each.float().flatten() for each in whole]))


def gradients(words: list[str], *, reduced_in: torch.dtype, accumulation: dict | None = None) -> torch.Tensor:
    config = read_settings(words)
    if accumulation is not None:
        config.accelerator_config.gradient_accumulation_kwargs = accumulation
    trainer = sft.build(sft.plan(config))
    dtypes = {"param_dtype": torch.bfloat16, "reduce_dtype": reduced_in, "output_dtype": torch.bfloat16}
    state = trainer.accelerator.state
    state.distributed_type, trainer.is_fsdp_enabled = DistributedType.FSDP, True
    state.fsdp_plugin = FullyShardedDataParallelPlugin(
        fsdp_version=2, auto_wrap_policy="TRANSFORMER_BASED_WRAP", mixed_precision_policy=dtypes
    )
    trainer.add_callback(Gradients())
    try:
        trainer.train()
    except Added as added:
        return added.args[0]
    raise AssertionError("no step was made")


def main() -> None:
    words = sys.argv[1:]
    exact = gradients(words, reduced_in=torch.float32, accumulation={})
    ours = gradients(words, reduced_in=torch.bfloat16)  # as accelerate reduces where mixed_precision is bf16
    default = gradients(words, reduced_in=torch.bfloat16, accumulation={})
    if torch.distributed.get_rank() == 0:
        print("away:", *(f"{((each - exact).norm() / exact.norm()).item():.6f}" for each in (ours, default)))


if __name__ == "__main__":
    main()
