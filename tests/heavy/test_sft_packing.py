"""Rows that share a sequence must not see each other: their losses are those they have alone."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
import torch
from datasets import load_from_disk
from transformers import AutoModelForCausalLM, PreTrainedModel
from trl import pack_dataset
from trl.trainer.sft_trainer import DataCollatorForLanguageModeling
from trl.trainer.utils import add_fused_lm_head

from tests.heavy.tiny_training import make_data, make_model, make_plan
from training import sft

CLOSE = 1e-5


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("packing")
    return make_data(folder, make_model(folder / "model"))


def losses(model: PreTrainedModel, batch: dict) -> torch.Tensor:
    """The loss of each labelled token, by the path the trainer takes."""
    batch = {name: value for name, value in batch.items() if torch.is_tensor(value) or isinstance(value, int)}
    output = model(**batch, use_cache=False, fused_lm_head=True)
    return -output.log_probs[output.label_mask]


def packed_and_alone(data: Path) -> tuple[dict, list[dict]]:
    """One sequence of several rows, and the same rows one by one, as TRL's collator hands them over."""
    rows = load_from_disk(data / "train").select_columns(["input_ids", "labels"])
    sequence = pack_dataset(rows, 512, "bfd")[0]
    assert len(sequence["seq_lengths"]) > 2
    collate = DataCollatorForLanguageModeling(pad_token_id=0, padding_free=True)
    alone, start = [], 0
    for length in sequence["seq_lengths"]:
        span = slice(start, start + length)
        alone.append(collate([{"input_ids": sequence["input_ids"][span], "labels": sequence["labels"][span]}]))
        start += length
    return collate([sequence]), alone


@pytest.mark.parametrize("kind", ["qwen2", "llama"])
@pytest.mark.parametrize("training", [True, False], ids=["training", "evaluation"])
def test_packed_losses_equal_those_of_each_row_alone(tmp_path, data, kind, training):
    model = AutoModelForCausalLM.from_pretrained(make_model(tmp_path, kind), attn_implementation="sdpa").train(training)
    add_fused_lm_head(model, outputs=("log_probs", "entropy", "is_top1"))
    packed, alone = packed_and_alone(data)
    with torch.no_grad():
        apart = torch.cat([losses(model, batch) for batch in alone])
        torch.testing.assert_close(losses(model, packed), apart, rtol=0, atol=CLOSE)


@pytest.mark.parametrize("training", [True, False], ids=["training", "evaluation"])
def test_the_comparison_sees_a_mask_that_leaks(tmp_path, data, training):
    """With a mask of ones, which transformers takes at its word, answers see other answers."""
    model = AutoModelForCausalLM.from_pretrained(make_model(tmp_path), attn_implementation="sdpa").train(training)
    add_fused_lm_head(model, outputs=("log_probs", "entropy", "is_top1"))
    packed, alone = packed_and_alone(data)
    leaking = {**packed, "attention_mask": torch.ones_like(packed["input_ids"])}
    with torch.no_grad():
        apart = torch.cat([losses(model, batch) for batch in alone])
        assert (losses(model, leaking) - apart).abs().max() > 100 * CLOSE


PACKED = {"packing": True, "padding_free": False, "max_length": 512}


@pytest.mark.parametrize("batching", [PACKED, {}], ids=["packed", "flat"])
def test_the_trainer_hands_over_positions_and_no_mask(tmp_path, data, batching):
    """And computes, over a whole step, the loss of the rows one by one."""
    trainer = sft.build(make_plan(data.parent / "model", data, tmp_path, batch=2, **batching))
    batch = next(iter(trainer.get_train_dataloader()))
    assert "attention_mask" not in batch
    ends = [*batch["cu_seq_lens_q"].tolist()]
    assert len(ends) > 2
    alone = [
        {"input_ids": batch["input_ids"][:, start:end], "labels": batch["labels"][:, start:end]}
        for start, end in itertools.pairwise(ends)
    ]
    with torch.no_grad():
        loss = trainer.compute_loss(trainer.model, dict(batch))
        apart = torch.cat([losses(trainer.model, row) for row in alone])
    assert loss.item() == pytest.approx(apart.mean().item(), abs=CLOSE)


def test_packing_keeps_every_row_whole_and_its_borders_where_it_begins(tmp_path, data):
    """Not at the end tokens, of which each row has several."""
    one = {**PACKED, "max_length": 256, "batch": 1, "per_device_train_batch_size": 1}
    run = make_plan(data.parent / "model", data, tmp_path, **one)
    rows = {tuple(row["input_ids"]) for row in load_from_disk(data / "train")}
    collate, unpacked = DataCollatorForLanguageModeling(pad_token_id=0, padding_free=True), []
    for sequence in sft.train_rows(run):
        assert len(sequence["input_ids"]) <= 256
        starts = [0, *itertools.accumulate(sequence["seq_lengths"])]
        assert (collate([sequence])["position_ids"][0] == 0).nonzero().flatten().tolist() == starts[:-1]
        unpacked += [tuple(sequence["input_ids"][start:end]) for start, end in itertools.pairwise(starts)]
    assert set(unpacked) == rows
    assert len(unpacked) == len(load_from_disk(data / "train"))


def test_held_out_rows_are_looked_at_one_by_one(tmp_path, data):
    """So their loss depends on nothing beside them, and is the mean over rows."""
    trainer = sft.build(make_plan(data.parent / "model", data, tmp_path, **PACKED, batch=2))
    measured = trainer.evaluate()["eval_loss"]
    trainer.model.eval()
    with torch.no_grad():
        alone = [
            losses(
                trainer.model,
                {"input_ids": torch.tensor([row["input_ids"]]), "labels": torch.tensor([row["labels"]])},
            ).mean()
            for row in load_from_disk(data / "held_out")
        ]
    assert measured == pytest.approx(torch.stack(alone).mean().item(), abs=CLOSE)
