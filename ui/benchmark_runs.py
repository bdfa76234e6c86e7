"""The reports of the results folder, and single answers of their runs, read when somebody wants to see them.

runs, complaints = find_runs(Path("results")); answers = answers_of(runs[0]); answers.find(512, "wrong")

Nothing outside the results folder is read, whatever a report or a link in it says. Answers take hundreds of megabytes (token
ids): where each line begins is kept, and only what is shown is read again.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, NamedTuple

from pydantic import BaseModel, Field, NonNegativeInt, model_validator

from z1_core.errors import BadInput
from z1_core.jsonl import lines, row_at
from z1_core.statuses import STATUSES, Status

MOST_REPORTS = 100
ALL = "all"
UNJUDGED = Status(name="unjudged", words="not judged yet", sign="…", is_counted=False)
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


class Window(BaseModel):
    """The figures of a window that the plot needs; None where nothing is judged, or answered."""

    thinking_tokens: NonNegativeInt
    n: NonNegativeInt
    accuracy: Share | None
    low: Share | None
    high: Share | None
    cut_rate: Share | None
    avg_thinking_tokens: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None

    @model_validator(mode="after")
    def _whole(self) -> Window:
        if self.n and None in self.model_dump().values():
            raise ValueError("a judged window lacks a figure")
        return self


class Task(BaseModel):
    """A benchmark of a run, as summary.json has it."""

    benchmark: str
    title: str
    method: str
    missing: NonNegativeInt
    without_verdict: NonNegativeInt
    windows: list[Window]


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
    folders = [root, *sorted(root.glob("*")), *sorted(root.glob("*/*"))]
    folders = [each for each in folders if os.path.isfile(each / "run.json") and os.path.realpath(each) == str(each)]
    runs, complaints = [], []
    for folder in folders[:MOST_REPORTS]:
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


def clean(text: object) -> str:
    """Text from files can hold halves of characters, which no page can be sent."""
    return str(text).encode("utf-8", "replace").decode("utf-8")


class Key(NamedTuple):
    """Names one answer; of a problem the first alone."""

    problem_id: str
    sample: int = 0
    window: int = 0


@dataclass(frozen=True, slots=True)
class Answers:
    """answers, problems: where their lines begin, in files. Judged again: the last verdict holds. unreadable: how many lines
    are none that a run writes."""

    files: tuple[Path, Path]
    answers: dict[Key, int]
    problems: dict[Key, int]
    verdicts: dict[Key, dict[str, Any]]
    windows: list[int]
    unreadable: int

    def status(self, key: Key) -> Status:
        return STATUSES.get(self.verdicts.get(key, {}).get("status"), UNJUDGED)

    def find(self, window: int, status: str = ALL) -> list[Key]:
        """In the order of the problems."""
        order = {key.problem_id: place for place, key in enumerate(self.problems)}
        keys = [key for key in self.answers if key.window == window and status in (ALL, self.status(key).name)]
        return sorted(keys, key=lambda key: (order.get(key.problem_id, len(order)), key.sample))

    def read(self, key: Key) -> dict[str, Any]:
        """row: its line of answers.jsonl; asked: its problem's; verdict: the judge's; statuses: at every window."""
        row = row_at(self.files[0], self.answers[key])
        asked = row_at(self.files[1], self.problems[Key(key.problem_id)])
        there = [each for each in (key._replace(window=window) for window in self.windows) if each in self.answers]
        statuses = {each.window: self.status(each) for each in there}
        return {"row": row, "asked": asked, "verdict": self.verdicts.get(key, {}), "statuses": statuses}


def answers_of(run: Run) -> Answers:
    """Raises BadInput where the files are not there."""
    names = ["answers", "problems", *(["verdicts"] if os.path.exists(run.folder / "verdicts.jsonl") else [])]
    files = [_inside(run.root, run.folder / f"{name}.jsonl") for name in names]
    return _answers(*((file, file.stat().st_mtime_ns, file.stat().st_size) for file in files))


@lru_cache(maxsize=8)
def _answers(*files: tuple[Path, int, int]) -> Answers:
    """With their times and sizes, so that what has changed is read anew."""
    paths = [path for path, *_ in files]
    found = [_begins(path) for path in paths]
    answers, problems, *judged = (begins for begins, _ in found)
    verdicts = {key: row_at(paths[2], begin) for each in judged for key, begin in each.items()}
    windows = sorted({key.window for key in answers})
    unreadable = sum(count for _, count in found)
    return Answers((paths[0], paths[1]), answers, problems, verdicts, windows, unreadable)


def _begins(path: Path) -> tuple[dict[Key, int], int]:
    """Where the line of each key begins, and how many lines are none that a run writes."""
    begins, unreadable = {}, 0
    for line in lines(path):
        try:
            row = line.row or {}
            key = Key(str(row["problem_id"]), int(row.get("sample", 0)), int(row.get("thinking_tokens", 0)))
            begins[key] = line.begin
        except (KeyError, TypeError, ValueError, OverflowError):
            unreadable += line.is_whole  # else it is still being written
    return begins, unreadable
