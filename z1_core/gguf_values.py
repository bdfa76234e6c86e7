"""The keys and values at the start of a GGUF file.

An own reader, because the package gguf takes 6 to 20 s for one header on two cores: it makes an array of every string of
the vocabulary. This one steps over them. The format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

from z1_core.errors import ModelUnavailable

HEADER_BYTES = 32 * 2**20  # the longest known are about 15 MB: 262,000 tokens and half a million merges
MOST_KEYS, MOST_TENSORS = 4_096, 100_000
SCALARS = dict(enumerate("BbHhIif?")) | {10: "Q", 11: "q", 12: "d"}
STRING, ARRAY = 8, 9


class Senseless(Exception):
    """A value that no writer of GGUF makes."""


def read_values(path: Path) -> dict[str, Any]:
    """Numbers, texts and short arrays of numbers by their keys; other arrays are None.

    Whatever the file holds, it takes bounded time and memory. Raises ModelUnavailable for another format, Senseless for
    what is damaged or cut off.
    """
    try:
        with path.open("rb") as file:
            reader = _Reader(file.read(HEADER_BYTES))
    except OSError as error:
        raise ModelUnavailable(f"{path} cannot be read: {error.strerror}; give another file") from error
    if reader.data[:4] != b"GGUF":
        raise ModelUnavailable(f"{path} is no GGUF file; give one, or a hub id such as Qwen/Qwen3-0.6B-GGUF")
    try:
        if reader.number("I") not in (2, 3):
            raise ModelUnavailable(f"{path} is GGUF of another version or byte order; take one of version 2 or 3")
        tensors, keys = reader.numbers("Q", 2)
        if not 0 < tensors <= MOST_TENSORS or keys > MOST_KEYS:
            raise Senseless
        return {reader.text(): reader.value(reader.number("I")) for _ in range(keys)}
    except (struct.error, OverflowError) as error:
        raise Senseless from error


class _Reader:
    """Steps through the start of the file; struct.error or OverflowError where it ends too early."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 4

    def number(self, form: str) -> Any:
        return self.numbers(form, 1)[0]

    def numbers(self, form: str, count: int) -> tuple[Any, ...]:
        start = self.skip(count * struct.calcsize(f"<{form}"))
        return struct.unpack_from(f"<{count}{form}", self.data, start)

    def text(self) -> str:
        length = self.number("Q")
        start = self.skip(length)
        return self.data[start : self.at].decode(errors="replace")

    def value(self, kind: int) -> Any:
        if kind == STRING:
            return self.text()
        if kind != ARRAY:
            return self.number(_form(kind))
        kind, count = self.number("I"), self.number("Q")
        if kind == STRING:
            self.skip_texts(count)
        elif count <= MOST_KEYS:
            return self.numbers(_form(kind), count)
        else:
            self.skip(count * struct.calcsize(f"<{_form(kind)}"))
        return None

    def skip(self, count: int) -> int:
        """Where what was stepped over begins."""
        start = self.at
        self.at += count
        if self.at > len(self.data):
            raise struct.error
        return start

    def skip_texts(self, count: int) -> None:
        """The vocabulary: some 0.1 s for 300,000."""
        data, at, length_at = self.data, self.at, struct.Struct("<Q").unpack_from
        for _ in range(count):
            at += 8 + length_at(data, at)[0]
        self.at = at
        self.skip(0)


def _form(kind: int) -> str:
    if kind not in SCALARS:
        raise Senseless
    return SCALARS[kind]
