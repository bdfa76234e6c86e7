# ruff: noqa: F401 - what it offers
"""Shifted thinking as a library: a window for the thinking, a hint when it closes, an answer behind it.

The engines import what they run on when they are first used, not before.
"""

from importlib import import_module

from z1_core.engine import Delta, Engine
from z1_core.errors import BadInput, ContextOverflow, EngineDead, ModelUnavailable, Z1Error
from z1_core.prompt import chat
from z1_core.sweep import Piece, collect_sweep, sweep
from z1_core.thinking import Transcript, answer_from, collect, generate, think
from z1_core.window import BOXED_HINT, HINT, Chunk, Completion, Sampling, Window, avg_thinking_tokens

_LAZY = {
    "FakeEngine": "z1_core.engines.fake",
    "LlamaEngine": "z1_core.engines.llama",
    "ThinkingLLM": "z1_core.llm",
    "VllmEngine": "z1_core.engines.vllm",
    "locate": "z1_core.models",
}


def __getattr__(name: str) -> object:
    if name in _LAZY:
        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
