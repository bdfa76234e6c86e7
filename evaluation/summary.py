"""From answers and verdicts to the figures of a report. Pure: values in, values out, nothing is read or written.

summary = summarize(read_results(Path("OUT")))

A window's figures: n answers were judged, and right of them are right; statuses that say nothing about the model are in
neither. Tokens, cut rate and end reasons are over all answers, judged or not: avg_thinking_tokens is ATT (equation 2 of
the paper), avg_answer_tokens counts 0 where the model stopped inside the window.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

import pandas as pd

from evaluation.results import WINDOW, BenchmarkResults, Results
from evaluation.stats import mcnemar, pass_at_k, wilson
from z1_core.statuses import STATUSES

COUNTED = [status.name for status in STATUSES.values() if status.is_counted]
LETTERS = ["A", "B", "C", "D"]
NO_LETTER = "none"
DIFFICULTIES = ("easy", "medium", "hard")
DIGITS = 4


def summarize(results: Results) -> dict[str, Any]:
    """What summary.json holds."""
    return {
        "model": results.model,
        "run": {name: value for name, value in results.run.items() if name != "model"},
        "judging": dict(results.judging),
        "benchmarks": {name: summarize_benchmark(made) for name, made in results.benchmarks.items()},
    }


def summarize_benchmark(made: BenchmarkResults) -> dict[str, Any]:
    """missing: answers the run has still to give; without_verdict: answers the judge has still to see."""
    return {
        "benchmark": made.benchmark,
        "method": made.method,
        "title": made.title,
        "problems": len(made.problems),
        "samples": made.samples,
        "bad_rows": list(made.bad_rows),
        "missing": made.missing,
        "without_verdict": int(made.answers.status.isna().sum()),
        "windows": [
            {"thinking_tokens": window, **_window_figures(made.answers[made.answers.thinking_tokens == window], made)}
            for window in made.windows
        ],
        "by_label": _by_label(made),
        "letters": _letters(made),
    }


def _window_figures(answers: pd.DataFrame, made: BenchmarkResults) -> dict[str, Any]:
    return {
        **_accuracy(answers),
        "answers": len(answers),
        "avg_thinking_tokens": _mean(answers.trace_tokens),
        "avg_answer_tokens": _mean(answers.answer_tokens),
        "cut_rate": _mean(answers.cut),
        "end_reasons": {reason: int(count) for reason, count in answers.end_reason.value_counts().items()},
        "statuses": {status: int((answers.status == status).sum()) for status in STATUSES},
        "without_verdict": int(answers.status.isna().sum()),
        "from_trace": int((answers.status.isin(COUNTED) & (answers.judged == "trace")).sum()),
        "pass_at_k": _pass_at(answers, made.samples) if made.samples > 1 else {},
    }


def _accuracy(answers: pd.DataFrame) -> dict[str, Any]:
    """Mean over all judged answers, with the 95 % Wilson interval.

    Samples of one problem are no independent draws: with several of them the interval is that of as many draws as there
    are problems, which is never too narrow.
    """
    judged = answers[answers.status.isin(COUNTED)]
    n, right, problems = len(judged), int((judged.status == "right").sum()), judged.problem_id.nunique()
    if not n:
        return {"n": 0, "right": 0, "accuracy": None, "low": None, "high": None}
    interval = wilson(right / n * problems, problems)
    shares = {"accuracy": right / n, "low": interval.low, "high": interval.high}
    return {"n": n, "right": right, **{name: round(share, DIGITS) for name, share in shares.items()}}


def _pass_at(answers: pd.DataFrame, samples: int) -> dict[str, float]:
    """Unbiased pass@k for k = 1, 2, 4, ... and all samples: the mean over the problems that have k judged samples."""
    judged = answers[answers.status.isin(COUNTED)]
    counts = (judged.status == "right").groupby(judged.problem_id).agg(["size", "sum"])
    ks = sorted({2**power for power in range(samples.bit_length()) if 2**power < samples} | {samples})
    means = {}
    for k in ks:
        enough = counts[counts["size"] >= k]
        if len(enough):
            means[str(k)] = round(fmean(pass_at_k(n, right, k) for n, right in enough.itertuples(index=False)), DIGITS)
    return means


def _by_label(made: BenchmarkResults) -> dict[str, dict[str, list[dict[str, Any]]]]:
    """label -> value -> accuracy and length of thoughts at each window, the values in the order people expect."""
    labels = pd.DataFrame(list(made.problems.labels), index=made.problems.problem_id, dtype=object)
    return {
        name: {
            value: [
                {"thinking_tokens": w, **_accuracy(at), "avg_thinking_tokens": _mean(at.trace_tokens)}
                for w in made.windows
                for at in [of[of.thinking_tokens == w]]
            ]
            for value, of in sorted(made.answers.groupby(made.answers.problem_id.map(labels[name])), key=_rank)
        }
        for name in labels
    }


def _rank(group: tuple[str, Any]) -> tuple[int, list[Any]]:
    """Easy before hard, 2 before 10."""
    value = group[0].lower()
    of, _, last = value.rpartition(" ")
    if last in DIFFICULTIES:
        return 0, [of, DIFFICULTIES.index(last)]
    return 1, [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", value)]


def _letters(made: BenchmarkResults) -> dict[str, Any]:
    """Choice benchmarks: how often each letter is right, and how often each was answered at each window.

    A model that likes one letter gains where the right ones are not spread evenly.
    """
    gold = made.problems.letter.dropna()
    if gold.empty:
        return {}
    known = sorted({*gold, *LETTERS})
    judged = made.answers[made.answers.status.notna()]
    letters = judged.extracted.where(judged.extracted.isin(known), NO_LETTER)
    answered = {str(w): _spread(letters[judged.thinking_tokens == w], [*known, NO_LETTER]) for w in made.windows}
    return {"gold": _spread(gold, known), "answered": answered}


def _spread(values: pd.Series, names: Sequence[str]) -> dict[str, int]:
    return {name: int((values == name).sum()) for name in names}


def _mean(values: pd.Series) -> float | None:
    return round(float(values.mean()), DIGITS) if len(values) else None


def harness_errors(summary: Mapping[str, Any]) -> int:
    windows = [window for made in summary["benchmarks"].values() for window in made["windows"]]
    return sum(window["statuses"]["harness_error"] for window in windows)


def sides(runs: Sequence[Results]) -> dict[str, dict[str, tuple[int, BenchmarkResults]]]:
    """benchmark -> label -> what can be compared on it, with the place of its run, in the order given. A label names
    what differs: model, method, folder."""
    twins = len({run.model for run in runs}) < len(runs)
    made: dict[str, dict[str, tuple[int, BenchmarkResults]]] = {}
    for place, run in enumerate(runs):
        for results in run.benchmarks.values():
            method = [] if results.method == WINDOW else [results.method.replace("-", " ")]
            folder = [run.folder.resolve().name] if twins else []
            label = ", ".join([run.model.rstrip("/").rsplit("/", 1)[-1], *method, *folder])
            of = made.setdefault(results.benchmark, {})
            of[f"{label}, {run.folder}" if label in of else label] = place, results
    return made


def pairs(runs: Sequence[Results]) -> list[dict[str, Any]]:
    """Who gets right what the other does not: the first run, or method, against each other one of a benchmark, at every
    window, on the problems that both have a verdict for, the first sample of each: several are no independent pairs."""
    found = []
    for benchmark, of in sides(runs).items():
        (first, (_, mine)), *others = of.items()
        for other, (_, theirs) in others:
            both = _firsts(mine, "a").merge(_firsts(theirs, "b"), on=["thinking_tokens", "problem_id"])
            for window, at in both.groupby("thinking_tokens"):
                only_first, only_other = (int((x & ~y).sum()) for x, y in ((at.a, at.b), (at.b, at.a)))
                found.append(
                    {"benchmark": benchmark, "title": mine.plain_title, "first": first, "other": other,
                     "thinking_tokens": int(window), "n": len(at), "first_accuracy": float(at.a.mean()),
                     "other_accuracy": float(at.b.mean()), "only_first": only_first, "only_other": only_other,
                     "p_value": mcnemar(only_first, only_other)}
                )  # fmt: skip
    return found


def _firsts(made: BenchmarkResults, name: str) -> pd.DataFrame:
    rows = made.answers[(made.answers["sample"] == 0) & made.answers.status.isin(COUNTED)]
    return rows[["thinking_tokens", "problem_id"]].assign(**{name: rows.status == "right"})
