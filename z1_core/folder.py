"""The folder that a run writes: one process at a time, and no other's files beside it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from z1_core.errors import BadInput

LOCK = ".lock"


@contextmanager
def held(out: Path, *, name: str = LOCK) -> Iterator[None]:
    """Keep other processes that do the same out of the folder, which is made where it is not there. Raises BadInput."""
    out.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(out / name, timeout=0):
            yield
    except Timeout as error:
        raise BadInput(f"another process is at work in {out}; wait for it, or name another folder") from error


def refuse_others(record: Path) -> None:
    """Raises BadInput where there is something in the folder, and not the record that says which run it is of."""
    others = (file for file in record.parent.iterdir() if file.name != LOCK and file.suffix != ".part")
    if not record.exists() and any(others):
        raise BadInput(f"{record.parent} holds other files and no {record.name}; name an empty or new folder")
