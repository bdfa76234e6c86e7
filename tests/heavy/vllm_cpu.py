"""vLLM on the processor, for the tests: what its CPU build needs to start on two cores, and to be quick there."""

from __future__ import annotations

import os
import sys
from pathlib import Path

ON_CPU = {
    "kv_cache_memory_bytes": 2**30,
    "block_size": 32,
    "enforce_eager": True,
    "distributed_executor_backend": "uni",
    "dtype": "float32",
}
"""Blocks of 32 are the smallest that start there; compiling takes longer than the tests; bf16 is computed row by
row where there is no AVX-512."""

AS_OPTIONS = [
    *("--kv-cache-memory-bytes", str(ON_CPU["kv_cache_memory_bytes"]), "--block-size", str(ON_CPU["block_size"])),
    *("--enforce-eager", "--distributed-executor-backend", "uni", "--dtype", "float32"),
]
"""The same for a server."""


def use_cpu() -> None:
    """Both cores compute, inside the engine's process, with Intel's OpenMP where the build brought it."""
    os.environ |= {"VLLM_ENABLE_V1_MULTIPROCESSING": "0", "OMP_NUM_THREADS": "2", "VLLM_CPU_OMP_THREADS_BIND": "nobind"}
    library = Path(sys.prefix, "lib", "libiomp5.so")
    if library.exists():
        os.environ |= {"KMP_BLOCKTIME": "5", "KMP_TPAUSE": "0", "LD_PRELOAD": str(library)}
