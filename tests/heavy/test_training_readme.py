"""Every command for data in training/README.md, as it stands there, on rows of our own making."""

from __future__ import annotations

import json
import re
import shlex
from importlib import import_module
from itertools import islice
from pathlib import Path
from types import SimpleNamespace

import datasets
import huggingface_hub
import pytest

from tests.heavy.tiny_training import small_tokenizer
from training import generate, manifest, preprocess, procedural
from z1_core.engines.fake import FakeEngine

README = Path(__file__).parents[2] / "training" / "README.md"
ROWS = [
    row | {"token_num_qwen": len(row["response"])} for row in islice(procedural.rows(1, ["add", "count"], "train"), 200)
]


def commands(*modules: str) -> list[str]:
    found = re.findall(
        rf"^python -m training\.(?:{'|'.join(modules)}) .*$", README.read_text(encoding="utf-8"), re.MULTILINE
    )
    assert found
    return found


def run(command: str) -> None:
    _, _, module, *words = shlex.split(command)
    assert import_module(module).main(words) == 0, command


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """With what the commands name: files, a set on the Hub, a tokenizer, a teacher."""
    text = "".join(json.dumps(row) + "\n" for row in ROWS)
    for name in ("z1-107k.jsonl", "openthoughts.jsonl", "questions.jsonl"):
        (tmp_path / name).write_text(text)
    for name in ("math500", "livecodebench"):
        (tmp_path / f"{name}.jsonl").write_text('{"problem": "How far is the moon?"}\n')
    (tmp_path / "gpqa.csv").write_text("Question\nHow far is the sun?\n")
    (tmp_path / "training").symlink_to(README.parent)
    monkeypatch.chdir(tmp_path)
    state = lambda api, name, revision: SimpleNamespace(id=name, sha="1234")  # noqa: E731
    monkeypatch.setattr(huggingface_hub.HfApi, "dataset_info", state)
    monkeypatch.setattr(datasets, "load_dataset", lambda name, **_: ROWS)
    monkeypatch.setattr(preprocess, "load_tokenizer", lambda name: small_tokenizer())
    monkeypatch.setattr(generate, "start_engine", lambda *_, **__: FakeEngine(lambda prompt: "It is 2."))
    return tmp_path


def test_questions_are_made_and_trajectories_chosen(folder: Path):
    for command in commands("procedural", "subset", "trigrams"):
        run(command)
    assert sum(1 for _ in (folder / "rows.jsonl").open()) == 25_000
    for name in ("longest", "random-16k"):
        assert (folder / "data" / name / "subset.jsonl").read_bytes() == (folder / "z1-107k.jsonl").read_bytes()
    assert json.loads((folder / "data/clean/report.json").read_text())["settings"]["filters"]
    assert (folder / "trigrams.png").exists()


def test_a_teacher_writes_them_and_both_commands_are_one_run(folder: Path):
    for command in commands("generate"):
        run(command)
    assert len((folder / "data/qwq/trajectories.jsonl").read_text().splitlines()) == len(ROWS)


def test_the_defaults_are_those_of_the_papers_run():
    settings = preprocess.Settings(tokenizer="any")
    assert settings.system == ""
    assert 2 * ((107_173 - settings.held_out) // 256) == 836


def test_they_are_tokenised_and_shown(folder: Path, capsys: pytest.CaptureFixture[str]):
    run(next(command for command in commands("subset") if "data/clean" in command))
    run(next(command for command in commands("procedural") if "data/shift.jsonl" in command))
    for command in commands("preprocess"):
        run(command)
    cut = manifest.read(folder / "data/shift").settings["cut"]
    assert cut == 0.15
    made = manifest.read(folder / "data/z1")
    assert (made.counts["train"], made.counts["held_out"]) == (40, 160)
    assert made.source == [{"hub": "efficientscaling/Z1-Code-Reasoning-107K", "revision": "1234"}]
    assert capsys.readouterr().out.count("[target]") == 6
