"""The figures of a report: accuracy against thinking tokens over the paper's curves, and how long traces are.

as_png({"MATH500": scaling_chart(points, "MATH500")})
"""

from __future__ import annotations

import altair as alt
import pandas as pd
from markupsafe import Markup

from z1_core.scaling_plot import RUST, TEAL, styled

WIDTH, HEIGHT = 400, 250
BINS = 24
COLUMNS = 2
PIXELS = 2.0
"""Of a PNG for each one of the figure."""


def lengths_chart(title: str, window: int, answers: pd.DataFrame) -> alt.Chart:
    """Traces at the largest window. Those that were cut pile up at its end."""
    width = max(1, -(-window // BINS))
    kinds = {
        is_cut: f"{'cut' if is_cut else 'not cut'} ({int((answers.cut == is_cut).sum()):,})" for is_cut in (False, True)
    }
    # the last bin holds its upper end: a trace that is cut is as long as the window
    bins = (answers.trace_tokens.clip(upper=window - 1) // width * width).rename("from")
    counts = answers.groupby([bins, answers.cut.map(kinds).rename("kind")]).size().rename("answers").reset_index()
    counts["to"] = counts["from"] + width
    colour = alt.Scale(domain=list(kinds.values()), range=[TEAL, RUST])
    x = alt.X("from:Q", title=f"trace length in tokens, window {window:,}", scale=alt.Scale(domain=[0, width * BINS]))
    chart = alt.Chart(counts).mark_bar(binSpacing=1).encode(
        x=x.axis(format=",.0f", labelOverlap=True).bin("binned"),
        x2="to:Q",
        y=alt.Y("answers:Q", title="answers", axis=alt.Axis(format=",.0f", tickMinStep=1)),
        color=alt.Color("kind:N", scale=colour, legend=alt.Legend(title=None, orient="bottom", columnPadding=24)),
    )  # fmt: skip
    return chart.properties(description=f"{title}: how many traces have which length")


def as_svg(chart: alt.Chart, title: str) -> Markup:
    """For a page: real text, which with lines takes the page's colours; nothing of it is fetched or run."""
    import vl_convert

    sized = styled(chart.properties(title=title, width=WIDTH, height=HEIGHT))
    return Markup(vl_convert.vegalite_to_svg(sized.to_json()))  # noqa: S704 (Vega escapes names)


def as_png(charts: dict[str, alt.Chart]) -> bytes:
    """Titled charts beside and below each other, on white."""
    import vl_convert

    panels = [chart.properties(title=title, width=WIDTH, height=HEIGHT) for title, chart in charts.items()]
    both = alt.concat(*panels, columns=COLUMNS).resolve_scale(
        color="independent", shape="independent", strokeDash="independent"
    )
    return vl_convert.vegalite_to_png(styled(both).properties(background="white", padding=12).to_json(), scale=PIXELS)
