"""The figures of a subset's report: its lengths before and after, and its trigrams beside another set's (the paper's
Figure 3)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, MaxNLocator

from training.figure_style import ACCENT, GREY, INK, TEAL, drawn

STAGE_COLOURS = {"read": "#d8d2c8", "sound": "#8fb3b0", "selected": TEAL}
LABEL_CHARACTERS = 34


def save_lengths(report: Mapping[str, Any], path: Path) -> None:
    """Rows and tokens by length, as read, after the filters, and as chosen."""
    bins = report["lengths"]
    with drawn(path, 11, 4.4) as figure:
        rows, tokens = figure.subplots(1, 2)
        _draw_lengths(rows, bins, "", "rows")
        _draw_lengths(tokens, bins, "_tokens", "tokens")
        names = {"read": "read", "sound": "left by the filters", "selected": "selected"}
        handles = [
            Patch(color=STAGE_COLOURS[stage], label=f"{name} ({report['rows'][stage]:,} rows)")
            for stage, name in names.items()
        ]
        figure.legend(handles=handles, loc="outside lower center", ncols=3)


def save_trigrams(report: Mapping[str, Any], path: Path) -> None:
    """A panel for each set; what the other set has in its top too is grey."""
    sets = report["trigrams"]
    entries = max(1, *(len(each["top"]) for each in sets))
    with drawn(path, 6.2 * len(sets), 1.4 + 0.2 * entries) as figure:
        panels = figure.subplots(1, len(sets), squeeze=False, sharex=True)[0]
        for place, (axes, each) in enumerate(zip(panels, sets, strict=True)):
            others = {words for other in sets[:place] + sets[place + 1 :] for words, _ in other["top"]}
            _draw_trigrams(axes, each, others, compared=len(sets) > 1)
        if len(sets) > 1:
            shared = len({words for words, _ in sets[0]["top"]} & {words for words, _ in sets[1]["top"]})
            handles = [
                Patch(color=GREY, label=f"in both top {entries} ({shared})"),
                Patch(color=ACCENT, label="in this one only"),
            ]
            figure.legend(handles=handles, loc="outside lower center", ncols=2)


def _draw_lengths(axes: Axes, bins: Sequence[Mapping[str, int]], suffix: str, unit: str) -> None:
    for number, (stage, colour) in enumerate(STAGE_COLOURS.items()):
        places = [place + (number - 1) * 0.28 for place in range(len(bins))]
        axes.bar(places, [line[f"{stage}{suffix}"] for line in bins], width=0.28, color=colour)
    axes.set_xticks(
        range(len(bins)), [f"{line['from']:,}" for line in bins], rotation=45, ha="right", rotation_mode="anchor"
    )
    axes.grid(axis="x", visible=False)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: _short(value)))
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set(title=f"{unit.capitalize()} by length of the trajectory", xlabel="tokens, from", ylabel=unit)


def _draw_trigrams(axes: Axes, each: Mapping[str, Any], others: set[str], *, compared: bool) -> None:
    words = [entry for entry, _ in each["top"]]
    rates = [1e6 * count / each["total"] for _, count in each["top"]]
    colours = [GREY if compared and entry in others else ACCENT for entry in words]
    axes.barh(range(len(words)), rates, color=colours, height=0.72)
    axes.set_yticks(range(len(words)), [_label(entry) for entry in words], fontsize=8, family="DejaVu Sans Mono")
    axes.set_ylim(len(words) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0, labelcolor=INK)
    axes.grid(axis="y", visible=False)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.set(title=f"{each['set']}: {_short(each['total'])} trigrams", xlabel="occurrences per million trigrams")


def _label(words: str) -> str:
    return words if len(words) <= LABEL_CHARACTERS else words[: LABEL_CHARACTERS - 1] + "…"


def _short(number: float) -> str:
    for factor, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if number >= factor:
            return f"{number / factor:.3g}{unit}"
    return f"{number:,.0f}"
