"""A checkpoint as a model that others load: safetensors, tokenizer, template, and the token it stops at.

    python -m training.export runs/z1_7b/checkpoint-836 --out models/z1_7b

A LoRA checkpoint is merged into its base. Sampling defaults of the base model (a repetition penalty, for instance, which
harms long traces) are not carried over; the ids at which generation ends are.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from collections.abc import Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safetensors import SafetensorError

from training import manifest, run_folder
from training.pretrained import load_tokenizer, model_folder
from training.recipe import Recipe
from z1_core.errors import BadInput, Z1Error
from z1_core.program import program

if TYPE_CHECKING:
    from transformers import PreTrainedModel

RECORD = "z1_training.json"
"""Beside the weights: recipe and data, with the system prompt that the model was trained under."""


def export(checkpoint: Path, out: Path, *, recipe: Recipe, data: manifest.Manifest) -> None:
    """Write the folder `out`; it appears whole or not at all. Raises BadInput for a folder that is in use, Z1Error where
    the disk is full."""
    out = out.resolve()
    check_free(out, checkpoint.resolve())
    draft = out.with_name(f".{out.name}.part")
    if (draft / RECORD).is_file():  # of an export that was killed
        shutil.rmtree(draft)
    try:
        draft.mkdir(parents=True)
        manifest.write_json(draft / RECORD, {"recipe": asdict(recipe), "data": asdict(data)})  # first: it marks the draft
        tokenizer = load_tokenizer(recipe.model)
        model = _load(checkpoint, recipe)
        _set_end(model, data.settings["end_token_id"], tokenizer.pad_token_id)
        model.save_pretrained(draft)
        tokenizer.save_pretrained(draft)
        draft.rename(out)
    except FileExistsError:
        raise BadInput(f"{draft} is no draft of an export; move it away, or name another folder with --out") from None
    except (OSError, SafetensorError) as error:  # safetensors wraps what the disk says
        _remove(draft)
        reason = getattr(error, "strerror", None) or str(error).splitlines()[0]
        raise Z1Error(
            f"{out} cannot be written: {reason}; free some space, then: python -m training.export {checkpoint} --out {out}"
        ) from error
    except BaseException:
        _remove(draft)
        raise


def _remove(draft: Path) -> None:
    shutil.rmtree(draft, ignore_errors=True)


def check_free(out: Path, checkpoint: Path) -> None:
    """Nothing that is there is written over, least of all the run itself. Raises BadInput."""
    if out.is_relative_to(checkpoint) or checkpoint.is_relative_to(out):
        raise BadInput(f"{out} is, holds or lies in the checkpoint {checkpoint}; name another folder with --out")
    if out.exists() and not (out.is_dir() and not any(out.iterdir())):
        raise BadInput(f"{out} is there already and not empty; move it away, or name another folder with --out")


def _load(checkpoint: Path, recipe: Recipe) -> PreTrainedModel:
    import torch
    from transformers import AutoModelForCausalLM

    dtype = torch.bfloat16 if recipe.export_dtype == "bf16" else torch.float32
    if recipe.method == "full":
        return AutoModelForCausalLM.from_pretrained(checkpoint, dtype=dtype)
    from peft import PeftModel

    base = AutoModelForCausalLM.from_pretrained(model_folder(recipe.model), dtype=torch.float32)
    return PeftModel.from_pretrained(base, str(checkpoint)).merge_and_unload().to(dtype)


def _set_end(model: PreTrainedModel, end_token_id: int, pad_token_id: int | None) -> None:
    """The end token first, then whatever else the base model stops at (<|endoftext|> for Qwen)."""
    from transformers import GenerationConfig

    before = model.generation_config.eos_token_id
    others = before if isinstance(before, list) else [before]
    ends = list(dict.fromkeys([end_token_id, *(id_ for id_ in others if id_ is not None)]))
    model.config.eos_token_id = end_token_id
    model.config.use_cache = True
    model.generation_config = GenerationConfig(
        eos_token_id=ends, pad_token_id=pad_token_id, bos_token_id=model.config.bos_token_id
    )


def _recipe_of(run: Path) -> Recipe:
    record = _read(run / "run.json")
    return Recipe(**{field.name: record[field.name] for field in fields(Recipe)})


def _read(path: Path) -> dict[str, Any]:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BadInput(f"{path} cannot be read ({error}); name a checkpoint inside the folder of a run") from error


@program(stopped="stopped; nothing was written", needs="training/requirements.txt")
def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m training.export", description=__doc__.split("\n\n")[0])
    parser.add_argument("checkpoint", type=Path, help="RUN/checkpoint-N")
    parser.add_argument("--out", type=Path, required=True, help="the folder to write")
    options = parser.parse_args(argv)
    if not (options.checkpoint / run_folder.COMPLETE).exists():
        raise BadInput(f"{options.checkpoint} is no whole checkpoint; name one that holds {run_folder.COMPLETE}")
    run = _read(options.checkpoint.parent / run_folder.DATA)
    recipe = _recipe_of(options.checkpoint.parent)
    export(options.checkpoint, options.out, recipe=recipe, data=manifest.Manifest(**run))
    print(options.out)


if __name__ == "__main__":
    sys.exit(main())
