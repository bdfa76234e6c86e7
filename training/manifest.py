"""What prepared data was made of: manifest.json beside the Arrow files, compared before a run begins.

The data set is tied to its tokenizer, its template and its source by hashes, and to its own files by theirs: a run that
would read other ids than the manifest says is refused before anything is loaded onto a GPU.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from training.rows import hash_file
from z1_core.errors import BadInput
from z1_core.jsonl import write_json

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

FILE = "manifest.json"
FORMAT = 1


@dataclass(frozen=True)
class Manifest:
    """settings: what preprocess was asked for; counts: rows kept and dropped by reason; files: sha256 by path."""

    settings: dict[str, Any]
    source: list[dict[str, Any]]
    tokenizer: dict[str, Any]
    counts: dict[str, int]
    tokens: dict[str, int]
    files: dict[str, str]
    versions: dict[str, str]
    format: int = FORMAT

    @property
    def fingerprint(self) -> str:
        """One hash of everything but the versions, for the record of a run."""
        content = {name: value for name, value in asdict(self).items() if name != "versions"}
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

    @property
    def masked_fraction(self) -> float:
        """The share of the tokens that carry no loss."""
        return 1 - self.tokens["labelled"] / self.tokens["all"]


def check_usable(tokenizer: PreTrainedTokenizerBase) -> None:
    """Raises BadInput if the tokenizer has no template or is not a fast one."""
    if not tokenizer.chat_template:
        raise BadInput(
            f"the tokenizer {tokenizer.name_or_path} has no chat template; take the instruction-tuned model's"
        )
    if not tokenizer.is_fast:
        raise BadInput(f"the tokenizer {tokenizer.name_or_path} has no tokenizer.json; convert it with transformers")


def identify(tokenizer: PreTrainedTokenizerBase) -> dict[str, Any]:
    """The hashes of a tokenizer, as it was loaded, and of its template. Raises BadInput as check_usable does."""
    check_usable(tokenizer)
    return {
        "sha256": _sha256_of(tokenizer.backend_tokenizer.to_str()),
        "template_sha256": _sha256_of(str(tokenizer.chat_template)),
    }


def write(folder: Path, manifest: Manifest) -> None:
    write_json(folder / FILE, asdict(manifest))


def read(folder: Path) -> Manifest:
    """Raises BadInput for a folder that preprocess did not write."""
    try:
        content = json.loads((folder / FILE).read_text(encoding="utf-8"))
        manifest = Manifest(**content)
    except FileNotFoundError:
        raise BadInput(f"{folder} holds no {FILE}; make the data with: python -m training.preprocess") from None
    except (OSError, ValueError, TypeError) as error:
        raise BadInput(f"{folder / FILE} cannot be read ({error}); preprocess the data again") from error
    if manifest.format != FORMAT:
        raise BadInput(f"{folder} was made in format {manifest.format}, this is {FORMAT}; preprocess the data again")
    return manifest


def check_data(folder: Path, manifest: Manifest) -> None:
    """Raises BadInput where the Arrow files are not the ones the manifest was written for."""
    there = hash_files(folder)
    for name in sorted(there.keys() | manifest.files.keys()):
        if there.get(name) != manifest.files.get(name):
            raise BadInput(
                f"{folder / name} is not the file that {FILE} describes: the data was changed, mixed with another set "
                "or copied in part; copy it again or preprocess the source again"
            )


def check_tokenizer(tokenizer: PreTrainedTokenizerBase, manifest: Manifest, model: str) -> None:
    """Raises BadInput where the data was made with another tokenizer or template than the model's."""
    for name, found in identify(tokenizer).items():
        if manifest.tokenizer[name] != found:
            what = "tokenizer" if name == "sha256" else "chat template"
            raise BadInput(
                f"the data was made with another {what} ({manifest.settings['tokenizer']}) than {model} has; "
                f"preprocess it again with --tokenizer {model}"
            )


def hash_files(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): hash_file(path) for path in sorted(folder.glob("*/data-*.arrow"))}


def _sha256_of(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
