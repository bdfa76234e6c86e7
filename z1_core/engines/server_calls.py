"""The call that a server of OpenAI's completions writes at: what goes into a request, and what an event of a stream says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from z1_core.engine import Delta, FinishReason
from z1_core.errors import EngineDead
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

FINISH_REASONS: Mapping[str, FinishReason] = {"stop": "stop", "length": "length", "repetition": "stop"}
"""repetition: vLLM's, where the caller's own rule ended it."""

MOST_IDS = 2**31


def request(
    model: str, prompt_ids: Sequence[int], sampling: Sampling, *, max_tokens: int, tokens_per_event: int = 1
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
        "return_token_ids": True,
        "model": model,
        "prompt": list(prompt_ids),
        "max_tokens": max_tokens,
        "add_special_tokens": False,
        "stream": True,
        "stream_options": {"include_usage": True},
    }


@dataclass(frozen=True, slots=True)
class Event:
    """What an event tells. delta: empty where nothing is written; cached, written: tokens, where it tells its usage."""

    delta: Delta
    cached: int
    written: int

    @classmethod
    def of(cls, event: Mapping[str, Any]) -> Event:
        """For reading(). Raises EngineDead where the server gave up."""
        usage = event.get("usage") or {}
        cached = (usage.get("prompt_tokens_details") or {}).get("cached_tokens")
        choice = next(iter(event.get("choices") or ()), {})
        return cls(_delta(choice), int(cached or 0), int(usage.get("completion_tokens") or 0))


def checked(choice: Mapping[str, Any]) -> Mapping[str, Any]:
    """A piece of an answer, as it is. For reading(): raises TypeError where text or ids are none."""
    ids, text = choice.get("token_ids") or [], choice.get("text") or ""
    if not isinstance(text, str) or not all(type(id_) is int and 0 <= id_ < MOST_IDS for id_ in ids):
        raise TypeError(choice)
    return choice


def _delta(choice: Mapping[str, Any]) -> Delta:
    ids, reason = tuple(checked(choice).get("token_ids") or ()), choice.get("finish_reason")
    if reason and reason not in FINISH_REASONS:
        raise EngineDead(f"the server ended the answer itself (finish reason {reason}); try again")
    return Delta(choice.get("text") or "", ids, FINISH_REASONS[reason] if reason else None)
