"""What the Hub's local cache holds of a model, and bringing what it lacks; every failure is one sentence.

huggingface_hub keeps the cache and takes whole repositories. One GGUF file is fetched here, in the same cache: version 2
of huggingface_hub throws away what a stopped download brought, and a gigabyte is worth going on with.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

from z1_core.errors import ModelUnavailable, Z1Error, first_sentence

FOLDER_FILES = ["*.json", "*.safetensors", "*.jinja", "*.txt", "*.model"]
LIST_TIMEOUT_S = 20
UNREACHABLE = "the Hub cannot be reached and {} is not in the local cache: try again with a network, or {}"

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


def cached_files(repository: Repository) -> dict[str, Path]:
    """The GGUF files that lie in the local cache, by their names in the repository; no network."""
    revision = repository.revision or "main"
    ref = repository.cache / "refs" / revision
    snapshot = repository.cache / "snapshots" / (ref.read_text().strip() if ref.is_file() else revision)
    files = (file for file in snapshot.rglob("*") if file.suffix.lower() == ".gguf" and file.is_file())
    return {file.relative_to(snapshot).as_posix(): file for file in sorted(files)}


def listed_files(repository: Repository) -> list[str]:
    """The names of the files that the Hub has in the repository. Raises ModelUnavailable."""
    from huggingface_hub import HfApi

    with explained(repository):
        info = HfApi().model_info(repository.id, revision=repository.revision, timeout=LIST_TIMEOUT_S)
        return [file.rfilename for file in info.siblings]


def download_folder(repository: Repository) -> Path:
    """The repository's safetensors, configuration and tokenizer. Raises ModelUnavailable."""
    from huggingface_hub import snapshot_download

    with explained(repository):
        return Path(snapshot_download(repository.id, revision=repository.revision, allow_patterns=FOLDER_FILES))


def download_file(repository: Repository, name: str, report: Report, progress: Progress | None) -> Path:
    """One file, checked against the Hub's checksum; where a download was stopped or cut, it goes on. Raises
    ModelUnavailable, and the Z1Error of progress. Without progress, huggingface_hub draws its bar in a terminal.
    """
    from huggingface_hub import get_hf_file_metadata, hf_hub_download, hf_hub_url
    from huggingface_hub.file_download import are_symlinks_supported

    with explained(repository):
        told = get_hf_file_metadata(hf_hub_url(repository.id, name, revision=repository.revision))
        blob = repository.cache / "blobs" / told.etag
        pointer = repository.cache / "snapshots" / told.commit_hash / name
        target = blob if are_symlinks_supported(repository.cache.parent) else pointer
        if not target.exists():
            report(f"downloading {repository}: {name}, {told.size / 1e6:,.0f} MB")
            url = hf_hub_url(repository.id, name, revision=told.commit_hash)
            _bring(url, blob, target, told.size, progress)
        return Path(hf_hub_download(repository.id, name, revision=repository.revision))  # links what lies there


@contextmanager
def explained(wanted: object, remedy: str = "give a file or folder with --model") -> Iterator[None]:
    """Turns what the Hub's client raises into a ModelUnavailable. remedy: how to do without the Hub."""
    try:
        yield
    except Z1Error:
        raise
    except Exception as error:  # a full disk, or whatever the transports of the Hub's client raise
        raise _refusal(error, str(wanted), remedy) from error


def _refusal(error: Exception, wanted: str, remedy: str) -> ModelUnavailable:
    from huggingface_hub import errors as hub

    match error:
        case hub.HFValidationError():
            return ModelUnavailable(f"{wanted!r} is neither a path here nor a hub id such as Qwen/Qwen3-0.6B-GGUF")
        case hub.GatedRepoError():
            said = f"{wanted} is gated: accept its terms on the Hub and run `hf auth login`"
        case hub.RevisionNotFoundError():
            said = f"the Hub has no such revision as {wanted}: name a branch, a tag or a commit"
        case hub.RepositoryNotFoundError():
            said = f"the Hub knows no {wanted}: check its name, or run `hf auth login` if it is private"
        case hub.LocalEntryNotFoundError() | hub.OfflineModeIsEnabled():
            return HubUnreachable(UNREACHABLE.format(wanted, remedy))
        case hub.HTTPError() if not isinstance(error, hub.HfHubHTTPError):
            return HubUnreachable(UNREACHABLE.format(wanted, remedy))
        case _:
            said = f"{wanted} could not be downloaded ({first_sentence(error, 150)}): try again"
    return ModelUnavailable(f"{said}, or {remedy}")


def _bring(url: str, blob: Path, target: Path, size: int, progress: Progress | None) -> None:
    """target appears whole and checked or not at all. A second process waits here for the first."""
    from filelock import FileLock

    repository = blob.parents[1]
    draft = blob.with_name(f"{blob.name}.incomplete")  # the name by which `hf cache` knows and removes such files
    locks = repository.parent / ".locks" / repository.name
    for folder in (blob.parent, target.parent, locks):
        folder.mkdir(parents=True, exist_ok=True)
    with FileLock(locks / f"{draft.name}.lock"):
        if target.exists():
            return
        while not _is_received(url, draft, size, progress):
            pass
        with draft.open("rb") as received:
            checksum = hashlib.file_digest(received, "sha256").hexdigest()
        if checksum != blob.name:
            draft.unlink()
            raise ModelUnavailable("the file arrived damaged, its checksum is not the Hub's; try again")
        draft.replace(target)


def _is_received(url: str, draft: Path, size: int, progress: Progress | None) -> bool:
    """Fill draft from where it ends; False where the connection was cut, but has brought something."""
    from huggingface_hub.errors import HfHubHTTPError, HTTPError
    from huggingface_hub.file_download import http_get
    from huggingface_hub.utils import build_hf_headers

    bar = None if progress is None else lambda **options: _bar(progress, size, options.get("initial", 0))
    with draft.open("ab") as received:
        had = received.tell()
        try:
            http_get(url, received, resume_size=had, headers=build_hf_headers(), expected_size=size, tqdm_class=bar)
        except HTTPError as error:
            if isinstance(error, HfHubHTTPError) or received.tell() <= had:
                raise
            return False
    return True


def _bar(progress: Progress, size: int, so_far: int) -> AbstractContextManager:
    """What huggingface_hub takes for tqdm: passes bytes on instead of drawing them."""

    def update(count: int) -> None:
        nonlocal so_far
        so_far += count
        progress(so_far, size)

    progress(so_far, size)
    return nullcontext(SimpleNamespace(update=update))
