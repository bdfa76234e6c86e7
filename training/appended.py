"""A file that grows by whole lines and survives kill -9 and a full disk without losing one that is finished."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from training.rows import parse_object
from z1_core.errors import Z1Error
from z1_core.jsonl import whole_bytes


class Appended:
    """Each row goes to the system in one write. A line torn by a crash is cut off when the file is opened again; one
    that does not fit on the disk is taken back."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = path.open("ab", buffering=0)
        self._file.truncate(whole_bytes(path))

    def rows(self) -> Iterator[dict[str, Any]]:
        """What is in the file so far, one row in memory at a time."""
        with self.path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                yield parse_object(line, f"line {number} of {self.path}")

    def add(self, row: Mapping[str, Any]) -> None:
        """Raises Z1Error where the disk takes no more; what was there before stays whole."""
        line = (json.dumps(row, ensure_ascii=False) + "\n").encode()
        end = os.fstat(self._file.fileno()).st_size
        try:
            written = 0
            while written < len(line):
                written += self._file.write(line[written:])
        except OSError as error:
            self._file.truncate(end)
            raise Z1Error(
                f"{self.path} cannot be written: {error.strerror}; nothing finished is lost: free some space and give "
                "the same command again"
            ) from error

    def close(self) -> None:
        os.fsync(self._file.fileno())
        self._file.close()
