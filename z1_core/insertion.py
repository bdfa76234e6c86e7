"""What is inserted where the window closes, how long that is, and whether a run with it fits into the context."""

from __future__ import annotations

from collections.abc import Sequence

from z1_core.engine import Engine, Text
from z1_core.prompt import check_context
from z1_core.window import Chunk, Window


def check_fits(engine: Engine, prompt_ids: Sequence[int], window: Window) -> int:
    """How many tokens prompt, window, hint and answer are together, at most. Raises ContextOverflow where the context is
    less. May have to ask a server for the hint's length."""
    hint = most_hint_tokens(engine, window.hint, is_text=window.hint_is_text)
    check_context(prompt_tokens=len(prompt_ids), window=window, hint_tokens=hint, context_tokens=engine.context_tokens)
    return len(prompt_ids) + window.thinking_tokens + hint + window.answer_tokens


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
