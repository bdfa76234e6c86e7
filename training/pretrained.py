"""Where the base model and its tokenizer come from: a folder, the Hub, or the embedded model by the name "embedded"."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from training.embedded import embedded_folder
from z1_core.errors import BadInput


def load_tokenizer(name: str, revision: str = "main") -> Any:
    """The tokenizer of a folder or hub id; "embedded" is the small model's. Raises BadInput."""
    from transformers import AutoTokenizer

    return _loaded(AutoTokenizer, name, revision, "tokenizer")


def load_config(name: str, revision: str = "main") -> Any:
    """The model's config.json. Raises BadInput."""
    from transformers import AutoConfig

    return _loaded(AutoConfig, name, revision, "config.json")


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


def _loaded(auto: Any, name: str, revision: str, what: str) -> Any:
    folder = model_folder(name)
    try:
        return auto.from_pretrained(folder, revision=revision)
    except (OSError, ValueError) as error:
        said = str(error).splitlines()[0][:150]
        raise BadInput(f"no {what} can be loaded from {name}: {said}; give the model's folder or id") from error
