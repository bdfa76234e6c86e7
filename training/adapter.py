"""A LoRA checkpoint as a small file beside its base: safetensors as PEFT and vLLM load it, GGUF as llama.cpp does."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from training.pretrained import load_config
from z1_core.errors import BadInput
from z1_core.jsonl import read_json, write_json
from z1_core.models import ADAPTER, ADAPTER_SETTINGS

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedConfig

WEIGHTS = "adapter_model.safetensors"
PEFT_PREFIX = "base_model.model."
INTERLEAVED = ("q_proj", "k_proj")
"""Of a Llama, llama.cpp keeps the rows of these in the order in which its rotary embedding pairs them."""


def save_adapter(checkpoint: Path, folder: Path, *, base: str, revision: str | None) -> None:
    """Write both files and PEFT's settings, in bf16 and fp16. Raises BadInput for what is no plain LoRA on a Llama."""
    import torch
    from safetensors.torch import load_file, save_file

    if not (checkpoint / ADAPTER_SETTINGS).is_file():
        raise BadInput(f"{checkpoint} holds no adapter; train with --use_peft true, or leave --adapter out")
    settings = read_json(checkpoint / ADAPTER_SETTINGS)
    config = load_config(base, revision or "main")
    is_special = any(settings.get(name) for name in ("use_rslora", "use_dora", "modules_to_save"))
    if is_special or config.model_type != "llama":
        raise BadInput(f"the adapter in {checkpoint} is no plain LoRA on a Llama model; leave --adapter out")
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
