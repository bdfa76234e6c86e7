"""The charts of the Benchmarks tab."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair as alt
import pandas as pd

from ui.benchmark_data import PAPER_MODEL, Line, paper
from ui.charts import RUST, TEAL, finished

RUNS = (RUST, TEAL, "#7a66c4", "#a37f1f", "#3f86c2", "#c0528a")
PAPER_GREY = "#8b857c"
SHAPES = ("circle", "square", "triangle-up", "diamond", "triangle-down", "cross")
PAPER_SHAPES = ("square", "cross")
SCALING_HEIGHT, BAR_STEP = 300, 22
TICKS = [2**power for power in range(18)]
OTHERS = "other models"
AVERAGE = "avg_printed"


def scaling_chart(lines: Sequence[Line], title: str) -> Any:
    """Accuracy against average thinking tokens, intervals as bars, the paper's curves dashed. None without any point."""
    table = _table(lines)
    if table.empty:
        return None
    names = list(dict.fromkeys(table.curve))
    chosen = alt.selection_point(fields=["curve"], bind="legend", name="chosen")
    seen = alt.when(chosen).then(alt.value(1.0)).otherwise(alt.value(0.15))
    x = alt.X("tokens:Q", scale=_log_scale(table), title="average thinking tokens (log scale)", axis=_log_axis(table))
    colour = alt.Color("curve:N", scale=_by_line(lines, names, RUNS, (PAPER_GREY,)), legend=_legend())
    base = alt.Chart(table).encode(x=x, color=colour, opacity=seen)
    bars = base.transform_filter("isValid(datum.low)").mark_rule(strokeWidth=1.5)
    line = base.mark_line(strokeWidth=2).encode(
        y=_share("accuracy"), strokeDash=alt.StrokeDash("curve:N", scale=_dashes(lines, names), legend=_legend())
    )
    points = base.mark_point(filled=True, size=75).encode(
        y=_share("accuracy"),
        shape=alt.Shape("curve:N", scale=_by_line(lines, names, SHAPES, PAPER_SHAPES), legend=_legend()),
        tooltip=["curve", "window", alt.Tooltip("tokens:Q", title="average thinking tokens", format=",.0f"),
                 alt.Tooltip("accuracy:Q", format=".1%"), "interval", "answers"],
    )  # fmt: skip
    intervals = [bars.encode(y=_share("low"), y2="high:Q")] if table.low.notna().any() else []
    chart = alt.layer(*intervals, line, points.add_params(chosen))
    described = f"{title}: accuracy against average thinking tokens; the figures are in the table beside it"
    return finished(chart, SCALING_HEIGHT, described)


def table1_chart(benchmark: str, title: str) -> Any:
    """The models of the paper's Table 1, the best first; by their average where it has no such benchmark."""
    if benchmark not in paper()["benchmarks"]:
        benchmark, title = AVERAGE, "average of the four"
    rows = [
        {"model": model, "accuracy": row[benchmark] / 100, "kind": PAPER_MODEL if model == PAPER_MODEL else OTHERS}
        for model, row in paper()["table1"].items()
        if row.get(benchmark) is not None
    ]
    base = alt.Chart(pd.DataFrame(rows)).encode(
        x=alt.X(
            "accuracy:Q",
            title=f"accuracy, {title}",
            axis=alt.Axis(format=".0%", values=[0, 0.25, 0.5, 0.75, 1], labelOverlap=True),
            scale=alt.Scale(domain=[0, 1.25]),
        ),
        y=alt.Y("model:N", sort=_best_first(rows), title=None, axis=alt.Axis(labelLimit=220)),
        tooltip=["model", alt.Tooltip("accuracy:Q", format=".1%")],
    )
    colour = alt.Color("kind:N", legend=None, scale=alt.Scale(domain=[PAPER_MODEL, OTHERS], range=[RUNS[0], "#a39c92"]))
    bars = base.mark_bar(size=11, cornerRadiusEnd=3).encode(color=colour)
    text = base.mark_text(align="left", dx=5).encode(text=alt.Text("accuracy:Q", format=".1%"))
    described = f"{title}: accuracy of the models of the paper's Table 1; the figures are in the table"
    return finished(bars + text, BAR_STEP * len(rows), described)


def _best_first(rows: Sequence[dict]) -> list[str]:
    return [row["model"] for row in sorted(rows, key=lambda row: -row["accuracy"])]


def _table(lines: Sequence[Line]) -> pd.DataFrame:
    """0 tokens have no place on a logarithmic axis."""
    columns = ["curve", "tokens", "accuracy", "low", "high", "window", "interval", "answers"]
    rows = [
        {
            "curve": line.label,
            "tokens": max(1.0, point.avg_thinking_tokens),
            "accuracy": point.accuracy,
            "low": point.low,
            "high": point.high,
            "window": f"{point.thinking_tokens:,}" if point.thinking_tokens else "not printed",
            "interval": "not printed" if point.low is None else f"{100 * point.low:.1f} to {100 * point.high:.1f} %",
            "answers": f"{point.n:,}" if point.n else "not printed",
        }
        for line in lines
        for point in line.points
    ]
    return pd.DataFrame(rows, columns=columns)


def _log_scale(table: pd.DataFrame) -> alt.Scale:
    return alt.Scale(type="log", base=2, domain=[table.tokens.min() / 1.25, table.tokens.max() * 1.25], nice=False)


def _log_axis(table: pd.DataFrame) -> alt.Axis:
    low, high = table.tokens.min() / 1.25, table.tokens.max() * 1.25
    return alt.Axis(values=[tick for tick in TICKS if low <= tick <= high], format=",.0f", labelOverlap=True)


def _share(field: str) -> alt.Y:
    return alt.Y(f"{field}:Q", title="accuracy", axis=alt.Axis(format=".0%"), scale=alt.Scale(zero=True))


def _by_line(lines: Sequence[Line], names: list[str], runs: Sequence[str], papers: Sequence[str]) -> alt.Scale:
    """Runs and the paper's curves each go through looks of their own."""
    from_paper = {line.label: line.from_paper for line in lines}
    values, counts = [], {True: 0, False: 0}
    for name in names:
        kind = from_paper[name]
        looks = papers if kind else runs
        values.append(looks[counts[kind] % len(looks)])
        counts[kind] += 1
    return alt.Scale(domain=names, range=values)


def _dashes(lines: Sequence[Line], names: list[str]) -> alt.Scale:
    from_paper = {line.label for line in lines if line.from_paper}
    return alt.Scale(domain=names, range=[[6, 4] if name in from_paper else [1, 0] for name in names])


def _legend() -> alt.Legend:
    """The same for colour, dash and shape: Vega joins them into one."""
    return alt.Legend(title=None, orient="bottom", direction="vertical", columns=1, labelLimit=320, symbolStrokeWidth=2)
