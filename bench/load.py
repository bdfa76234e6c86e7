"""How the page holds many visitors: errors, text in another's stream, how soon and how evenly it writes, and its memory.

python -m bench.load --rounds 3                                  # 64 visitors at once, scripted engine
python -m bench.load --engine llama --visitors 16 --minutes 10   # is its memory flat?

It starts a page of its own on this machine, and ends it. A visitor follows the stream of events as the browser does.
first_s: from the click to the first update; gap_s: between updates, 95th percentile. foreign: runs in which another's tag
was seen. page_cores: what the page took of the processor; MB, grown: its memory and its engine's at the end of a round, and
by how much more than at its begin.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import httpx
import numpy as np
import pandas as pd
import psutil

from bench.study import add_study_options, check, in_turns, table
from bench.visitors import TAG, Page, Seen, Visitor
from z1_core.errors import Z1Error
from z1_core.program import program

START_S, END_S = 120, 10
WINDOW, TOTAL = 400, 480
"""Some 16 s at 30 tokens a second."""

QUESTION = "Tell me a long story. I am {}."


@contextmanager
def running(engine: str, places: int) -> Iterator[tuple[str, psutil.Process]]:
    """A page in a process of its own, on loopback: its address. Raises Z1Error where it does not start or does not end."""
    module = ["-m", "bench.scripted_page"] if engine == "fake" else ["app.py", "--engine", "llama"]
    with tempfile.TemporaryFile("w+") as log:
        words = [sys.executable, *module, "--places", str(places)]
        process = psutil.Popen(words, stdout=log, stderr=subprocess.STDOUT)
        try:
            yield _address(log, process), process
        finally:
            whole = [process, *process.children(recursive=True)] if process.is_running() else []
            process.terminate()
            _, left = psutil.wait_procs(whole, timeout=END_S)
            for each in left:
                each.kill()
            if left:
                raise Z1Error(f"{len(left)} processes ran on {END_S} s after the page was ended")


def _address(log, process: psutil.Popen) -> str:
    for _ in range(10 * START_S):
        log.seek(0)
        if found := re.search(r"The page is at (\S+)", log.read()):
            return found[1]
        if process.poll() is not None:
            break
        time.sleep(0.1)
    log.seek(0)
    raise Z1Error(f"the page did not start: {log.read()[-500:]}")


async def measure(
    client: httpx.AsyncClient, page: Page, process: psutil.Process, options: argparse.Namespace, number: int
) -> dict[str, Any]:
    """All visitors at once. Round 0 is one of them, who asks until the engine answers."""
    if number == 0:
        return await warm(Visitor(client, page))
    visitors = [Visitor(client, page) for _ in range(options.visitors)]
    await asyncio.gather(*(visitor.open() for visitor in visitors))
    before, begun_s = usage(process), time.monotonic()
    until_s = begun_s + 60 * options.minutes
    visits = [visit(visitor, f"visitor-{place:03}", until_s) for place, visitor in enumerate(visitors, start=1)]
    runs = [seen for many in await asyncio.gather(*visits) for seen in many]
    after = usage(process)
    grown, cores = after - before, (after - before)["cpu_s"] / (time.monotonic() - begun_s)
    memory = after.drop("cpu_s").to_dict() | grown.drop("cpu_s").add_suffix("_grown").to_dict()
    return {**figures(runs), "page_cores": cores, **memory}


async def warm(visitor: Visitor) -> dict[str, Any]:
    for _ in range(START_S):
        if TAG.search((await visitor.ask("I am visitor-000", window=8, total=60)).last):
            return {}
        await asyncio.sleep(1)
    raise Z1Error(f"the engine did not answer within {START_S} s")


async def visit(visitor: Visitor, tag: str, until_s: float) -> list[Seen]:
    """One run on a page that is open, and more until then. Of the tags those stay that are another's."""
    runs: list[Seen] = []
    while not runs or time.monotonic() < until_s:
        seen = await visitor.ask(QUESTION.format(tag), window=WINDOW, total=TOTAL)
        if tag not in seen.tags and not seen.error:
            seen.error = "nothing of its own came"
        if seen.error:
            print(f"{tag}: {seen.error}", file=sys.stderr)
        seen.tags.discard(tag)
        runs.append(seen)
    return runs


def usage(process: psutil.Process) -> pd.Series:
    """Of the page's process, and of its engine's."""
    engine = sum(child.memory_info().rss for child in process.children(recursive=True))
    cpu_s = sum(process.cpu_times()[:2])
    return pd.Series({"page_MB": process.memory_info().rss / 1e6, "engine_MB": engine / 1e6, "cpu_s": cpu_s})


def figures(runs: Sequence[Seen]) -> dict[str, float]:
    first_s = pd.Series([seen.updates_s[0] for seen in runs if seen.updates_s], dtype=float)
    gaps_s = pd.Series([gap for seen in runs for gap in np.diff(seen.updates_s)], dtype=float)
    return {
        "runs": len(runs),
        "errors": sum(bool(seen.error) for seen in runs),
        "foreign": sum(bool(seen.tags) for seen in runs),
        "first_s": first_s.median(),
        "first_s_worst": first_s.max(),
        "gap_s": gaps_s.quantile(0.95),
    }


def parser() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(prog="python -m bench.load", description=__doc__.splitlines()[0])
    options.add_argument("--engine", choices=("fake", "llama"), default="fake", help="default: the scripted one")
    options.add_argument("--visitors", type=int, default=64, help="at once (default %(default)s)")
    options.add_argument("--minutes", type=float, default=0, help="how long they ask again (default: one run each)")
    add_study_options(options, rounds=1)
    return options


@program()
def main(argv: list[str] | None = None) -> None:
    options = parser().parse_args(argv)
    check(options, "visitors")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that the page ends with this program
    with running(options.engine, options.visitors) as (address, process):
        lines = asyncio.run(_run(address, process, options))
    print(table(lines))


async def _run(address: str, process: psutil.Process, options: argparse.Namespace) -> pd.DataFrame:
    limits = httpx.Limits(max_keepalive_connections=0)  # the server ends idle ones after 5 s; browsers ask again then
    async with httpx.AsyncClient(base_url=address, timeout=120, limits=limits) as client:
        page = await Page.open(client)
        return await in_turns({"visitors": partial(measure, client, page, process, options)}, options)


if __name__ == "__main__":
    sys.exit(main())
