"""What a GGUF file says of its model, checked before llama.cpp loads it, and whether the memory will do.

An own reader, because the package gguf takes 6 to 20 s for one header on two cores: it makes an array of every string of
the vocabulary. This one steps over them. The format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from z1_core.errors import BadInput, ModelUnavailable

OVERHEAD_BYTES = 200_000_000  # the server itself and its compute buffers
STATEFUL = ("ssm", "wkv", "shortconv", "kda")  # groups of keys: every recurrent or hybrid architecture has one
NO_WRITERS = ("t5", "t5encoder", "clip", "wavtokenizer-dec")
OTHER = "take another, such as Qwen/Qwen3-0.6B-GGUF"
CGROUP = Path("/sys/fs/cgroup")
HEADER_BYTES = 32 * 2**20  # the longest known are about 15 MB: 262,000 tokens and half a million merges
MOST_KEYS, MOST_TENSORS, MOST_BYTES = 4_096, 100_000, 2**50
SCALARS = dict(enumerate("BbHhIif?")) | {10: "Q", 11: "q", 12: "d"}
STRING, ARRAY = 8, 9
MOST_CONTEXT_TOKENS = 32_768
"""The most that is reserved without being asked for (--max-model-len)."""

LEAST_CONTEXT_TOKENS = 2048
"""Below this it is not worth starting."""

TOKENS_A_PLACE = 4096
"""What a run is taken to need: so many are reserved for each place, where the memory allows."""


class _Senseless(Exception):
    """A value that no writer of GGUF makes."""


@dataclass(frozen=True, slots=True)
class GgufHeader:
    """context_tokens: what the model was trained for; cache_bytes_per_token: keys and values of all layers in f16."""

    context_tokens: int
    cache_bytes_per_token: int
    weight_bytes: int
    has_chat_template: bool


def read_header(path: Path) -> GgufHeader:
    """Raises ModelUnavailable where the file is no GGUF, or its model cannot go on from token ids."""
    try:
        keys = _Keys(_read_values(path))
        _check_use(path, keys)
        return GgufHeader(
            context_tokens=keys.count("context_length"),
            cache_bytes_per_token=_cache_bytes_per_token(keys),
            weight_bytes=path.stat().st_size,
            has_chat_template=bool(keys.text("tokenizer.chat_template", "")),
        )
    except _Senseless as error:
        raise ModelUnavailable(f"{path} is damaged or cut off in its header; download or copy it again") from error


def check_memory(header: GgufHeader, *, context_tokens: int, cells: int, free_bytes: int, name: str) -> None:
    """cells: the tokens that all conversations together may keep. Raises ModelUnavailable with the numbers."""
    cache_bytes = cells * header.cache_bytes_per_token
    fixed_bytes = header.weight_bytes + OVERHEAD_BYTES
    if fixed_bytes + cache_bytes <= free_bytes:
        return
    shorter = f"lower --max-model-len (now {context_tokens:,}), " if fixed_bytes < free_bytes else ""
    raise ModelUnavailable(
        f"{name} needs {_mb(fixed_bytes + cache_bytes)} of memory ({_mb(header.weight_bytes)} of weights, "
        f"{_mb(cache_bytes)} to keep {cells:,} tokens) and {_mb(free_bytes)} are free: {shorter}choose a smaller model "
        "or close other programs"
    )


def budget(header: GgufHeader, max_model_len: int | None, places: int, name: str) -> tuple[int, int]:
    """The context, and the cells that all places share. Raises BadInput, ModelUnavailable."""
    if max_model_len is not None and not 0 < max_model_len <= header.context_tokens:
        raise BadInput(f"--max-model-len is {max_model_len:,}; {name} holds 1 to {header.context_tokens:,} tokens")
    context = max_model_len or min(header.context_tokens, MOST_CONTEXT_TOKENS)
    free_bytes = free_memory_bytes()
    affordable = max(0, free_bytes - header.weight_bytes - OVERHEAD_BYTES) // 2 // header.cache_bytes_per_token
    if max_model_len is None:
        context = min(context, max(affordable, LEAST_CONTEXT_TOKENS))
    check_memory(header, context_tokens=context, cells=context, free_bytes=free_bytes, name=name)
    return context, max(context, min(affordable, places * min(context, TOKENS_A_PLACE)))


def free_memory_bytes() -> int:
    """What this process may still take: of the machine, and of the container it runs in (control group, version 2), where
    the cache of files that it would give up counts as free."""
    import psutil

    available = psutil.virtual_memory().available
    try:
        limit, used = (int((CGROUP / name).read_text()) for name in ("memory.max", "memory.current"))
        stat = dict(line.split() for line in (CGROUP / "memory.stat").read_text().splitlines())
    except (OSError, ValueError):  # no container, or "max"
        return available
    reclaimable = sum(int(stat.get(name, 0)) for name in ("inactive_file", "active_file"))
    return max(0, min(available, limit - used + reclaimable))


def _mb(size: int) -> str:
    return f"{size / 1e6:,.0f} MB"


def _check_use(path: Path, keys: _Keys) -> None:
    """Raises ModelUnavailable for a model that the window cannot be shown with."""
    architecture = keys.architecture
    if (kind := keys.text("general.type", "model")) != "model":
        raise ModelUnavailable(f"{path.name} holds no language model but the {kind} of one; give the model's own file")
    if keys.values.get("split.count", 0) not in (0, 1):
        raise ModelUnavailable(f"{path.name} is one part of several; take a model in one file, or merge the parts")
    if any(key.startswith(f"{architecture}.{group}.") for key in keys.values for group in STATEFUL):
        why = "keeps a running state, which llama.cpp cannot take back to where the window closes"
        raise ModelUnavailable(f"{path.name} ({architecture}) {why}; {OTHER}")
    pools = keys.values.get(f"{architecture}.pooling_type", 0) != 0
    causal = keys.values.get(f"{architecture}.attention.causal", True)
    if pools or not causal or "bert" in architecture or architecture in NO_WRITERS:
        raise ModelUnavailable(f"{path.name} ({architecture}) reads text and writes none; {OTHER}")


def _cache_bytes_per_token(keys: _Keys) -> int:
    """Each layer may have its own number of key-value heads."""
    heads = keys.counts("attention.head_count")
    kv_heads = keys.counts("attention.head_count_kv", heads)
    per_head = keys.count("embedding_length") // max(heads)
    elements = keys.count("attention.key_length", per_head) + keys.count("attention.value_length", per_head)
    all_heads = sum(kv_heads) if len(kv_heads) > 1 else kv_heads[0] * keys.count("block_count")
    if all_heads * elements * 2 > MOST_BYTES:
        raise _Senseless
    return all_heads * elements * 2


class _Keys:
    """The values of a header, each of the type it should have."""

    def __init__(self, values: dict[str, Any]) -> None:
        self.values = values
        self.architecture = self.text("general.architecture")

    def text(self, key: str, default: str | None = None) -> str:
        value = self.values.get(key, default)
        if not isinstance(value, str):
            raise _Senseless
        return value

    def counts(self, key: str, default: tuple[int, ...] | None = None) -> tuple[int, ...]:
        """Of ARCHITECTURE.key: whole numbers, not all 0."""
        value = self.values.get(f"{self.architecture}.{key}", default)
        numbers = value if isinstance(value, tuple) else (value,)
        if not all(type(number) is int and number >= 0 for number in numbers) or not any(numbers):
            raise _Senseless
        return numbers

    def count(self, key: str, default: int | None = None) -> int:
        return self.counts(key, None if default is None else (default,))[0]


def _read_values(path: Path) -> dict[str, Any]:
    """Numbers, texts and short arrays of numbers by their keys; other arrays are None.

    Whatever the file holds, it takes bounded time and memory. Raises ModelUnavailable for another format, _Senseless for
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
            raise _Senseless
        return {reader.text(): reader.value(reader.number("I")) for _ in range(keys)}
    except (struct.error, OverflowError) as error:
        raise _Senseless from error


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
        raise _Senseless
    return SCALARS[kind]
