"""What is read from the head of a GGUF file, which files are refused and why, and whether the memory will do."""

import struct
import time
from collections import namedtuple
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from z1_core import gguf_header
from z1_core.errors import ModelUnavailable
from z1_core.gguf_header import GgufHeader, budget, free_memory_bytes, read_header

KEYS: dict[str, Any] = {
    "general.architecture": "qwen2",
    "qwen2.context_length": 4096,
    "qwen2.block_count": 4,
    "qwen2.embedding_length": 64,
    "qwen2.attention.head_count": 8,
    "qwen2.attention.head_count_kv": 2,
    "tokenizer.ggml.tokens": ["<s>", "", "raspberry"],
    "tokenizer.ggml.scores": [0.5, 1.5],
    "tokenizer.chat_template": "{{ messages }}",
}
TENSORS = [("a", (32, 4), 0), ("b", (256, 2), 12)]  # name, shape, type: F32, and Q4_K with 144 bytes for 256
WEIGHTS_BYTES = 32 * 4 * 4 + 2 * 144


def text(value: str) -> bytes:
    return struct.pack("<Q", len(value.encode())) + value.encode()


def value(given: Any) -> bytes:
    """With its type in front."""
    match given:
        case bool():
            return struct.pack("<I?", 7, given)
        case str():
            return struct.pack("<I", 8) + text(given)
        case int():
            return struct.pack("<II", 4, given)
        case [str(), *_]:
            return struct.pack("<IIQ", 9, 8, len(given)) + b"".join(map(text, given))
        case [int(), *_]:
            return struct.pack(f"<IIQ{len(given)}i", 9, 5, len(given), *given)
        case [float(), *_]:
            return struct.pack(f"<IIQ{len(given)}f", 9, 6, len(given), *given)
        case bytes():
            return given
    raise AssertionError(given)


def gguf(changed: dict[str, Any] | None = None, *, tensors: list = TENSORS, version: int = 3) -> bytes:
    """A whole file. changed: other keys, or None for those to leave out."""
    keys = {key: given for key, given in (KEYS | (changed or {})).items() if given is not None}
    head = b"GGUF" + struct.pack("<IQQ", version, len(tensors), len(keys))
    head += b"".join(text(key) + value(given) for key, given in keys.items())
    offset = 0
    for name, shape, kind in tensors:
        head += text(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, kind, offset)
        offset += 32 * 4 * 4
    return head + bytes(-len(head) % 32) + bytes(WEIGHTS_BYTES)


@pytest.fixture
def made(tmp_path):
    def write(data: bytes) -> Path:
        file = tmp_path / "tiny.gguf"
        file.write_bytes(data)
        return file

    return write


def refusal(file: Path) -> str:
    with pytest.raises(ModelUnavailable) as refused:
        read_header(file)
    message = str(refused.value)
    assert "\n" not in message
    assert len(message) < 400
    return message


@pytest.mark.parametrize("version", [2, 3])
def test_a_header_is_read(made, version):
    ordinary = {"qwen2.pooling_type": 0, "qwen2.attention.causal": True, "general.type": "model", "split.count": 1}
    data = gguf(ordinary, version=version)
    assert read_header(made(data)) == GgufHeader(
        context_tokens=4096,
        cache_bytes_per_token=4 * 2 * (8 + 8) * 2,
        weight_bytes=len(data),
        has_chat_template=True,
    )
    assert not read_header(made(gguf({"tokenizer.chat_template": None}))).has_chat_template


@pytest.mark.parametrize(
    ("changed", "bytes_per_token"),
    [
        ({"qwen2.attention.key_length": 128, "qwen2.attention.value_length": 64}, 4 * 2 * (128 + 64) * 2),
        ({"qwen2.attention.head_count_kv": None}, 4 * 8 * (8 + 8) * 2),
        ({"qwen2.attention.head_count_kv": [2, 0, 0, 1]}, 3 * (8 + 8) * 2),
        ({"qwen2.attention.head_count": [8, 8, 4, 4]}, 4 * 2 * (8 + 8) * 2),
    ],
    ids=["own lengths", "no groups", "layers without a cache", "heads by layer"],
)
def test_the_cache_is_counted_by_heads_and_layers(made, changed, bytes_per_token):
    assert read_header(made(gguf(changed))).cache_bytes_per_token == bytes_per_token


# Files that are not whole, or no GGUF


def test_a_header_that_was_cut_off_is_refused_wherever_it_was(made):
    head = gguf(tensors=TENSORS[:1])
    for length in range(5, head.index(b"raspberry"), 5):
        assert "is damaged or cut off in its header; download or copy it again" in refusal(made(head[:length]))


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "is no GGUF file; give one, or a hub id such as"),
        (b"GGU", "is no GGUF file"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:1\n", "is no GGUF file"),
        (gguf(version=1), "is GGUF of another version or byte order; take one of version 2 or 3"),
        (gguf(version=4), "is GGUF of another version"),
        (b"GGUF" + struct.pack(">IQQ", 3, 1, 1) + bytes(99), "is GGUF of another version or byte order"),
    ],
    ids=["empty", "three bytes", "a pointer of git", "version 1", "version 4", "big-endian"],
)
def test_another_format_is_named(made, tmp_path, data, words):
    assert words in refusal(made(data))
    assert f"{tmp_path} cannot be read: Is a directory" in refusal(tmp_path)


# Headers that were made to do harm


HUGE = 2**64 - 1


@pytest.mark.parametrize(
    "data",
    [
        b"GGUF" + struct.pack("<IQQ", 3, 1, HUGE),
        b"GGUF" + struct.pack("<IQQQ", 3, 1, 1, HUGE),
        gguf({"x": struct.pack("<IQ", 8, HUGE)}),
        gguf({"x": struct.pack("<IIQ", 9, 8, HUGE)}),
        gguf({"x": struct.pack("<IIQQ", 9, 8, HUGE, HUGE - 8)}),
        gguf({"x": struct.pack("<IIQ", 9, 9, 1)}),
        gguf({"x": struct.pack("<I", 13)}),
        gguf({"general.architecture": None}),
        gguf({"qwen2.context_length": None}),
        gguf({"qwen2.block_count": "many"}),
        gguf({"qwen2.attention.head_count": 0}),
        gguf({"qwen2.attention.head_count_kv": [1] * 5000}),
    ],
)
def test_a_senseless_header_is_refused(made, data):
    assert "is damaged or cut off in its header; download or copy it again" in refusal(made(data))


def test_the_longest_headers_end_in_time(made):
    empty_texts = struct.pack("<IIQ", 9, 8, 2**40) + bytes(40 * 2**20)
    keys = b"".join(struct.pack("<QIIB", 4, n, 0, 0) for n in range(100_000))
    for data in (gguf({"x": empty_texts}), b"GGUF" + struct.pack("<IQQ", 3, 1, 100_000) + keys):
        start = time.perf_counter()
        assert "is damaged" in refusal(made(data))
        assert time.perf_counter() - start < 10
    words = [f"word-{n}" for n in range(150_000)]
    file = made(gguf({"tokenizer.ggml.tokens": words, "tokenizer.ggml.merges": words, "x": list(range(150_000))}))
    start = time.perf_counter()
    read_header(file)
    assert time.perf_counter() - start < 1.5  # 0.1 s; the package gguf takes 50 times that


# Models that the window cannot be shown with


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"qwen2.ssm.conv_kernel": 4}, "tiny.gguf (qwen2) keeps a running state, which llama.cpp cannot take back"),
        ({"general.architecture": "rwkv7", "rwkv7.wkv.head_size": 64}, "(rwkv7) keeps a running state"),
        ({"general.architecture": "lfm2", "lfm2.shortconv.l_cache": 3}, "(lfm2) keeps a running state"),
        ({"general.architecture": "nomic-bert"}, "(nomic-bert) reads text and writes none; take another, such as"),
        ({"general.architecture": "t5encoder"}, "(t5encoder) reads text and writes none"),
        ({"qwen2.pooling_type": 3}, "(qwen2) reads text and writes none"),
        ({"qwen2.attention.causal": False}, "(qwen2) reads text and writes none"),
        ({"general.type": "adapter"}, "tiny.gguf holds no language model but the adapter of one; give the model's own"),
        ({"split.count": 2}, "tiny.gguf is one part of several; take a model in one file"),
        ({"split.count": "2"}, "tiny.gguf is one part of several"),
    ],
)
def test_a_model_that_cannot_go_on_from_token_ids_is_refused(made, changed, words):
    assert words in refusal(made(gguf(changed)))


# Memory


HEADER = GgufHeader(32_768, 10_000, 500_000_000, True)


@pytest.mark.parametrize(
    ("context", "free_mb", "words"),
    [
        (10_000, 800, ""),
        (
            32_768,
            800,
            "Tiny needs 1,028 MB of memory (500 MB of weights, 328 MB to keep 32,768 tokens) and 800 MB are free: lower "
            "--max-model-len (now 32,768), choose a smaller model or close other programs",
        ),
        (
            1,
            600,
            "Tiny needs 700 MB of memory (500 MB of weights, 0 MB to keep 1 tokens) and 600 MB are free: choose a smaller "
            "model or close other programs",
        ),
    ],
    ids=["fits", "is too long", "weighs too much"],
)
def test_what_does_not_fit_is_refused_with_the_numbers_and_a_remedy_that_helps(monkeypatch, context, free_mb, words):
    monkeypatch.setattr(gguf_header, "free_memory_bytes", lambda: free_mb * 10**6)
    with pytest.raises(ModelUnavailable) if words else nullcontext() as refused:
        budget(HEADER, context, 1, "Tiny")
    assert not words or str(refused.value) == words


def test_a_container_bounds_the_free_memory(monkeypatch, tmp_path):
    memory = namedtuple("memory", "available")
    monkeypatch.setattr("psutil.virtual_memory", lambda: memory(5000))
    monkeypatch.setattr(gguf_header, "CGROUP", tmp_path)
    assert free_memory_bytes() == 5000
    (tmp_path / "memory.max").write_text("3000\n")
    (tmp_path / "memory.current").write_text("2500\n")
    (tmp_path / "memory.stat").write_text("anon 7\ninactive_file 400\n")
    assert free_memory_bytes() == 900
    (tmp_path / "memory.current").write_text("9000\n")
    assert free_memory_bytes() == 0
    (tmp_path / "memory.max").write_text("max\n")
    assert free_memory_bytes() == 5000
