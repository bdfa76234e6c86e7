"""A result folder as tables: the settings, and every answer with its verdict, without texts and token ids.

results = read_results(Path("OUT")); results.benchmarks["math500"].answers.status
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from z1_core.errors import BadInput
from z1_core.jsonl import own_lines, read_json

CUT_REASONS = {"cut", "answer_length", "answer_now"}
WINDOW = "window"
KEY = ["problem_id", "sample", "thinking_tokens"]
"""Names one answer."""
PROBLEM = ["problem_id", "sha256", "letter", "labels"]
ANSWER = [*KEY, "trace_tokens", "answer_tokens", "cut", "end_reason"]
VERDICT = [*KEY, "status", "extracted", "judged"]


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchmarkResults:
    """name: of its folder, "math500.budget-forcing"; benchmark: what was asked, "math500"; method: "window" for the
    project's own, else in what the window differs.

    problems: PROBLEM, in the order in which they were asked; letter: the right one of a choice. answers: ANSWER and
    VERDICT; the verdict is None where the judge has not been yet.
    """

    name: str
    benchmark: str
    method: str
    title: str
    problems: pd.DataFrame
    answers: pd.DataFrame
    windows: Sequence[int]
    samples: int
    bad_rows: Sequence[str] = ()

    @property
    def plain_title(self) -> str:
        """Of the benchmark, whatever the method."""
        return self.title.removesuffix(f", {self.method.replace('-', ' ')}")

    @property
    def missing(self) -> int:
        """Answers that the run has still to give."""
        return max(0, len(self.problems) * self.samples * len(self.windows) - len(self.answers))


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """One run: run.json and judge.json as they are, and its benchmarks in the order in which they were given."""

    folder: Path
    run: Mapping[str, Any]
    judging: Mapping[str, Any]
    benchmarks: Mapping[str, BenchmarkResults]

    @property
    def model(self) -> str:
        return str(self.run.get("model") or "unknown model")


def read_results(folder: Path) -> Results:
    """Read OUT. Raises BadInput, naming file and line, where it is no result folder or something is unreadable."""
    if not folder.is_dir():
        raise BadInput(f"there is no folder {folder}; give the --out folder of python -m evaluation.run")
    run = run_record(folder)
    benchmarks = {name: _benchmark(folder / name, run, facts) for name, facts in run["benchmarks"].items()}
    judging = read_json(folder / "judge.json") if (folder / "judge.json").is_file() else {}
    return Results(folder=folder, run=run, judging=judging, benchmarks=benchmarks)


def run_record(folder: Path) -> dict[str, Any]:
    run = read_json(folder / "run.json")
    if not isinstance(run, dict) or not isinstance(run.get("benchmarks"), dict) or not run["benchmarks"]:
        raise BadInput(f"{folder / 'run.json'} names no benchmark; give the --out folder of python -m evaluation.run")
    return run


def parts(run: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """What was recorded at each start of the run: versions, commit, time, machine."""
    return run.get("parts") or [run]


def recorded(run: Mapping[str, Any], judging: Mapping[str, Any]) -> dict[str, str]:
    """Every value by its name, as people read it; of later starts of the run what is not as at the first."""
    first, *later = [_flat(part) for part in parts(run)]
    values = _flat({name: value for name, value in run.items() if name != "parts"}) | first
    for place, each in enumerate(later, start=2):
        values |= {f"start {place}.{name}": value for name, value in each.items() if first.get(name) != value}
    values |= _flat({"judging": judging or "not judged yet"})
    return {name: value for name, value in values.items() if not name.endswith(".bad_rows")}


def _flat(values: Mapping[str, Any]) -> dict[str, str]:
    return {name: _shown(value) for name, value in pd.json_normalize(dict(values)).iloc[0].items()}


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(_shown(each) for each in value) or "none"
    return "none" if value in (None, "") else str(value).replace("\n", "\\n")


def _benchmark(folder: Path, run: Mapping[str, Any], facts: Mapping[str, Any]) -> BenchmarkResults:
    problems = _once(_table(folder / "problems.jsonl", PROBLEM, _asked), ["problem_id"])
    answers = _once(_table(folder / "answers.jsonl", ANSWER, _answered), KEY)
    verdicts = _table(folder / "verdicts.jsonl", VERDICT, _judged).drop_duplicates(KEY, keep="last")  # judged again
    if strangers := set(answers.problem_id) - set(problems.problem_id):
        raise BadInput(
            f"{folder} holds answers to {min(strangers)!r}, which its problems.jsonl lacks; restore that file"
        )
    answers = answers.merge(verdicts, how="left", on=KEY)
    return BenchmarkResults(
        name=folder.name,
        benchmark=str(facts.get("benchmark") or folder.name),
        method=str(facts.get("method") or WINDOW),
        title=str(facts.get("title") or folder.name),
        problems=problems,
        answers=answers.astype({"trace_tokens": int, "answer_tokens": int, "cut": bool}),
        windows=sorted({*answers.thinking_tokens, *(run.get("windows") or ())}),
        samples=int(run.get("samples") or 1),
        bad_rows=[str(row) for row in facts.get("bad_rows") or ()],
    )


def _table(path: Path, columns: Sequence[str], make: Callable[[Mapping[str, Any]], list]) -> pd.DataFrame:
    """A row a line, under its place. Raises BadInput for a line that a run does not write."""
    rows = {}
    for line in own_lines(path):
        try:
            rows[line.where] = make(line.row)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise BadInput(f"{line.where} is not what a run writes ({error!r}); delete the line") from error
    return pd.DataFrame(list(rows.values()), index=list(rows), columns=list(columns), dtype=object)


def _once(table: pd.DataFrame, key: Sequence[str]) -> pd.DataFrame:
    again = table[table.duplicated(key)]
    if len(again):
        raise BadInput(f"{again.index[0]} repeats {again[key].iloc[0].to_list()}; delete one of the two lines")
    return table


def _key(row: Mapping[str, Any]) -> list:
    return [str(row["problem_id"]), int(row.get("sample", 0)), int(row["thinking_tokens"])]


def _asked(row: Mapping[str, Any]) -> list:
    """Label names and values come from data sets, and no table holds halves of characters."""
    labels = {_plain(name): _plain(value) for name, value in (row.get("labels") or {}).items()}
    return [str(row["problem_id"]), row.get("sha256"), (row["reference"] or {}).get("letter"), labels]


def _plain(value: object) -> str:
    return str(value).encode("utf-8", "replace").decode()


def _answered(row: Mapping[str, Any]) -> list:
    """Without a hint (--hint none) an answer of its own still tells a cut."""
    end_reason, answer_tokens = str(row["end_reason"]), len(row.get("answer_ids") or ())
    cut = bool(row.get("hint_ids") or answer_tokens) or end_reason in CUT_REASONS
    return [*_key(row), len(row["trace_ids"]), answer_tokens, cut, end_reason]


def _judged(row: Mapping[str, Any]) -> list:
    return [*_key(row), str(row["status"]), str(row.get("extracted") or ""), str(row.get("judged") or "")]
