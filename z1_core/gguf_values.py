"""The keys and values at the start of a GGUF file, and whether the file is whole.

An own reader, because the package gguf takes 6 to 20 s for one header on two cores: it makes an array of every string of
the vocabulary. This one steps over them. The format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from math import prod
from pathlib import Path
from typing import Any

from z1_core.errors import ModelUnavailable

HEADER_BYTES = 32 * 2**20  # the longest known are about 15 MB: 262,000 tokens and half a million merges
MOST_KEYS, MOST_TENSORS, MOST_BYTES = 4_096, 100_000, 2**50
SCALARS = dict(enumerate("BbHhIif?")) | {10: "Q", 11: "q", 12: "d"}
STRING, ARRAY = 8, 9
TENSOR_BYTES = {  # ggml type: (elements in a block, bytes of a block)
    **{0: (1, 4), 1: (1, 2), 24: (1, 1), 25: (1, 2), 26: (1, 4), 27: (1, 8), 28: (1, 8), 30: (1, 2)},  # plain
    **{2: (32, 18), 3: (32, 20), 6: (32, 22), 7: (32, 24), 8: (32, 34), 20: (32, 18)},  # Q4_0 to Q8_0, IQ4_NL
    **{10: (256, 84), 11: (256, 110), 12: (256, 144), 13: (256, 176), 14: (256, 210), 15: (256, 292)},  # Q2_K to Q8_K
    **{16: (256, 66), 17: (256, 74), 18: (256, 98), 19: (256, 50), 21: (256, 110), 22: (256, 82)},  # IQ
    **{23: (256, 136), 29: (256, 56), 34: (256, 54), 35: (256, 66), 39: (32, 17), 40: (64, 36), 41: (128, 18)},
}


class Senseless(Exception):
    """A value that no writer of GGUF makes."""


def read_values(path: Path) -> dict[str, Any]:
    """Numbers, texts and short arrays of numbers by their keys; other arrays are None.

    Whatever the file holds, it takes bounded time and memory. Raises ModelUnavailable where it is no whole GGUF.
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            reader = _Reader(file.read(min(size, HEADER_BYTES)))
    except OSError as error:
        raise ModelUnavailable(f"{path} cannot be read: {error.strerror}; give another file") from error
    _check_kind(path, reader)
    try:
        values, whole = _walk(reader)
    except (struct.error, OverflowError, Senseless) as error:
        raise damaged(path) from error
    if size < whole:
        there = f"it has {size:,} of {whole:,} bytes"
        raise ModelUnavailable(f"{path} is cut off: {there}; download or copy it again")
    return values


def damaged(path: Path) -> ModelUnavailable:
    return ModelUnavailable(f"{path} is damaged or cut off in its header; download or copy it again")


def _check_kind(path: Path, reader: _Reader) -> None:
    if reader.data[:4] != b"GGUF":
        raise ModelUnavailable(f"{path} is no GGUF file; give one, or a hub id such as Qwen/Qwen3-0.6B-GGUF")
    version = int.from_bytes(reader.data[4:8], "little")
    if version and version & 0xFFFF == 0:
        raise ModelUnavailable(f"{path} is a GGUF for big-endian machines; take the ordinary one")
    if len(reader.data) >= 8 and version not in (2, 3):
        raise ModelUnavailable(f"{path} is GGUF of version {version}; versions 2 and 3 are read: take another file")
    reader.at = 8


def _walk(reader: _Reader) -> tuple[dict[str, Any], int]:
    """The values, and how many bytes the whole file must have."""
    tensors, keys = reader.numbers("Q", 2)
    if not 0 < tensors <= MOST_TENSORS or keys > MOST_KEYS:
        raise Senseless
    values = {reader.text(): reader.value(reader.number("I")) for _ in range(keys)}
    end = max(_tensor_ends(reader, tensors))
    alignment = values.get("general.alignment", 32)
    if type(alignment) is not int or not 0 < alignment <= 2**16 or end > MOST_BYTES:
        raise Senseless
    return values, reader.at + -reader.at % alignment + end


def _tensor_ends(reader: _Reader, tensors: int) -> Iterator[int]:
    """Where each tensor's bytes end, counted from the end of the header."""
    for _ in range(tensors):
        reader.text()
        dimensions = reader.number("I")
        if dimensions > 4:
            raise Senseless
        elements = prod(reader.numbers("Q", dimensions))
        block, size = TENSOR_BYTES.get(reader.number("I"), (1, 0))  # of a type that is not known: where it begins
        yield reader.number("Q") + elements // block * size


class _Reader:
    """Steps through the start of the file; struct.error or OverflowError where it ends too early."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

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
