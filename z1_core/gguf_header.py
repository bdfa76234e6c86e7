"""What a GGUF file says of its model, checked before llama.cpp loads it, and whether the memory will do."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from z1_core.errors import BadInput, ModelUnavailable
from z1_core.gguf_values import Senseless, read_values

OVERHEAD_BYTES = 200_000_000  # the server itself and its compute buffers
STATEFUL = ("ssm", "wkv", "shortconv", "kda")  # groups of keys: every recurrent or hybrid architecture has one
NO_WRITERS = ("t5", "t5encoder", "clip", "wavtokenizer-dec")
OTHER = "take another, such as Qwen/Qwen3-0.6B-GGUF"
CGROUP = Path("/sys/fs/cgroup")
MOST_BYTES = 2**50
MOST_CONTEXT_TOKENS = 32_768
"""The most that is reserved without being asked for (--max-model-len)."""

LEAST_CONTEXT_TOKENS = 2048
"""Below this it is not worth starting."""

TOKENS_A_PLACE = 4096
"""What a run is taken to need: so many are reserved for each place, where the memory allows."""


@dataclass(frozen=True, slots=True)
class GgufHeader:
    """context_tokens: what the model was trained for; cache_bytes_per_token: keys and values of all layers in f16."""

    architecture: str
    name: str
    context_tokens: int
    cache_bytes_per_token: int
    weight_bytes: int
    has_chat_template: bool


def read_header(path: Path) -> GgufHeader:
    """Raises ModelUnavailable where the file is no GGUF, or its model cannot go on from token ids."""
    try:
        keys = _Keys(read_values(path))
        _check_use(path, keys)
        return GgufHeader(
            architecture=keys.architecture,
            name=" ".join(keys.text("general.name", path.stem).split())[:100],
            context_tokens=keys.count("context_length"),
            cache_bytes_per_token=_cache_bytes_per_token(keys),
            weight_bytes=path.stat().st_size,
            has_chat_template=bool(keys.text("tokenizer.chat_template", "")),
        )
    except Senseless as error:
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
        raise Senseless
    return all_heads * elements * 2


class _Keys:
    """The values of a header, each of the type it should have."""

    def __init__(self, values: dict[str, Any]) -> None:
        self.values = values
        self.architecture = self.text("general.architecture")

    def text(self, key: str, default: str | None = None) -> str:
        value = self.values.get(key, default)
        if not isinstance(value, str):
            raise Senseless
        return value

    def counts(self, key: str, default: tuple[int, ...] | None = None) -> tuple[int, ...]:
        """Of ARCHITECTURE.key: whole numbers, not all 0."""
        value = self.values.get(f"{self.architecture}.{key}", default)
        numbers = value if isinstance(value, tuple) else (value,)
        if not all(type(number) is int and number >= 0 for number in numbers) or not any(numbers):
            raise Senseless
        return numbers

    def count(self, key: str, default: int | None = None) -> int:
        return self.counts(key, None if default is None else (default,))[0]
