"""The figures of a report: accuracy against thinking tokens, over the paper's curves.

as_png(scaling_charts([read_results(Path("OUT"))]))
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import altair as alt
import vl_convert
from markupsafe import Markup

from evaluation.results import Results
from evaluation.summary import at_each_window, sides
from z1_core.scaling_plot import paper_points, run_points, scaling_chart, styled

WIDTH, HEIGHT = 400, 250
COLUMNS = 2
PIXELS = 2.0
"""Of a PNG for each one of the figure."""


def scaling_charts(runs: Sequence[Results]) -> dict[str, alt.Chart]:
    """Title of a benchmark -> its chart, a curve for each run and method; none where nothing is judged and the paper has
    no curve."""
    charts = {}
    for benchmark, of in sides(runs).items():
        points = [
            point for label, made in of.items() for point in run_points(label, at_each_window(made.answers, made))
        ]
        if points := [*points, *paper_points(benchmark)]:
            title = next(iter(of.values())).plain_title
            charts[title] = scaling_chart(points, title).properties(title=title, width=WIDTH, height=HEIGHT)
    return charts


def as_svg(chart: alt.Chart) -> Markup:
    """For a page: real text, which with lines takes the page's colours; nothing of it is fetched or run."""
    return Markup(vl_convert.vegalite_to_svg(styled(chart).to_json()))  # noqa: S704 (Vega escapes names)


def as_png(charts: Mapping[str, alt.Chart]) -> bytes:
    """Charts beside and below each other, on white."""
    both = alt.concat(*charts.values(), columns=COLUMNS).resolve_scale(
        color="independent", shape="independent", strokeDash="independent"
    )
    return vl_convert.vegalite_to_png(styled(both).properties(background="white", padding=12).to_json(), scale=PIXELS)
