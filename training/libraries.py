"""What libraries and the disk raise, as one sentence, and folders that appear whole or not at all."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from z1_core.errors import BadInput, Z1Error


@contextmanager
def refusing(
    what: str, remedy: str, kinds: type[Exception] | tuple[type[Exception], ...] = Exception
) -> Iterator[None]:
    """Raises BadInput: what is wrong, the first line of what the library says, which may hold a remedy, and ours."""
    try:
        yield
    except (Z1Error, MemoryError):
        raise
    except kinds as error:
        told = re.sub(r"^\[Errno -?\d+\] ", "", str(error).strip()) or type(error).__name__
        said = told.splitlines()[0][:300].rstrip(".")
        raise BadInput(f"{what}: {said}; {remedy}") from error


@contextmanager
def appearing(out: Path) -> Iterator[Path]:
    """A folder to fill, that becomes `out` at the end and vanishes where something fails. Only kill -9 leaves it, in a
    hidden folder beside `out`. Raises BadInput where `out` is there or cannot be written.
    """
    from safetensors import SafetensorError  # wraps what the disk says

    _must_be_free(out)
    remedy = "free some space, then give the same command again, or name another folder"
    with refusing(f"{out} cannot be written", remedy, (OSError, SafetensorError)):
        out.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(prefix=f".{out.name}-", dir=out.parent) as beside:
            draft = Path(beside, out.name)
            draft.mkdir()
            yield draft
            _must_be_free(out)  # another program may have been at it meanwhile
            draft.rename(out)


def _must_be_free(out: Path) -> None:
    if out.is_symlink() or (out.exists() and not (out.is_dir() and not any(out.iterdir()))):
        raise BadInput(f"{out} is there already and not empty; move it away, or name another folder with --out")
