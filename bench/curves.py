"""Measured curves to keep: small JSON in assets/measured, and one picture of each.

    python -m bench.curves shift results/base results/shift   # of judged runs; what they are called comes from their model
    python -m bench.curves                                    # draws all again

A file keeps, of each run, settings, versions, machine and figures of its summary.json, by window and by difficulty; no
paths of the machine.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from z1_core.errors import BadInput
from z1_core.jsonl import read_json, write, write_json
from z1_core.program import program
from z1_core.scaling_plot import paper_points, run_points, scaling_chart, styled

FOLDER = Path(__file__).parents[1] / "assets" / "measured"
KEPT = ("benchmark", "title", "method", "problems", "windows", "by_label")
ABOUT = ("model", "answer_tokens", "sampling")
OF_A_PART = ("started_at", "versions", "commit", "machine", "engine", "trained")
WIDTH, HEIGHT = 300, 200


def take(name: str, runs: Sequence[Path]) -> None:
    """Raises BadInput for a folder that is not judged, or holds answers that are not."""
    found = []
    for run in runs:
        if not (run / "summary.json").is_file():
            raise BadInput(f"{run} has no summary.json; judge it first: python -m evaluation.judge {run}")
        summary = read_json(run / "summary.json")
        for task in summary["benchmarks"].values():
            if task["missing"] or task["without_verdict"]:
                raise BadInput(f"{run} lacks answers or verdicts; finish the run and judge it")
            about = {"model": summary["model"], **summary["run"]}
            kept = {key: about[key] for key in ABOUT if key in about} | {key: task[key] for key in KEPT}
            kept["parts"] = [{key: part[key] for key in OF_A_PART if key in part} for part in about["parts"]]
            found.append(kept)
    write_json(FOLDER / f"{name}.json", {"runs": found})


def draw(file: Path) -> None:
    """One panel a benchmark and difficulty, one curve a run and method; the paper's own, where it has any, are called so."""
    import altair as alt
    import vl_convert

    panels: dict[str, list[dict[str, Any]]] = {}
    for run in read_json(file)["runs"]:
        for title, windows in _panels(run).items():
            panels.setdefault(title, paper_points(run["benchmark"])).extend(run_points(_name(run), windows))
    sheet = [point for points in panels.values() for point in points]
    charts = [
        scaling_chart(points, title, sheet=sheet).properties(title=title, width=WIDTH, height=HEIGHT)
        for title, points in panels.items()
    ]
    alike = dict.fromkeys(("y", "color", "shape", "strokeDash"), "shared")
    whole = styled(alt.concat(*charts, columns=3).resolve_scale(**alike))
    svg = vl_convert.vegalite_to_svg(whole.properties(background="white", padding=12).to_json())
    write(file.with_suffix(".svg"), svg.encode())


def _panels(run: Mapping[str, Any]) -> dict[str, list[Mapping[str, Any]]]:
    """Title -> the windows of a panel."""
    if by_difficulty := run["by_label"].get("difficulty"):
        return {f"{run['title']}, {name}, {of[0]['n']:,} problems": of for name, of in by_difficulty.items()}
    title = run["title"].removesuffix(f", {_method(run)}")
    return {f"{title}, {run['problems']:,} problems": run["windows"]}


def _name(run: Mapping[str, Any]) -> str:
    model = run["model"].rstrip("/").rsplit("/", 1)[-1].partition(":")[0]
    return model if run["method"] == "window" else f"{model}, {_method(run)}"


def _method(run: Mapping[str, Any]) -> str:
    return run["method"].replace("-", " ")


@program(stopped="stopped", needs="evaluation/requirements.txt")
def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.curves", description=__doc__.split("\n\n")[0])
    parser.add_argument("name", nargs="?", help="the file to make in assets/measured")
    parser.add_argument("runs", nargs="*", type=Path, help="folders of judged runs")
    options = parser.parse_args(argv)
    if options.name and not options.runs:
        raise BadInput(f"no run is named for {options.name}; give the folders of judged runs")
    if options.name:
        if not re.fullmatch(r"[\w-]+", options.name):
            raise BadInput(f"{options.name} is no name for a file; take letters, digits, - and _")
        FOLDER.mkdir(parents=True, exist_ok=True)
        take(options.name, options.runs)
    files = sorted(FOLDER.glob(f"{options.name or '*'}.json"))
    if not files:
        raise BadInput(f"{FOLDER} holds no measured curves; give a name and the folders of judged runs")
    for file in files:
        draw(file)
        print(file.with_suffix(".svg"))


if __name__ == "__main__":
    sys.exit(main())
