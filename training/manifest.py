"""What prepared data was made of: manifest.json beside the Arrow files, compared before a run begins.

The data set is tied to its tokenizer, its template and its source by hashes: a model that has others is refused before
anything is loaded onto a GPU.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, ValidationError
from typing_extensions import TypedDict

from training.libraries import refusing
from z1_core.errors import BadInput
from z1_core.jsonl import read_json
from z1_core.record import first_complaint

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PreTrainedTokenizerBase

FILE = "manifest.json"


class Tokens(TypedDict):
    """Of the rows to train on; longest: of all rows."""

    all: int
    labelled: int
    longest: int


class Manifest(BaseModel):
    """settings: what preprocess was asked for; tokenizer: its hashes; counts: rows kept and dropped by reason."""

    model_config = ConfigDict(frozen=True)
    settings: dict[str, Any]
    source: list[dict[str, Any]]
    tokenizer: dict[str, str]
    counts: dict[str, int]
    tokens: Tokens
    versions: dict[str, str]

    @property
    def fingerprint(self) -> str:
        """One hash of everything but the versions, for the record of a run."""
        return _sha256_of(json.dumps(self.model_dump(exclude={"versions"}), sort_keys=True))


def identify(tokenizer: PreTrainedTokenizerBase) -> dict[str, str]:
    """The hashes of a tokenizer, as it was loaded, and of its template. Raises BadInput if it has no template or is not a
    fast one."""
    if not tokenizer.chat_template:
        raise BadInput(
            f"the tokenizer {tokenizer.name_or_path} has no chat template; take the instruction-tuned model's"
        )
    if not tokenizer.is_fast:
        raise BadInput(f"the tokenizer {tokenizer.name_or_path} has no tokenizer.json; convert it with transformers")
    return {
        "sha256": _sha256_of(tokenizer.backend_tokenizer.to_str()),
        "template_sha256": _sha256_of(str(tokenizer.chat_template)),
    }


def read(folder: Path) -> Manifest:
    """Raises BadInput for a folder that preprocess did not write."""
    if not (folder / FILE).is_file():
        raise BadInput(f"{folder} holds no {FILE}; make the data with: python -m training.preprocess")
    try:
        return Manifest.model_validate(read_json(folder / FILE))
    except ValidationError as error:
        fault = first_complaint(error)
        raise BadInput(f"{folder / FILE} is of another version ({fault}); preprocess the data again") from error


def rows(folder: Path, side: str) -> Dataset:
    """Of "train" or "held_out", on disk. Raises BadInput where they are damaged."""
    from datasets import load_from_disk

    with refusing(f"{folder / side} cannot be read", "preprocess the data again"):
        return load_from_disk(folder / side)


def check_tokenizer(tokenizer: PreTrainedTokenizerBase, manifest: Manifest, model: str) -> None:
    """Raises BadInput where the data was made with another tokenizer or template than the model's."""
    for name, found in identify(tokenizer).items():
        if manifest.tokenizer.get(name) != found:
            what = "tokenizer" if name == "sha256" else "chat template"
            raise BadInput(
                f"the data was made with another {what} ({manifest.settings.get('tokenizer')}) than {model} has; "
                f"preprocess it again with --tokenizer {model}"
            )


def _sha256_of(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
