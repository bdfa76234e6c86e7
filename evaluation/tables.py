"""What a report says, as paragraphs of Markdown: sentences and tables. Pure: figures in, texts out."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from evaluation.results import BenchmarkResults, Results
from evaluation.stats import mcnemar, wilson
from evaluation.summary import COUNTED, sides
from z1_core.scaling_plot import PAPER_MODEL, paper
from z1_core.statuses import STATUSES

MISSING = "–"
PAPER = "paper: "
"""Begins a row that is not of this run."""


def paragraphs(summary: Mapping[str, Any], run: Results) -> list[str]:
    """First the accuracy of all, then each benchmark."""
    said = ["## Accuracy and thinking tokens", *map(_quoted, notices(summary, str(run.folder))), overview(summary)]
    said += filter(None, [comparison([run])])
    for task in summary["benchmarks"].values():
        said += [f"## {plain(task['title'])}", *map(_quoted, _notes(task)), _counts(task)]
        said += [_by_label(label, values) for label, values in task["by_label"].items()]
    return said


def plain(text: str) -> str:
    """No markup of its own, on one line: values come from data files and options."""
    return html.escape(" ".join(text.split()), quote=False)


def _quoted(text: str) -> str:
    """What a reader must know before believing the tables."""
    return f"> {plain(text)}"


def table(title: str, rows: Sequence[Mapping[str, str]], note: str = "") -> str:
    """rows: texts by the names of their columns, the same in all; the first column is words, the others are figures."""
    cells = [[*rows[0]], ["---", *["---:"] * (len(rows[0]) - 1)], *(row.values() for row in rows)]
    lines = ["| " + " | ".join(plain(cell).replace("|", "\\|") for cell in row) + " |" for row in cells]
    return "\n\n".join(part for part in (f"### {plain(title)}", "\n".join(lines), plain(note)) if part)


def overview(summary: Mapping[str, Any]) -> str:
    """A row for each benchmark and window, and below them the paper's own (Table 1)."""
    made = list(summary["benchmarks"].values())
    ks = sorted({int(k) for task in made for window in task["windows"] for k in window["pass_at_k"]} - {1})
    rows = []
    for benchmark in dict.fromkeys(task["benchmark"] for task in made):
        of = [task for task in made if task["benchmark"] == benchmark]
        rows += [_row(task["title"], window, ks) for task in of for window in task["windows"]]
        beside = paper_figures(benchmark, summary["model"])
        rows += [_row(f"{PAPER}{figures['model']}", figures, ks) for figures in beside]
    note = (
        "n: judged answers. Interval: Wilson. ATT: mean trace length in tokens (the paper's equation 2). Answer tokens: "
        "mean over all answers, 0 where the model stopped inside the window. Cut: share of traces that the window ended."
    )
    if any(task["samples"] > 1 for task in made):
        note += " Accuracy is the mean over samples; its interval counts problems, not samples. pass@k is unbiased."
    if any(row["Benchmark"].startswith(PAPER) for row in rows):
        note += f" {PAPER}{paper()['source']}, Tables 1 and 2; intervals computed here from its counts."
    return table("At each window", rows, note)


def paper_figures(benchmark: str, model: str) -> list[dict[str, Any]]:
    """Table 1 of Z1-7B, and of the very model that was run where the paper has it too. The paper gives no interval; it
    follows from the counts, which are known for Z1-7B."""
    found = []
    for name in dict.fromkeys([PAPER_MODEL, model.rsplit("/", 1)[-1]]):
        if accuracy := paper()["table1"].get(name, {}).get(benchmark):
            found.append({"model": name, "accuracy": accuracy / 100})
        if accuracy and name == PAPER_MODEL:
            right, n = paper()["counts"][name][benchmark]
            trained_on_all = paper()["table2"]["full"].get(benchmark, {})
            found[-1] |= {"n": n, "right": right, **wilson(right, n)._asdict()}
            found[-1]["thinking_tokens"] = paper()["settings"]["thinking_tokens"]
            found[-1]["avg_thinking_tokens"] = trained_on_all.get("avg_thinking_tokens")
    return found


def _row(title: str, figures: Mapping[str, Any], ks: Sequence[int]) -> dict[str, str]:
    passes = figures.get("pass_at_k", {})
    return {
        "Benchmark": title,
        "Window": number(figures.get("thinking_tokens")),
        "Accuracy": percent(figures["accuracy"]),
        "95 % interval": interval(figures),
        "n": number(figures.get("n")),
        **{f"pass@{k}": percent(passes.get(str(k))) for k in ks},
        "ATT": average(figures.get("avg_thinking_tokens")),
        "Answer tokens": average(figures.get("avg_answer_tokens")),
        "Cut": percent(figures.get("cut_rate")),
    }


def notices(summary: Mapping[str, Any], folder: str) -> list[str]:
    """What is wrong or unfinished, each with its remedy."""
    said = []
    for task in summary["benchmarks"].values():
        title, windows = task["title"], task["windows"]
        answers = sum(window["answers"] for window in windows)
        if task["missing"]:
            said.append(
                f"{title} is not finished: {task['missing']:,} of {answers + task['missing']:,} answers are missing. "
                "Give the python -m evaluation.run command again, with all windows and samples and the largest --limit; it "
                "continues."
            )
        if task["without_verdict"]:
            said.append(
                f"{task['without_verdict']:,} of {answers:,} answers of {title} are not judged yet and count nowhere. "
                f"Judge them with: python -m evaluation.judge {folder}"
            )
        for status in STATUSES.values():
            if not status.is_counted and (count := sum(window["statuses"][status.name] for window in windows)):
                said.append(
                    f"{count:,} answers of {title} got no verdict ({status.words}). That is no fault of the model, and "
                    f"counts in no accuracy; the detail of each in {folder}/*/verdicts.jsonl says why. Judge again."
                )
    return said


def _notes(task: Mapping[str, Any]) -> list[str]:
    said = []
    if task["bad_rows"]:
        said.append(f"Left out, rows of the data: {len(task['bad_rows'])}: " + "; ".join(task["bad_rows"]))
    if task["benchmark"] == "gpqa":
        said.append(
            "The authors of GPQA ask not to publish its questions in plain text: keep this run's folder to yourself."
        )
    return said


def _counts(task: Mapping[str, Any]) -> str:
    """Of verdicts, and of end reasons."""
    reasons = dict.fromkeys(reason for window in task["windows"] for reason in window["end_reasons"])
    outside = " and ".join(status.words for status in STATUSES.values() if not status.is_counted)
    note = f"From the trace: the answer held nothing to judge, or the model stopped inside the window. Not in n: {outside}."
    rows = []
    for window in task["windows"]:
        counts = {"answers": window["answers"]}
        counts |= {STATUSES[name].words: count for name, count in window["statuses"].items()}
        counts |= {"no verdict yet": window["without_verdict"], "from the trace": window["from_trace"]}
        counts |= {f"ended: {reason.replace('_', ' ')}": window["end_reasons"].get(reason, 0) for reason in reasons}
        row = {"Window": number(window["thinking_tokens"])}
        rows.append(row | {name.capitalize(): number(count) for name, count in counts.items()})
    return table("Verdicts, and how they ended", rows, note)


def _by_label(label: str, values: Mapping[str, Sequence[Mapping[str, Any]]]) -> str:
    rows = []
    for value, windows in values.items():
        row = {label.capitalize(): value, "n": number(max(window["n"] for window in windows))}
        row["Thinking tokens"] = average(windows[-1]["avg_thinking_tokens"])
        for each in windows:
            share = f"{percent(each['accuracy'])} ({interval(each)})" if each["n"] else MISSING
            row[f"Window {each['thinking_tokens']:,}"] = share
        rows.append(row)
    return table(f"By {label}", rows)


def comparison(runs: Sequence[Results]) -> str:
    """Who gets right what the other does not: the first run, or method, against each other one of a benchmark, at every
    window, on the problems that both have a verdict for, the first sample of each: several are no independent pairs. Empty
    where there is none."""
    rows = []
    for of in sides(runs).values():
        (first, mine), *others = of.items()
        for other, theirs in others:
            both = _firsts(mine, "a").merge(_firsts(theirs, "b"), on=["thinking_tokens", "problem_id", "sha256"])
            for window, at in both.groupby("thinking_tokens"):
                only_first, only_other = int((at.a & ~at.b).sum()), int((at.b & ~at.a).sum())
                row = {"Benchmark": mine.plain_title, "First": first, "Other": other}
                row |= {"Window": number(window), "n": number(len(at))}
                row |= {"First right": percent(at.a.mean()), "Other right": percent(at.b.mean())}
                row["Difference"] = f"{(at.b.mean() - at.a.mean()) * 100:+.1f}".replace("-", "−")
                row |= {"Only first": number(only_first), "Only other": number(only_other)}
                p_value = mcnemar(only_first, only_other)
                rows.append(row | {"p": "< 0.001" if p_value < 0.001 else f"{p_value:.3f}"})
    note = (
        "n: problems with a verdict on both sides (the first sample of each). Difference: in points. Only first, only "
        "other: problems that one side alone gets right. p: exact paired test (McNemar) on those, not corrected for the "
        "number of rows here."
    )
    return table("Compared on the same problems", rows, note) if rows else ""


def _firsts(made: BenchmarkResults, name: str) -> pd.DataFrame:
    rows = made.answers[(made.answers["sample"] == 0) & made.answers.status.isin(COUNTED)]
    return rows[["thinking_tokens", "problem_id", "sha256"]].assign(**{name: rows.status == "right"})


def percent(share: float | None) -> str:
    return MISSING if share is None else f"{share * 100:.1f} %"


def interval(figures: Mapping[str, Any]) -> str:
    return MISSING if figures.get("low") is None else f"{figures['low'] * 100:.1f}–{figures['high'] * 100:.1f}"


def number(value: float | None) -> str:
    return MISSING if value is None else f"{value:,.0f}"


def average(value: float | None) -> str:
    return f"{value:.1f}" if value is not None and value < 100 else number(value)
