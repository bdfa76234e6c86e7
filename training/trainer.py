"""TRL's SFTTrainer, whose checkpoints are whole or not there."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from trl import SFTTrainer

from training import run_folder
from z1_core.errors import Z1Error


class Trainer(SFTTrainer):
    """Marks a checkpoint as complete when every process has written its part; what a full disk tore is removed."""

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        folder = Path(self.args.output_dir, f"checkpoint-{self.state.global_step}")
        # Old ones are removed below: the trainer would take a checkpoint-2-kept for one, and not wait until this is whole.
        most, self.args.save_total_limit = self.args.save_total_limit or 0, None
        try:
            super()._save_checkpoint(model, trial)
        except (OSError, RuntimeError, SafetensorError) as error:  # torch and safetensors wrap what the disk says
            if self.is_world_process_zero():
                shutil.rmtree(folder, ignore_errors=True)
            good = run_folder.checkpoints(folder.parent)
            left = f"{good[-1].name} is whole and the run goes on from it" if good else "none was written before"
            raise Z1Error(
                f"{folder.name} could not be written ({str(error).splitlines()[0][:150]}); {left}: free some space and "
                "give the same command again"
            ) from error
        finally:
            self.args.save_total_limit = most or None
        self.accelerator.wait_for_everyone()
        if self.is_world_process_zero():
            (folder / run_folder.COMPLETE).touch()
            for old in run_folder.checkpoints(folder.parent)[:-most] if most > 0 else ():
                shutil.rmtree(old)

    def create_model_card(self, *_: Any, **__: Any) -> None:
        """No card in a checkpoint: it would speak of the trainer and not of the run, which run.json does."""
