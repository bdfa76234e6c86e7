"""What is asked: the messages of a conversation, what is inserted where the window closes, and whether a run with both fits
into the model's context."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from z1_core.errors import BadInput, ContextOverflow
from z1_core.window import Chunk, Window

if TYPE_CHECKING:
    from z1_core.engine import Engine, Text

SYSTEM_PROMPT = "Please reason step by step."
"""The system text of the published inference example."""


def chat(question: str, *, system: str = SYSTEM_PROMPT, history: Iterable[tuple[str, str]] = ()) -> list[dict]:
    """Messages for one more question. history holds (question, answer) pairs of earlier turns, without their traces.

    Raises BadInput if the question is empty.
    """
    check_text("prompt", question)
    if not question.strip():
        raise BadInput("the prompt is empty; type a question first")
    check_text("system prompt", system)
    messages = [{"role": "system", "content": system}] if system.strip() else []
    for earlier_question, answer in history:
        check_text("earlier question", earlier_question)
        check_text("earlier answer", answer)
        messages += [{"role": "user", "content": earlier_question}, {"role": "assistant", "content": answer}]
    return [*messages, {"role": "user", "content": question}]


def check_context(*, prompt_tokens: int, window: Window, hint_tokens: int, context_tokens: int) -> int:
    """How many tokens these are together. Raises ContextOverflow, with the four numbers, where the context is less."""
    needed = prompt_tokens + window.thinking_tokens + hint_tokens + window.answer_tokens
    if needed > context_tokens:
        raise ContextOverflow(
            f"prompt {prompt_tokens:,} + window {window.thinking_tokens:,} + hint {hint_tokens} + answer "
            f"{window.answer_tokens:,} = {needed:,} tokens, but the model holds {context_tokens:,}: "
            f"shorten the prompt or the conversation, or lower the window or the total by {needed - context_tokens:,}"
        )
    return needed


def check_fits(engine: Engine, prompt_ids: Sequence[int], window: Window) -> int:
    """As check_context(), of a run on that engine. May have to ask a server for the hint's length."""
    hint, most = most_hint_tokens(engine, window.hint, is_text=window.hint_is_text), engine.context_tokens
    return check_context(prompt_tokens=len(prompt_ids), window=window, hint_tokens=hint, context_tokens=most)


def most_hint_tokens(engine: Engine, hint: str | None, *, is_text: bool) -> int:
    """How much is inserted at a cut, with the end of a thought where the model marks its thoughts."""
    return len(inserted(engine.text, hint, is_text=is_text).ids)


def inserted(text: Text, hint: str | None, *, is_text: bool, before: Sequence[int] | None = None) -> Chunk:
    """What is inserted behind these ids of prompt and trace, or at most. It closes a thought that is open in tags.

    At a cut nobody is asked: whoever checked that the run fits has had the same texts encoded, which are kept."""
    if hint is None:
        return Chunk("hint", "")
    ids, thoughts = text.encode(hint, control=not is_text), text.thoughts
    if thoughts and thoughts.closes_id not in ids and (before is None or thoughts.is_open(before)):
        close = f"\n{thoughts.closes}"
        return Chunk("hint", close + hint, (*text.encode(close, control=True), *ids))
    return Chunk("hint", hint, tuple(ids))


def check_text(name: str, text: object) -> None:
    """Raise BadInput for what is no text, or cannot be encoded."""
    if not isinstance(text, str):
        raise BadInput(f"the {name} is {text!r:.40}; it must be a text")
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise BadInput(f"the {name} holds half a character at position {error.start}; remove it") from error
