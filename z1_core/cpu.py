"""How vLLM should use this machine's CPU: chosen from its cores, their instructions and the memory, so that all compute."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

GIB = 2**30


@dataclass(frozen=True, slots=True)
class CpuSettings:
    """threads_bind: value of VLLM_CPU_OMP_THREADS_BIND; kv_cache_bytes: memory for the KV cache.

    threads: how many compute, where they are not bound to cores; None where the cores tell.
    """

    threads_bind: str
    kv_cache_bytes: int
    threads: int | None = None
    block_size: int = 32
    """Tokens in a prefix-cache block. vLLM's default of 128 makes every continuation compute up to 127 tokens again;
    16 does not start on a CPU."""

    enforce_eager: bool = True
    """Compiling adds a minute and a half to the first start and, in bf16, nothing to the speed."""

    dtype: str = "auto"
    """Of weights and cache. "auto": the model's own, bf16 as a rule."""


def cpu_settings(
    cores: list[int], memory_bytes: int, *, share: float | None = None, avx2_only: bool = False, weight_bytes: int = 0
) -> CpuSettings:
    """The settings for the cores this process may use and the memory that is free.

    Up to four cores all of them compute: vLLM's own choice keeps one back for its scheduler, which costs a two-core
    machine a third of its speed. On more cores that spare core is cheap, and the scheduler is glad of it.
    share: how many cores' worth of time a container may use. Where it sees more cores than that, one thread for each of
    them would wait for the others most of the time; and none is bound, as other containers use the same cores.
    avx2_only: an x86 processor without AVX-512, as many laptops have. There bf16 is computed row by row: in float32 a
    prompt takes a fifth of the time and 32 streams a quarter, at the price of a third of the speed of one stream alone.
    weight_bytes: what is loaded, in 16 bits. Where its float32 does not fit into the memory, it stays as it is.
    """
    bind = ",".join(map(str, cores)) if len(cores) <= 4 else "auto"
    quarter = memory_bytes // 4 // GIB
    cache_bytes = min(max(quarter, 1), 16) * GIB
    dtype = "float32" if avx2_only and 2 * weight_bytes + cache_bytes < memory_bytes else "auto"
    if share is not None and share < len(cores):
        return CpuSettings("nobind", cache_bytes, threads=max(1, int(share)), dtype=dtype)
    return CpuSettings(bind, cache_bytes, dtype=dtype)


def one_process(settings: CpuSettings, *, intel_openmp: bool) -> dict[str, str]:
    """The environment in which vLLM computes inside its engine's process, on so many threads, bound to no core.

    By default it hands each step to a worker and spins until it is done: a third busy thread on two cores. vLLM does not
    let a single process compute unless its multiprocessing is off, and sets OpenMP up for workers only; so that is done
    here. Threads that are bound wait where they are for a browser that wants their core; free ones move.
    Empty where vLLM should choose the cores itself, as it does so for workers only.
    """
    if settings.threads_bind == "auto":
        return {}
    threads = settings.threads or len(settings.threads_bind.split(","))
    made = {"VLLM_ENABLE_V1_MULTIPROCESSING": "0", "OMP_NUM_THREADS": str(threads)}
    if intel_openmp:  # as vLLM sets it for its workers: wait 5 ms for the next step, then sleep
        made |= {"KMP_BLOCKTIME": "5", "KMP_TPAUSE": "0"}
    return made


def this_machine(model: str | Path, *, replicas: int = 1) -> CpuSettings:
    """model: the folder of the one that is to be loaded, replicas times."""
    import psutil  # both come with vLLM
    import torch

    return cpu_settings(
        sorted(os.sched_getaffinity(0)),
        _free_memory_bytes(psutil.virtual_memory().available),
        share=_share_of_cores(),
        avx2_only=torch.backends.cpu.get_cpu_capability() == "AVX2",
        weight_bytes=replicas * sum(file.stat().st_size for file in Path(model).glob("*.safetensors")),
    )


def openmp_library() -> Path | None:
    """Intel's OpenMP runtime, which vllm-cpu installs: it wakes threads faster than the compiler's own, worth a fifth
    for one stream alone. None where it is not installed (other processors)."""
    path = Path(sys.prefix, "lib", "libiomp5.so")
    return path if path.exists() else None


def _share_of_cores() -> float | None:
    """What a Space tells of itself, else the quota of the container; None for no limit."""
    if os.environ.get("SPACE_ID") and os.environ.get("CPU_CORES"):
        return float(os.environ["CPU_CORES"])
    limit = Path("/sys/fs/cgroup/cpu.max")
    quota, _, period = (limit.read_text() if limit.exists() else "max").strip().partition(" ")
    return None if quota == "max" else int(quota) / int(period)


def _free_memory_bytes(available: int) -> int:
    """What is free, within the limit of the container where there is one (cgroup 2)."""
    limit = Path("/sys/fs/cgroup/memory.max")
    text = limit.read_text().strip() if limit.exists() else "max"
    return available if text == "max" else min(available, int(text))
