"""A result folder as values: the settings, and every answer with its verdict, without the token ids.

results = read_results(Path("OUT"))
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from evaluation.store import lines, read_json
from z1_core.errors import BadInput

CUT_REASONS = {"cut", "answer_length", "answer_now"}
WINDOW = "window"
SHOWN_REFERENCE_CHARS = 200

Key = tuple[str, int, int]
"""(problem_id, sample, thinking_tokens): names one answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A problem as it was asked. reference: its short values only; tests of code problems run to megabytes."""

    problem_id: str
    messages: Sequence[Mapping[str, str]]
    prefill: str = ""
    reference: Mapping[str, Any] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """One answer. status is None where the judge has not been yet; judged: which text the verdict is about."""

    problem_id: str
    sample: int
    thinking_tokens: int
    trace: str
    hint: str
    answer: str
    trace_tokens: int
    answer_tokens: int
    cut: bool
    end_reason: str
    seconds: float | None = None
    status: str | None = None
    extracted: str = ""
    detail: str = ""
    judged: str = ""

    @property
    def key(self) -> Key:
        return self.problem_id, self.sample, self.thinking_tokens


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchmarkResults:
    """name: of its folder, "math500.budget-forcing"; benchmark: what was asked, "math500"; method: "window" for the
    project's own, else in what the window differs.

    problems: by id, in the order in which they were asked. expected: answers of the finished run, all windows.
    """

    name: str
    benchmark: str
    method: str
    title: str
    problems: Mapping[str, Asked]
    answers: Sequence[Answered]
    windows: Sequence[int]
    samples: int
    bad_rows: Sequence[str] = ()

    @property
    def plain_title(self) -> str:
        """Of the benchmark, whatever the method."""
        return self.title.removesuffix(f", {self.method.replace('-', ' ')}")

    @property
    def expected(self) -> int:
        return len(self.problems) * self.samples * len(self.windows)

    @property
    def missing(self) -> int:
        """Answers that the run has still to give."""
        return max(0, self.expected - len(self.answers))

    @property
    def without_verdict(self) -> int:
        return sum(answer.status is None for answer in self.answers)


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


def _benchmark(folder: Path, run: Mapping[str, Any], facts: Mapping[str, Any]) -> BenchmarkResults:
    problems = _by_key(_made(folder / "problems.jsonl", _asked), lambda problem: problem.problem_id)
    keyed = _made(folder / "verdicts.jsonl", lambda row: (_key(row), row))
    verdicts = {key: row for _, (key, row) in keyed}  # judged again: the last one holds
    made = _made(folder / "answers.jsonl", lambda row: _answered(row, verdicts))
    answers = _by_key(made, lambda answer: answer.key)
    if strangers := {answer.problem_id for answer in answers.values()} - set(problems):
        raise BadInput(
            f"{folder} holds answers to {min(strangers)!r}, which its problems.jsonl lacks; restore that file"
        )
    found = {answer.thinking_tokens for answer in answers.values()}
    return BenchmarkResults(
        name=folder.name,
        benchmark=str(facts.get("benchmark") or folder.name),
        method=str(facts.get("method") or WINDOW),
        title=str(facts.get("title") or folder.name),
        problems=problems,
        answers=list(answers.values()),
        windows=sorted(found | set(run.get("windows") or ())),
        samples=int(run.get("samples") or 1),
        bad_rows=[str(row) for row in facts.get("bad_rows") or ()],
    )


def _by_key(made: Iterable[tuple[str, Any]], key_of: Callable[[Any], Any]) -> dict[Any, Any]:
    items: dict[Any, Any] = {}
    for place, item in made:
        if key_of(item) in items:
            raise BadInput(f"{place} repeats {key_of(item)!r}; delete one of the two lines")
        items[key_of(item)] = item
    return items


def _made(path: Path, make: Callable[[dict], Any]) -> Iterator[tuple[str, Any]]:
    """What each line of a file stands for, with its place. Raises BadInput for a line that a run does not write."""
    for place, row in lines(path):
        try:
            yield place, make(row)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise BadInput(f"{place} is not what a run writes ({error!r}); delete the line") from error


def _key(row: Mapping[str, Any]) -> Key:
    return str(row["problem_id"]), int(row.get("sample", 0)), int(row["thinking_tokens"])


def _asked(row: Mapping[str, Any]) -> Asked:
    short = {
        name: value
        for name, value in (row.get("reference") or {}).items()
        if isinstance(value, str | int | float) and len(str(value)) <= SHOWN_REFERENCE_CHARS
    }
    return Asked(
        problem_id=str(row["problem_id"]),
        messages=[{"role": str(each["role"]), "content": str(each["content"])} for each in row["messages"]],
        prefill=row.get("prefill") or "",
        reference=short,
        labels={str(name): str(value) for name, value in (row.get("labels") or {}).items()},
    )


def _answered(row: Mapping[str, Any], verdicts: Mapping[Key, Mapping[str, Any]]) -> Answered:
    """Without a hint (--hint none) an answer of its own still tells a cut."""
    key = _key(row)
    verdict = verdicts.get(key, {})
    end_reason = str(row["end_reason"])
    return Answered(
        problem_id=key[0],
        sample=key[1],
        thinking_tokens=key[2],
        trace=row["trace"],
        hint=(row.get("hint") or "") if row.get("hint_ids") else "",
        answer=row.get("answer") or "",
        trace_tokens=len(row["trace_ids"]),
        answer_tokens=len(row.get("answer_ids") or ()),
        cut=bool(row.get("hint_ids") or row.get("answer_ids")) or end_reason in CUT_REASONS,
        end_reason=end_reason,
        seconds=row.get("seconds"),
        status=verdict.get("status"),
        extracted=str(verdict.get("extracted") or ""),
        detail=str(verdict.get("detail") or ""),
        judged=str(verdict.get("judged") or ""),
    )
