"""The figure of a run: its loss over its steps, out of log.jsonl."""

from __future__ import annotations

from pathlib import Path

from training import run_folder
from z1_core import jsonl

LABELS = {
    "loss": "training: mean over the step's labelled tokens",
    "held_out_loss": "held out: mean over rows of each row's mean",
}


def plot_run(out: Path) -> None:
    """Write RUN/loss.png."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    lines = jsonl.rows(out / run_folder.LOG)
    figure = Figure(figsize=(8, 4.5), layout="constrained")
    axes = figure.add_subplot()
    for (name, label), look in zip(LABELS.items(), ({"color": "0.7"}, {"marker": "."}), strict=True):
        if points := [(line["step"], line[name]) for line in lines if name in line]:
            axes.plot(*zip(*points, strict=True), label=label, **look)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_title(out.resolve().name, parse_math=False)
    axes.set(xlabel="step", ylabel="cross-entropy of a token")
    axes.legend()
    figure.savefig(out / "loss.png", dpi=130)
