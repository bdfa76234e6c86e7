"""What a conversation and a comparison say on the page, as plain values for static/view.js, which draws them. Every text is
data there. Both have a meter: head, numbers, bar and marks (in percent), used (the bar in words) and key."""

from __future__ import annotations

from typing import Any

from ui.comparison import Compared, Comparison, Place
from ui.conversation import Conversation, Kept, Turn
from ui.html import sentence

STARTS_BY_ITSELF = "It starts by itself as soon as one is free; Stop gives it up."


def counted(tokens: int) -> str:
    return f"{tokens:,} token{'' if tokens == 1 else 's'}"


def waits(queue: int) -> str:
    return f"Waits for a place: {'first' if queue == 1 else f'{queue:,}'} in the queue"


def _tab_view(kept: Kept, complaint: str) -> dict[str, Any]:
    """n grows with every view, so that one that comes late does not undo a later one."""
    kept.shown += 1
    return {"n": kept.shown, "complaint": sentence(complaint), "running": kept.is_running}


def conversation_view(conversation: Conversation, *, complaint: str = "") -> dict[str, Any]:
    view, turn = _tab_view(conversation, complaint), conversation.current
    return {
        **view,
        "turns": [turn_view(each) for each in conversation.turns],
        "empty": turn is None,
        "thinks": view["running"] and turn is not None and turn.phase == "trace",
        "status": status_sentence(turn),
    }


def turn_view(turn: Turn) -> dict[str, Any]:
    trace, hint, answer = turn.tokens["trace"], turn.tokens["hint"], turn.tokens["answer"]
    total, window = turn.settings.total_tokens, turn.window.thinking_tokens
    by_you = " by you" if trace < window else ""
    is_over = turn.end_reason and not turn.error
    return {
        "id": f"{id(turn):x}",
        "question": turn.question,
        "running": turn.is_running,
        "head": headline(turn),
        "numbers": " · ".join(numbers(turn)),
        "bar": [
            ["thinking", _percent(trace, total)],
            ["hint", _percent(hint, total)],
            ["answer", _percent(answer, total)],
        ],
        "marks": [[_percent(window, total), "", "the window ends here"]],
        "used": f"{trace + hint + answer:,} of {total:,} tokens used",
        "key": key(turn),
        "trace": turn.texts["trace"],
        "cut": f"✂ window closed{by_you} at {trace:,} tokens" if hint else "",
        "inserted": turn.texts["hint"].strip(),
        "answer": turn.texts["answer"],
        "end": turn.end_reason,
        "ended": end_sentence(turn) if is_over else "",
        "facts": " · ".join(facts(turn)) if is_over else "",
        "error": sentence(turn.error),
    }


def _percent(tokens: int, total: int) -> float:
    return min(round(100 * tokens / total, 2), 100)


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


ENDS = {
    "inside": "Answered inside the window: {spent:,} of {window:,} tokens.",
    "cut": "Answered after the cut.",
    "answer_now": "You closed the window at {spent:,} of {window:,} tokens; the model answered.",
    "answer_length": "The answer ran into its limit of {answer:,} tokens; raise the total for a longer one.",
    "context_full": "The model's context is full; start a new conversation or lower the window.",
    "user_stop": "Stopped by you. What was written is kept.",
    "error": "{error}",
}
"""How a turn ended, in words."""


def end_sentence(turn: Turn) -> str:
    tokens = {"window": turn.window.thinking_tokens, "answer": turn.window.answer_tokens, "spent": turn.tokens["trace"]}
    return ENDS[turn.end_reason].format(**tokens, error=sentence(turn.error)) if turn.end_reason else ""


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


def comparison_view(compared: Compared, *, complaint: str = "") -> dict[str, Any]:
    """tokens: when it is done."""
    view, comparison = _tab_view(compared, complaint), compared.current
    view |= {"ready": not view["running"], "compare": "Comparing" if view["running"] else "Compare"}
    if comparison is None:
        return {**view, "empty": True, "cards": [], "head": "", "used": "", "bar": [], "marks": [], "key": []}
    whole = comparison.trace
    written, room = whole.tokens["trace"], whole.window.thinking_tokens
    done = not comparison.is_running and written > 0
    return {
        **view,
        "complaint": sentence(complaint or comparison.error),
        "begun": True,
        "done": done,
        "head": comparison_headline(comparison),
        "numbers": STARTS_BY_ITSELF if whole.queue else progress(comparison),
        "bar": [["thinking", _percent(written, room)]],
        "marks": [_mark(place, room, written) for place in comparison.places],
        "used": f"{written:,} of {room:,} tokens of the trace",
        "key": [],
        "cards": [card(comparison, place) for place in comparison.in_order],
        "trace": whole.texts["trace"] if done else "",
        "tokens": [*comparison.tokens] if done else [],
        "cuts": [[p.window.thinking_tokens, "z1-recut" if p.recut else ""] for p in comparison.places if p.is_cut],
    }


def progress(comparison: Comparison) -> str:
    whole = comparison.trace
    state = "writing" if comparison.is_running and not whole.is_cut else "written"
    end = "stopped by itself" if whole.end_reason == "inside" else f"window of {whole.window.thinking_tokens:,}"
    return f"{whole.tokens['trace']:,} tokens {state} · {end} · {comparison.seconds:.1f} s"


def comparison_headline(comparison: Comparison) -> str:
    if comparison.error:
        return "Interrupted"
    if comparison.trace.queue:
        return waits(comparison.trace.queue)
    if comparison.is_running:
        return "One trace, answered at every window it passes"
    if comparison.stopped:
        return "Stopped by you"
    places, answers = len(comparison.places), len({place.short for place in comparison.places})
    if places == 1:
        return "One trace, one answer"
    return f"One trace, {places} answers, all the same" if answers == 1 else f"One trace, {answers} different answers"


def _mark(place: Place, room: int, written: int) -> list[Any]:
    """Where a window closes."""
    size = place.window.thinking_tokens
    kinds = ["z1-passed"] * (size <= written) + ["z1-recut"] * place.recut
    return [_percent(size, room), " ".join(kinds), f"{size:,} tokens"]


def card(comparison: Comparison, place: Place) -> dict[str, str]:
    size = place.window.thinking_tokens
    return {
        "title": f"Re-cut at {size:,}" if place.recut else f"Window {size:,}",
        "line": _line(place, place.tokens["trace"], size),
        "answer": place.shown,
        "short": place.short if place.end_reason else "",
        "agrees": _agreement(comparison, place),
        "foot": " · ".join(_facts(place)),
    }


def _line(place: Place, used: int, size: int) -> str:
    if place.end_reason == "inside":
        return f"stopped by itself after {used:,} tokens"
    if place.is_cut:
        return f"✂ cut after {used:,} tokens"
    if place.queue and used:
        return f"✂ {waits(place.queue)}"
    return f"thinking, {used:,} of {size:,}" if used else "waits for the trace to get there"


def _agreement(comparison: Comparison, place: Place) -> str:
    if place is comparison.trace:
        return "largest window"
    return {True: "✓ same answer", False: "≠ other answer", None: ""}[comparison.agrees(place)]


def _facts(place: Place) -> list[str]:
    total = sum(place.tokens.values())
    told = [f"answer {place.tokens['answer']:,} of {place.window.answer_tokens:,}"] if place.is_cut else []
    told += ["no hint needed"] if place.end_reason and not place.is_cut else []
    told += ["ran into its limit"] if place.end_reason == "answer_length" else []
    return [*told, f"{total:,} in all"] if told and total else told
