"""The guides are what a stranger follows: front matter, paths, versions and commands have to be true."""

from __future__ import annotations

import re
import shlex
import sys
from argparse import ArgumentParser
from importlib import import_module
from inspect import signature
from pathlib import Path

import pytest
import yaml

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
GUIDES = [*ROOT.glob("*.md"), *ROOT.glob("*/README.md"), *ROOT.glob("docs/*.md")]
COMMANDS = sorted(
    {
        command.strip()
        for guide in GUIDES
        for command in re.findall(
            r"^python (?:app\.py|-m (?!training\.sft)).*?(?=#|$)", guide.read_text("utf-8"), re.MULTILINE
        )
    }
)
"""Those of training.sft are tested with the trainer, in tests/heavy/."""


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
    names += re.findall(r'(?:src|srcset)="(assets/[^"]+)"', told)
    folders = [ROOT, ROOT / "ui", ROOT / "z1_core", ROOT / "z1_core" / "engines", ROOT / "evaluation", ROOT / "tests"]
    missing = [name for name in names if not any((folder / name).exists() for folder in folders)]
    assert len(names) > 20
    assert not missing


def test_it_is_not_too_long_to_be_read():
    assert len(README.splitlines()) <= 200


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


class Parsed(BaseException):
    """A program has understood its words, and would begin."""


@pytest.mark.parametrize("command", COMMANDS)
def test_each_program_knows_the_options_of_its_commands(command: str, monkeypatch: pytest.MonkeyPatch):
    def parsed(self: ArgumentParser, words: list[str] | None = None) -> None:
        assert not self.parse_known_intermixed_args(words)[1]
        raise Parsed

    _, *words = shlex.split(command)
    name, words = ("app", words[1:]) if words[0] == "app.py" else (words[1], words[2:])
    program = import_module("z1_core.__main__" if name == "z1_core" else name)
    monkeypatch.setattr(sys, "argv", [name, *words])
    monkeypatch.setattr(ArgumentParser, "parse_args", parsed)
    monkeypatch.setattr(ArgumentParser, "parse_intermixed_args", parsed)
    if name == "z1_core.serve":  # it hands on to vLLM what it does not know
        assert not program.parser().parse_known_args(words)[1]
        return
    with pytest.raises(Parsed):
        program.main(*[words] * len(signature(program.main).parameters))
