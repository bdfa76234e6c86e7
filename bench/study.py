"""Things compared in turns, as every study of speed does it: in each round each way runs once, in another order than in
the round before; each run is a line; a ratio is taken within its round; the record is whole after every round."""

from __future__ import annotations

import argparse
import json
import platform
import re
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import psutil

from z1_core.errors import BadInput
from z1_core.jsonl import write_json
from z1_core.options import at_least
from z1_core.provenance import about

ADDRESSES = ("server_url", "beside")
"""Options that are not recorded: a server's address may hold a login."""

Way = Callable[[int], Awaitable[dict[str, Any]]]
"""way(round): run once and return the figures of the line. Round 0 is to warm up."""


def add_study_options(options: argparse.ArgumentParser, *, rounds: int) -> None:
    options.add_argument("--rounds", type=int, default=rounds, metavar="N", help="default %(default)s")
    options.add_argument("--out", type=Path, metavar="FILE.json", help="where the machine and every line go")


def check(options: argparse.Namespace, *counts: str) -> None:
    """Raises BadInput for a count below 1 (None is no count), and for a folder that is not there."""
    at_least(1, **{name: getattr(options, name) for name in ("rounds", *counts)})
    if options.out and not options.out.parent.is_dir():
        raise BadInput(f"there is no folder {options.out.parent} for --out; make it first")


async def in_turns(ways: Mapping[str, Way], options: argparse.Namespace, **facts: Any) -> pd.DataFrame:
    """Run all ways, one behind the other, for options.rounds rounds.

    A line: what the way returns, and round, way, and others: the cores that other programs took meanwhile.
    """
    shown = {name: value for name, value in vars(options).items() if name not in ADDRESSES}
    record = {**machine(), "options": json.loads(json.dumps(shown, default=str)), **facts}
    print(json.dumps(record), file=sys.stderr)
    lines: list[dict[str, Any]] = []
    names = [*ways]
    for number in range(options.rounds + 1):
        first = (number - 1) % len(names)
        made = [await _line(name, ways[name], number) for name in names[first:] + names[:first]]
        lines += made if number else []
        if options.out:  # a study that is stopped has lost only its last round
            write_json(options.out, {**record, "lines": lines})
    return pd.DataFrame(lines)


async def _line(name: str, way: Way, number: int) -> dict[str, Any]:
    others_s, started_s = others_cpu_s(), time.monotonic()
    figures = await way(number)
    wall_s = time.monotonic() - started_s
    print(f"round {number}: {name} {wall_s:.1f} s", file=sys.stderr)
    return {"round": number, "way": name, "others": (others_cpu_s() - others_s) / wall_s, **figures}


def machine(cpuinfo: Path = Path("/proc/cpuinfo")) -> dict[str, Any]:
    """What a speed is measured on. avx512: whether an x86 processor has it, as Linux says."""
    told = cpuinfo.read_text() if cpuinfo.exists() else ""
    names = re.findall(r"^model name\s*: (.*)$", told, re.MULTILINE)
    processor = next(iter(names), platform.processor() or platform.machine())
    return {"processor": processor, "avx512": "avx512f" in told.split(), **about()}


def others_cpu_s() -> float:
    """Seconds of processor time that all programs but this one and its children have had since the machine began."""
    times = psutil.cpu_times()
    idle_s = times.idle + getattr(times, "iowait", 0) + getattr(times, "guest", 0) + getattr(times, "guest_nice", 0)
    own = [psutil.Process(), *psutil.Process().children(recursive=True)]
    return sum(times) - idle_s - sum(sum(process.cpu_times()[:2]) for process in own)


def table(lines: pd.DataFrame, **ratios: tuple[str, str]) -> str:
    """The median over the rounds and, in brackets, the smallest and largest; a column that no way has is left out.

    ratios: name of a column -> another column and a way, in terms of whose value in the same round it is.
    """
    shares = {}
    for name, (column, way) in ratios.items():
        theirs = lines[lines.way == way].set_index("round")[column]
        shares[name] = lines[column] / lines["round"].map(theirs)

    def cell(values: pd.Series) -> str:
        if values.isna().all():
            return ""
        whole = (values == values.round()).all()
        digits = 0 if whole or values.max() >= 1000 else 1 if values.max() >= 10 else 3
        middle, low, high = (f"{value:,.{digits}f}" for value in (values.median(), values.min(), values.max()))
        return middle if low == high else f"{middle} ({low}-{high})"

    shown = lines.assign(**shares).drop(columns="round").dropna(axis="columns", how="all")
    return shown.groupby("way", sort=False).agg(cell).T.to_string()
