"""How long the sandbox takes to start, run and end a program that does nothing, on every core at once.

python -m bench.sandbox_speed [--programs 60]
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from evaluation.judges.programs import StdinTest, judge_stdin
from evaluation.sandbox.bubblewrap import Sandbox
from z1_core.errors import BadInput, Z1Error
from z1_core.program import program


def seconds_of(programs: int, sandbox: Sandbox, *, at_once: int) -> list[float]:
    """Of each program, with so many beside each other."""

    def one(_: int) -> float:
        started = time.perf_counter()
        verdict = judge_stdin("pass", [StdinTest("", "")], sandbox=sandbox, time_limit_s=10)
        if verdict.status != "right":
            raise Z1Error(f"the program that does nothing was judged {verdict.status}: {verdict.detail}")
        return time.perf_counter() - started

    with ThreadPoolExecutor(at_once) as pool:
        return list(pool.map(one, range(programs)))


@program()
def main(argv: Sequence[str] | None = None) -> None:
    options = argparse.ArgumentParser(prog="python -m bench.sandbox_speed", description=__doc__.split("\n\n")[0])
    options.add_argument("--programs", type=int, default=60, metavar="N", help="default %(default)s")
    programs = options.parse_args(argv).programs
    if programs < 1:
        raise BadInput(f"--programs is {programs}; it must be at least 1")
    sandbox = Sandbox()
    for at_once in sorted({1, len(os.sched_getaffinity(0))}):
        spent = seconds_of(programs, sandbox, at_once=at_once)
        print(f"{at_once} at once: median {statistics.median(spent):.3f} s ({min(spent):.3f}-{max(spent):.3f})")


if __name__ == "__main__":
    sys.exit(main())
