"""Folders that appear whole or not at all."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp

from z1_core.errors import BadInput, Z1Error


@contextmanager
def appearing(out: Path) -> Iterator[Path]:
    """A folder to fill, beside `out`, that becomes it at the end and vanishes where something fails.

    Raises BadInput where `out` is there, Z1Error where it cannot be written.
    """
    if out.exists():
        raise BadInput(f"{out} is there already; remove it or name another folder with --out")
    draft = None
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(mkdtemp(prefix=f".{out.name}-", dir=out.parent))
        draft.chmod(0o755)
        yield draft
        draft.rename(out)
    except OSError as error:
        raise Z1Error(f"{out} cannot be written: {error.strerror or error}; free some space and try again") from error
    finally:
        if draft:
            shutil.rmtree(draft, ignore_errors=True)
