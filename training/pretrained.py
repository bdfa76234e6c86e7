"""Where the base model and its tokenizer come from: a folder, the Hub, or the embedded model by the name "embedded"."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from training.embedded import embedded_folder
from z1_core.errors import BadInput


def load_tokenizer(name: str) -> Any:
    """The tokenizer of a folder or hub id; "embedded" is the small model's. Raises BadInput."""
    from transformers import AutoTokenizer

    try:
        return AutoTokenizer.from_pretrained(model_folder(name))
    except (OSError, ValueError) as error:
        raise BadInput(
            f"no tokenizer can be loaded from {name}: {str(error).splitlines()[0][:150]}; give the model's folder or id"
        ) from error


def model_folder(name: str) -> str:
    """What transformers loads by. Raises BadInput for a folder that is not there."""
    if name == "embedded":
        return str(embedded_folder())
    if not Path(name).is_dir() and (name.count("/") != 1 or name.startswith(("/", "."))):
        raise BadInput(f"{name} is no folder here and no hub id (owner/name); give the model's folder or id")
    return name
