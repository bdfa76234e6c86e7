"""What a comparison says on the page, as plain values for static/view.js."""

from __future__ import annotations

from typing import Any

from ui.comparison import Compared, Comparison, Place
from ui.views import STARTS_BY_ITSELF, sentence, waits


def comparison_view(compared: Compared, *, complaint: str = "") -> dict[str, Any]:
    """n grows with every view, so that one that comes late does not undo a later one. tokens: when it is done."""
    compared.shown += 1
    comparison = compared.current
    view: dict[str, Any] = {"n": compared.shown, "complaint": sentence(complaint), "cards": [], "marks": []}
    if comparison is None:
        return {**view, "running": False, "done": False, "head": "", "numbers": "", "bar": 0, "used": ""}
    whole, running = comparison.trace, comparison.is_running
    written, room = whole.tokens["trace"], whole.window.thinking_tokens
    done = not running and written > 0
    return {
        **view,
        "complaint": sentence(complaint or comparison.error),
        "running": running,
        "done": done,
        "head": headline(comparison),
        "numbers": STARTS_BY_ITSELF if whole.queue else progress(comparison),
        "bar": round(100 * written / room, 2),
        "used": f"{written:,} of {room:,} tokens of the trace",
        "marks": [_mark(place, room, written) for place in comparison.places],
        "cards": [card(comparison, place) for place in comparison.in_order],
        "trace": whole.texts["trace"] if done else "",
        "tokens": comparison.tokens if done else [],
        "cuts": [[p.window.thinking_tokens, "z1-recut" if p.recut else ""] for p in comparison.places if p.is_cut],
    }


def progress(comparison: Comparison) -> str:
    whole = comparison.trace
    state = "writing" if comparison.is_running and not whole.is_cut else "written"
    end = "stopped by itself" if whole.end_reason == "inside" else f"window of {whole.window.thinking_tokens:,}"
    return f"{whole.tokens['trace']:,} tokens {state} · {end} · {comparison.seconds:.1f} s"


def headline(comparison: Comparison) -> str:
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
    """[percent of the bar, classes, words] where a window closes."""
    size = place.window.thinking_tokens
    kinds = ["z1-passed"] * (size <= written) + ["z1-recut"] * place.recut
    return [round(100 * size / room, 2), " ".join(kinds), f"{size:,} tokens"]


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
