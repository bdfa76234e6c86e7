"""How the figures of training look: colours, and what matplotlib is told."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from matplotlib import rc_context
from matplotlib.figure import Figure

INK, MUTED, LINE = "#1d1b19", "#655f57", "#e7e2da"
GREY, ACCENT, TEAL = "#b9b2a7", "#b4531f", "#1f6f6b"
STYLE = {
    "font.size": 10,
    "font.family": "DejaVu Sans",
    "text.color": INK,
    "text.parse_math": False,
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
}


@contextmanager
def drawn(path: Path, width: float, height: float) -> Iterator[Figure]:
    """A figure to draw in, in inches, that is written at the end: the same bytes for the same drawing."""
    with rc_context(STYLE):
        figure = Figure(figsize=(width, height), layout="constrained")
        yield figure
        figure.savefig(path, dpi=130, facecolor="white", metadata={"Software": None})
