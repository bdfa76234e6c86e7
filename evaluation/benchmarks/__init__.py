"""The benchmarks by name, each in a file of its own that can be held against the paper."""

from __future__ import annotations

from evaluation.benchmarks.bigcodebench import BigCodeBench
from evaluation.benchmarks.gpqa import Gpqa
from evaluation.benchmarks.gsm8k import Gsm8k
from evaluation.benchmarks.humaneval import HumanEval
from evaluation.benchmarks.livecodebench import LiveCodeBench
from evaluation.benchmarks.math500 import Math500
from evaluation.benchmarks.procedural import Procedural
from evaluation.problem import Benchmark
from z1_core.errors import BadInput

BENCHMARKS: dict[str, Benchmark] = {
    item.name: item for item in (Math500(), Gpqa(), LiveCodeBench(), BigCodeBench(), Gsm8k(), HumanEval(), Procedural())
}


def benchmark(name: str) -> Benchmark:
    """The benchmark of that name. Raises BadInput with the list of names."""
    if name not in BENCHMARKS:
        raise BadInput(f"there is no benchmark {name!r}; there are {', '.join(BENCHMARKS)}")
    return BENCHMARKS[name]
