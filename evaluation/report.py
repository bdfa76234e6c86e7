"""The report on one or several runs: figures with their uncertainty, plots, and every conversation.

python -m evaluation.report results/z1                    # summary.json, report.md, report.html, figures, in that folder
python -m evaluation.report results/z1 results/other      # both, and how they compare: comparison.md, .json, .png
"""

from __future__ import annotations

import argparse
import html
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from evaluation import pairs as pairing
from evaluation import plots, tables
from evaluation.plots import Series
from evaluation.report_html import Page, render_page
from evaluation.results import Results, read_results
from evaluation.store import write
from evaluation.summary import harness_errors, summarize
from evaluation.tables import Table
from z1_core.errors import BadInput
from z1_core.program import program


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
    return _tell(options.folders, summaries)


def write_report(folder: Path) -> dict[str, Any]:
    """Everything about one run, into its folder. Returns the summary. Raises BadInput, Z1Error."""
    return _report(read_results(folder))


def _report(run: Results) -> dict[str, Any]:
    summary = summarize(run)
    page = _page(run, summary)
    write(run.folder / "summary.json", json.dumps(summary, indent=1, ensure_ascii=False) + "\n")
    series = _series([run], [summary])
    scaling = plots.scaling_figure(series)
    write(run.folder / "scaling.png", plots.rendered(scaling, "png"))
    write(run.folder / "scaling.svg", plots.rendered(scaling, "svg"))
    write(run.folder / "lengths.png", plots.rendered(plots.lengths_figure(series), "png"))
    write(run.folder / "report.md", _markdown(page))
    write(run.folder / "report.html", render_page(page))
    return summary


def _page(run: Results, summary: Mapping[str, Any]) -> Page:
    started, commit = summary["run"].get("started_at"), summary["run"].get("commit")
    facts = [
        f"started {started[:16].replace('T', ' ')} UTC" if started else "",
        f"commit {commit[:12]}" if commit else "",
    ]
    pairs = _pairs([run])
    return Page(
        heading=f"Evaluation of {summary['model']}",
        subtitle=" · ".join(fact for fact in facts if fact),
        notices=tables.notices(summary, str(run.folder)),
        overview=tables.overview(summary),
        comparison=pairing.pairs_table(pairs) if pairs else None,
        figures=_inline_figures(_series([run], [summary])),
        sections=[tables.section(name, task) for name, task in summary["benchmarks"].items()],
        settings=tables.settings(summary),
        conversations=list(run.benchmarks.values()),
    )


def _comparison(runs: Sequence[Results], summaries: Sequence[Mapping[str, Any]], out: Path) -> None:
    pairs = _pairs(runs)
    if not pairs:
        raise BadInput("the runs have no judged problem at the same window in common; judge them, or compare others")
    table = pairing.pairs_table(pairs)
    others = [
        f"The rows of {title} are not from the same file in all runs."
        for title, hashes in _data_hashes(runs).items()
        if len(hashes) > 1
    ]
    figure = plots.scaling_figure(_series(runs, summaries))
    write(out / "comparison.png", plots.rendered(figure, "png"))
    write(out / "comparison.json", json.dumps(pairing.as_json(pairs), indent=1, ensure_ascii=False) + "\n")
    text = ["# Comparison", *others, "![Accuracy against average thinking tokens](comparison.png)", _as_markdown(table)]
    write(out / "comparison.md", "\n\n".join(text) + "\n")
    print(_as_markdown(table))


def _pairs(runs: Sequence[Results]) -> list[pairing.Pair]:
    return [pair for sides in pairing.sides(runs).values() for pair in pairing.paired_with_first(sides)]


def _data_hashes(runs: Sequence[Results]) -> dict[str, set[str]]:
    hashes: dict[str, set[str]] = {}
    for run in runs:
        for name, made in run.benchmarks.items():
            hashes.setdefault(made.plain_title, set()).add(str(run.run["benchmarks"][name].get("sha256")))
    return hashes


def _series(runs: Sequence[Results], summaries: Sequence[Mapping[str, Any]]) -> dict[str, list[Series]]:
    """benchmark -> a line for each run and method."""
    return {
        benchmark: [
            Series(
                label=side.label,
                title=side.results.plain_title,
                windows=summaries[side.run]["benchmarks"][side.results.name]["windows"],
                lengths=[
                    (answer.trace_tokens, answer.cut)
                    for answer in side.results.answers
                    if answer.thinking_tokens == max(side.results.windows)
                ],
            )
            for side in sides
        ]
        for benchmark, sides in pairing.sides(runs).items()
    }


def _inline_figures(series: Mapping[str, Sequence[Series]]) -> list[str]:
    figures = []
    for number, (benchmark, lines) in enumerate(series.items()):
        title, of_one = lines[0].title, {benchmark: lines}
        described = f"{title}: accuracy against average thinking tokens; the figures are in the table above"
        scaling = plots.scaling_figure(of_one, plots.PAGE_INCHES)
        figures.append(plots.inline_svg(scaling, described=described, prefix=f"scaling{number}"))
        described = f"{title}: how many traces have which length"
        lengths = plots.lengths_figure(of_one, plots.PAGE_INCHES)
        figures.append(plots.inline_svg(lengths, described=described, prefix=f"lengths{number}"))
    return figures


def _markdown(page: Page) -> str:
    parts = [f"# {_escaped(page.heading)}", page.subtitle, *(f"> {_escaped(notice)}" for notice in page.notices)]
    parts += [_as_markdown(page.overview), *([_as_markdown(page.comparison)] if page.comparison else [])]
    parts += ["![Accuracy against average thinking tokens](scaling.png)", "![Trace lengths](lengths.png)"]
    for section in page.sections:
        parts += [f"## {_escaped(section.title)}", *(f"> {_escaped(note)}" for note in section.notes)]
        parts += [_as_markdown(table) for table in section.tables]
    parts.append(_as_markdown(page.settings))
    return "\n\n".join(part for part in parts if part) + "\n"


def _as_markdown(table: Table) -> str:
    def line(cells: Iterable[str]) -> str:
        return "| " + " | ".join(_escaped(cell).replace("|", "\\|") for cell in cells) + " |"

    ruler = ["---" if place < table.texts else "---:" for place in range(len(table.columns))]
    lines = [line(table.columns), "| " + " | ".join(ruler) + " |", *(line(row.cells) for row in table.rows)]
    return "\n\n".join(part for part in (f"### {table.title}", "\n".join(lines), _escaped(table.note)) if part)


def _escaped(text: str) -> str:
    """No markup of its own, on one line: values come from data files and options."""
    return html.escape(" ".join(text.split()), quote=False)


def _tell(folders: Sequence[Path], summaries: Sequence[Mapping[str, Any]]) -> int:
    for folder, summary in zip(folders, summaries, strict=True):
        for notice in tables.notices(summary, str(folder)):
            print(f"note: {notice}", file=sys.stderr)
        print(folder / "report.html")
    return 1 if any(harness_errors(summary) for summary in summaries) else 0


if __name__ == "__main__":
    sys.exit(main())
