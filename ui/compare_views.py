"""What a comparison looks like, as pure functions. Model text goes through here escaped, token by token."""

from __future__ import annotations

from html import escape
from typing import Any

import pandas as pd

from ui.charts import RUST, TEAL, finished
from ui.comparison import Comparison, Place
from ui.views import STARTS_BY_ITSELF, waits

ANSWER_HEIGHT = 44
"""Pixels of the plot for each different answer."""


def ruler_html(comparison: Comparison) -> str:
    """The trace as a bar, with a mark where each window closes."""
    whole = comparison.trace
    written, room = len(whole.ids["trace"]), whole.window.thinking_tokens
    marks = "".join(_mark(place, room, written) for place in comparison.places)
    state = "writing" if comparison.is_running and not whole.is_cut else "written"
    end = "stopped by itself" if whole.end_reason == "inside" else f"window of {room:,}"
    busy = " z1-busy" if comparison.is_running else ""
    numbers = f"{written:,} tokens {state} · {end} · {comparison.seconds:.1f} s"
    return (
        f'<div class="z1-meter z1-compare-meter{busy}"><div class="z1-head"><b>{headline(comparison)}</b>'
        f"<span>{STARTS_BY_ITSELF if whole.queue else numbers}</span></div>"
        f'<div class="z1-bar" role="img" aria-label="{written:,} of {room:,} tokens of the trace">'
        f'<i class="z1-thinking" style="width:{100 * written / room:.2f}%"></i>{marks}</div></div>'
    )


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


def _mark(place: Place, room: int, written: int) -> str:
    size = place.window.thinking_tokens
    passed = " z1-passed" if size <= written else ""
    kind = " z1-recut" if place.recut else ""
    return f'<u class="{passed}{kind}" style="left:{100 * size / room:.2f}%" title="{size:,} tokens"></u>'


def card_head_html(place: Place) -> str:
    size, used = place.window.thinking_tokens, len(place.ids["trace"])
    name = f"Re-cut at {size:,}" if place.recut else f"Window {size:,}"
    return (
        f'<div class="z1-card-head"><b>{name}</b></div><div class="z1-card-line">{_progress(place, used, size)}</div>'
    )


def _progress(place: Place, used: int, size: int) -> str:
    if place.end_reason == "inside":
        return f"stopped by itself after {used:,} tokens"
    if place.is_cut:
        return f'<span aria-hidden="true">✂</span> cut after {used:,} tokens'
    if place.queue and used:
        return f'<span aria-hidden="true">✂</span> {waits(place.queue)}'
    return f"thinking, {used:,} of {size:,}" if used else "waits for the trace to get there"


def _agreement(comparison: Comparison, place: Place) -> str:
    if place is comparison.trace:
        return '<span class="z1-agree">largest window</span>'
    match comparison.agrees(place):
        case True:
            return '<span class="z1-agree z1-yes">✓ same answer</span>'
        case False:
            return '<span class="z1-agree z1-no">≠ other answer</span>'
        case _:
            return ""


def card_foot_html(comparison: Comparison, place: Place) -> str:
    answer, room = len(place.ids["answer"]), place.window.answer_tokens
    short = f'<span class="z1-short">{escape(place.short)}</span>' if place.end_reason and place.short else ""
    said = f"<div>{short}{_agreement(comparison, place)}</div>" if short else ""
    total = sum(map(len, place.ids.values()))
    parts = [f"answer {answer:,} of {room:,}"] if place.is_cut else ["no hint needed"] if place.end_reason else []
    parts += ["ran into its limit"] if place.end_reason == "answer_length" else []
    parts += [f"{total:,} in all"] if total else []
    return f'<div class="z1-card-foot">{said}{" · ".join(parts)}</div>' if parts else ""


def trace_html(comparison: Comparison) -> str:
    """Every token of the finished trace as something to click on."""
    cuts, parts = {place.window.thinking_tokens: place for place in comparison.places if place.is_cut}, []
    for number, text in enumerate(comparison.tokens, start=1):
        parts.append(f'<span data-n="{number}">{escape(text)}</span>')
        if number in cuts:
            kind = " z1-recut" if cuts[number].recut else ""
            parts.append(f'<mark class="z1-here{kind}">✂ {number:,}</mark>')
    text = "".join(parts) or escape(comparison.trace.texts["trace"])
    return f'<div class="z1-tokens" tabindex="0" role="group" aria-label="The trace, by tokens">{text}</div>'


def chart(comparison: Comparison) -> Any:
    """Which answer at how many thinking tokens."""
    import altair as alt  # a second that no page should wait for before it is up

    rows = [
        {
            "thinking tokens": len(place.ids["trace"]),
            "answer": place.short or "no answer",
            "place": "re-cut" if place.recut else "window",
            "agreement": "as the largest window" if comparison.agrees(place) else "another answer",
        }
        for place in comparison.places
        if place.end_reason
    ]
    table = pd.DataFrame(rows)
    colour = alt.Color(
        "agreement:N",
        scale=alt.Scale(domain=["as the largest window", "another answer"], range=[TEAL, RUST]),
        legend=alt.Legend(title=None, orient="top"),
    )
    chart = (
        alt.Chart(table)
        .mark_point(filled=True, size=130, opacity=1)
        .encode(
            x=alt.X("thinking tokens:Q", scale=alt.Scale(zero=True), axis=alt.Axis(format=",.0f", labelOverlap=True)),
            y=alt.Y("answer:N", title=None, sort=None, axis=alt.Axis(labelLimit=180, grid=True)),
            color=colour,
            shape=alt.Shape("place:N", legend=None, scale=alt.Scale(domain=["window", "re-cut"])),
            tooltip=["thinking tokens", "answer", "place"],
        )
    )
    height = max(2, table["answer"].nunique()) * ANSWER_HEIGHT
    return finished(chart, height, "Which answer at how many thinking tokens; the cards above say the same")
