"""What the README promises somebody who has just cloned: its own lines, on the embedded model that it installs."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from z1_core.jsonl import read_json

pytestmark = [pytest.mark.thorough, pytest.mark.alone]
ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def follow(section: str, folder: Path) -> list[str]:
    """Give the section's commands as they stand there; what each printed."""
    [block] = re.findall(rf"\n## {section}\n.*?```sh\n(.*?)```", README, re.DOTALL)
    commands = [shlex.split(line, comments=True) for line in block.splitlines() if line.startswith("python ")]
    assert commands
    made = [
        subprocess.run(
            [sys.executable, *words],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=True,
        )
        for _, *words in commands
    ]
    return [each.stdout for each in made]


def test_its_first_benchmark_gives_a_report_in_which_more_thinking_is_worth_more(tmp_path):
    follow("Evaluate", tmp_path)
    task = read_json(tmp_path / "results/first/summary.json")["benchmarks"]["procedural"]
    few, *_, many = task["windows"]
    assert few["n"] == many["n"] == 24
    assert few["cut_rate"] > 0.9 > many["cut_rate"]
    assert many["accuracy"] > few["accuracy"]
    assert (tmp_path / "results/first/report.html").stat().st_size > 10_000


def test_the_terminal_answers(tmp_path):
    (tmp_path / "questions.jsonl").write_text('{"prompt": "What is 12 + 34?"}\n')
    told, as_json, _ = follow("From a terminal", tmp_path)
    assert told.strip()
    assert json.loads(as_json)["trace"]
    [row] = (tmp_path / "answers.jsonl").read_text().splitlines()
    assert json.loads(row)["end_reason"]
