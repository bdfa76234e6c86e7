"""The call that llama.cpp's server writes at: what goes into a slice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from z1_core.engines.calls import STALE
from z1_core.errors import BadInput
from z1_core.window import Sampling

PLAIN: Mapping[str, Any] = {
    "samplers": ["penalties", "temperature", "top_k", "top_p", "min_p"],
    "top_k": 0,
    "min_p": 0.0,
    "repeat_penalty": 1.0,
    "presence_penalty": 0.0,
    "frequency_penalty": 0.0,
    "repeat_last_n": 8192,
}
"""Said in each request: the server's own defaults are another method. The order is vLLM's: temperature before top-p."""

NAMES = {"repetition_penalty": "repeat_penalty"} | {
    name: name for name in ("top_k", "min_p", "presence_penalty", "frequency_penalty", "ignore_eos", "logit_bias")
}
"""Fields of Sampling.extra that the server knows, by the server's names."""


@dataclass(frozen=True, slots=True)
class Slice:
    """What was written. stops: the model ended its turn; cached: how much of the prompt was there already, in tokens."""

    ids: tuple[int, ...]
    stops: bool
    cached: int

    @classmethod
    def of(cls, answer: Mapping[str, Any], *, at_most: int) -> Slice:
        """For reading(). Raises ValueError for ids that cannot be, or more of them than at_most."""
        ids = tuple(answer["tokens"])
        if len(ids) > at_most or not all(type(id_) is int and id_ >= 0 for id_ in ids):
            raise ValueError(answer)
        return cls(ids, answer["stop_type"] == "eos", int(answer["timings"]["cache_n"]))


def sampling_fields(sampling: Sampling) -> tuple[dict[str, Any], int]:
    """Fields of a request, and the tokens before which no run may end. Raises BadInput for a field that has no equal."""
    extra = dict(sampling.extra)
    at_least = extra.pop("min_tokens", 0)
    unknown = sorted(extra.keys() - NAMES.keys())
    if unknown:
        raise BadInput(
            f"llama.cpp has no {', '.join(unknown)} that acts as vLLM's; leave it out, or take a vLLM engine"
        )
    named = {NAMES[name]: value for name, value in extra.items()}
    if "logit_bias" in named:
        named["logit_bias"] = [[int(id_), bias] for id_, bias in named["logit_bias"].items()]
    if "top_k" in named:
        named["top_k"] = max(0, named["top_k"])  # -1 is vLLM's "all"
    top_p = sampling.top_p if sampling.temperature else 1.0
    return {**PLAIN, **named, "temperature": sampling.temperature, "top_p": top_p}, at_least


async def complete(
    client: httpx.AsyncClient, slot: int, ids: Sequence[int], count: int, fields: Mapping[str, Any]
) -> dict[str, Any]:
    """Write `count` tokens behind ids in that slot. Raises the errors of httpx."""
    body = {"prompt": ids, "n_predict": count, "id_slot": slot, "cache_prompt": True, "return_tokens": True, **fields}
    body["response_fields"] = ["tokens", "stop_type", "timings"]
    try:
        answer = await client.post("/completion", json=body)
    except STALE:
        if client.is_closed:
            raise
        answer = await client.post("/completion", json=body)
    return answer.raise_for_status().json()
