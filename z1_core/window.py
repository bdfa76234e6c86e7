"""The window and what travels through it: frozen values that check themselves when they are made."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from numbers import Integral, Real
from typing import Any, Literal

from z1_core.errors import BadInput

HINT = "\n\nI overthought it, the final answer should be:\n\n"
"""The phrase of the paper (arXiv 2504.00810), put behind a trace that was cut."""

BOXED_HINT = "\n\nI overthought it, the final answer in \\boxed{} should be:\n\n"
"""The published variant for problems whose answer is wanted in a box."""

Phase = Literal["trace", "hint", "answer"]
EndReason = Literal["inside", "cut", "answer_length", "user_stop", "answer_now", "context_full", "error"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """How long the model may think, and answer, in tokens.

    thinking_tokens: the most tokens it may write before the cut (W).
    answer_tokens: the most tokens it may write after the hint.
    hint: the text inserted at the cut; None inserts nothing, and the model merely goes on (a baseline). Where a thought
    is open in tags (see thoughts.py), it is closed first, unless the hint does so.
    hint_is_text: the strings of control tokens in the hint stay text, as they must in one from a visitor.
    Raises BadInput for a budget that is not a whole number of at least 1, or an empty hint.
    """

    thinking_tokens: int
    answer_tokens: int
    hint: str | None = HINT
    hint_is_text: bool = False

    def __post_init__(self) -> None:
        _check_count("window (thinking tokens)", self.thinking_tokens)
        _check_count("answer tokens", self.answer_tokens)
        if self.hint is not None and (not isinstance(self.hint, str) or not self.hint):
            raise BadInput("the hint is empty; give the phrase to insert at the cut, or leave the default")

    @classmethod
    def from_total(
        cls, *, thinking_tokens: int, total_tokens: int, hint_tokens: int, hint: str = HINT, hint_is_text: bool = False
    ) -> Window:
        """The window whose thinking, hint and answer together take at most total_tokens.

        hint_tokens: what is inserted at most, in the model's own tokens (prompt.most_hint_tokens).
        Raises BadInput where the total leaves no token for an answer.
        """
        _check_count("window (thinking tokens)", thinking_tokens)
        _check_count("total tokens", total_tokens)
        answer_tokens = total_tokens - thinking_tokens - hint_tokens
        if answer_tokens < 1:
            raise BadInput(
                f"a total of {total_tokens:,} tokens leaves no room for an answer: the window takes "
                f"{thinking_tokens:,} and the hint {hint_tokens}; raise the total to at least "
                f"{thinking_tokens + hint_tokens + 1:,} or lower the window"
            )
        return cls(thinking_tokens=thinking_tokens, answer_tokens=answer_tokens, hint=hint, hint_is_text=hint_is_text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """How tokens are drawn. temperature 0 is greedy; top_p counts only above 0.

    max_tokens, written: set by think() for each phase, and how many tokens the trace has then; the caller's values are not
    used there.
    seed: repeats a draw at temperature > 0; None draws a new one each time.
    extra: further fields of the engine's own sampling parameters, as (name, value) pairs. Of these, stop strings end an
    answer and never a trace; min_tokens counts trace and answer together.
    Raises BadInput for a value out of range.
    """

    temperature: float = 0.0
    top_p: float = 1.0
    max_tokens: int | None = None
    written: int = 0
    seed: int | None = None
    extra: tuple[tuple[str, Any], ...] = ()

    def __post_init__(self) -> None:
        _check_range("temperature", self.temperature, low=0.0, high=2.0)
        _check_range("top-p", self.top_p, low=0.0, high=1.0, above_low=True)
        if self.max_tokens is not None:
            _check_count("max tokens", self.max_tokens)
        if self.seed is not None:
            _check_count("seed", self.seed, at_least=0)
            if self.seed >= 2**63:
                raise BadInput(f"seed is {_shown(self.seed)}; it must be below 2^63")

    def for_trace(self, window: Window) -> Sampling:
        """Stop strings are emptied rather than left out, so that an engine that has none refuses them at once."""
        extra = tuple((name, [] if name == "stop" else value) for name, value in self.extra)
        return replace(self, extra=extra)._phase(window.thinking_tokens, written=0)

    def for_answer(self, window: Window, *, trace_tokens: int) -> Sampling:
        return self._phase(window.answer_tokens, written=trace_tokens)

    def seed_at(self, position: int, *, below: int = 2**63) -> int | None:
        """The seed of a request that draws from that place of the sequence on: no two places get the same noise."""
        if self.seed is None:
            return None
        digest = hashlib.blake2b(f"{self.seed}:{position}".encode(), digest_size=8).digest()
        return int.from_bytes(digest) % below

    def _phase(self, max_tokens: int, *, written: int) -> Sampling:
        extra = dict(self.extra)
        if "min_tokens" in extra:
            extra["min_tokens"] = min(max(extra["min_tokens"] - written, 0), max_tokens)
        return replace(self, max_tokens=max_tokens, written=written, extra=tuple(extra.items()))

    def sample(self, index: int) -> Sampling:
        """The sampling of the index-th of several independent samples: the same, with a seed of its own."""
        return self if self.seed is None else replace(self, seed=(self.seed + index) % 2**63)


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of a run as it is made. The last chunk of a run, and only that one, has an end_reason."""

    phase: Phase
    text: str
    ids: tuple[int, ...] = ()
    end_reason: EndReason | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """A finished run: what went in, what was written, and how it ended. Token ids are the record; texts show them.

    hint_ids and answer_ids are empty where the model stopped inside the window.
    """

    prompt_ids: tuple[int, ...]
    trace: str
    trace_ids: tuple[int, ...]
    hint_ids: tuple[int, ...]
    answer: str
    answer_ids: tuple[int, ...]
    end_reason: EndReason
    seconds: float

    @property
    def total_tokens(self) -> int:
        """Trace, hint and answer together, in tokens: what the second slider limits."""
        return len(self.trace_ids) + len(self.hint_ids) + len(self.answer_ids)


def avg_thinking_tokens(completions: Iterable[Completion]) -> float:
    """ATT, the mean trace length in tokens (equation 2 of the paper); the answers are not in it."""
    lengths = [len(completion.trace_ids) for completion in completions]
    if not lengths:
        raise BadInput("no completions: the average thinking tokens of an empty run are undefined")
    return sum(lengths) / len(lengths)


def _check_count(name: str, value: object, *, at_least: int = 1) -> None:
    if isinstance(value, bool) or not isinstance(value, Integral) or value < at_least:
        raise BadInput(f"{name} is {_shown(value)}; it must be a whole number of at least {at_least}")


def _check_range(name: str, value: object, *, low: float, high: float, above_low: bool = False) -> None:
    usable = isinstance(value, Real) and not isinstance(value, bool)
    if not usable or not low <= value <= high or (above_low and value == low):  # NaN is in no range
        bounds = f"above {low:g} and at most {high:g}" if above_low else f"from {low:g} to {high:g}"
        raise BadInput(f"{name} is {_shown(value)}; it must be a number {bounds}")


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
