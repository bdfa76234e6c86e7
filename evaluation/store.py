"""The folder of a run (its form: z1_core/record.py): settings that never mix."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from z1_core.errors import BadInput
from z1_core.folder import refuse_others
from z1_core.record import RunRecord, read_run


def merged(out: Path, now: RunRecord) -> RunRecord:
    """What run.json has to hold when the run goes on with these settings: larger sets of windows, samples and tasks grow
    into one, all else must be as before. Raises BadInput, naming what differs, for a folder of another run."""
    refuse_others(out / "run.json")
    if not (out / "run.json").exists():
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
