"""From answers and verdicts to the figures of a report. Pure: values in, values out, nothing is read or written.

summary = summarize(read_results(Path("OUT")))

A window's figures: n answers were judged, and right of them are right; statuses that say nothing about the model are in
neither. Tokens, cut rate and end reasons are over all answers, judged or not: avg_thinking_tokens is ATT (equation 2 of
the paper), avg_answer_tokens counts 0 where the model stopped inside the window.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from statistics import fmean
from typing import Any

import pandas as pd

from evaluation.results import BenchmarkResults, Results
from evaluation.stats import pass_at_k, wilson
from z1_core.record import WINDOW
from z1_core.statuses import STATUSES

COUNTED = [status.name for status in STATUSES.values() if status.is_counted]
DIFFICULTIES = ("easy", "medium", "hard")
DIGITS = 4


def summarize(results: Results) -> dict[str, Any]:
    """What summary.json holds. missing: answers the run has still to give; without_verdict: answers the judge has still
    to see; by_label: label -> value -> the same figures, the values in the order people expect."""
    return {
        "model": results.run.model,
        "run": results.run.model_dump(exclude={"model"}),
        "benchmarks": {name: _summarize_benchmark(made) for name, made in results.benchmarks.items()},
    }


def _summarize_benchmark(made: BenchmarkResults) -> dict[str, Any]:
    names = list(dict.fromkeys(name for labels in made.answers.labels for name in labels))
    return {
        **made.task.model_dump(include={"benchmark", "method", "title", "bad_rows"}),
        "problems": made.problems,
        "samples": made.run.samples,
        "missing": made.missing,
        "without_verdict": int(made.answers.status.isna().sum()),
        "windows": at_each_window(made.answers, made),
        "by_label": {name: _by_label(made, name) for name in names},
    }


def _by_label(made: BenchmarkResults, name: str) -> dict[str, list[dict[str, Any]]]:
    groups = made.answers.groupby(made.answers.labels.map(lambda labels: labels.get(name)))
    return {value: at_each_window(of, made) for value, of in sorted(groups, key=lambda group: _rank(group[0]))}


def _rank(value: str) -> tuple[int, list[Any]]:
    """Easy before hard, 2 before 10."""
    of, _, last = value.lower().rpartition(" ")
    if last in DIFFICULTIES:
        return 0, [of, DIFFICULTIES.index(last)]
    return 1, [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", value.lower())]


def at_each_window(answers: pd.DataFrame, made: BenchmarkResults) -> list[dict[str, Any]]:
    return [
        {"thinking_tokens": window, **_figures(answers[answers.thinking_tokens == window], made.run.samples)}
        for window in made.run.windows
    ]


def _figures(answers: pd.DataFrame, samples: int) -> dict[str, Any]:
    """Accuracy is the mean over all judged answers, low and high its 95 % Wilson interval.

    Samples of one problem are no independent draws: with several of them the interval is that of as many draws as there
    are problems, which is never too narrow.
    """
    judged = answers[answers.status.isin(COUNTED)]
    n, right, problems = len(judged), int((judged.status == "right").sum()), judged.problem_id.nunique()
    interval = wilson(right / n * problems, problems) if n else None
    return {
        "n": n,
        "right": right,
        "accuracy": round(right / n, DIGITS) if n else None,
        "low": round(interval.low, DIGITS) if interval else None,
        "high": round(interval.high, DIGITS) if interval else None,
        "answers": len(answers),
        "avg_thinking_tokens": _mean(answers.trace_tokens),
        "avg_answer_tokens": _mean(answers.answer_tokens),
        "cut_rate": _mean(answers.cut),
        "end_reasons": {reason: int(count) for reason, count in answers.end_reason.value_counts().items()},
        "statuses": {status: int((answers.status == status).sum()) for status in STATUSES},
        "without_verdict": int(answers.status.isna().sum()),
        "from_trace": int((judged.judged == "trace").sum()),
        "pass_at_k": _pass_at(judged, samples) if samples > 1 else {},
    }


def _pass_at(judged: pd.DataFrame, samples: int) -> dict[str, float]:
    """Unbiased pass@k for k = 1, 2, 4, ... and all samples: the mean over the problems that have k judged samples."""
    counts = (judged.status == "right").groupby(judged.problem_id).agg(["size", "sum"])
    ks = sorted({2**power for power in range(samples.bit_length()) if 2**power < samples} | {samples})
    means = {}
    for k in ks:
        enough = counts[counts["size"] >= k]
        if len(enough):
            means[str(k)] = round(fmean(pass_at_k(n, right, k) for n, right in enough.itertuples(index=False)), DIGITS)
    return means


def _mean(values: pd.Series) -> float | None:
    return round(float(values.mean()), DIGITS) if len(values) else None


def sides(runs: Sequence[Results]) -> dict[str, dict[str, BenchmarkResults]]:
    """benchmark -> label -> what can be compared on it, in the order given. A label names what differs: model, method,
    folder."""
    models = [run.run.model.rstrip("/").rsplit("/", 1)[-1] for run in runs]
    twins = len(set(models)) < len(runs)
    made: dict[str, dict[str, BenchmarkResults]] = {}
    for model, run in zip(models, runs, strict=True):
        for results in run.benchmarks.values():
            method = results.task.method.replace("-", " ")
            folder = [str(run.folder)] if twins else []
            label = ", ".join([model, *([] if method == WINDOW else [method]), *folder])
            made.setdefault(results.task.benchmark, {})[label] = results
    return made
