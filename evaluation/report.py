"""The report on one or several runs: figures with their uncertainty, and plots. The page shows the answers themselves.

python -m evaluation.report results/z1                    # summary.json, report.md, report.html, scaling.png, in it
python -m evaluation.report results/z1 results/other      # both, and how they compare: z1/comparison.md, comparison.png
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import altair as alt
from jinja2 import Template
from markdown_it import MarkdownIt
from markupsafe import Markup

from evaluation import tables
from evaluation.results import Results, read_results
from evaluation.summary import at_each_window, sides, summarize
from z1_core.errors import BadInput
from z1_core.jsonl import write, write_json
from z1_core.program import program
from z1_core.scaling_plot import paper_points, run_points, scaling_chart, styled

SCALING = "Accuracy against average thinking tokens"
WIDTH, HEIGHT = 400, 250
COLUMNS = 2
PIXELS = 2.0
"""Of a PNG for each one of the figure."""


def parser() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(prog="python -m evaluation.report", description="The report on one or more runs.")
    options.add_argument("folders", nargs="+", type=Path, metavar="DIR", help="the --out folder of evaluation.run")
    return options


@program(needs="evaluation/requirements.txt")
def main(argv: list[str] | None = None) -> int:
    """0, or 1 where verdicts are harness errors, 2 where something cannot be read or written."""
    options = parser().parse_args(argv)
    runs = [read_results(folder) for folder in options.folders]
    summaries = [_report(run) for run in runs]
    if len(runs) > 1:
        _comparison(runs, options.folders[0])
    for folder, summary in zip(options.folders, summaries, strict=True):
        for notice in tables.notices(summary, str(folder)):
            print(f"note: {notice}", file=sys.stderr)
        print(folder / "report.html")
    made = [results for run in runs for results in run.benchmarks.values()]
    return 1 if any((results.answers.status == "harness_error").any() for results in made) else 0


def write_report(folder: Path) -> dict[str, Any]:
    """Everything about one run, into its folder. Returns the summary. Raises BadInput, Z1Error."""
    return _report(read_results(folder))


def _report(run: Results) -> dict[str, Any]:
    summary = summarize(run)
    write_json(run.folder / "summary.json", summary)
    if charts := scaling_charts([run]):
        write(run.folder / "scaling.png", as_png(charts))
    heading, subtitle = f"Evaluation of {summary['model']}", _made_with(run)
    body = tables.paragraphs(summary, run)
    picture = [f"![{SCALING}](scaling.png)"] if charts else []
    write(run.folder / "report.md", _lines([f"# {tables.plain(heading)}", subtitle, *picture, *body]))
    page = Template(Path(__file__).with_name("report.html").read_text(encoding="utf-8"), autoescape=True)
    figures = [as_svg(chart) for chart in charts.values()]
    shown = {"heading": heading, "subtitle": subtitle, "figures": figures, "body": as_html(_lines(body))}
    write(run.folder / "report.html", page.render(shown))
    return summary


def _lines(paragraphs: Sequence[str]) -> str:
    return "\n\n".join(paragraphs) + "\n"


def _made_with(run: Results) -> str:
    """When and with what, in short."""
    parts = run.run.parts
    times = ", ".join(str(part.get("started_at"))[:16].replace("T", " ") for part in parts)
    commits = ", ".join(dict.fromkeys(str(part["commit"])[:12] for part in parts if part.get("commit")))
    told = [f"started (UTC) {times}", f"commit {commits or 'unknown'}", f"answer tokens {run.run.answer_tokens}"]
    told += [f"temperature {run.run.sampling.get('temperature')}", "all settings and versions: run.json, judge.json"]
    return " · ".join(told)


def _comparison(runs: Sequence[Results], out: Path) -> None:
    table = tables.comparison(runs)
    if not table:
        raise BadInput("the runs have no judged problem at the same window in common; judge them, or compare others")
    write(out / "comparison.png", as_png(scaling_charts(runs)))
    write(out / "comparison.md", _lines(["# Comparison", f"![{SCALING}](comparison.png)", table]))
    print(table)


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
    import vl_convert

    return Markup(vl_convert.vegalite_to_svg(styled(chart).to_json()))  # noqa: S704 (Vega escapes names)


def as_png(charts: Mapping[str, alt.Chart]) -> bytes:
    """Charts beside and below each other, on white."""
    import vl_convert

    both = alt.concat(*charts.values(), columns=COLUMNS).resolve_scale(
        color="independent", shape="independent", strokeDash="independent"
    )
    return vl_convert.vegalite_to_png(styled(both).properties(background="white", padding=12).to_json(), scale=PIXELS)


def as_html(markdown: str) -> Markup:
    """Of what a report has; whatever else looks like markup stays text."""
    known = MarkdownIt("zero").enable(["heading", "table", "blockquote", "entity"])
    return Markup(known.render(markdown))  # noqa: S704 (it escapes all texts)


if __name__ == "__main__":
    sys.exit(main())
