"""What a GGUF file says of its model, checked before llama.cpp loads it, and whether the memory will do.

An own reader, because the package gguf takes 6 to 20 s for one header on two cores: it makes an array of every string of
the vocabulary. This one steps over them. The format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator, Mapping
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
MOST_NUMBERS = 4_096  # of an array: one for each layer
SCALARS = dict(enumerate("BbHhIif?")) | {10: "Q", 11: "q", 12: "d"}
STRING, ARRAY = 8, 9
MOST_CONTEXT_TOKENS = 32_768
"""The most that is reserved without being asked for (--max-model-len)."""

LEAST_CONTEXT_TOKENS = 2048
"""Below this it is not worth starting."""

TOKENS_A_PLACE = 4096
"""What a run is taken to need: so many are reserved for each place, where the memory allows."""


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
        keys = dict(_values(path))
        architecture = keys["general.architecture"]
        _check_use(path.name, architecture, keys)
        own = {key.removeprefix(f"{architecture}."): value for key, value in keys.items()}
        return GgufHeader(
            context_tokens=int(own["context_length"]),
            cache_bytes_per_token=_cache_bytes_per_token(own),
            weight_bytes=path.stat().st_size,
            has_chat_template=bool(keys.get("tokenizer.chat_template")),
        )
    except (LookupError, ValueError, TypeError, ArithmeticError, struct.error) as error:  # no writer of GGUF makes it
        raise ModelUnavailable(f"{path} is damaged or cut off in its header; download or copy it again") from error


def budget(header: GgufHeader, max_model_len: int | None, places: int, name: str) -> tuple[int, int]:
    """The context, and the cells (tokens to keep) that all places share. Raises BadInput; ModelUnavailable where the memory
    does not hold one context."""
    if max_model_len is not None and not 0 < max_model_len <= header.context_tokens:
        raise BadInput(f"--max-model-len is {max_model_len:,}; {name} holds 1 to {header.context_tokens:,} tokens")
    context = max_model_len or min(header.context_tokens, MOST_CONTEXT_TOKENS)
    fixed_bytes, free_bytes = header.weight_bytes + OVERHEAD_BYTES, free_memory_bytes()
    affordable = max(0, free_bytes - fixed_bytes) // 2 // header.cache_bytes_per_token
    if max_model_len is None:
        context = min(context, max(affordable, LEAST_CONTEXT_TOKENS))
    cache_bytes = context * header.cache_bytes_per_token
    if fixed_bytes + cache_bytes > free_bytes:
        shorter = f"lower --max-model-len (now {context:,}), " if fixed_bytes < free_bytes else ""
        raise ModelUnavailable(
            f"{name} needs {_mb(fixed_bytes + cache_bytes)} of memory ({_mb(header.weight_bytes)} of weights, "
            f"{_mb(cache_bytes)} to keep {context:,} tokens) and {_mb(free_bytes)} are free: {shorter}choose a smaller "
            "model or close other programs"
        )
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


def _check_use(name: str, architecture: str, keys: Mapping[str, Any]) -> None:
    """Raises ModelUnavailable for a model that the window cannot be shown with."""
    if (kind := keys.get("general.type", "model")) != "model":
        raise ModelUnavailable(f"{name} holds no language model but the {kind} of one; give the model's own file")
    if keys.get("split.count", 0) not in (0, 1):
        raise ModelUnavailable(f"{name} is one part of several; take a model in one file, or merge the parts")
    if any(key.startswith(f"{architecture}.{group}.") for key in keys for group in STATEFUL):
        why = "keeps a running state, which llama.cpp cannot take back to where the window closes"
        raise ModelUnavailable(f"{name} ({architecture}) {why}; {OTHER}")
    pools = keys.get(f"{architecture}.pooling_type", 0) != 0
    causal = keys.get(f"{architecture}.attention.causal", True)
    if pools or not causal or "bert" in architecture or architecture in NO_WRITERS:
        raise ModelUnavailable(f"{name} ({architecture}) reads text and writes none; {OTHER}")


def _cache_bytes_per_token(own: Mapping[str, Any]) -> int:
    """Each layer may have its own number of key-value heads."""
    heads = _each(own["attention.head_count"])
    kv_heads = _each(own.get("attention.head_count_kv", heads))
    per_head = own["embedding_length"] // max(heads)
    of_key, of_value = (own.get(f"attention.{name}_length", per_head) for name in ("key", "value"))
    all_heads = sum(kv_heads) if len(kv_heads) > 1 else kv_heads[0] * own["block_count"]
    return max(1, all_heads * (of_key + of_value) * 2)


def _each(value: Any) -> tuple[int, ...]:
    """One number, or one for each layer."""
    return value if isinstance(value, tuple) else (value,)


def _values(path: Path) -> Iterator[tuple[str, Any]]:
    """Keys with numbers, texts and short arrays of numbers; other arrays are None.

    Whatever the file holds, it takes bounded time and memory. Raises ModelUnavailable for another format, and what reading
    past the end raises for what is cut off.
    """
    try:
        with path.open("rb") as file:
            data = io.BytesIO(file.read(HEADER_BYTES))
    except OSError as error:
        raise ModelUnavailable(f"{path} cannot be read: {error.strerror}; give another file") from error
    if data.read(4) != b"GGUF":
        raise ModelUnavailable(f"{path} is no GGUF file; give one, or a hub id such as Qwen/Qwen3-0.6B-GGUF")
    if _number(data, "I") not in (2, 3):
        raise ModelUnavailable(f"{path} is GGUF of another version or byte order; take one of version 2 or 3")
    _tensors, keys = _numbers(data, "Q", 2)
    for _ in range(keys):
        yield _text(data), _value(data, _number(data, "I"))


def _value(data: io.BytesIO, kind: int) -> Any:
    if kind == STRING:
        return _text(data)
    if kind != ARRAY:
        return _number(data, SCALARS[kind])
    kind, count = _number(data, "I"), _number(data, "Q")
    if kind == STRING:
        return _skip_texts(data, count)
    if count <= MOST_NUMBERS:
        return _numbers(data, SCALARS[kind], count)
    data.seek(count * struct.calcsize(f"<{SCALARS[kind]}"), io.SEEK_CUR)
    return None


def _skip_texts(data: io.BytesIO, count: int) -> None:
    """The vocabulary: some 0.1 s for 300,000."""
    held, at, length_at = data.getbuffer(), data.tell(), struct.Struct("<Q").unpack_from
    for _ in range(count):
        at += 8 + length_at(held, at)[0]
    data.seek(at)


def _text(data: io.BytesIO) -> str:
    length = _number(data, "Q")
    [text] = struct.unpack(f"{length}s", data.read(length))
    return text.decode(errors="replace")


def _number(data: io.BytesIO, form: str) -> Any:
    return _numbers(data, form, 1)[0]


def _numbers(data: io.BytesIO, form: str, count: int) -> tuple[Any, ...]:
    return struct.unpack(f"<{count}{form}", data.read(count * struct.calcsize(f"<{form}")))
