"""What every chart of the page has in common. Colours of texts and lines come from style.css, so that both themes suit."""

from __future__ import annotations

from typing import Any

RUST, TEAL = "#c8662d", "#1f8a84"
"""Three to one against the card in both themes."""
EMBED = {"embedOptions": {"actions": False, "renderer": "svg"}}
FONT = "IBM Plex Sans, system-ui, sans-serif"
"""The page's: Vega makes room for labels by it."""


def finished(chart: Any, height: int, described: str) -> Any:
    """The chart as wide as its place. described: for those who do not see it."""
    return (
        chart.properties(width="container", height=height, background="transparent", description=described)
        .properties(usermeta=EMBED, autosize={"type": "fit-x", "contains": "padding"})
        .configure(font=FONT)
        .configure_view(stroke=None)
        .configure_axis(
            labelFontSize=12.5, titleFontSize=12.5, titleFontWeight="normal", domain=False, ticks=False, labelPadding=6
        )
        .configure_axisX(grid=False)
        .configure_legend(labelFontSize=12.5)
        .configure_text(fontSize=12)
    )
