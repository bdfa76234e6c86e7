"""Folders that appear whole or not at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
from safetensors import SafetensorError

from z1_core.errors import BadInput, Z1Error

MARK = ".draft"
"""In a draft: the process that writes it. Nothing without it is removed."""


@contextmanager
def appearing(out: Path) -> Iterator[Path]:
    """A folder to fill, beside `out`, that becomes it at the end and vanishes where something fails. What a killed process
    has left of it is begun anew.

    Raises BadInput where `out` or a stranger's draft of it is there, Z1Error where it cannot be written.
    """
    if out.exists() and not (out.is_dir() and not any(out.iterdir())):
        raise BadInput(f"{out} is there already and not empty; move it away, or name another folder with --out")
    draft = out.with_name(f".{out.name}.part")
    try:
        _make(draft)
        yield draft
        (draft / MARK).unlink()
        draft.rename(out)
    except (OSError, SafetensorError) as error:  # safetensors wraps what the disk says
        reason = getattr(error, "strerror", None) or str(error).splitlines()[0]
        raise Z1Error(
            f"{out} cannot be written: {reason}; free some space, then give the same command again"
        ) from error
    finally:
        if _writer_of(draft) == os.getpid():
            shutil.rmtree(draft, ignore_errors=True)


def _make(draft: Path) -> None:
    if writer := _writer_of(draft):
        if psutil.pid_exists(writer):
            raise BadInput(f"process {writer} is writing {draft}; wait for it, or name another folder with --out")
        shutil.rmtree(draft)
    try:
        draft.mkdir(parents=True)
    except FileExistsError:
        raise BadInput(f"{draft} is no draft of ours; move it away, or name another folder with --out") from None
    (draft / MARK).write_text(str(os.getpid()))


def _writer_of(draft: Path) -> int:
    """0 for none."""
    try:
        return int((draft / MARK).read_text())
    except (OSError, ValueError):
        return 0
