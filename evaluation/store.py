"""The folder of a run. Settings never mix; what is finished is readable after kill -9.

OUT/run.json                    the settings of all of it, and of each part (one a start) what it was made with
OUT/<task>/problems.jsonl       what was asked, with prompt ids, and the reference unless it is long
OUT/<task>/answers.jsonl        one line for each problem, sample and window
OUT/<task>/verdicts.jsonl       the same judged (evaluation.judge); where a key is there twice, the last one holds
OUT/judge.json                  what they were judged with
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from z1_core.errors import BadInput
from z1_core.jsonl import read_json

RUN = {"model": str, "windows": list, "samples": int, "sampling": dict, "answer_tokens": int}
TASK = {"benchmark": str, "method": str, "title": str}
TASK_FACTS = ("benchmark", "method", "hint")
"""Of a task's facts in run.json, those that must be the same; which problems are asked is seen from the problems."""


def run_record(folder: Path) -> dict[str, Any]:
    """run.json. Raises BadInput where it is none."""
    run = read_json(folder / "run.json")
    if not isinstance(run, dict) or not isinstance(run.get("benchmarks"), dict) or not run["benchmarks"]:
        raise BadInput(f"{folder / 'run.json'} names no benchmark; give the --out folder of python -m evaluation.run")
    wrong = _not_of(run, RUN) + [
        f"benchmarks.{task}.{name}" for task, facts in run["benchmarks"].items() for name in _not_of(facts, TASK)
    ]
    if wrong:
        raise BadInput(
            f"{folder / 'run.json'} is damaged or was begun by an earlier version of this program (see its {wrong[0]}); "
            "restore it, or name another folder"
        )
    return run


def _not_of(facts: Any, kinds: Mapping[str, type]) -> list[str]:
    """The names of what is missing, or of another kind."""
    return [
        name for name, kind in kinds.items() if not isinstance(facts, dict) or not isinstance(facts.get(name), kind)
    ]


@contextmanager
def held(out: Path, *, name: str) -> Iterator[None]:
    """Keep other processes that do the same out of the folder, which is made where it is not there. Raises BadInput."""
    out.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(out / name, timeout=0):
            yield
    except Timeout as error:
        raise BadInput(f"another process is at work in {out}; wait for it, or name another folder") from error


def merged(out: Path, settings: Mapping[str, Any]) -> dict[str, Any]:
    """What run.json has to hold when the run goes on with these settings: larger sets of windows, samples and tasks grow
    into one, all else must be as before. Raises BadInput, naming what differs, for a folder of another run."""
    now = json.loads(json.dumps(settings))
    if not (out / "run.json").exists():
        if any(entry.name != ".lock" for entry in out.iterdir()):
            raise BadInput(f"{out} holds other files and no run.json; name an empty or new folder with --out")
        return {**now, "parts": []}
    before = run_record(out)
    if "parts" not in before:
        raise BadInput(f"{out} was begun by an earlier version of this program; name another folder with --out")
    tasks = {name: facts for name, facts in now["benchmarks"].items() if name in before["benchmarks"]}
    for name in now.keys() - {"windows", "samples", "benchmarks"}:
        _check_same(out, name, before.get(name), now[name])
    for task in tasks:
        for name in TASK_FACTS:
            _check_same(out, f"{task}.{name}", before["benchmarks"][task].get(name), tasks[task][name])
    return {
        **before,
        "windows": sorted({*before["windows"], *now["windows"]}),
        "samples": max(before["samples"], now["samples"]),
        "benchmarks": {**before["benchmarks"], **now["benchmarks"]},
    }


def _check_same(out: Path, name: str, before: Any, now: Any) -> None:
    if before != now:
        raise BadInput(
            f"{out} holds another run: its {name} is {json.dumps(before)}, not {json.dumps(now)}; "
            "give the same options to continue it, or name another folder with --out"
        )
