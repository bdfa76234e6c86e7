"""What a run tells while it goes: log.jsonl, and an end as soon as the loss is no number."""

from __future__ import annotations

import json
import math
import resource
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from transformers import TrainerCallback, TrainerState

from z1_core.errors import Z1Error

PEAK_FLOPS = {"A100": 312e12, "H100": 989e12, "H200": 989e12, "H800": 989e12, "L40S": 362e12, "L4": 121e12}
"""Dense bf16, from the makers' data sheets; MFU is left out for other devices."""


def flops_per_token(model: torch.nn.Module, *, context_tokens: float, trains_all: bool) -> float:
    """Model FLOPs of one trained token, without what gradient checkpointing computes again (PaLM, appendix B).

    6 for each weight that multiplies it (4 where the weights are frozen and get no gradient), and the causal half of the
    attention's 12 x layers x width x context. The input embedding only looks up.
    """
    config = model.config
    embedding = model.get_input_embeddings().weight
    weights = sum(parameter.numel() for parameter in model.parameters())
    if not config.tie_word_embeddings:
        weights -= embedding.numel()
    attention = 6 * config.num_hidden_layers * config.hidden_size * context_tokens
    return (6 if trains_all else 4) * weights + attention


class JsonlLog(TrainerCallback):
    """Writes a line for each logged step and each evaluation, and tells it in short. The speed leaves out the time of
    evaluation and saving."""

    def __init__(
        self,
        path: Path,
        *,
        flops_per_token: float,
        masked_fraction: float,
        held_out_rows: Mapping[str, int],
        tell: Callable[[str], None],
    ) -> None:
        """held_out_rows: how many rows each length bin has, in the order in which the trainer evaluates them."""
        self._path = path
        self._tell = tell
        self._held_out_rows = held_out_rows
        self._flops = flops_per_token
        self._masked_fraction = masked_fraction
        self._seconds, self._mark, self._began = 0.0, 0.0, 0.0
        self._first_step = 0
        self._tokens = 0
        self._held_out: dict[str, float] = {}

    def on_train_begin(self, args, state, control, **_: Any) -> None:
        self._mark = self._began = time.perf_counter()
        self._first_step = state.global_step

    def on_step_end(self, args, state, control, **_: Any) -> None:
        now = time.perf_counter()
        self._seconds += now - self._mark
        self._mark = now

    def on_evaluate(self, args, state, control, **_: Any) -> None:
        self._mark = time.perf_counter()

    def on_save(self, args, state, control, **_: Any) -> None:
        self._mark = time.perf_counter()

    def on_log(self, args, state, control, logs: dict[str, float], **_: Any) -> None:
        if not state.is_world_process_zero:
            return
        if "loss" in logs:
            line = {"step": state.global_step, "of": state.max_steps, **self._training(logs, args.world_size)}
            self._write(line)
            self._tell(f"{progress(line)}, {duration(self._seconds_left(state))} left")
        elif "train_runtime" not in logs:
            self._evaluated(logs, state.global_step)

    def _training(self, logs: dict[str, float], processes: int) -> dict[str, Any]:
        tokens = logs["num_tokens"] - self._tokens
        speed = tokens / self._seconds if self._seconds else 0.0
        self._tokens, self._seconds = logs["num_tokens"], 0.0
        line = {name: logs[name] for name in ("epoch", "loss", "grad_norm", "learning_rate") if name in logs}
        line |= {
            "tokens": int(tokens),
            "tokens_per_second": round(speed, 1),
            "peak_memory_gb": round(peak_memory_bytes() / 1e9, 3),
            "masked_fraction": round(self._masked_fraction, 4),
        }
        peak = peak_flops()
        return line | ({"mfu": round(speed * self._flops / (peak * processes), 4)} if peak else {})

    def _evaluated(self, logs: dict[str, float], step: int) -> None:
        """The trainer logs bin by bin; one line tells them all, with the mean over their rows."""
        self._held_out |= {
            name: logs[f"eval_{name}_loss"] for name in self._held_out_rows if f"eval_{name}_loss" in logs
        }
        if len(self._held_out) < len(self._held_out_rows):
            return
        total = sum(loss * self._held_out_rows[name] for name, loss in self._held_out.items())
        mean = total / sum(self._held_out_rows.values())
        self._write({"step": step, "held_out": {"all": mean, **self._held_out}})
        self._tell(f"step {step}: held-out loss {mean:.4f}")
        self._held_out = {}

    def _seconds_left(self, state: TrainerState) -> float:
        a_step = (time.perf_counter() - self._began) / max(1, state.global_step - self._first_step)
        return a_step * (state.max_steps - state.global_step)

    def _write(self, line: dict[str, Any]) -> None:
        try:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")
        except OSError as error:
            raise Z1Error(
                f"{self._path} cannot be written: {error.strerror}; free some space and give the same command again"
            ) from error


def progress(line: Mapping[str, Any]) -> str:
    """A logged step in short."""
    parts = [
        f"step {line['step']} of {line['of']}: loss {line['loss']:.4f}",
        f"{line['tokens_per_second']:,.0f} tokens/s",
        *([f"{line['mfu']:.0%} MFU"] if "mfu" in line else []),
        f"{line['peak_memory_gb']:.1f} GB",
    ]
    return ", ".join(parts)


def duration(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


class StopOnNan(TrainerCallback):
    """Ends the run at the first loss or gradient that is no number, before it is saved."""

    def on_log(self, args, state, control, logs: dict[str, float], **_: Any) -> None:
        for name in ("loss", "grad_norm"):
            value = logs.get(name)
            if value is not None and not math.isfinite(value):
                raise Z1Error(
                    f"{name} is {value} at step {state.global_step}: the run has diverged and was stopped; the last "
                    "checkpoint is from before. Lower learning_rate or max_grad_norm, or raise warmup_steps"
                )


def peak_memory_bytes() -> int:
    """The most the GPU's allocator, or without one this process, has held so far."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def peak_flops() -> float | None:
    name = torch.cuda.get_device_name() if torch.cuda.is_available() else ""
    return next((flops for known, flops in PEAK_FLOPS.items() if known in name), None)
