"""The first lines of training/README.md, as they stand there: ids, training of the embedded model, export, an answer. Then
vLLM answering from the export; and the paper's lines, as far as they go without a GPU."""

from __future__ import annotations

import asyncio
import json
import re
import shlex
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path

import pytest

from tests.heavy.tiny_training import ROOT, logged
from tests.heavy.vllm_cpu import ON_CPU, use_cpu
from training import manifest, run_folder
from training.export import export
from training.recipe import read_settings
from z1_core.engines.vllm import VllmEngine
from z1_core.models import locate
from z1_core.prompt import chat
from z1_core.thinking import collect, generate
from z1_core.trained import Trained, read_trained
from z1_core.window import HINT, Sampling, Window

pytestmark = pytest.mark.alone
README = ROOT / "training/README.md"
FIRST, PAPER, *_ = re.findall(r"```sh\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)


@pytest.fixture(scope="module")
def smoke(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which every line of the first block was given but pip's; said.txt is what the last one printed."""
    folder = tmp_path_factory.mktemp("smoke")
    for name in ("training", "z1_core"):
        (folder / name).symlink_to(ROOT / name)
    for line in FIRST.splitlines():
        if line.startswith("pip "):
            continue
        words = [sys.executable, *shlex.split(line)[1:]]
        done = subprocess.run(words, cwd=folder, capture_output=True, text=True, timeout=900)
        assert done.returncode == 0, f"{line}\n{done.stderr[-3000:]}"
        (folder / "said.txt").write_text(done.stdout)
    return folder


@pytest.fixture(scope="module")
async def trained(smoke: Path) -> AsyncIterator[VllmEngine]:
    use_cpu()
    export(smoke / "runs/smoke/model", smoke / "models/smoke")
    model = locate(str(smoke / "models/smoke"), engine="vllm")
    engine = VllmEngine.start(model.path, name=model.name, max_model_len=512, **ON_CPU)
    yield engine
    await engine.close()


def test_the_readme_of_the_whole_gives_lines_of_it():
    [block] = re.findall(r"\n## Train\n.*?```sh\n(.*?)```", (ROOT / "README.md").read_text("utf-8"), re.DOTALL)
    lines = [line for line in block.splitlines() if line.startswith("python ")]
    assert lines
    assert set(lines) <= set(FIRST.splitlines())


def test_the_model_has_learnt_and_answers(smoke):
    losses = logged(smoke / "runs/smoke", "eval_loss")
    assert len(losses) == 2
    assert losses[-1] < losses[0] - 0.05
    assert len((smoke / "said.txt").read_text().strip()) > 3


def test_the_run_says_what_it_was_made_of(smoke):
    run = json.loads((smoke / "runs/smoke" / run_folder.RUN).read_text())
    assert (run["base"], run["revision"], run["kind"]) == ("embedded", None, "untagged")
    assert run["settings"]["batch"] == 2
    assert run["versions"]["trl"]
    assert run["data"]["source"][0]["sha256"]
    assert run["data"]["counts"]["train"] == 36
    assert read_trained(smoke / "runs/smoke/model") == Trained("", HINT, "untagged")


def asked(engine: VllmEngine, question: str) -> list[int]:
    return engine.text.render(chat(question, system=""))


async def test_vllm_thinks_and_answers_from_the_export(trained):
    question = asked(trained, "How many r are in raspberry?")
    done = await collect(trained, question, Window(thinking_tokens=16, answer_tokens=8))
    assert done.trace
    assert done.end_reason in ("inside", "cut", "answer_length")


async def test_the_trained_model_stops_at_its_end_token(smoke, trained):
    """By itself, at the token that the loss taught it and that the export names."""
    end = manifest.read(smoke / "data/smoke").settings["end_token_id"]
    assert trained.text.decode([end], control=True) == "<|im_end|>"

    async def written(question: str) -> tuple[list[int], str | None]:
        ids, reason = [], None
        async with aclosing(generate(trained, asked(trained, question), Sampling(max_tokens=200))) as deltas:
            async for delta in deltas:
                ids += delta.ids
                reason = delta.finish_reason
        return ids, reason

    made = await asyncio.gather(*(written(f"What is {n} + 3?") for n in range(8)))
    stopped = [ids for ids, reason in made if reason == "stop"]
    assert len(stopped) >= len(made) // 2  # not each of them does: it has seen four batches
    assert all(ids.index(end) == len(ids) - 1 for ids in stopped)
    assert not any(end in ids for ids, reason in made if reason == "length")


def test_every_other_line_of_training_is_one_that_the_program_takes(monkeypatch):
    """The paper's and LoRA's. --dry_run in the place of a GPU."""
    lines = re.findall(r"^.*-m training\.sft (--config .*z1_7b.*)$", README.read_text(encoding="utf-8"), re.MULTILINE)
    assert len(lines) == 3
    for line in lines:
        monkeypatch.chdir(ROOT)
        run = read_settings([*shlex.split(line), "--dry_run"])
        assert (run.batch, run.num_train_epochs, run.model_name_or_path) == (256, 2, "Qwen/Qwen2.5-Coder-7B-Instruct")
        assert run.learning_rate == (1e-4 if run.use_peft else 1e-5)
    assert "--config_file training/launch/fsdp2.yaml" in PAPER
    assert "data/z1" in PAPER
