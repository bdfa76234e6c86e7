"""Folders that appear whole or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from safetensors import SafetensorError

from training.libraries import refusing
from z1_core.errors import BadInput


@contextmanager
def appearing(out: Path) -> Iterator[Path]:
    """A folder to fill, that becomes `out` at the end and vanishes where something fails. Only kill -9 leaves it, in a
    hidden folder beside `out`. Raises BadInput where `out` is there or cannot be written.
    """
    if out.exists() and not (out.is_dir() and not any(out.iterdir())):
        raise BadInput(f"{out} is there already and not empty; move it away, or name another folder with --out")
    remedy = "free some space, then give the same command again, or name another folder"
    with refusing(
        f"{out} cannot be written", remedy, (OSError, SafetensorError)
    ):  # safetensors wraps what the disk says
        out.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(prefix=f".{out.name}-", dir=out.parent) as beside:
            draft = Path(beside, out.name)
            draft.mkdir()
            yield draft
            draft.rename(out)
