"""The same numbers however a step is divided, and after whatever interrupts a run."""

from __future__ import annotations

import os
import re
import resource
import shutil
import signal
import time
from pathlib import Path

import pytest
import torch
from filelock import FileLock
from safetensors.torch import load_file
from transformers import TrainerCallback

from tests.heavy.tiny_training import finished, logged, make_data, make_model, options, run_sft, train
from training import run_folder, sft
from z1_core import jsonl
from z1_core.errors import BadInput, Z1Error
from z1_core.folder import LOCK

ROUNDING = 2e-5
"""How far sums of the same fp32 numbers in another order may lie apart after a few steps."""


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    return make_model(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory, model: Path) -> Path:
    return make_data(tmp_path_factory.mktemp("data"), model)


BATCHING = {
    "flat": {"padding_free": True},
    "padded": {"padding_free": False},
    "packed": {"packing": True, "padding_free": False, "max_length": 256},
}


@pytest.mark.parametrize("batching", BATCHING.values(), ids=BATCHING)
def test_eight_at_once_equal_one_at_a_time(tmp_path, model, data, batching):
    """The loss is per labelled token of the whole step: short rows do not count more because they stand alone."""
    size = {**batching, "max_steps": 2}
    at_once = train(model, data, tmp_path / "8x1", per_device_train_batch_size=8, **size)
    apart = train(model, data, tmp_path / "1x8", per_device_train_batch_size=1, **size)
    assert at_once == pytest.approx(apart, abs=ROUNDING)
    weights = [load_file(tmp_path / name / "model/model.safetensors") for name in ("8x1", "1x8")]
    for name, weight in weights[0].items():
        torch.testing.assert_close(weight, weights[1][name], rtol=0, atol=5e-4)


def test_two_processes_equal_one(tmp_path, model, data):
    said = finished(run_sft(options(model, data, tmp_path / "two"), processes=2))
    assert "effective batch 8 rows = 2 processes x 2 x 2 accumulated; 4 steps" in said
    train(model, data, tmp_path / "one")
    for name in ("loss", "eval_loss"):
        assert logged(tmp_path / "two", name) == pytest.approx(logged(tmp_path / "one", name), abs=ROUNDING)


def test_fsdp2_adds_many_micro_batches_up_without_loss(tmp_path, model, tmp_path_factory):
    """32 a step, in bf16. accelerate's own way keeps their sum in 8 bits of mantissa, which this sees."""
    data = make_data(tmp_path_factory.mktemp("more"), model, rows=80)
    words = options(model, data, tmp_path, batch=64, per_device_train_batch_size=1, max_steps=1, eval_strategy="no")
    said = finished(run_sft(words, processes=2, program=["tests/heavy/fsdp2_on_cpu.py"]), timeout_s=400)
    ours, default = (float(word) for word in said.split("away:")[1].split())
    assert ours < 1e-3
    assert default > 3 * ours


def test_a_killed_run_goes_on_as_if_nothing_had_happened(tmp_path, model, data):
    lora = {"use_peft": True, "lora_target_modules": "all-linear", "lora_dropout": 0.1}
    out, undisturbed = tmp_path / "killed", tmp_path / "undisturbed"
    killed, whole = (options(model, data, to, max_steps=40, save_steps=5, **lora) for to in (out, undisturbed))
    beside = run_sft(whole)
    process = run_sft(killed, start_new_session=True)
    while process.poll() is None and len(logged(out)) < 13:
        time.sleep(0.005)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert 13 <= len(logged(out)) < 40
    assert "going on from checkpoint-" in finished(run_sft(killed))
    finished(beside)
    assert told(out) == told(undisturbed)
    assert len(logged(out)) == 40
    ours, theirs = (load_file(folder / "model/model.safetensors") for folder in (out, undisturbed))
    assert all(torch.equal(weight, theirs[name]) for name, weight in ours.items())


CLOCK = re.compile("second|runtime|memory")


def told(out: Path) -> list[dict[str, float]]:
    """The log without what hangs on the machine."""
    lines = jsonl.rows(out / run_folder.LOG)
    return [{name: value for name, value in line.items() if not CLOCK.search(name)} for line in lines]


def train_with(callback: TrainerCallback, *folders: Path, **changes) -> None:
    """folders: model, data, out."""
    built = sft.build

    def build(run: sft.Plan):
        trainer = built(run)
        trainer.add_callback(callback)
        return trainer

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sft, "build", build)
        train(*folders, **changes)


class FillDisk(TrainerCallback):
    """From step 4 on, no file may grow beyond eight kilobytes: a write fails in the middle, as on a full disk."""

    before = resource.getrlimit(resource.RLIMIT_FSIZE)

    def on_step_end(self, args, state, control, **_) -> None:
        if state.global_step == 4:
            resource.setrlimit(resource.RLIMIT_FSIZE, (8192, self.before[1]))


def test_a_full_disk_leaves_the_last_good_checkpoint(tmp_path, model, data):
    out = tmp_path / "run"
    try:
        with pytest.raises(Z1Error, match=r"checkpoint-4 could not be written .*; checkpoint-2 is whole"):
            train_with(FillDisk(), model, data, out)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, FillDisk.before)
    assert [path.name for path in out.glob("checkpoint-*")] == ["checkpoint-2"]
    assert train(model, data, out) == train(model, data, tmp_path / "undisturbed")


def test_a_checkpoint_that_was_being_written_is_not_gone_on_from(tmp_path, model, data):
    """As kill -9 leaves it: where checkpoints are written, and not among them."""
    losses = train(model, data, tmp_path / "run")
    (tmp_path / "run" / run_folder.SAVING).mkdir(exist_ok=True)
    (tmp_path / "run/checkpoint-4").rename(tmp_path / "run" / run_folder.SAVING / "checkpoint-4")
    (tmp_path / "run" / run_folder.SAVING / "checkpoint-4/optimizer.pt").write_bytes(b"torn")
    (tmp_path / "run/checkpoint-notes").mkdir()
    shutil.copytree(tmp_path / "run/checkpoint-2", tmp_path / "run/checkpoint-2-kept")
    assert train(model, data, tmp_path / "run") == losses
    assert (tmp_path / "run/checkpoint-notes").exists()
    assert (tmp_path / "run/checkpoint-2-kept").exists()


@pytest.mark.parametrize("end", [{"max_steps": 3}, {"max_steps": -1, "num_train_epochs": 0.6}])
def test_a_finished_run_that_is_given_again_takes_no_further_step(tmp_path, model, data, end):
    """Nor one that was killed before its export."""
    out = tmp_path / "run"
    losses = train(model, data, out, **end)
    kept = run_folder.checkpoints(out)
    shutil.rmtree(out / "model")
    assert train(model, data, out, **end) == losses
    assert run_folder.checkpoints(out) == kept
    assert (out / "model").is_dir()


def test_two_processes_do_not_train_into_one_folder(tmp_path, model, data):
    with FileLock(tmp_path / LOCK), pytest.raises(BadInput, match="another process is at work in"):
        train(model, data, tmp_path)


def test_a_run_may_hold_no_rows_out(tmp_path, model):
    assert len(train(model, make_data(tmp_path, model, held_out=0), tmp_path / "run")) == 4
    assert logged(tmp_path / "run", "eval_loss") == []


class Poison(TrainerCallback):
    """Makes a weight no number, as a diverged step does."""

    def on_step_begin(self, args, state, control, model, **_) -> None:
        if state.global_step == 2:
            with torch.no_grad():
                next(model.parameters()).fill_(float("nan"))


def test_a_run_ends_at_the_first_loss_that_is_no_number(tmp_path, model, data):
    with pytest.raises(Z1Error, match="loss is nan at step 3"):
        train_with(Poison(), model, data, tmp_path / "run")
    assert [path.name for path in run_folder.checkpoints(tmp_path / "run")] == ["checkpoint-2"]


def test_no_loss_that_is_no_number_is_saved_at_the_end_of_an_epoch_either(tmp_path, model, data):
    a_time = {
        "save_strategy": "epoch",
        "logging_steps": 10,
        "max_steps": -1,
        "num_train_epochs": 1,
        "eval_strategy": "no",
    }
    with pytest.raises(Z1Error, match="loss is nan at step 4"):
        train_with(Poison(), model, data, tmp_path / "run", **a_time)
    assert run_folder.checkpoints(tmp_path / "run") == []


def test_the_log_tells_speed_and_memory(tmp_path, model, data, capsys):
    train(model, data, tmp_path / "run", max_steps=2)
    said = capsys.readouterr().out
    assert "step 0: held-out loss " in said
    assert re.search(r"step 2 of 2: loss \d\.\d{4}, [\d,]+ tokens/s, \d\.\d GB, 0:00:00 left\n", said)
    assert "{'" not in said  # the trainer's own dicts
    lines = jsonl.rows(tmp_path / "run/log.jsonl")
    first = next(line for line in lines if "loss" in line)
    assert first["tokens"] > 0 < first["tokens_per_second"]
    assert first["peak_memory_gb"] > 0.05
    assert [line["step"] for line in lines if "eval_loss" in line] == [0, 2]
    assert (tmp_path / "run/loss.png").stat().st_size > 1000
