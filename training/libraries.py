"""What libraries and the disk raise, in exceptions of many kinds, as one sentence."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

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
