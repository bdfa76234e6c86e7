"""The report on one or several runs: figures with their uncertainty, and plots. The page shows the answers themselves.

python -m evaluation.report results/z1                    # summary.json, report.md, report.html, pictures, in that folder
python -m evaluation.report results/z1 results/other      # both, and how they compare: comparison.md, .json, .png
"""

from __future__ import annotations

import argparse
import html
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from evaluation import tables
from evaluation.plots import as_png, as_svg, lengths_chart
from evaluation.results import Results, parts, read_results
from evaluation.summary import harness_errors, pairs, sides, summarize
from evaluation.tables import Table
from z1_core.errors import BadInput
from z1_core.jsonl import write
from z1_core.program import program
from z1_core.scaling_plot import paper_points, run_points, scaling_chart

SCALING = "Accuracy against average thinking tokens"
PICTURES = {"scaling.png": SCALING, "lengths.png": "Trace lengths"}


def parser() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(prog="python -m evaluation.report", description="The report on one or more runs.")
    options.add_argument("folders", nargs="+", type=Path, metavar="DIR", help="the --out folder of evaluation.run")
    options.add_argument(
        "--out", type=Path, metavar="DIR", help="several runs: folder for the comparison (default: the first DIR)"
    )
    return options


@program(needs="evaluation/requirements.txt")
def main(argv: list[str] | None = None) -> int:
    """0, or 1 where verdicts are harness errors, 2 where something cannot be read or written."""
    options = parser().parse_args(argv)
    out = options.out or options.folders[0]
    if len({folder.resolve() for folder in options.folders}) < len(options.folders):
        raise BadInput("a folder is named twice; name each once")
    if not out.is_dir():
        raise BadInput(f"there is no folder {out}; " + ("make it first" if options.out else "name a run's folder"))
    runs = [read_results(folder) for folder in options.folders]
    summaries = [_report(run) for run in runs]
    if len(runs) > 1:
        _comparison(runs, summaries, out)
    for folder, summary in zip(options.folders, summaries, strict=True):
        for notice in tables.notices(summary, str(folder)):
            print(f"note: {notice}", file=sys.stderr)
        print(folder / "report.html")
    return 1 if any(harness_errors(summary) for summary in summaries) else 0


def write_report(folder: Path) -> dict[str, Any]:
    """Everything about one run, into its folder. Returns the summary. Raises BadInput, Z1Error."""
    return _report(read_results(folder))


def _report(run: Results) -> dict[str, Any]:
    summary = summarize(run)
    write(run.folder / "summary.json", json.dumps(summary, indent=1, ensure_ascii=False) + "\n")
    figures = {"scaling.png": _scaling_charts([run], [summary]), "lengths.png": _lengths_charts(run)}
    figures = {name: charts for name, charts in figures.items() if charts}
    for name, charts in figures.items():
        write(run.folder / name, as_png(charts))
    report = {
        "heading": f"Evaluation of {summary['model']}",
        "subtitle": _started(run),
        "sections": tables.sections(summary, pairs([run]), str(run.folder)),
    }
    write(run.folder / "report.md", _markdown(**report, pictures=list(figures)))
    drawn = [as_svg(chart, title) for charts in figures.values() for title, chart in charts.items()]
    write(run.folder / "report.html", _template().render(**report, figures=drawn))
    return summary


def _scaling_charts(runs: Sequence[Results], summaries: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Title of a benchmark -> its chart, a curve for each run and method; none where nothing is judged and the paper has no
    curve."""
    charts = {}
    for benchmark, of in sides(runs).items():
        points = []
        for label, (place, made) in of.items():
            points += run_points(label, summaries[place]["benchmarks"][made.name]["windows"])
        if points or paper_points(benchmark):
            charts[made.plain_title] = scaling_chart([*points, *paper_points(benchmark)], made.plain_title)
    return charts


def _lengths_charts(run: Results) -> dict[str, Any]:
    """Methods answer from the same traces: one chart a benchmark."""
    charts = {}
    for of in sides([run]).values():
        _, made = next(iter(of.values()))
        window = max(made.windows, default=1)
        answers = made.answers[made.answers.thinking_tokens == window]
        if len(answers):
            charts[made.plain_title] = lengths_chart(made.plain_title, window, answers)
    return charts


def _started(run: Results) -> str:
    """When, and by which commits."""
    starts = [str(part.get("started_at") or "")[:16].replace("T", " ") for part in parts(run.run)]
    commits = dict.fromkeys(str(part["commit"])[:12] for part in parts(run.run) if part.get("commit"))
    facts = [f"started {starts[0]} UTC" if starts[0] else "", f"commit {', '.join(commits)}" if commits else ""]
    facts.append(f"continued {', '.join(starts[1:])}" if starts[1:] else "")
    return " · ".join(fact for fact in facts if fact)


def _comparison(runs: Sequence[Results], summaries: Sequence[Mapping[str, Any]], out: Path) -> None:
    found = pairs(runs)
    if not found:
        raise BadInput("the runs have no judged problem at the same window in common; judge them, or compare others")
    table = _as_markdown(tables.pairs_table(found))
    charts = _scaling_charts(runs, summaries)
    write(out / "comparison.png", as_png(charts))
    write(out / "comparison.json", json.dumps(found, indent=1, ensure_ascii=False) + "\n")
    others = [
        f"{count} problems of {next(iter(of.values()))[1].plain_title} are not the same in all runs."
        for of in sides(runs).values()
        if (count := _differing([made.problems for _, made in of.values()]))
    ]
    write(out / "comparison.md", "\n\n".join(["# Comparison", *others, f"![{SCALING}](comparison.png)", table]) + "\n")
    print(table)


def _differing(problems: Sequence[pd.DataFrame]) -> int:
    """How many ids stand for another problem in one of these than in the others."""
    return int((pd.concat(problems).groupby("problem_id").sha256.nunique() > 1).sum())


def _markdown(heading: str, subtitle: str, sections: Sequence[tables.Section], pictures: Sequence[str]) -> str:
    paragraphs = [f"# {_escaped(heading)}", subtitle]
    for place, section in enumerate(sections):
        paragraphs += [f"## {_escaped(section.title)}", *(f"> {_escaped(note)}" for note in section.notes)]
        paragraphs += [_as_markdown(table) for table in section.tables]
        paragraphs += [f"![{PICTURES[name]}]({name})" for name in pictures if place == 0]
    return "\n\n".join(paragraph for paragraph in paragraphs if paragraph) + "\n"


def _as_markdown(table: Table) -> str:
    names = list(table.rows[0])
    ruler = ["---" if place < table.words else "---:" for place in range(len(names))]
    cells = [names, ruler, *(row.values() for row in table.rows)]
    lines = ["| " + " | ".join(_escaped(cell).replace("|", "\\|") for cell in row) + " |" for row in cells]
    return "\n\n".join(part for part in (f"### {table.title}", "\n".join(lines), _escaped(table.note)) if part)


def _escaped(text: str) -> str:
    """No markup of its own, on one line: values come from data files and options."""
    return html.escape(" ".join(text.split()), quote=False)


def _template() -> Any:
    loader = FileSystemLoader(Path(__file__).with_name("report_page"))
    environment = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.get_template("report.html")


if __name__ == "__main__":
    sys.exit(main())
