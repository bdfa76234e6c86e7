"""From trajectories to ids and labels: what is learnt, what is dropped, what is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import trl
from datasets import load_from_disk
from transformers import PreTrainedTokenizerFast

from bench import preprocess as speed
from tests.heavy.tiny_training import make_data, make_model, make_rows, small_tokenizer
from tests.small_disk import disk_of
from training import manifest
from training.encoding import RowEncoder
from training.preprocess import Settings, _held_out, main, preprocess, show
from training.pretrained import load_tokenizer
from z1_core.engines.tokenizer_text import TokenizerText
from z1_core.errors import BadInput, Z1Error
from z1_core.models import embedded_file
from z1_core.prompt import SYSTEM_PROMPT, chat
from z1_core.window import HINT

TEMPLATES = Path(trl.__file__).parent / "chat_templates"
ROW = {"id": "a", "question": "How many r are in raspberry?", "response": "\n\nLet me count. There are 3.\n"}


def qwen() -> PreTrainedTokenizerFast:
    """The small tokenizer under Qwen2.5's own template, tools and default system text included."""
    return of_template("qwen2_5")


def embedded() -> PreTrainedTokenizerFast:
    if embedded_file() is None:
        pytest.skip("the embedded model is not installed")
    return load_tokenizer("embedded")


def written(path: Path, rows: list[dict]) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


@pytest.fixture(params=[qwen, embedded], ids=["Qwen2.5", "embedded"])
def tokenizer(request: pytest.FixtureRequest) -> PreTrainedTokenizerFast:
    return request.param()


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_model(tmp_path_factory.mktemp("model"))


def test_the_prompt_is_that_of_inference_and_labels_are_the_response_and_its_end_token(tokenizer):
    (encoded,) = RowEncoder(tokenizer, SYSTEM_PROMPT).encode([ROW])
    rendered = TokenizerText.of_transformers(tokenizer).render(chat(ROW["question"]))
    assert encoded.ids[: encoded.prompt_tokens] == rendered
    assert tokenizer.decode(encoded.ids[encoded.prompt_tokens :]) == ROW["response"] + "<|im_end|>"


def test_without_a_system_prompt_the_template_puts_in_its_own():
    (encoded,) = RowEncoder(qwen(), "").encode([ROW])
    assert "You are Qwen, created by Alibaba Cloud" in qwen().decode(encoded.ids[: encoded.prompt_tokens])


def test_control_tokens_typed_by_people_stay_text(tokenizer):
    row = {"id": "a", "question": "What is <|im_end|>?", "response": "<|im_end|> ends a turn, <|im_start|> begins one."}
    (encoded,) = RowEncoder(tokenizer, SYSTEM_PROMPT).encode([row])
    end = tokenizer.convert_tokens_to_ids("<|im_end|>")
    assert encoded.ids[encoded.prompt_tokens :].count(end) == 1
    assert encoded.ids[: encoded.prompt_tokens] == TokenizerText.of_transformers(tokenizer).render(
        chat(row["question"])
    )
    assert tokenizer.decode(encoded.ids[encoded.prompt_tokens :]) == row["response"] + "<|im_end|>"


def test_the_end_token_is_learnt_although_it_is_also_the_padding():
    """Masking by token id would hide it where the two are one, as in the embedded model."""
    tokenizer = embedded()
    assert tokenizer.pad_token_id == tokenizer.eos_token_id
    (encoded,) = RowEncoder(tokenizer, "").encode([ROW])
    assert encoded.ids[-1] == tokenizer.eos_token_id


def test_prepared_rows_hold_what_the_manifest_says(tmp_path, model):
    folder = make_data(tmp_path, model)
    made, tokenizer = manifest.read(folder), load_tokenizer(str(model))
    source = {row["id"]: row for row in map(json.loads, (tmp_path / "rows.jsonl").read_text().splitlines())}
    train, held_out = load_from_disk(folder / "train"), load_from_disk(folder / "held_out")
    assert made.counts == {"read": 40, "train": 34, "held_out": 6, "dropped_too_long": 0, "dropped_open_thought": 0}
    assert sum(train["length"]) == made.tokens["all"]
    assert sum(train["labelled"]) == made.tokens["labelled"]
    assert not set(train["id"]) & set(held_out["id"])
    for row in [*train, *held_out]:
        masked = row["length"] - row["labelled"]
        assert row["labels"] == [-100] * masked + row["input_ids"][masked:]
        assert tokenizer.decode(row["labels"][masked:]) == source[row["id"]]["response"] + "<|im_end|>"


def test_long_rows_are_dropped_and_counted_and_never_cut(tmp_path, model):
    """Nor a prompt, which would leave nothing to learn."""
    long = [
        {**ROW, "id": "prompt", "question": "Please read this. " * 60},
        {**ROW, "id": "b", "response": "No. " * 200},
    ]
    source = written(tmp_path / "rows.jsonl", [ROW, *long])
    made = preprocess([source], tmp_path / "data", Settings(tokenizer=str(model), max_length=200, held_out=0))
    (row,) = load_from_disk(tmp_path / "data/train")
    assert (row["id"], made.counts["train"], made.counts["dropped_too_long"]) == (ROW["id"], 1, 2)
    assert 0 < row["labelled"] < row["length"] <= 200
    assert row["input_ids"][-1] == small_tokenizer().eos_token_id


def test_a_row_that_is_cut_is_learnt_from_the_answer_alone(tmp_path, model):
    """As at the end of a window: a part of the working, hint, answer. Other rows are as they were."""
    rows = [ROW | {"id": str(number), "answer": "3"} for number in range(40)]
    source, tokenizer = written(tmp_path / "rows.jsonl", rows), load_tokenizer(str(model))
    settings = Settings(tokenizer=str(model), held_out=0, cut=0.5)
    preprocess([source], tmp_path / "data", settings)
    (whole,) = RowEncoder(tokenizer, "").encode([ROW])
    kept, hint = set(), tokenizer.encode(HINT, add_special_tokens=False)
    for row in load_from_disk(tmp_path / "data/train"):
        learnt = [label for label in row["labels"] if label != -100]
        if row["input_ids"] == whole.ids:
            continue
        assert tokenizer.decode(learnt) == "\\boxed{3}<|im_end|>"
        given = row["input_ids"][: -len(learnt)]
        assert row["labels"] == [-100] * len(given) + learnt
        assert given[-len(hint) :] == hint
        working = given[: -len(hint)]
        assert whole.ids[: len(working)] == working
        kept.add(len(working) - whole.prompt_tokens)
    assert len(kept) > 5
    assert 1 <= min(kept) < max(kept) < len(whole.ids) - whole.prompt_tokens
    assert 10 < sum(row == whole.ids for row in load_from_disk(tmp_path / "data/train")["input_ids"]) < 30


def test_a_row_without_an_answer_is_not_cut(tmp_path, model):
    settings = Settings(tokenizer=str(model), held_out=0, cut=1.0)
    rows = [ROW | {"id": "talk"}, ROW | {"id": "sum", "answer": "3"}]
    preprocess([written(tmp_path / "rows.jsonl", rows)], tmp_path / "data", settings)
    (whole,) = RowEncoder(load_tokenizer(str(model)), "").encode([ROW])
    made = {row["id"]: row["input_ids"] for row in load_from_disk(tmp_path / "data/train")}
    assert made["talk"] == whole.ids != made["sum"]
    with pytest.raises(BadInput, match="none has one; leave --cut out"):
        preprocess([written(tmp_path / "talk.jsonl", rows[:1])], tmp_path / "talk", settings)


def test_the_published_way_that_it_is_compared_with_makes_the_same_tokens(tmp_path, model):
    source = speed.copied(make_rows(tmp_path / "rows.jsonl", 12), 2, tmp_path / "copied.jsonl")
    made = [way(source, str(model), tmp_path / way.__name__) for way in (speed.published, speed.ours)]
    assert made[0] == made[1] > 0
    whole, labels = (torch.load(tmp_path / "published" / f"{name}.pt") for name in ("input_ids", "labels"))
    ours = load_from_disk(tmp_path / "ours/train")
    assert [ids.tolist() for ids in whole] == list(ours["input_ids"])
    assert [ids.tolist() for ids in labels] == list(ours["labels"])


def test_a_question_with_two_answers_stays_on_one_side_and_the_split_is_exact(tmp_path, model):
    rows = [{**ROW, "id": f"{n}", "question": f"Question {n // 2}?"} for n in range(40)]
    source = written(tmp_path / "rows.jsonl", rows)
    made = preprocess([source], tmp_path / "data", Settings(tokenizer=str(model), held_out=8))
    held_out = [int(id_) // 2 for id_ in load_from_disk(tmp_path / "data/held_out")["id"]]
    train = [int(id_) // 2 for id_ in load_from_disk(tmp_path / "data/train")["id"]]
    assert (len(held_out), len(train)) == (made.counts["held_out"], made.counts["train"]) == (8, 32)
    assert not set(held_out) & set(train)
    with pytest.raises(BadInput, match="--held-out 7 tears the rows of a question apart; 6 does not"):
        preprocess([source], tmp_path / "odd", Settings(tokenizer=str(model), held_out=7))


@pytest.mark.parametrize("held_out", [1, 5, 11])
def test_a_question_that_has_too_many_rows_for_an_exact_split_is_passed_over(held_out):
    draws = np.array([7] * 6 + [3] * 4 + [9, 1, 2, 4, 5, 6, 8, 10, 11], np.uint64)
    chosen = _held_out(draws, held_out)
    assert chosen.sum() == held_out
    assert not set(draws[chosen]) & set(draws[~chosen])
    shuffled = np.random.default_rng(1).permutation(draws)
    assert set(shuffled[_held_out(shuffled, held_out)]) == set(draws[chosen])


def test_show_prints_prompt_and_target_apart(tmp_path, model, capsys):
    folder = make_data(tmp_path, model, system=SYSTEM_PROMPT)
    main(["--out", str(folder), "--show", "3"])
    shown = capsys.readouterr().out
    assert shown.count("[prompt]\n<|im_start|>system\n" + SYSTEM_PROMPT) == 3
    assert shown.count("<|im_end|>\n") >= 3
    assert show(folder, 3) in shown
    assert main(["--out", str(folder)]) == main(["--out", str(folder), "--show", "-1"]) == 2
    assert "--show is 0; name JSONL files to tokenise, or with --show N how many" in capsys.readouterr().err


def test_odd_rows_are_counted_by_reason_and_left_out_up_to_a_share(tmp_path, model):
    source = written(tmp_path / "rows.jsonl", [ROW, {**ROW, "id": "b"}, {**ROW, "id": "c", "response": " "}, ROW])
    settings = Settings(tokenizer=str(model), held_out=0)
    with pytest.raises(BadInput, match=r'2 of 4 rows cannot be used, more than --max-bad 1% \(line 3 .* "response" is'):
        preprocess([source], tmp_path / "data", settings)
    assert [path.name for path in tmp_path.iterdir()] == ["rows.jsonl"]
    made = preprocess([source], tmp_path / "data", replace(settings, max_bad=0.5))
    reasons = {'dropped_"response"_is_empty': 1, "dropped_an_id_that_came_before": 1}
    none = {"dropped_too_long": 0, "dropped_open_thought": 0}
    assert made.counts == {"read": 4, "train": 2, "held_out": 0, **none, **reasons}


def test_whatever_stands_in_a_row_each_line_is_one_and_its_text_is_learnt_as_it_is(tmp_path, model):
    text = "one\u2028two\u2029three\u0085four"
    row = json.dumps({**ROW, "response": text, "meta": [1, "two", None]}, ensure_ascii=False).encode()
    other = json.dumps({**ROW, "id": 2, "meta": {"level": {}}}).encode()
    (tmp_path / "rows.jsonl").write_bytes(b"\xef\xbb\xbf" + row + b"\r\n\xef\xbb\xbf" + other)
    preprocess([str(tmp_path / "rows.jsonl")], tmp_path / "data", Settings(tokenizer=str(model), held_out=0))
    made = load_from_disk(tmp_path / "data/train")
    assert made["id"] == ["a", "2"]
    target = [id_ for id_ in made[0]["labels"] if id_ != -100]
    assert load_tokenizer(str(model)).decode(target) == text + "<|im_end|>"


@pytest.mark.parametrize(
    ("template", "complaint"),
    [
        (None, "has no chat template"),
        ("{% for message in messages %}{{ message['content'] }}\n{% endfor %}", "does not close an answer"),
    ],
)
def test_a_template_that_cannot_be_trained_on_is_refused(tmp_path, template, complaint):
    small_tokenizer(chat_template=template).save_pretrained(tmp_path / "bare")
    with pytest.raises(BadInput, match=complaint):
        make_data(tmp_path, tmp_path / "bare")


THOUGHT = "<think>\nOne and one make two.\n</think>\n\n2"


def of_template(name: str, *tokens: str) -> PreTrainedTokenizerFast:
    tokenizer = small_tokenizer(chat_template=(TEMPLATES / f"{name}.jinja").read_text())
    tokenizer.add_tokens([*tokens])
    return tokenizer


@pytest.mark.parametrize("tags", [(), ("<think>", "</think>")], ids=["tags are text", "tags are tokens"])
@pytest.mark.parametrize("name", ["qwen2_5", "qwen3", "qwen3_instruct_2507", "qwen3_5_think", "deepseek_r1_distill"])
def test_a_thought_is_learnt_once_whatever_the_template_makes_of_past_answers(name, tags):
    """Qwen3's and R1's leave the thought of an answer out, or write an empty one before it; R1's opens it by itself."""
    tokenizer = of_template(name, "<｜end▁of▁sentence｜>", *tags)
    encoder = RowEncoder(tokenizer, "")
    (encoded,) = encoder.encode([{**ROW, "response": THOUGHT}])
    prompt, target = (
        tokenizer.decode(ids) for ids in (encoded.ids[: encoded.prompt_tokens], encoded.ids[encoded.prompt_tokens :])
    )
    end = tokenizer.decode([encoder.end_token_id])
    assert THOUGHT.endswith(target.removesuffix(end))
    assert f"{prompt}{target}".endswith(f"{THOUGHT}{end}")
    assert f"{prompt}{target}".count("<think>") == 1
    assert encoded.ids[: encoded.prompt_tokens] == TokenizerText.of_transformers(tokenizer).render(
        chat(ROW["question"], system="")
    )
    for tag in tags:
        assert encoded.ids.count(tokenizer.convert_tokens_to_ids(tag)) == 1


def test_a_thought_that_is_never_closed_drops_the_row(tmp_path):
    """It would teach to think and never to answer."""
    opened = of_template("qwen3_5_think")
    assert RowEncoder(opened, "").encode([{**ROW, "response": "2"}]) == [None]
    assert RowEncoder(qwen(), "").encode([{**ROW, "response": "<think>\n2"}]) == [None]
    model = make_model(tmp_path / "model", tokenizer=opened)
    source = written(tmp_path / "rows.jsonl", [ROW])
    with pytest.raises(BadInput, match=r"none of the 1 rows can be used \(dropped_open_thought 1\)"):
        preprocess([source], tmp_path / "data", Settings(tokenizer=str(model), held_out=0))


def test_what_leaves_nothing_to_train_on_is_said(tmp_path, model):
    with pytest.raises(BadInput, match="none of the 40 rows can be used"):
        make_data(tmp_path, model, max_length=4)
    with pytest.raises(BadInput, match="leaves no row of 40"):
        make_data(tmp_path, model, held_out=100)
    for size in ({"max_length": 0}, {"held_out": -1}):
        with pytest.raises(BadInput, match=f"--{next(iter(size)).replace('_', '-')} is .*; it must be at least"):
            Settings(tokenizer="embedded", **size)
    with pytest.raises(BadInput, match="is no folder here and no hub id"):
        load_tokenizer(str(tmp_path / "nowhere"))


def test_a_full_disk_leaves_no_half_data(tmp_path, model):
    source = make_rows(tmp_path / "rows.jsonl", 300)
    with disk_of(20_000), pytest.raises(Z1Error, match="data cannot be written: File too large; free some space"):
        preprocess([str(source)], tmp_path / "data", Settings(tokenizer=str(model), held_out=20))
    assert [path.name for path in tmp_path.iterdir()] == ["rows.jsonl"]


def test_the_tokenizers_hash_knows_a_changed_template_from_a_changed_vocabulary():
    before, template, vocabulary = qwen(), qwen(), qwen()
    template.chat_template += " "
    vocabulary.add_tokens(["<|new|>"])
    was = manifest.identify(before)
    assert manifest.identify(qwen()) == was
    assert manifest.identify(template)["sha256"] == was["sha256"]
    assert manifest.identify(template)["template_sha256"] != was["template_sha256"]
    assert manifest.identify(vocabulary)["sha256"] != was["sha256"]
