"""What a conversation says on the page, as plain values for static/view.js, which draws them. Every text is data there."""

from __future__ import annotations

from html import escape
from typing import Any

from ui.conversation import Conversation, Turn

STARTS_BY_ITSELF = "It starts by itself as soon as one is free; Stop gives it up."


def sentence(text: str) -> str:
    """Begins with a capital and ends with one full stop: errors of the library are parts of sentences."""
    return f"{text[:1].upper()}{text[1:].rstrip('.')}." if text else ""


def counted(tokens: int) -> str:
    return f"{tokens:,} token{'' if tokens == 1 else 's'}"


def error_html(text: str) -> str:
    return f'<div class="z1-error" role="alert">{escape(sentence(text))}</div>'


def waits(queue: int) -> str:
    return f"Waits for a place: {'first' if queue == 1 else f'{queue:,}'} in the queue"


def conversation_view(conversation: Conversation, *, complaint: str = "") -> dict[str, Any]:
    """The whole conversation. n grows with every view, so that one that comes late does not undo a later one."""
    conversation.shown += 1
    turn, running = conversation.current, conversation.is_running
    return {
        "n": conversation.shown,
        "turns": [turn_view(each) for each in conversation.turns],
        "running": running,
        "thinks": running and turn is not None and turn.phase == "trace",
        "complaint": sentence(complaint),
        "status": status_sentence(turn),
    }


def turn_view(turn: Turn) -> dict[str, Any]:
    """One turn. bar: percent of the total that thinking, hint and answer take, and where the window ends."""
    trace, hint, answer = turn.tokens["trace"], turn.tokens["hint"], turn.tokens["answer"]
    total, used = turn.settings.total_tokens, trace + hint + answer
    ends = [min(round(100 * count / total, 2), 100) for count in (trace, hint, answer, turn.window.thinking_tokens)]
    by_you = " by you" if trace < turn.window.thinking_tokens else ""
    return {
        "id": f"{id(turn):x}",
        "question": turn.question,
        "head": headline(turn),
        "numbers": " · ".join(numbers(turn)),
        "bar": ends,
        "used": f"{used:,} of {total:,} tokens used",
        "key": key(turn),
        "trace": turn.texts["trace"],
        "cut": f"✂ window closed{by_you} at {trace:,} tokens" if hint else "",
        "inserted": turn.texts["hint"].strip(),
        "answer": turn.texts["answer"],
        "end": turn.end_reason,
        "ended": end_sentence(turn),
        "facts": " · ".join(facts(turn)) if turn.end_reason else "",
        "error": sentence(turn.error),
    }


def headline(turn: Turn) -> str:
    """What happened in the window, in a few words."""
    spent = counted(turn.tokens["trace"])
    if turn.error:
        return "Interrupted"
    if turn.end_reason == "inside":
        return "Answered inside the window"
    if turn.end_reason == "context_full" and not turn.tokens["hint"]:
        return "Context full"
    if turn.tokens["hint"]:
        closed_early = turn.tokens["trace"] < turn.window.thinking_tokens
        return f"Thinking closed by you after {spent}" if closed_early else f"Thinking cut after {spent}"
    if turn.end_reason:
        return "Stopped while thinking"
    if turn.queue:
        return waits(turn.queue)
    return "Thinking" if turn.tokens["trace"] else "Waiting for the first token"


def numbers(turn: Turn) -> list[str]:
    """How much of the window is spent, when the first token came, and how fast the others came behind it."""
    if turn.queue:
        return []
    written = turn.tokens["trace"] + turn.tokens["answer"]
    told = [f"{turn.tokens['trace']:,} of {turn.window.thinking_tokens:,} tokens"]
    told += [f"first after {turn.first_s:.1f} s"] if turn.first_s is not None else []
    told += [f"{(written - 1) / turn.seconds:.0f} tokens/s"] if turn.seconds > 1 and written > 1 else []
    return told


def key(turn: Turn) -> list[list[str]]:
    """[kind, words] of each part of the bar; the kind has a colour."""
    trace, hint, answer = turn.tokens["trace"], turn.tokens["hint"], turn.tokens["answer"]
    if turn.queue:
        return [["waits", STARTS_BY_ITSELF]]
    parts = [["thinking", f"thinking {trace:,}"]]
    if hint:
        parts += [["hint", f"inserted {hint}"], ["answer", f"answer {answer:,} of {turn.window.answer_tokens:,}"]]
    return [*parts, ["", f"total {trace + hint + answer:,} of {turn.settings.total_tokens:,}"]]


def end_sentence(turn: Turn) -> str:
    """How the turn ended, in words."""
    spent, window = turn.tokens["trace"], turn.window
    match turn.end_reason:
        case None:
            return ""
        case "inside":
            return f"Answered inside the window: {spent:,} of {window.thinking_tokens:,} tokens."
        case "cut":
            return "Answered after the cut."
        case "answer_now":
            return f"You closed the window at {spent:,} of {window.thinking_tokens:,} tokens; the model answered."
        case "answer_length":
            return (
                f"The answer ran into its limit of {window.answer_tokens:,} tokens; raise the total for a longer one."
            )
        case "context_full":
            return "The model's context is full; start a new conversation or lower the window."
        case "user_stop":
            return "Stopped by you. What was written is kept."
        case "error":
            return sentence(turn.error)


def facts(turn: Turn) -> list[str]:
    """Time, and the settings the turn was run with."""
    settings = turn.settings
    told = [f"imported, ran on {turn.model}"] if turn.versions is not None else []
    told += [f"{turn.seconds:.1f} s", f"window {settings.thinking_tokens:,}", f"total {settings.total_tokens:,}"]
    told.append(f"temperature {settings.temperature:g}")
    if settings.temperature > 0:
        told += [f"top-p {settings.top_p:g}", f"seed {settings.seed}"]
    return told


def status_sentence(turn: Turn | None) -> str:
    """For screen readers: changes with the phase, not with every token."""
    if turn is None:
        return "Ready."
    if turn.is_running:
        return headline(turn)
    return f"Imported. {end_sentence(turn)}" if turn.versions is not None else end_sentence(turn)
