"""A checkpoint as a model that others load: safetensors, tokenizer, template, and the token it stops at.

    python -m training.export runs/z1_7b/checkpoint-836 --out models/z1_7b

A LoRA checkpoint is merged into its base; with --adapter it stays apart, in files of some megabytes, and such a folder can
be merged later in the same way. Sampling defaults of the base model (a repetition penalty, for instance, which harms long
traces) are not carried over; the ids at which generation ends are.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from training import run_folder
from training.libraries import appearing, refusing
from training.pretrained import load_config, load_tokenizer, model_folder
from z1_core.errors import BadInput
from z1_core.jsonl import read_json, write_json
from z1_core.models import ADAPTER, ADAPTER_SETTINGS
from z1_core.program import program
from z1_core.trained import FILE as RECORD
from z1_core.window import HINT

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedConfig, PreTrainedModel

WEIGHTS = "adapter_model.safetensors"
PEFT_PREFIX = "base_model.model."
INTERLEAVED = ("q_proj", "k_proj")
"""Of a Llama, llama.cpp keeps the rows of these in the order in which its rotary embedding pairs them."""


def export(checkpoint: Path, out: Path, *, as_adapter: bool = False) -> None:
    """Write the folder `out`; it appears whole or not at all, and nothing that is there is written over. Raises BadInput for
    a folder that is in use or a checkpoint that is not whole, Z1Error where the disk is full."""
    out, checkpoint = out.resolve(), checkpoint.resolve()
    with _reading(checkpoint):
        record = _record_of(checkpoint)
        base = {"base": record["base"], "revision": record["revision"]}
    is_the_runs = out.parent == checkpoint.parent and out.name.startswith(("checkpoint-", run_folder.SAVING))
    if out.is_relative_to(checkpoint) or checkpoint.is_relative_to(out) or is_the_runs:
        raise BadInput(f"{out} is, holds or lies in a checkpoint, or is named like one; name another folder with --out")
    with appearing(out) as draft:
        write_json(draft / RECORD, record)
        if as_adapter:
            save_adapter(checkpoint, draft, **base)
        else:
            _save_model(checkpoint, draft, record)


def _reading(checkpoint: Path) -> AbstractContextManager[None]:
    return refusing(f"{checkpoint} cannot be exported", "name a checkpoint that is whole and of this version")


def _save_model(checkpoint: Path, folder: Path, record: Mapping[str, Any]) -> None:
    tokenizer = load_tokenizer(record["base"], record["revision"] or "main")
    with _reading(checkpoint):
        model = _load(checkpoint, record)
        _set_end(model, record["data"]["settings"]["end_token_id"], tokenizer.pad_token_id)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def _record_of(checkpoint: Path) -> dict[str, Any]:
    """What z1_core.trained reads (system, hint, kind), and where the weights come from."""
    if (checkpoint / RECORD).is_file() and (checkpoint / ADAPTER_SETTINGS).is_file():  # of an export with --adapter
        return read_json(checkpoint / RECORD)
    if checkpoint not in run_folder.checkpoints(checkpoint.parent):
        raise BadInput(f"{checkpoint} is no whole checkpoint; name a RUN/checkpoint-N")
    run = read_json(checkpoint.parent / run_folder.RUN)
    step = run_folder.step_of(checkpoint)
    return {"system": run["data"]["settings"]["system"], "hint": HINT, "step": step, **run}


def _load(checkpoint: Path, record: Mapping[str, Any]) -> PreTrainedModel:
    import torch
    from transformers import AutoModelForCausalLM

    dtype = getattr(torch, record["settings"]["export_dtype"])
    if not record["settings"]["use_peft"]:
        return AutoModelForCausalLM.from_pretrained(checkpoint, dtype=dtype)
    from peft import PeftModel

    base = AutoModelForCausalLM.from_pretrained(
        model_folder(record["base"]), revision=record["revision"] or "main", dtype=torch.float32
    )
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


def save_adapter(checkpoint: Path, folder: Path, *, base: str, revision: str | None) -> None:
    """The small file beside its base: safetensors as PEFT and vLLM load it (bf16), and GGUF as llama.cpp does (fp16).
    Raises BadInput for what is no plain LoRA on a Llama."""
    import torch
    from safetensors.torch import load_file, save_file

    if not (checkpoint / ADAPTER_SETTINGS).is_file():
        raise BadInput(f"{checkpoint} holds no adapter; train with --use_peft true, or leave --adapter out")
    settings = read_json(checkpoint / ADAPTER_SETTINGS)
    config = load_config(base, revision or "main")
    is_special = any(settings.get(name) for name in ("use_rslora", "use_dora", "modules_to_save"))
    if is_special or config.model_type != "llama":
        raise BadInput(f"the adapter in {checkpoint} is no plain LoRA on a Llama model; leave --adapter out")
    with _reading(checkpoint):
        weights = load_file(checkpoint / WEIGHTS)
    save_file({name: each.to(torch.bfloat16) for name, each in weights.items()}, folder / WEIGHTS, {"format": "pt"})
    write_json(folder / ADAPTER_SETTINGS, settings | {"base_model_name_or_path": base, "revision": revision})
    _write_gguf(folder / ADAPTER, weights, alpha=settings["lora_alpha"], config=config)


def _write_gguf(file: Path, weights: dict[str, torch.Tensor], *, alpha: float, config: PreTrainedConfig) -> None:
    import gguf
    import numpy as np

    writer = gguf.GGUFWriter(file, "llama")
    writer.add_type(gguf.GGUFType.ADAPTER)
    writer.add_string(gguf.Keys.Adapter.TYPE, "lora")
    writer.add_float32(gguf.Keys.Adapter.LORA_ALPHA, alpha)
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.LLAMA, config.num_hidden_layers)
    for name, tensor in sorted(weights.items()):
        module, _, part = name.removeprefix(PEFT_PREFIX).removesuffix(".weight").rpartition(".")
        if part == "lora_B" and module.endswith(INTERLEAVED):
            heads = config.num_attention_heads if module.endswith("q_proj") else config.num_key_value_heads
            halves = tensor.reshape(heads, 2, -1, tensor.shape[1])
            tensor = halves.transpose(1, 2).reshape(tensor.shape)
        writer.add_tensor(f"{names.get_name(module)}.weight.{part.lower()}", tensor.float().numpy().astype(np.float16))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


@program(stopped="stopped; nothing was written", needs="training/requirements.txt")
def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m training.export", description=__doc__.split("\n\n")[0])
    parser.add_argument("checkpoint", type=Path, help="RUN/checkpoint-N, or the folder of an adapter")
    parser.add_argument("--out", type=Path, required=True, help="the folder to write")
    parser.add_argument(
        "--adapter", action="store_true", help="a LoRA apart from its base, for PEFT, vLLM and llama.cpp"
    )
    options = parser.parse_args(argv)
    export(options.checkpoint, options.out, as_adapter=options.adapter)
    print(options.out)


if __name__ == "__main__":
    sys.exit(main())
