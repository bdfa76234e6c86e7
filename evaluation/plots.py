"""The figures of a report: accuracy against thinking tokens over the paper's curves, and how long traces are.

figure = scaling_figure({"math500": [Series(label="my-model", title="MATH500", windows=(...))]}); figure.savefig(...)
"""

from __future__ import annotations

import html
import io
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator, PercentFormatter
from matplotlib.transforms import ScaledTranslation

from evaluation.paper import paper

INK, MUTED, LINE, PAPER, CARD = "#1d1b19", "#655f57", "#e7e2da", "#8b857c", "#ffffff"
RUNS = ("#b4531f", "#1f6f6b", "#856614", "#5b4b9a", "#2b6ca3", "#9a3a6b")
INSIDE, CUT = RUNS[1], RUNS[0]
MARKERS = "osD^vP"
CSS_COLOURS = {INK: "--ink", MUTED: "--muted", LINE: "--line", PAPER: "--paper", CARD: "--card"} | {
    colour: f"--run-{number}" for number, colour in enumerate(RUNS)
}
"""Inside the HTML report a figure takes the page's colours, light or dark."""

PANEL_INCHES, PAGE_INCHES = (5.4, 3.7), (4.7, 3.5)
COLUMNS = 2
STYLE = {
    "font.size": 10,
    "font.family": "DejaVu Sans",
    "text.color": INK,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": LINE,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "legend.frameon": False,
    "legend.fontsize": 9,
    "savefig.dpi": 160,
    "svg.hashsalt": "z1",
}
LABEL_POINTS = 26
AXES_SHARE = 0.85
"""Of a panel's width, about, and the room that the name of a window takes."""
BESIDE_POINTS = 3
LEGEND_POINTS = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One line: a run's windows as in summary.json. lengths: its traces at the largest window, as (tokens, cut)."""

    label: str
    title: str
    windows: Sequence[Mapping[str, Any]]
    lengths: Sequence[tuple[int, bool]] = ()


def scaling_figure(series: Mapping[str, Sequence[Series]], inches: tuple[float, float] = PANEL_INCHES) -> Figure:
    """A panel of that size for each benchmark, a line for each run."""
    return _panels(series, draw_scaling, inches)


def lengths_figure(series: Mapping[str, Sequence[Series]], inches: tuple[float, float] = PANEL_INCHES) -> Figure:
    """A panel for each benchmark of the first run's traces."""
    return _panels(series, lambda axes, _, lines: draw_lengths(axes, lines[0]), inches)


def rendered(figure: Figure, kind: Literal["png", "svg"]) -> bytes:
    """The file's bytes, the same for the same figure."""
    file = io.BytesIO()
    with rc_context(STYLE):
        figure.savefig(file, format=kind, facecolor="white", metadata={"Date": None} if kind == "svg" else None)
    return file.getvalue()


def inline_svg(figure: Figure, *, described: str, prefix: str) -> str:
    """For a page: real text in the page's font, no background, colours by the page's variables.

    described: what a screen reader says. prefix: keeps the ids of several figures on one page apart.
    """
    file = io.BytesIO()
    with rc_context({**STYLE, "svg.fonttype": "none", "svg.hashsalt": prefix}):
        figure.savefig(file, format="svg", transparent=True, metadata={"Date": None})
    svg = file.getvalue().decode()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'(\bid="|"#|url\(#)', rf"\g<1>{prefix}-", svg)
    for colour, variable in CSS_COLOURS.items():
        svg = svg.replace(colour, f"var({variable})")
    return svg.replace("<svg ", f'<svg role="img" aria-label="{html.escape(described)}" ', 1)


def draw_scaling(axes: Axes, benchmark: str, lines: Sequence[Series]) -> None:
    """Accuracy with 95 % intervals; tokens on a logarithmic axis, because windows double."""
    curves = paper().curves(benchmark)
    for curve, dashes, marker in zip(curves, ("--", ":"), ("s", "x"), strict=False):
        label = f"paper: {curve.model}, {curve.method}"
        style = {"linestyle": dashes, "linewidth": 1.3, "marker": marker, "markersize": 4, "color": PAPER}
        axes.plot(*zip(*curve.points, strict=True), **style, label=label)
    for number, line in enumerate(lines):
        _draw_run(axes, line, number)
    judged = [(_tokens(each), each["high"]) for line in lines for each in _judged(line)]
    _set_limits(axes, [*judged, *(point for curve in curves for point in curve.points)])
    axes.xaxis.set_major_locator(LogLocator(base=2, numticks=8))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0, symbol=" %"))
    axes.set(
        title=_plain(lines[0].title), xlabel="average thinking tokens (log scale)", ylabel="accuracy, 95 % intervals"
    )
    if len(lines) == 1:
        _name_windows(axes, _judged(lines[0]))
    if not judged:
        axes.text(0.5, 0.5, "not judged yet", transform=axes.transAxes, ha="center", color=MUTED)
    if axes.get_legend_handles_labels()[0]:
        _legend_below(axes)


def draw_lengths(axes: Axes, line: Series) -> None:
    """Traces at the largest window. Those that were cut pile up at its end."""
    inside = [tokens for tokens, cut in line.lengths if not cut]
    cut = [tokens for tokens, was_cut in line.lengths if was_cut]
    window = max((window["thinking_tokens"] for window in line.windows), default=1)
    axes.hist(
        [inside, cut],
        bins=24,
        range=(0, window),
        stacked=True,
        edgecolor=CARD,
        linewidth=0.6,
        color=[INSIDE, CUT],
        label=[f"not cut ({len(inside):,})", f"cut ({len(cut):,})"],
    )
    axes.grid(axis="x", visible=False)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlim(0, window)
    axes.set(title=_plain(line.title), xlabel=f"trace length in tokens, window {window:,}", ylabel="answers")
    _legend_below(axes)


def _draw_run(axes: Axes, line: Series, number: int) -> None:
    """Lines stand a little beside each other: methods on the same traces have the same token counts."""
    points = _judged(line)
    if not points:
        return
    bars = [[each["accuracy"] - each["low"], each["high"] - each["accuracy"]] for each in points]
    colour = RUNS[number % len(RUNS)]
    beside = ScaledTranslation(number * BESIDE_POINTS / 72, 0, axes.figure.dpi_scale_trans)
    axes.errorbar(
        [_tokens(each) for each in points],
        [each["accuracy"] for each in points],
        yerr=[[max(0.0, bar[end]) for bar in bars] for end in (0, 1)],
        color=colour,
        marker=MARKERS[number % len(MARKERS)],
        markersize=5.5,
        linewidth=1.8,
        elinewidth=1,
        capsize=3,
        clip_on=False,  # a point at 0 % is a whole one
        label=_plain(line.label),
        transform=axes.transData + beside,
    )


def _set_limits(axes: Axes, points: Sequence[tuple[float, float]]) -> None:
    """Around all points, bars included, with room for the names of windows: shifted lines are not seen by autoscale."""
    tokens = [each for each, _ in points] or [64, 4096]
    axes.set_xscale("log", base=2)
    axes.set_xlim(min(tokens) / 1.3, max(tokens) * 1.3)
    axes.set_ylim(0, min(1.08, 1.14 * max([share for _, share in points] or [1.0])))


def _name_windows(axes: Axes, points: Sequence[Mapping[str, Any]]) -> None:
    """Each window's size above its bar; one label for bars so close that their labels would print over each other."""
    low, high = map(math.log, axes.get_xlim())
    panel_inches = axes.figure.get_size_inches()[0] / axes.get_subplotspec().get_gridspec().ncols
    per_point = (high - low) / (72 * AXES_SHARE * panel_inches)
    groups: list[list[Mapping[str, Any]]] = []
    for each in points:
        if groups and math.log(_tokens(each) / _tokens(groups[-1][-1])) < LABEL_POINTS * per_point:
            groups[-1].append(each)
        else:
            groups.append([each])
    for group in groups:
        first, last = group[0]["thinking_tokens"], group[-1]["thinking_tokens"]
        axes.annotate(
            f"{first:,}" if first == last else f"{first:,}–{last:,}",
            (math.sqrt(_tokens(group[0]) * _tokens(group[-1])), max(each["high"] for each in group)),
            xytext=(0, 5),
            textcoords="offset points",
            ha="center",
            fontsize=8,
            color=RUNS[0],
            bbox={"facecolor": CARD, "edgecolor": "none", "pad": 0.6},
        )


def _judged(line: Series) -> list[Mapping[str, Any]]:
    return [window for window in line.windows if window["n"]]


def _tokens(window: Mapping[str, Any]) -> float:
    return max(1.0, window["avg_thinking_tokens"])  # 0 has no place on a logarithmic axis


def _panels(
    series: Mapping[str, Sequence[Series]],
    draw: Callable[[Axes, str, Sequence[Series]], None],
    inches: tuple[float, float],
) -> Figure:
    columns = min(COLUMNS, len(series))
    rows = -(-len(series) // columns)
    with rc_context(STYLE):
        figure = Figure(figsize=(inches[0] * columns, inches[1] * rows), layout="constrained")
        grid = list(figure.subplots(rows, columns, squeeze=False).flat)
        for (benchmark, lines), axes in zip(series.items(), grid, strict=False):
            draw(axes, benchmark, lines)
        for axes in grid[len(series) :]:
            axes.set_visible(False)
        figure.get_layout_engine().set(w_pad=0.12, h_pad=0.12)
    return figure


def _plain(name: str) -> str:
    """Names are no formulas."""
    return name.replace("$", r"\$")


def _legend_below(axes: Axes) -> None:
    """Outside the axes: inside it would lie over points and bars wherever it stands."""
    below = axes.transAxes + ScaledTranslation(0, -LEGEND_POINTS / 72, axes.figure.dpi_scale_trans)
    axes.legend(loc="upper left", bbox_to_anchor=(0, 0), bbox_transform=below, borderaxespad=0, handlelength=2.4)
