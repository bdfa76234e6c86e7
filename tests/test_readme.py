"""The README is what a stranger follows: its front matter, paths, versions and commands have to be true."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import yaml

import app
from z1_core import serve
from z1_core.__main__ import parser

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
FRONT = yaml.safe_load(README.split("---")[1])
PINS = dict(
    line.split("#")[0].strip().split("==")
    for name in ("requirements.txt", "requirements-client.txt", "requirements-cpu.txt")
    for line in (ROOT / name).read_text().splitlines()
    if "==" in line.split("#")[0]
)
COLOURS = {"red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray"}


def test_the_front_matter_is_one_a_space_accepts():
    assert FRONT["sdk"] == "gradio"
    assert FRONT["sdk_version"] == PINS["gradio"]
    assert FRONT["python_version"] == "3.11", "quoted, or YAML makes a number of it"
    assert (ROOT / FRONT["app_file"]).is_file()
    assert len(FRONT["short_description"]) <= 60
    assert {FRONT["colorFrom"], FRONT["colorTo"]} <= COLOURS


def test_every_path_it_names_exists():
    told = README + (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    names = re.findall(r"`([\w./]+(?:\.py|\.css|\.js|\.md|\.cff|/))`", told)
    names += re.findall(r"\]\(((?:assets|docs|evaluation|training)/[^)]+)\)", told)
    folders = [ROOT, ROOT / "ui", ROOT / "z1_core", ROOT / "z1_core" / "engines", ROOT / "evaluation", ROOT / "tests"]
    missing = [name for name in names if not any((folder / name).exists() for folder in folders)]
    assert len(names) > 20
    assert not missing


def test_the_versions_it_names_are_the_pinned_ones():
    section = README.split("## Versions")[1].split("##")[0]
    for package in ("gradio", "xllamacpp", "vllm", "transformers", "torch"):
        assert f"{package} {PINS[package]}" in section


def test_the_python_in_it_compiles():
    library = (ROOT / "docs" / "library.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", README + library, re.DOTALL)
    assert len(blocks) >= 3
    for block in blocks:
        compile(block, "README.md", "exec")


@pytest.mark.parametrize("command", re.findall(r"^(python (?:-m z1_core|app\.py).*?)(?:#.*)?$", README, re.MULTILINE))
def test_the_commands_in_it_have_options_that_exist(command: str):
    words = shlex.split(command)
    if words[1] == "app.py":
        app.parser().parse_args(words[2:])
    elif words[2] == "z1_core.serve":
        assert not serve.parser().parse_known_args(words[3:])[1]
    else:
        parser().parse_args(words[3:])
