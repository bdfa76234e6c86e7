"""From messages to token ids by the model's own chat template, in which text stays text (see plain_text)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from z1_core.errors import BadInput, ContextOverflow
from z1_core.plain_text import control_pattern, new_seam, parted

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from z1_core.window import Window

SYSTEM_PROMPT = "Please reason step by step."
"""The system text of the published inference example."""


def chat(question: str, *, system: str = SYSTEM_PROMPT, history: Iterable[tuple[str, str]] = ()) -> list[dict]:
    """Messages for one more question. history holds (question, answer) pairs of earlier turns, without their traces.

    Raises BadInput if the question is empty.
    """
    _check_text("prompt", question)
    if not question.strip():
        raise BadInput("the prompt is empty; type a question first")
    _check_text("system prompt", system)
    messages = [{"role": "system", "content": system}] if system.strip() else []
    for earlier_question, answer in history:
        _check_text("earlier question", earlier_question)
        _check_text("earlier answer", answer)
        messages += [{"role": "user", "content": earlier_question}, {"role": "assistant", "content": answer}]
    return [*messages, {"role": "user", "content": question}]


def render(tokenizer: PreTrainedTokenizerBase, messages: Sequence[Mapping[str, str]]) -> list[int]:
    """Token ids of the conversation, ending where the model is to write.

    For contents without control-token strings the ids are exactly those of tokenizer.apply_chat_template.
    Raises BadInput if the tokenizer has no chat template or the template refuses the messages.
    """
    if not tokenizer.chat_template:
        raise BadInput("this model has no chat template; choose an instruction-tuned model")
    pattern = control_pattern(tokenizer)
    seam = new_seam()
    safe = [{**message, "content": parted(pattern, seam, message["content"])} for message in messages]
    try:
        text = tokenizer.apply_chat_template(safe, add_generation_prompt=True, tokenize=False)
    except Exception as error:  # Jinja templates raise their own kinds for roles they do not know
        raise BadInput(f"the model's chat template refuses these messages: {error}") from error
    return _encode_pieces(tokenizer, text.split(seam))


def encode_text(tokenizer: PreTrainedTokenizerBase, text: str) -> list[int]:
    """Token ids of a hint: plain text without control tokens, whatever strings it holds. Raises BadInput for no text."""
    _check_text("hint", text)
    seam = new_seam()
    return _encode_pieces(tokenizer, parted(control_pattern(tokenizer), seam, text).split(seam))


def check_context(*, prompt_tokens: int, window: Window, hint_tokens: int, context_tokens: int) -> None:
    """Raise ContextOverflow, with the four numbers, where prompt + window + hint + answer exceed the context."""
    needed = prompt_tokens + window.thinking_tokens + hint_tokens + window.answer_tokens
    if needed > context_tokens:
        raise ContextOverflow(
            f"prompt {prompt_tokens:,} + window {window.thinking_tokens:,} + hint {hint_tokens} + answer "
            f"{window.answer_tokens:,} = {needed:,} tokens, but the model holds {context_tokens:,}: "
            f"shorten the prompt or the conversation, or lower the window or the total by {needed - context_tokens:,}"
        )


def _check_text(name: str, text: object) -> None:
    if not isinstance(text, str):
        raise BadInput(f"the {name} is {text!r:.40}; it must be a text")
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise BadInput(f"the {name} holds half a character at position {error.start}; remove it") from error


def _encode_pieces(tokenizer: PreTrainedTokenizerBase, pieces: Iterable[str]) -> list[int]:
    """Each piece is encoded alone: what a seam has parted can not grow together again."""
    return [id_ for piece in pieces if piece for id_ in tokenizer.encode(piece, add_special_tokens=False)]
