"""How the page holds many visitors: errors, text in another's stream, how soon and how evenly it writes, and its memory.

python -m bench.load                                           # 64 visitors and 4 programs at once, scripted engine
python -m bench.load --engine llama --visitors 16 --minutes 10   # is its memory flat?

It starts a page of its own on this machine, and ends it. A visitor follows the stream of events as the browser does, a
program calls /think by gradio_client. first_s: from the click to the first update; gap_s: between updates, 95th percentile.
foreign: runs in which another's tag was seen. others, page_cores: cores that other programs and the page took meanwhile.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import numpy as np
import pandas as pd
import psutil
from gradio_client import Client

from bench.study import machine, others_cpu_s
from bench.visitors import TAG, Page, Seen, Visitor
from z1_core.errors import Z1Error
from z1_core.program import program

START_S, END_S, SAMPLE_S = 120, 10, 5
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


async def visit(visitor: Visitor, tag: str, until_s: float) -> list[Seen]:
    """One run on a page that is open, and more until then."""
    seen = [await visitor.ask(QUESTION.format(tag), window=WINDOW, total=TOTAL)]
    while time.monotonic() < until_s:
        seen.append(await visitor.ask(QUESTION.format(tag), window=WINDOW, total=TOTAL))
    return [_checked(each, tag) for each in seen]


def call(address: str, tag: str) -> Seen:
    """A program's run."""
    seen, begun_s, before_s = Seen(), time.monotonic(), None
    try:
        client = Client(address, verbose=False)
        begun_s = time.monotonic()
        asked = {"prompt": QUESTION.format(tag), "thinking_tokens": WINDOW, "total_tokens": TOTAL}
        for update in client.submit(**asked, api_name="/think"):
            before_s = seen.update(json.dumps(update), begun_s, before_s)
    except Exception as error:  # of gradio_client's many kinds: counted, whichever it is
        seen.error = f"{type(error).__name__}: {error}"
    return _checked(seen, tag)


def _checked(seen: Seen, tag: str) -> Seen:
    if tag not in seen.tags and not seen.error:
        seen.error = "nothing of its own came"
    seen.tags.discard(tag)
    return seen


async def warm(client: httpx.AsyncClient, page: Page) -> None:
    """Until the engine answers."""
    for _ in range(START_S):
        if TAG.search((await Visitor(client, page).ask("I am visitor-000", window=8, total=60)).last):
            return
        await asyncio.sleep(1)
    raise Z1Error(f"the engine did not answer within {START_S} s")


async def load(address: str, process: psutil.Process, options: argparse.Namespace) -> tuple[pd.DataFrame, pd.DataFrame]:
    limits = httpx.Limits(max_keepalive_connections=0)  # the server ends idle ones after 5 s; browsers ask again then
    async with httpx.AsyncClient(base_url=address, timeout=120, limits=limits) as client:
        page = await Page.open(client)
        await warm(client, page)
        visitors = [Visitor(client, page) for _ in range(options.visitors)]
        await asyncio.gather(*(visitor.open() for visitor in visitors))
        until_s = time.monotonic() + 60 * options.minutes
        memory: list[dict] = []
        watch = asyncio.create_task(sample(process, memory))
        tags = [f"visitor-{number:03}" for number in range(1, options.visitors + options.programs + 1)]
        visits = [visit(visitor, tag, until_s) for visitor, tag in zip(visitors, tags, strict=False)]
        calls = [asyncio.to_thread(call, address, tag) for tag in tags[options.visitors :]]
        seen = await asyncio.gather(*visits, *calls)
        watch.cancel()
    lines = [("page", each) for many in seen[: options.visitors] for each in many]
    lines += [("/think", each) for each in seen[options.visitors :]]
    return pd.DataFrame([_line(by, each) for by, each in lines]), pd.DataFrame(memory)


def _line(by: str, seen: Seen) -> dict:
    if seen.error:
        print(f"{by}: {seen.error}", file=sys.stderr)
    return {"by": by, "error": bool(seen.error), "foreign": bool(seen.tags), "first": seen.first_s, "gaps": seen.gaps_s}


async def sample(process: psutil.Process, into: list[dict]) -> None:
    """Memory of the page's process, and of its engine's."""
    begun_s = time.monotonic()
    while True:
        engine = sum(child.memory_info().rss for child in process.children(recursive=True))
        sizes = {"page": process.memory_info().rss / 1e6, "engine": engine / 1e6}
        into.append({"minute": (time.monotonic() - begun_s) / 60, **sizes, "cpu_s": sum(process.cpu_times()[:2])})
        await asyncio.sleep(SAMPLE_S)


def table(runs: pd.DataFrame) -> pd.DataFrame:
    def row(group: pd.DataFrame) -> pd.Series:
        gaps = [gap for many in group.gaps for gap in many]
        made = {"runs": len(group), "errors": group.error.sum(), "foreign": group.foreign.sum()}
        made |= {"first_s": group["first"].median(), "first_s_worst": group["first"].max()}
        return pd.Series(made | {"gap_s": np.quantile(gaps, 0.95) if gaps else None})

    return runs.groupby("by").apply(row, include_groups=False)


def memory_table(memory: pd.DataFrame) -> pd.DataFrame:
    """slope: MB a minute over the second half, when every cache is warm."""
    late = memory[memory.minute >= memory.minute.max() / 2]
    made = {}
    for name in ("page", "engine"):
        slope = np.polyfit(late.minute, late[name], 1)[0] if len(late) > 2 else np.nan
        made[name] = {"MB_first": memory[name].iloc[0], "MB_last": memory[name].iloc[-1], "slope": slope}
    return pd.DataFrame(made).T


def parser() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(prog="python -m bench.load", description=__doc__.splitlines()[0])
    options.add_argument("--engine", choices=("fake", "llama"), default="fake", help="default: the scripted one")
    options.add_argument("--visitors", type=int, default=64, help="at once (default %(default)s)")
    options.add_argument("--programs", type=int, default=4, help="beside them, through /think (default %(default)s)")
    options.add_argument("--minutes", type=float, default=0, help="how long they ask again (default: one run each)")
    return options


@program()
def main(argv: list[str] | None = None) -> None:
    options = parser().parse_args(argv)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that the page ends with this program
    places = options.visitors + options.programs
    with running(options.engine, places) as (address, process):
        others_s, begun_s = others_cpu_s(), time.monotonic()
        runs, memory = asyncio.run(load(address, process, options))
        others = (others_cpu_s() - others_s) / (time.monotonic() - begun_s)
    minutes, cpu_s = memory.minute.iloc[-1], memory.cpu_s.iloc[-1] - memory.cpu_s.iloc[0]
    cores = {"others": round(others, 2), "page_cores": round(cpu_s / max(60 * minutes, 1), 2)}
    print(json.dumps({**machine(), **cores}), file=sys.stderr)
    print(table(runs).round(2).to_string(), memory_table(memory).round(1).to_string(), sep="\n\n")


if __name__ == "__main__":
    sys.exit(main())
