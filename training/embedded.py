"""The embedded model as something to train: its GGUF file as a folder of safetensors, made once (about 30 s)."""

from __future__ import annotations

from pathlib import Path

from training.drafts import appearing
from z1_core.errors import ModelUnavailable, Z1Error
from z1_core.models import EMBEDDED_NAME, INSTALL_EMBEDDED, embedded_file


def embedded_folder(cache: Path | None = None) -> Path:
    """cache: where the folder is kept; None for the user's. It appears whole or not at all. Raises ModelUnavailable."""
    gguf = embedded_file()
    if gguf is None:
        raise ModelUnavailable(f"the package with the embedded model is not installed: {INSTALL_EMBEDDED}")
    cache = cache or Path.home() / ".cache" / "z1-demo"
    target = cache / f"{EMBEDDED_NAME}-{gguf.stat().st_size}"
    if not target.is_dir():
        try:
            with appearing(target) as draft:
                _convert(gguf, draft)
        except Z1Error:
            if not target.is_dir():  # another process may have been faster
                raise
    return target


def _convert(gguf: Path, folder: Path) -> None:
    """Weights in bf16, and the tokenizer with its chat template."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
    model = AutoModelForCausalLM.from_pretrained(
        gguf.parent,
        gguf_file=gguf.name,
        quantization_config=GgufConfig(gguf_file=gguf.name, dequantize=True),
        dtype=torch.bfloat16,
    )
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
