"""The folder of a run (its form: z1_core/record.py): one process at a time, and settings that never mix."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from z1_core.errors import BadInput
from z1_core.record import RunRecord, read_run


@contextmanager
def held(out: Path, *, name: str) -> Iterator[None]:
    """Keep other processes that do the same out of the folder, which is made where it is not there. Raises BadInput."""
    out.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(out / name, timeout=0):
            yield
    except Timeout as error:
        raise BadInput(f"another process is at work in {out}; wait for it, or name another folder") from error


def merged(out: Path, now: RunRecord) -> RunRecord:
    """What run.json has to hold when the run goes on with these settings: larger sets of windows, samples and tasks grow
    into one, all else must be as before. Raises BadInput, naming what differs, for a folder of another run."""
    if not (out / "run.json").exists():
        if any(entry.name != ".lock" and entry.suffix != ".part" for entry in out.iterdir()):
            raise BadInput(f"{out} holds other files and no run.json; name an empty or new folder with --out")
        return now
    before = read_run(out)
    old, new = _fixed(before), _fixed(now)
    for name in old:
        if name in new and old[name] != new[name]:
            raise BadInput(
                f"{out} holds another run: its {name} is {json.dumps(old[name])}, not {json.dumps(new[name])}; "
                "give the same options to continue it, or name another folder with --out"
            )
    for name in before.benchmarks.keys() & now.benchmarks:
        now.benchmarks[name].bad_rows = before.benchmarks[name].bad_rows
    grown = {
        "windows": sorted({*before.windows, *now.windows}),
        "samples": max(before.samples, now.samples),
        "benchmarks": {**before.benchmarks, **now.benchmarks},
    }
    return before.model_copy(update=grown)


def _fixed(run: RunRecord) -> dict[str, Any]:
    """What must be as before when a run goes on; which problems are asked is seen from the problems."""
    fixed = {name: getattr(run, name) for name in ("model", "context_tokens", "answer_tokens", "sampling")}
    for task, record in run.benchmarks.items():
        fixed |= {f"{task}.{name}": getattr(record, name) for name in ("benchmark", "method", "hint")}
    return fixed
