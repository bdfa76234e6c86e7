"""The whole way of training/recipes/smoke.yaml in small, by the commands that a user gives: trajectories, subset, ids,
training of the embedded model, export, and vLLM answering from the export."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path

import pytest

from tests.heavy.vllm_cpu import ON_CPU, use_cpu
from training import manifest, preprocess, run_folder, sft, subset
from training.export import RECORD
from z1_core.engines.vllm import VllmEngine
from z1_core.models import locate
from z1_core.thinking import collect, generate
from z1_core.window import Sampling, Window

pytestmark = pytest.mark.alone
RECIPE = Path(__file__).parents[2] / "training/recipes/smoke.yaml"
SMALLER = ("max_length=384", "batch=2", "max_steps=4", "warmup_steps=1", "eval_every=4", "save_every=4", "eval_rows=6")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, shared_data: Path) -> Path:
    """The folder of a finished run."""
    folder = tmp_path_factory.mktemp("smoke")
    source = str(shared_data / "trajectories_sample" / "train.jsonl")
    chosen, data, out = (str(folder / name) for name in ("subset", "data", "run"))
    assert subset.main([source, "--mode", "shortest", "--budget", "30000", "--out", chosen]) == 0
    preprocess.main([f"{chosen}/subset.jsonl", "--max-length", "384", "--held-out", "6", "--out", data])
    changes = [word for change in SMALLER for word in ("--set", change)]
    sft.main([str(RECIPE), "--data", data, "--out", out, *changes])
    return Path(out)


@pytest.fixture(scope="module")
async def trained(run: Path) -> AsyncIterator[VllmEngine]:
    use_cpu()
    model = locate(str(run / "model"), engine="vllm")
    engine = VllmEngine.start(model.path, name=model.name, max_model_len=512, **ON_CPU)
    yield engine
    await engine.close()


def test_the_model_has_learnt(run):
    losses = [line["held_out"]["all"] for line in run_folder.read_log(run / run_folder.LOG) if "held_out" in line]
    assert len(losses) == 2
    assert losses[1] < losses[0] - 0.05


async def test_vllm_thinks_and_answers_from_the_export(trained, ask):
    done = await collect(trained, ask(trained), Window(thinking_tokens=16, answer_tokens=8))
    assert done.trace
    assert done.end_reason in ("inside", "cut", "answer_length")


async def test_the_trained_model_stops_at_its_end_token(run, trained, ask):
    """By itself, at the token that the loss taught it and that the export names."""
    end = manifest.read(run.parent / "data").settings["end_token_id"]
    assert trained.text.decode([end], control=True) == "<|im_end|>"

    async def written(question: str) -> tuple[list[int], str | None]:
        ids, reason = [], None
        async with aclosing(generate(trained, ask(trained, question), Sampling(max_tokens=200))) as deltas:
            async for delta in deltas:
                ids += delta.ids
                reason = delta.finish_reason
        return ids, reason

    made = await asyncio.gather(*(written(f"What is {n} + 3?") for n in range(8)))
    stopped = [ids for ids, reason in made if reason == "stop"]
    assert len(stopped) >= len(made) // 2  # not each of them does: it has seen four batches
    assert all(ids.index(end) == len(ids) - 1 for ids in stopped)
    assert not any(end in ids for ids, reason in made if reason == "length")
    assert (run / "model" / RECORD).exists()
