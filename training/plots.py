"""Figures of a run: the loss over its steps, and how long the rows were."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from training import manifest, run_folder
from z1_core.errors import Z1Error

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ALL = "all"


def plot_run(out: Path, data: manifest.Manifest, name: str) -> None:
    """Write OUT/loss.png and OUT/length.png. Raises Z1Error where the disk is full."""
    from training.figure_style import drawn

    try:
        with drawn(out / "loss.png", 8, 4.5) as figure:
            _draw_loss(figure.add_subplot(), run_folder.read_log(out / run_folder.LOG), name)
        with drawn(out / "length.png", 8, 4.5) as figure:
            _draw_lengths(figure.add_subplot(), data)
    except OSError as error:
        raise Z1Error(
            f"the figures in {out} cannot be written: {error.strerror or error}; the model is whole: free some space and "
            "give the same command again for the figures"
        ) from error


def length_bins(lines: Sequence[Mapping[str, Any]]) -> list[str]:
    """The held-out bins of a log, shortest first; none where there is only one, which is all there is."""
    names = {name for line in lines for name in line.get("held_out", {})} - {ALL}
    return sorted(names, key=lambda name: (name.startswith("over"), int(name.split("_")[-1]))) if len(names) > 1 else []


def held_out(lines: Sequence[Mapping[str, Any]], name: str) -> tuple[list[int], list[float]]:
    """Steps and losses of one length bin."""
    points = [(line["step"], line["held_out"][name]) for line in lines if name in line.get("held_out", {})]
    return [step for step, _ in points], [loss for _, loss in points]


def _draw_loss(axes: Axes, lines: Sequence[Mapping[str, Any]], name: str) -> None:
    from matplotlib import colormaps
    from matplotlib.ticker import MaxNLocator

    from training.figure_style import ACCENT, GREY

    train = [line for line in lines if "loss" in line]
    axes.plot([line["step"] for line in train], [line["loss"] for line in train], color=GREY, label="training")
    bins = length_bins(lines)
    for place, bin_ in enumerate(bins):
        colour = colormaps["viridis"](place / len(bins))
        label = f"held out, {bin_.replace('_', ' ')} tokens"
        axes.plot(*held_out(lines, bin_), color=colour, linewidth=1, marker=".", label=label)
    if any("held_out" in line for line in lines):
        axes.plot(*held_out(lines, ALL), color=ACCENT, linewidth=2, marker="o", label="held out, mean over rows")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set(title=f"{name}: loss", xlabel="step", ylabel="loss per labelled token")
    axes.legend()


def _draw_lengths(axes: Axes, data: manifest.Manifest) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    from training.figure_style import TEAL

    edges = [bin_["from"] - 1 for bin_ in data.lengths]
    widths = [bin_["to"] - start for bin_, start in zip(data.lengths, edges, strict=True)]
    axes.bar(edges, [bin_["rows"] for bin_ in data.lengths], width=widths, align="edge", color=TEAL, edgecolor="white")
    axes.set_xlim(left=0)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(axis="x", visible=False)
    axes.set(
        title=f"{data.counts['train']:,} rows, {data.tokens['all']:,} tokens, {1 - data.masked_fraction:.0%} with loss",
        xlabel="tokens of a row, prompt included",
        ylabel="rows",
    )
