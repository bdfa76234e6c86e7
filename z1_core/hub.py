"""What the Hub's local cache holds of a model, and bringing what it lacks; every failure is one sentence.

huggingface_hub keeps the cache and takes whole repositories. One GGUF file is fetched here, in the same cache: version 2
of huggingface_hub throws away what a stopped download brought, and a gigabyte is worth going on with.
"""

from __future__ import annotations

import errno
import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from z1_core.errors import ModelUnavailable, Z1Error, first_sentence

FOLDER_FILES = ["*.json", "*.safetensors", "*.jinja", "*.txt", "*.model"]
LIST_TIMEOUT_S = 20

Report = Callable[[str], None]
"""Called with a short text for people at each stage: "downloading efficientscaling/Z1-7B"."""

Progress = Callable[[int, int], None]
"""Called with the bytes so far and in all, every 10 MB. A Z1Error that it raises ends the download; the part stays."""


class HubUnreachable(ModelUnavailable):
    """No network, or HF_HUB_OFFLINE."""


@dataclass(frozen=True, slots=True)
class Repository:
    """A model repository of the Hub: HUB_ID or HUB_ID@REVISION."""

    id: str
    revision: str | None = None

    @classmethod
    def named(cls, text: str) -> Repository:
        name, _, revision = text.partition("@")
        return cls(name, revision or None)

    def __str__(self) -> str:
        return f"{self.id}@{self.revision}" if self.revision else self.id

    @property
    def cache(self) -> Path:
        """Its folder in the Hub's local cache, laid out as huggingface_hub documents it."""
        from huggingface_hub.constants import HF_HUB_CACHE

        return Path(HF_HUB_CACHE, "models--" + self.id.replace("/", "--"))


@dataclass(frozen=True, slots=True)
class HubFile:
    name: str
    size_bytes: int
    sha256: str
    commit: str


def cached_files(repository: Repository) -> dict[str, Path]:
    """The GGUF files that lie in the local cache, by their names in the repository; no network."""
    revision = repository.revision or "main"
    ref = repository.cache / "refs" / revision
    snapshot = repository.cache / "snapshots" / (ref.read_text().strip() if ref.is_file() else revision)
    files = (file for file in snapshot.rglob("*") if file.suffix.lower() == ".gguf" and file.is_file())
    return {file.relative_to(snapshot).as_posix(): file for file in sorted(files)}


def listed_files(repository: Repository) -> dict[str, HubFile]:
    """The large files that the Hub has in the repository; others are kept as text there. Raises ModelUnavailable."""
    from huggingface_hub import HfApi

    with explained(repository):
        info = HfApi().model_info(
            repository.id, revision=repository.revision, files_metadata=True, timeout=LIST_TIMEOUT_S
        )
        return {
            file.rfilename: HubFile(file.rfilename, file.lfs.size, file.lfs.sha256, info.sha)
            for file in info.siblings
            if file.lfs
        }


def download_folder(repository: Repository) -> Path:
    """The repository's safetensors, configuration and tokenizer. Raises ModelUnavailable."""
    from huggingface_hub import snapshot_download

    with explained(repository):
        return Path(snapshot_download(repository.id, revision=repository.revision, allow_patterns=FOLDER_FILES))


def download_file(repository: Repository, file: HubFile, report: Report, progress: Progress | None) -> Path:
    """One file, checked against the Hub's checksum; where a download was stopped or cut, it goes on. Raises
    ModelUnavailable, and the Z1Error of progress. Without progress, huggingface_hub draws its bar in a terminal.
    """
    from huggingface_hub import hf_hub_download
    from huggingface_hub.file_download import are_symlinks_supported

    with explained(repository):
        blob = repository.cache / "blobs" / file.sha256
        pointer = repository.cache / "snapshots" / file.commit / file.name
        target = blob if are_symlinks_supported(repository.cache.parent) else pointer
        if not target.exists():
            report(f"downloading {repository}: {file.name}, {file.size_bytes / 1e6:,.0f} MB")
            _bring(repository, file, target, progress)
        return Path(hf_hub_download(repository.id, file.name, revision=repository.revision))  # links what lies there


@contextmanager
def explained(repository: Repository) -> Iterator[None]:
    """Turns what the Hub's client raises into a ModelUnavailable. Our own errors pass."""
    try:
        yield
    except Z1Error:
        raise
    except Exception as error:  # a full disk, or whatever the transports of the Hub's client raise
        raise _refusal(error, repository) from error


def _refusal(error: Exception, repository: Repository) -> ModelUnavailable:
    from huggingface_hub import errors as hub

    remedy = "give a file or folder with --model, or try again with a network"
    match error:
        case hub.HFValidationError():
            example = "Qwen/Qwen3-0.6B-GGUF"
            return ModelUnavailable(f"{str(repository)!r} is neither a path here nor a hub id such as {example}")
        case hub.GatedRepoError():
            return ModelUnavailable(f"{repository} is gated: accept its terms on the Hub, then run `hf auth login`")
        case hub.RevisionNotFoundError():
            revision = repository.revision or "main"
            return ModelUnavailable(f"{repository.id} has no revision {revision}; name a branch, a tag or a commit")
        case hub.RepositoryNotFoundError():
            return ModelUnavailable(f"the Hub knows no model {repository}; check its name, or log in if it is private")
        case OSError(errno=errno.ENOSPC):
            return ModelUnavailable(f"the disk is full: make room for {repository}, or name another in HF_HOME")
        case hub.LocalEntryNotFoundError() | hub.OfflineModeIsEnabled():
            unreachable = True
        case _:
            unreachable = isinstance(error, hub.HTTPError) and not isinstance(error, hub.HfHubHTTPError)
    if unreachable:
        return HubUnreachable(f"the Hub cannot be reached and {repository} is not in the local cache; {remedy}")
    return ModelUnavailable(f"{repository} could not be downloaded: {first_sentence(error, 150)}; {remedy}")


def _bring(repository: Repository, file: HubFile, target: Path, progress: Progress | None) -> None:
    """target appears whole and checked or not at all. A second process waits here for the first."""
    from filelock import FileLock

    blobs = repository.cache / "blobs"
    blobs.mkdir(parents=True, exist_ok=True)
    draft = blobs / f"{file.sha256}.incomplete"  # the name by which `hf cache` knows and removes such files
    locks = repository.cache.parent / ".locks" / repository.cache.name
    locks.mkdir(parents=True, exist_ok=True)
    with FileLock(locks / f"{draft.name}.lock"):
        if target.exists():
            return
        _receive(repository, file, draft, progress)
        with draft.open("rb") as received:
            checksum = hashlib.file_digest(received, "sha256").hexdigest()
        if checksum != file.sha256:
            draft.unlink()
            raise ModelUnavailable(f"{file.name} arrived damaged, its checksum is not the Hub's; try again")
        target.parent.mkdir(parents=True, exist_ok=True)
        draft.replace(target)


def _receive(repository: Repository, file: HubFile, draft: Path, progress: Progress | None) -> None:
    """Fill draft from where it ends. A connection that is cut is taken up again as long as each brings something."""
    from huggingface_hub import hf_hub_url
    from huggingface_hub.errors import HfHubHTTPError, HTTPError
    from huggingface_hub.file_download import http_get
    from huggingface_hub.utils import build_hf_headers

    bar = None if progress is None else lambda **options: _Bar(progress, file.size_bytes, options.get("initial", 0))
    if draft.exists() and draft.stat().st_size > file.size_bytes:
        draft.unlink()
    while True:
        with draft.open("ab") as received:
            had = received.tell()
            try:
                http_get(
                    hf_hub_url(repository.id, file.name, revision=file.commit),
                    received,
                    resume_size=had,
                    headers=build_hf_headers(),
                    expected_size=file.size_bytes,
                    displayed_filename=file.name,
                    tqdm_class=bar,
                )
                return
            except HfHubHTTPError:
                raise
            except HTTPError:
                if received.tell() <= had:
                    raise


class _Bar:
    """What huggingface_hub takes for tqdm: passes bytes on instead of drawing them."""

    def __init__(self, progress: Progress, total: int, so_far: int) -> None:
        self.progress, self.total, self.so_far = progress, total, so_far
        progress(so_far, total)

    def update(self, count: int) -> None:
        self.so_far += count
        self.progress(self.so_far, self.total)

    def __enter__(self) -> _Bar:
        return self

    def __exit__(self, *_: Any) -> None:
        pass
