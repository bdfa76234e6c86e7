"""How a model marks its thoughts: with tags that its template opens, with tags that it opens by itself, or not at all.

Where a thought is open at the cut, it is closed before the hint; and only what stands behind a thought is an answer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from z1_core.errors import BadInput

if TYPE_CHECKING:
    from z1_core.engine import Text

TAGS = (
    ("<think>", "</think>"),  # DeepSeek-R1 and its distills, Qwen3, QwQ
    ("[THINK]", "[/THINK]"),  # Magistral
    ("<seed:think>", "</seed:think>"),  # Seed-OSS
    ("<|begin_of_thought|>", "<|end_of_thought|>"),  # Sky-T1
)
"""Counted only where the tokenizer has them as one token each."""


@dataclass(frozen=True, slots=True)
class Thoughts:
    """The tags of a model. opened_by: who writes the first one."""

    opened_by: Literal["template", "model"]
    opens: str
    closes: str
    opens_id: int
    closes_id: int

    def is_open(self, ids: Sequence[int]) -> bool:
        """Whether a thought is open behind these ids of prompt and trace."""
        return next((id_ == self.opens_id for id_ in reversed(ids) if id_ in (self.opens_id, self.closes_id)), False)

    def answer(self, text: str, *, begins_inside: bool) -> str:
        """What stands behind the thought; nothing of a thought that is not closed.

        begins_inside: the tag that opens stands before the text.
        """
        _, closed, behind = text.rpartition(self.closes)
        if closed:
            return behind.lstrip("\n")
        return "" if begins_inside or text.lstrip().startswith(self.opens) else text


def hidden(control_ids: frozenset[int], thoughts: Thoughts | None) -> frozenset[int]:
    """The control tokens that are not shown: a model's tags are part of its text, whatever kind its tokenizer gives them."""
    return control_ids.difference((thoughts.opens_id, thoughts.closes_id) if thoughts else ())


def find_thoughts(text: Text) -> Thoughts | None:
    """The tags of the model with that tokenizer and template; None where it has none."""
    for opens, closes in TAGS:
        ids = [text.encode(tag, control=True) for tag in (opens, closes)]
        if all(len(each) == 1 for each in ids):
            found = Thoughts("model", opens, closes, ids[0][0], ids[1][0])
            with suppress(BadInput):  # a template that wants more than this, or none
                if found.is_open(text.render([{"role": "user", "content": "Hello"}])):
                    return replace(found, opened_by="template")
            return found
    return None


def trace_answer(thoughts: Thoughts | None, trace: str) -> str:
    """The answer in a trace that ended by itself: all of it, but for the thought where the model marks one."""
    return thoughts.answer(trace, begins_inside=thoughts.opened_by == "template") if thoughts else trace


def answers_only(messages: Sequence[Mapping[str, str]], text: Text) -> list[Mapping[str, str]]:
    """The conversation without the model's earlier thoughts, which its own template would leave out, too."""

    def shown(message: Mapping[str, str]) -> Mapping[str, str]:
        if message["role"] != "assistant" or not text.thoughts:
            return message
        return {**message, "content": text.thoughts.answer(message["content"], begins_inside=False)}

    return [shown(message) for message in messages]
