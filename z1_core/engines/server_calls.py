"""The call that a server of OpenAI's completions writes at: what goes into a request, and what an event of a stream says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict, NonNegativeInt

from z1_core.engine import Delta, FinishReason
from z1_core.engines.calls import refusal
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

STRICT = ConfigDict(strict=True)


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


class Choice(BaseModel):
    """A piece of an answer."""

    model_config = STRICT
    text: str | None = None
    token_ids: list[NonNegativeInt] | None = None
    finish_reason: str | None = None

    @property
    def delta(self) -> Delta:
        """Raises EngineDead where the server gave up."""
        if self.finish_reason and self.finish_reason not in FINISH_REASONS:
            raise EngineDead(f"the server ended the answer itself (finish reason {self.finish_reason}); try again")
        return Delta(self.text or "", tuple(self.token_ids or ()), FINISH_REASONS.get(self.finish_reason))


class Usage(BaseModel):
    prompt_tokens: int = 0
    completion_tokens: int = 0
    prompt_tokens_details: dict[str, Any] | None = None

    @property
    def cached_tokens(self) -> int:
        return (self.prompt_tokens_details or {}).get("cached_tokens") or 0


class Event(BaseModel):
    """What an event of a stream tells, in fields as OpenAI names them."""

    choices: list[Choice] = []
    usage: Usage | None = None
    error: Any = None

    @classmethod
    def read(cls, line: bytes, url: str) -> Event | None:
        """None for a line that is no event. For reading(). Raises what an error in it means."""
        if not line.startswith(b"data:") or line[5:].strip() in (b"", b"[DONE]"):
            return None
        event = cls.model_validate_json(line[5:])
        if event.error:
            code = event.error.get("code") if isinstance(event.error, dict) else None
            raise refusal(code if isinstance(code, int) else 500, line[5:], url)
        return event
