"""What every chart of the page has in common. Colours of texts and lines come from style.css, so that both themes suit."""

from __future__ import annotations

from typing import Any

from z1_core.scaling_plot import RUST, TEAL, styled

__all__ = ["RUST", "TEAL", "finished"]
EMBED = {"embedOptions": {"actions": False, "renderer": "svg"}}


def finished(chart: Any, height: int, described: str) -> Any:
    """The chart as wide as its place. described: for those who do not see it."""
    place = {"width": "container", "height": height, "description": described}
    return styled(chart.properties(**place, usermeta=EMBED, autosize={"type": "fit-x", "contains": "padding"}))
