"""The completions call of an OpenAI-compatible server: what goes into a request, and what comes out of an event."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from z1_core.window import Sampling

PLAIN: Mapping[str, Any] = {
    "top_k": -1,
    "min_p": 0.0,
    "repetition_penalty": 1.0,
    "presence_penalty": 0.0,
    "frequency_penalty": 0.0,
}
"""Said in each request: a server fills what is missing from the model's own defaults, and a greedy run with a hidden
penalty is another method."""

IDS_BY_FIELD: Mapping[str, Any] = {"return_token_ids": True}
"""vLLM, and SGLang since July 2026: each event has the ids it brings."""

IDS_BY_LOGPROBS: Mapping[str, Any] = {"logprobs": 1, "return_tokens_as_token_ids": True}
"""Older vLLM writes the ids among its logprobs, as "token_id:17"."""

ID_MARK = "token_id:"


def request(
    model: str,
    prompt_ids: Sequence[int],
    sampling: Sampling,
    ids_by: Mapping[str, Any],
    *,
    max_tokens: int,
    tokens_per_event: int = 1,
) -> dict[str, Any]:
    """The body of a streaming request. sampling.extra wins over the plain defaults, sampling's own fields over it.

    tokens_per_event: the first token and the end come at once in any case (vLLM 0.29; others send each token).
    """
    drawn = {"temperature": sampling.temperature, "top_p": sampling.top_p if sampling.temperature else 1.0}
    if sampling.seed is not None:
        drawn["seed"] = sampling.seed_at(len(prompt_ids))
    bundled = {"stream_interval": tokens_per_event} if tokens_per_event > 1 else {}
    return {
        **PLAIN,
        **bundled,
        **dict(sampling.extra),
        **drawn,
        **ids_by,
        "model": model,
        "prompt": list(prompt_ids),
        "max_tokens": max_tokens,
        "add_special_tokens": False,
        "stream": True,
        "stream_options": {"include_usage": True},
    }


def ids_of(choice: Mapping[str, Any]) -> tuple[int, ...] | None:
    """The ids that an event brings; None where the server does not tell them."""
    ids = choice.get("token_ids")
    if ids is not None:
        return tuple(ids)
    logprobs = choice.get("logprobs") or {}
    tokens = logprobs.get("tokens")
    if tokens and all(token.startswith(ID_MARK) for token in tokens):
        return tuple(int(token.removeprefix(ID_MARK)) for token in tokens)
    return None if choice.get("text") else ()


def cached_tokens(usage: Mapping[str, Any]) -> int:
    """How many of the prompt's tokens came from the prefix cache, where the server tells it (vLLM:
    --enable-prompt-tokens-details)."""
    details = usage.get("prompt_tokens_details") or {}
    return details.get("cached_tokens") or 0
