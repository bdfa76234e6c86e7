"""The folder of a run: run.json says what it is, checkpoint-N can be resumed from, log.jsonl tells how it went.

RUN/run.json             settings, data, model, versions and commit; a run with other settings is refused here
RUN/checkpoint-N/        weights, optimiser, random state; it is written in RUN/.saving, and there when it is whole
RUN/log.jsonl            one JSON object a step logged, and one an evaluation, as the trainer keeps them
RUN/model/               the export
RUN/loss.png
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from z1_core import jsonl
from z1_core.errors import BadInput
from z1_core.folder import refuse_others

SAVING = ".saving"
LOG = "log.jsonl"
RUN = "run.json"
LABELS = {
    "loss": "training: mean over the step's labelled tokens",
    "eval_loss": "held out: mean over rows of each row's mean",
}
FREE = {
    *("output_dir", "data", "dry_run", "run_name", "report_to", "project", "disable_tqdm", "logging_steps"),
    *("per_device_train_batch_size", "gradient_accumulation_steps", "save_total_limit"),
}
"""Settings that may differ when a run goes on: each step reads the same rows however they are divided."""


def claim(out: Path, record: Mapping[str, Any], *, is_begun: bool = True) -> None:
    """Write run.json, or compare with the one that is there. Raises BadInput, naming what differs, for another run.

    record: "settings", "fingerprint" (of the data) and "revision" must be the same, the rest may have changed. is_begun:
    there is something to lose.
    """
    path = out / RUN
    out.mkdir(parents=True, exist_ok=True)
    refuse_others(path)
    if path.exists() and is_begun:
        there = jsonl.read_json(path)
        if not isinstance(there, dict) or not isinstance(there.get("settings"), dict):
            raise BadInput(f"{path} is not of a run that this version can continue; name another folder")
        before, now = _fixed(there), _fixed(json.loads(json.dumps(record)))
        for name in now.keys() & before.keys():  # another version of the libraries may have other keys
            if before[name] != now[name]:
                raise BadInput(
                    f"{out} holds another run: its {name} is {before[name]!r}, not {now[name]!r}; give the same settings "
                    "to continue it, or name another folder"
                )
    jsonl.write_json(path, record)


def _fixed(record: Mapping[str, Any]) -> dict[str, Any]:
    settings = {name: value for name, value in record["settings"].items() if name not in FREE}
    return {**settings, "data": record.get("fingerprint"), "model revision": record.get("revision")}


def checkpoints(out: Path) -> list[Path]:
    """Oldest first: checkpoint-100, and not a checkpoint-best or checkpoint-100-kept of somebody's own."""
    return sorted((path for path in out.glob("checkpoint-*") if path.name[11:].isdecimal()), key=step_of)


def step_of(checkpoint: Path) -> int:
    return int(checkpoint.name.rpartition("-")[2])


def plot(out: Path) -> None:
    """Write RUN/loss.png, the loss over the steps, out of the log."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    lines = jsonl.rows(out / LOG)
    figure = Figure(figsize=(8, 4.5), layout="constrained")
    axes = figure.add_subplot()
    for (name, label), look in zip(LABELS.items(), ({"color": "0.7"}, {"marker": "."}), strict=True):
        if points := [(line["step"], line[name]) for line in lines if name in line]:
            axes.plot(*zip(*points, strict=True), label=label, **look)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_title(out.resolve().name, parse_math=False)
    axes.set(xlabel="step", ylabel="cross-entropy of a token")
    axes.legend()
    figure.savefig(out / "loss.png", dpi=130)
