"""TRL's SFTTrainer, whose checkpoints are whole or not there, and what a run tells while it goes: the trainer's own history
as log.jsonl, and an end as soon as the loss is no number."""

from __future__ import annotations

import math
import resource
import shutil
import sys
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from transformers import TrainerCallback
from trl import SFTTrainer

from training import run_folder
from z1_core.errors import Z1Error, first_sentence
from z1_core.jsonl import Lines, write_lines

TOLD = ("loss", "eval_loss")
"""What a line of the log is about."""


class Trainer(SFTTrainer):
    """A checkpoint appears when every process has written its part; what a full disk tore is removed."""

    def _get_output_dir(self, trial: Any) -> str:
        """Where they are written, and the trainer finds no old ones to remove: it takes a checkpoint-2-kept for one."""
        return str(Path(self.args.output_dir, run_folder.SAVING))

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        out, name = Path(self.args.output_dir), f"checkpoint-{self.state.global_step}"
        try:
            super()._save_checkpoint(model, trial)
        except (OSError, RuntimeError, SafetensorError) as error:  # torch and safetensors wrap what the disk says
            if self.is_world_process_zero():
                shutil.rmtree(out / run_folder.SAVING, ignore_errors=True)
            good = run_folder.checkpoints(out)
            left = f"{good[-1].name} is whole and the run goes on from it" if good else "none was written before"
            raise Z1Error(
                f"{name} could not be written ({first_sentence(error, 150)}); {left}: free some space and "
                "give the same command again"
            ) from error
        self.accelerator.wait_for_everyone()
        if self.is_world_process_zero():
            (out / run_folder.SAVING / name).rename(out / name)
            most = self.args.save_total_limit or 0
            for old in run_folder.checkpoints(out)[:-most] if most > 0 else ():
                shutil.rmtree(old)

    def create_model_card(self, *_: Any, **__: Any) -> None:
        """No card in a checkpoint: it would speak of the trainer and not of the run, which run.json does."""


class Log(TrainerCallback):
    """A file of the trainer's history, each line told in short as it comes; the speed in it is that of the steps, without
    evaluation and saving. A loss or gradient that is no number ends the run, before it is saved."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._begun_s = self._step_s = self._seconds = 0.0
        self._first_step = self._tokens = 0

    def on_train_begin(self, args, state, control, **_: Any) -> None:
        """A run that goes on has the history of its checkpoint: what was logged beyond will be logged again."""
        self._begun_s, self._first_step = time.perf_counter(), state.global_step
        if state.is_world_process_zero:
            write_lines(self._path, [line for line in state.log_history if not line.keys().isdisjoint(TOLD)])

    def on_step_begin(self, args, state, control, **_: Any) -> None:
        self._step_s = time.perf_counter()

    def on_step_end(self, args, state, control, **_: Any) -> None:
        self._seconds += time.perf_counter() - self._step_s
        control.should_log |= control.should_save  # which comes behind logging, and so behind the look below

    def on_epoch_end(self, args, state, control, **_: Any) -> None:
        control.should_log |= control.should_save

    def on_log(self, args, state, control, logs: dict[str, float], **_: Any) -> None:
        for name in ("loss", "grad_norm"):
            if not math.isfinite(logs.get(name, 0)):
                raise Z1Error(
                    f"{name} is {logs[name]} at step {state.global_step}: the run has diverged and was stopped; the last "
                    "checkpoint is from before. Lower learning_rate or max_grad_norm, or raise warmup_steps"
                )
        if not state.is_world_process_zero or logs.keys().isdisjoint(TOLD):
            return
        line = state.log_history[-1]
        if "loss" in line:
            line |= self._speed(line)
            a_step_s = (time.perf_counter() - self._begun_s) / (state.global_step - self._first_step)
            left = timedelta(seconds=round(a_step_s * (state.max_steps - state.global_step)))
            said = f"{line['tokens_per_second']:,.0f} tokens/s, {line['peak_memory_gb']:.1f} GB, {left} left"
            print(f"step {line['step']} of {state.max_steps}: loss {line['loss']:.4f}, {said}", flush=True)
        else:
            line.pop("eval_num_tokens", None)
            print(f"step {line['step']}: held-out loss {line['eval_loss']:.4f}", flush=True)
        with Lines(self._path) as file:
            file.add(line)

    def _speed(self, line: dict[str, float]) -> dict[str, float]:
        """Since the line before. TRL's own count begins anew when a run goes on, and so is not kept."""
        count = line.pop("num_tokens")
        tokens, self._tokens = count - self._tokens, count
        seconds, self._seconds = self._seconds, 0.0
        return {
            "tokens": int(tokens),
            "tokens_per_second": round(tokens / seconds, 1),
            "peak_memory_gb": round(peak_memory_bytes() / 1e9, 3),
        }


def peak_memory_bytes() -> int:
    """The most the GPU's allocator, or without one this process, has held so far."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
