"""The reports of the results folder, and single answers of their runs, read when somebody wants to see them.

runs, complaints = find_runs(Path("results")); answers = answers_of(runs[0]); answers.read(answers.at(512)[0])

Nothing outside the results folder is read, whatever a report or a link in it says. Answers take hundreds of megabytes (token
ids): where each line begins is kept, and only what is shown is read again.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import BaseModel, Field, NonNegativeInt, PositiveInt

from ui.html import clean
from z1_core.errors import BadInput
from z1_core.record import Answer, Asked, Judged, Key, Kind, read, read_at
from z1_core.statuses import STATUSES, Status

UNJUDGED = Status(name="unjudged", words="not judged yet", sign="…", is_counted=False)
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


class Window(BaseModel):
    """The figures of a judged window that the plot needs."""

    thinking_tokens: NonNegativeInt
    n: PositiveInt
    accuracy: Share
    low: Share
    high: Share
    cut_rate: Share
    avg_thinking_tokens: Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Unjudged(BaseModel):
    n: Literal[0]


class Task(BaseModel):
    """A benchmark of a run, as summary.json has it."""

    benchmark: str
    title: str
    method: str
    missing: NonNegativeInt
    without_verdict: NonNegativeInt
    windows: list[Window | Unjudged]


class Report(BaseModel):
    """summary.json; benchmarks: by the names of their folders, which lead nowhere else."""

    model: str
    benchmarks: dict[Annotated[str, Field(pattern=r"^\w[\w.-]*$")], Task]


class Run(NamedTuple):
    """One benchmark of a report, a curve of the plot. label: tells it from all others."""

    label: str
    root: Path
    folder: Path
    task: Task


def find_runs(results: Path) -> tuple[list[Run], list[str]]:
    """What the folder holds, or folders up to two further down; and a sentence for each run without a readable report."""
    root = Path(os.path.realpath(results))
    runs, complaints = [], []
    for folder in [root, *sorted(root.glob("*")), *sorted(root.glob("*/*"))]:
        if not os.path.isfile(folder / "run.json") or os.path.realpath(folder) != str(folder):
            continue
        name = clean(folder.relative_to(root))
        try:
            report = Report.model_validate(json.loads(_inside(root, folder / "summary.json").read_bytes()))
        except BadInput:
            complaints.append(f"{name} has no report yet; make it with python -m evaluation.judge on that folder")
        except (OSError, ValueError, RecursionError) as error:
            why = clean(error).replace("\n", " ")[:160]
            remedy = "make it again with python -m evaluation.report"
            complaints.append(f"{name}/summary.json is not what a report holds ({why}); {remedy}")
        else:
            for key, task in report.benchmarks.items():
                method = "" if task.method == "window" else f", {task.method.replace('-', ' ')}"
                runs.append(Run(f"{report.model}{method} ({name})", root, folder / key, task))
    return runs, complaints


def _inside(root: Path, path: Path) -> Path:
    """The file, if it is one and lies in the results folder after following every link. Raises BadInput."""
    real = Path(os.path.realpath(path))
    if real.is_relative_to(root) and os.path.isfile(real):
        return real
    raise BadInput(f"{clean(path.relative_to(root))} is missing, or no file of the results folder")


class Answers:
    """Those of a run. Judged again: the last verdict holds. Raises BadInput for files that hold what no run writes."""

    def __init__(self, answers: Path, problems: Path, verdicts: Path | None = None) -> None:
        self._file = answers
        self._begins = {each.key: begin for begin, each in _read(answers, Answer)}
        self._problems = {each.problem_id: each for _, each in _read(problems, Asked)}
        self._verdicts = {each.key: each for _, each in _read(verdicts, Judged)} if verdicts else {}
        self.windows = sorted({key.thinking_tokens for key in self._begins})

    def status(self, key: Key) -> Status:
        return STATUSES[self._verdicts[key].status] if key in self._verdicts else UNJUDGED

    def at(self, window: int) -> list[Key]:
        """The answers at a window, in the order of the problems."""
        order = {problem_id: place for place, problem_id in enumerate(self._problems)}
        keys = [key for key in self._begins if key.thinking_tokens == window]
        return sorted(keys, key=lambda key: (order.get(key.problem_id, len(order)), key.sample))

    def read(self, key: Key) -> dict[str, Any]:
        """row: its line of answers.jsonl; asked: its problem's; verdict: the judge's; statuses: at every window."""
        every = (key._replace(thinking_tokens=window) for window in self.windows)
        return {
            "row": read_at(self._file, self._begins[key], Answer),
            "asked": self._problems[key.problem_id],
            "verdict": self._verdicts.get(key),
            "statuses": {each.thinking_tokens: self.status(each) for each in every if each in self._begins},
        }


def answers_of(run: Run) -> Answers:
    """Raises BadInput where the files are not there, or hold what no run writes."""
    names = ["answers", "problems", *(["verdicts"] if os.path.exists(run.folder / "verdicts.jsonl") else [])]
    files = [_inside(run.root, run.folder / f"{name}.jsonl") for name in names]
    return _answers(*((file, file.stat().st_mtime_ns, file.stat().st_size) for file in files))


@lru_cache(maxsize=8)
def _answers(*files: tuple[Path, int, int]) -> Answers:
    """With their times and sizes, so that what has changed is read anew."""
    return Answers(*(path for path, *_ in files))


def _read(path: Path, kind: type[Kind]) -> Iterator[tuple[int, Kind]]:
    """Visitors are told no path of this machine."""
    return read(path, kind, name=path.name)
