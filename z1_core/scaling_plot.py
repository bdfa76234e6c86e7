"""Accuracy against average thinking tokens: one plot for the report and for the page, the paper's curves beside a run's.

points = [*run_points("my-model", windows), *paper_points("math500")]; chart = styled(scaling_chart(points, "MATH500"))

altair is imported where it is used: it takes a second, for which nobody should wait.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

PAPER_FILE = Path(__file__).parents[1] / "assets" / "paper.json"
"""The file says itself what it holds."""
PAPER_MODEL = "Z1-7B"
RUST, TEAL, GREY = "#c8662d", "#1f8a84", "#8b857c"
"""Three to one against a light and a dark ground."""
FONT = "IBM Plex Sans, system-ui, sans-serif"
"""The page's: Vega makes room for labels by it."""
RUNS = (RUST, TEAL, "#7a66c4", "#a37f1f", "#3f86c2", "#c0528a")
SHAPES = ("circle", "square", "triangle-up", "diamond", "triangle-down", "cross")
PAPER_SHAPES = ("square", "cross")
TICKS = [2**power for power in range(18)]
BESIDE = 1.02
"""Curves stand this factor beside each other, 3 pixels: methods on the same traces have the same token counts."""
NOT_GIVEN = "–"


@cache
def paper() -> Mapping[str, Any]:
    """The paper's own numbers (arXiv 2504.00810v1)."""
    return json.loads(PAPER_FILE.read_text(encoding="utf-8"))


def run_points(label: str, windows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The judged windows of a benchmark of summary.json, as points of a curve."""
    return [_point(label, each, from_paper=False) for each in windows if each["n"]]


def paper_points(benchmark: str) -> list[dict[str, Any]]:
    """The curves of Table 6. It prints neither windows nor intervals."""
    return [
        _point(
            f"paper: {model}, {curve['method']}",
            {"avg_thinking_tokens": tokens, "accuracy": percent / 100},
            from_paper=True,
        )
        for model, curve in paper()["scaling"].get(benchmark, {}).items()
        for tokens, percent in curve["points"]
    ]


def _point(label: str, figures: Mapping[str, Any], *, from_paper: bool) -> dict[str, Any]:
    """The numbers of a point, and their texts for tooltip and table. 0 tokens have no place on a logarithmic axis."""
    low, high, cut = (figures.get(name) for name in ("low", "high", "cut_rate"))
    return {
        "curve": label,
        "from_paper": from_paper,
        "tokens": max(1.0, figures["avg_thinking_tokens"]),
        "accuracy": figures["accuracy"],
        "low": low,
        "high": high,
        "window": f"{figures['thinking_tokens']:,}" if "thinking_tokens" in figures else NOT_GIVEN,
        "interval": NOT_GIVEN if low is None else f"{100 * low:.1f}–{100 * high:.1f}",
        "cut": NOT_GIVEN if cut is None else f"{100 * cut:.0f} %",
        "answers": f"{figures['n']:,}" if "n" in figures else NOT_GIVEN,
    }


def scaling_chart(
    points: Sequence[Mapping[str, Any]], title: str, *, sheet: Sequence[Mapping[str, Any]] | None = None
) -> Any:
    """Intervals as bars, the paper's curves dashed. points: at least one, of run_points and paper_points; sheet: those of
    all charts beside it, in which a curve looks the same."""
    import altair as alt

    named = {point["curve"]: point["from_paper"] for point in sheet or points}
    own = [name for name, from_paper in named.items() if not from_paper]
    papers = [name for name, from_paper in named.items() if from_paper]
    beside = {name: BESIDE**place for place, name in enumerate(own)}
    rows = [{**point, "x": point["tokens"] * beside.get(point["curve"], 1)} for point in points]
    low, high = min(row["x"] for row in rows) / 1.25, max(row["x"] for row in rows) * 1.25
    legend = alt.Legend(title=None, orient="bottom", columns=1, labelLimit=320, symbolStrokeWidth=0)

    def by_curve(channel: Any, of_runs: Sequence[Any], of_papers: Sequence[Any]) -> Any:
        """Runs and the paper's curves each go through looks of their own."""
        looks = [of_runs[place % len(of_runs)] for place in range(len(own))]
        looks += [of_papers[place % len(of_papers)] for place in range(len(papers))]
        return channel("curve:N", legend=legend, scale=alt.Scale(domain=own + papers, range=looks))

    def share(field: str) -> alt.Y:
        return alt.Y(f"{field}:Q", title="accuracy", axis=alt.Axis(format=".0%"), scale=alt.Scale(zero=True))

    ticks = alt.Axis(values=[tick for tick in TICKS if low <= tick <= high], format=",.0f", labelOverlap=True)
    scale = alt.Scale(type="log", base=2, domain=[low, high], nice=False)
    clicked = alt.selection_point(fields=["curve"], bind="legend", name="of" + re.sub(r"\W", "", title, flags=re.ASCII))
    base = alt.Chart(alt.Data(values=rows)).encode(
        x=alt.X("x:Q", scale=scale, axis=ticks, title="average thinking tokens (log scale)"),
        color=by_curve(alt.Color, RUNS, (GREY,)),
        opacity=alt.when(clicked).then(alt.value(1.0)).otherwise(alt.value(0.15)),
    )
    bars = base.transform_filter("isValid(datum.low)").mark_rule(strokeWidth=1.5)
    lines = base.mark_line(strokeWidth=2).encode(strokeDash=by_curve(alt.StrokeDash, ([1, 0],), ([6, 4],)))
    tokens = alt.Tooltip("tokens:Q", title="average thinking tokens", format=",.0f")
    told = [tokens, alt.Tooltip("accuracy:Q", format=".1%"), alt.Tooltip("interval:N", title="95 % interval")]
    marks = base.mark_point(filled=True, size=75).encode(
        shape=by_curve(alt.Shape, SHAPES, PAPER_SHAPES), tooltip=["curve:N", "window:N", *told, "answers:N"]
    )
    chart = alt.layer(
        bars.encode(y=share("low"), y2="high:Q"), *(each.encode(y=share("accuracy")) for each in (lines, marks))
    )
    described = f"{title}: accuracy against average thinking tokens; a table has the same figures"
    return chart.add_params(clicked).properties(description=described)


def styled(chart: Any) -> Any:
    """The look that all charts share, on no ground of their own."""
    return (
        chart.properties(background="transparent")
        .configure(font=FONT)
        .configure_view(stroke=None)
        .configure_axis(
            labelFontSize=12.5,
            titleFontSize=12.5,
            titleFontWeight="normal",
            domain=False,
            ticks=False,
            labelPadding=6,
            titlePadding=10,
        )
        .configure_axisX(grid=False)
        .configure_legend(labelFontSize=12.5)
        .configure_text(fontSize=12)
    )
