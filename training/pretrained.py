"""Where the base model and its tokenizer come from: a folder, the Hub, or the embedded model by the name "embedded"."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from training.libraries import appearing, refusing
from z1_core.errors import BadInput, ModelUnavailable, Z1Error
from z1_core.models import EMBEDDED_NAME, INSTALL_EMBEDDED, embedded_file


def load_tokenizer(name: str, revision: str = "main") -> Any:
    """The tokenizer of a folder or hub id; "embedded" is the small model's. Raises BadInput."""
    return _loaded("AutoTokenizer", name, revision, "tokenizer")


def load_config(name: str, revision: str = "main") -> Any:
    """The model's config.json. Raises BadInput."""
    return _loaded("AutoConfig", name, revision, "config.json")


def commit_of(name: str, revision: str) -> str | None:
    """The commit of the Hub that a branch or tag has been loaded as; None for a folder."""
    from huggingface_hub import try_to_load_from_cache

    folder = model_folder(name)
    file = None if Path(folder).is_dir() else try_to_load_from_cache(folder, "config.json", revision=revision)
    return Path(file).parent.name if isinstance(file, str) else None


def model_folder(name: str) -> str:
    """What transformers loads by. Raises BadInput for a folder that is not there."""
    if name == "embedded":
        return str(embedded_folder())
    if not Path(name).is_dir() and (name.count("/") != 1 or name.startswith(("/", "."))):
        raise BadInput(f"{name} is no folder here and no hub id (owner/name); give the model's folder or id")
    return name


def _loaded(auto: str, name: str, revision: str, what: str) -> Any:
    import transformers

    with refusing(f"no {what} can be loaded from {name}", "give the model's folder or id"):
        return getattr(transformers, auto).from_pretrained(model_folder(name), revision=revision)


def embedded_folder() -> Path:
    """The embedded model as something to train: its GGUF file as a folder of safetensors, made once (about 30 s) and kept
    in the user's cache. It appears whole or not at all. Raises ModelUnavailable."""
    gguf = embedded_file()
    if gguf is None:
        raise ModelUnavailable(f"the package with the embedded model is not installed: {INSTALL_EMBEDDED}")
    folder = Path.home() / ".cache" / "z1-demo" / f"{EMBEDDED_NAME}-{gguf.stat().st_size}"
    if not folder.is_dir():
        try:
            with appearing(folder) as draft:
                _convert(gguf, draft)
        except Z1Error:
            if not folder.is_dir():  # another process may have been faster
                raise
    return folder


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
