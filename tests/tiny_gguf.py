"""A GGUF file of a few kilobytes that llama.cpp loads: random weights behind a tokenizer of SentencePiece's kind."""

from __future__ import annotations

import random
import struct
from pathlib import Path

from tests.kinds import LLAMA2
from tests.test_gguf import text, value

WIDTH = 32
NORMAL, UNKNOWN, CONTROL, USER_DEFINED, BYTE = 1, 2, 3, 4, 6
"""The kinds of tokens, in llama.cpp's numbers."""


def vocabulary(tags_are: int) -> list[tuple[str, float, int]]:
    """Texts, scores, kinds. Pieces with higher scores are joined first."""
    bytes_ = [(f"<0x{byte:02X}>", 0.0, BYTE) for byte in range(256)]
    words = [
        (word, -float(place), NORMAL) for place, word in enumerate(["ab", "abc", "▁abc", "▁ab", "▁t", "he", "▁the"])
    ]
    letters = [(letter, -100.0 - place, NORMAL) for place, letter in enumerate(["▁", *map(chr, range(33, 127))])]
    tags = [("<think>", 0.0, tags_are), ("</think>", 0.0, tags_are)]
    return [("<unk>", 0.0, UNKNOWN), ("<s>", 0.0, CONTROL), ("</s>", 0.0, CONTROL), *bytes_, *words, *letters, *tags]


def write_tiny(file: Path, *, tags_are: int = USER_DEFINED) -> Path:
    texts, scores, kinds = zip(*vocabulary(tags_are), strict=True)
    keys = {
        "general.architecture": "llama",
        "llama.context_length": 512,
        "llama.block_count": 1,
        "llama.embedding_length": WIDTH,
        "llama.feed_forward_length": WIDTH,
        "llama.attention.head_count": 2,
        "llama.attention.layer_norm_rms_epsilon": struct.pack("<If", 6, 1e-5),
        "tokenizer.ggml.model": "llama",
        "tokenizer.ggml.tokens": list(texts),
        "tokenizer.ggml.scores": list(scores),
        "tokenizer.ggml.token_type": list(kinds),
        "tokenizer.ggml.bos_token_id": 1,
        "tokenizer.ggml.eos_token_id": 2,
        "tokenizer.ggml.unknown_token_id": 0,
        "tokenizer.chat_template": LLAMA2,
    }
    square, norm = (WIDTH, WIDTH), (WIDTH,)
    block = dict.fromkeys(["attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down"], square)
    block |= {"attn_norm": norm, "ffn_norm": norm}
    tensors = {"token_embd": (WIDTH, len(texts)), "output_norm": norm, "output": (WIDTH, len(texts))}
    tensors |= {f"blk.0.{name}": shape for name, shape in block.items()}
    head, data, chance = b"", b"", random.Random(1)
    for name, shape in tensors.items():
        head += text(f"{name}.weight") + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, 0, len(data))
        count = shape[0] * (shape[1] if len(shape) > 1 else 1)
        data += struct.pack(f"<{count}f", *(chance.gauss(0, 0.3) for _ in range(count)))
    begin = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(keys))
    begin += b"".join(text(key) + value(given) for key, given in keys.items()) + head
    file.write_bytes(begin + bytes(-len(begin) % 32) + data)
    return file
