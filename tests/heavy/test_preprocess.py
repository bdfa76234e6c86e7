"""From trajectories to ids and labels: what is learnt, what is dropped, what is refused."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import trl
from datasets import load_from_disk
from transformers import PreTrainedTokenizerFast

from tests.heavy.tiny_training import ROOT, make_data, make_model, make_rows, small_tokenizer
from training import manifest
from training.encoding import RowEncoder
from training.preprocess import Settings, main, preprocess, show
from training.pretrained import load_tokenizer
from z1_core.engines.tokenizer_text import TokenizerText
from z1_core.errors import BadInput
from z1_core.models import embedded_file
from z1_core.prompt import SYSTEM_PROMPT, chat

ROW = {"id": "a", "question": "How many r are in raspberry?", "response": "\n\nLet me count. There are 3.\n"}


def qwen() -> PreTrainedTokenizerFast:
    """The small tokenizer under Qwen2.5's own template, tools and default system text included."""
    template = Path(trl.__file__).parent / "chat_templates" / "qwen2_5.jinja"
    return small_tokenizer(chat_template=template.read_text())


def embedded() -> PreTrainedTokenizerFast:
    if embedded_file() is None:
        pytest.skip("the embedded model is not installed")
    return load_tokenizer("embedded")


@pytest.fixture(params=[qwen, embedded], ids=["Qwen2.5", "embedded"])
def tokenizer(request: pytest.FixtureRequest) -> PreTrainedTokenizerFast:
    return request.param()


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_model(tmp_path_factory.mktemp("model"))


def test_labels_are_the_response_and_its_end_token(tokenizer):
    (encoded,) = RowEncoder(tokenizer, SYSTEM_PROMPT).encode([ROW])
    assert tokenizer.decode(encoded.ids[encoded.prompt_tokens :]) == ROW["response"] + "<|im_end|>"


def test_the_prompt_is_the_one_that_inference_renders(tokenizer):
    (encoded,) = RowEncoder(tokenizer, SYSTEM_PROMPT).encode([ROW])
    assert encoded.ids[: encoded.prompt_tokens] == TokenizerText.of_transformers(tokenizer).render(
        chat(ROW["question"])
    )


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


def test_the_end_token_is_learnt_although_it_is_also_the_padding(tmp_path, model):
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
    assert made.counts == {"read": 40, "train": 34, "held_out": 6, "dropped_too_long": 0, "dropped_prompt_no_prefix": 0}
    assert sum(train["length"]) == made.tokens["all"]
    assert sum(train["labelled"]) == made.tokens["labelled"]
    assert not set(train["id"]) & set(held_out["id"])
    for row in [*train, *held_out]:
        masked = row["length"] - row["labelled"]
        assert row["labels"] == [-100] * masked + row["input_ids"][masked:]
        assert tokenizer.decode(row["labels"][masked:]) == source[row["id"]]["response"] + "<|im_end|>"


def test_long_rows_are_dropped_and_counted_and_never_cut(tmp_path, model):
    folder = make_data(tmp_path, model, max_length=150, held_out=0)
    counts, rows = manifest.read(folder).counts, load_from_disk(folder / "train")
    end = small_tokenizer().eos_token_id
    assert 0 < counts["dropped_too_long"] == 40 - counts["train"]
    assert max(rows["length"]) <= 150
    assert all(row["input_ids"][-1] == end for row in rows)


def test_more_processes_make_the_same_data(tmp_path, model):
    rows = make_rows(tmp_path / "rows.jsonl", 600)
    settings = Settings(tokenizer=str(model), max_length=256, held_out=20)
    one = preprocess([str(rows)], tmp_path / "one", settings, workers=1)
    two = preprocess([str(rows)], tmp_path / "two", settings, workers=2)
    assert one.tokens == two.tokens
    assert load_from_disk(tmp_path / "one/train")[:] == load_from_disk(tmp_path / "two/train")[:]


GONE = "error: a worker was ended from outside, perhaps for want of memory; lower --workers\n"


def stop_the_program(process: subprocess.Popen) -> None:
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does


def kill_first(process: subprocess.Popen) -> None:
    psutil.Process(process.pid).children()[0].kill()


def kill_last(process: subprocess.Popen) -> None:
    psutil.Process(process.pid).children()[-1].kill()


@pytest.mark.parametrize(
    ("end", "code", "said"),
    [
        (stop_the_program, 130, "\nstopped; nothing was written\n"),
        (kill_first, 2, GONE),
        (kill_last, 2, GONE),
    ],
    ids=["Ctrl+C", "first", "last"],
)
def test_several_workers_end_with_one_sentence_and_leave_nothing(tmp_path, model, end, code, said):
    rows = make_rows(tmp_path / "rows.jsonl", 30_000)
    command = [sys.executable, "-m", "training.preprocess", str(rows), "--tokenizer", str(model)]
    process = subprocess.Popen(
        [*command, "--out", str(tmp_path / "data"), "--workers", "2"],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # a job of `sh &` ignores it
    )
    with process:
        while sum(file.stat().st_size > 0 for file in tmp_path.glob(".data.part/work/**/tmp*")) < 2:  # both tokenise
            assert process.poll() is None, process.stderr.read()
            time.sleep(0.1)
        end(process)
        assert process.communicate(timeout=60)[1] == said
    assert process.returncode == code
    assert [file.name for file in tmp_path.iterdir()] == ["rows.jsonl"]


def test_a_question_with_two_answers_stays_on_one_side(tmp_path, model):
    rows = [{**ROW, "id": f"{n}", "question": f"Question {n // 2}?", "token_num_qwen": 9} for n in range(40)]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    settings = Settings(tokenizer=str(model), held_out=7)
    preprocess([str(tmp_path / "rows.jsonl")], tmp_path / "data", settings)
    held_out = {int(id_) // 2 for id_ in load_from_disk(tmp_path / "data/held_out")["id"]}
    train = {int(id_) // 2 for id_ in load_from_disk(tmp_path / "data/train")["id"]}
    assert held_out
    assert not held_out & train


def test_show_prints_prompt_and_target_apart(tmp_path, model, capsys):
    folder = make_data(tmp_path, model)
    main(["--out", str(folder), "--show", "3"])
    shown = capsys.readouterr().out
    assert shown.count("[prompt]\n<|im_start|>system\n" + SYSTEM_PROMPT) == 3
    assert shown.count("<|im_end|>\n") >= 3
    assert show(folder, 3) in shown


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ('{"id": "b", "question": "q", "token_num_qwen": 1}', 'line 2 of rows.jsonl has no "response"'),
        ('{"id": "b", "question": "q", "response": " ", "token_num_qwen": 1}', "line 2 of rows.jsonl has an empty"),
        ('{"id": "a", "question": "q", "response": "r", "token_num_qwen": 1}', 'line 2 of rows.jsonl has the id "a"'),
        (b'{"id": "b", "question": "\xff"}', "line 2 of rows.jsonl is not UTF-8"),
    ],
    ids=["no response", "empty response", "same id", "not UTF-8"],
)
def test_a_bad_row_is_named_and_nothing_is_left(tmp_path, model, line, complaint):
    first = json.dumps({**ROW, "token_num_qwen": 9}) + "\n"
    (tmp_path / "rows.jsonl").write_bytes(first.encode() + (line if isinstance(line, bytes) else line.encode()) + b"\n")
    with pytest.raises(BadInput, match=complaint):
        preprocess([str(tmp_path / "rows.jsonl")], tmp_path / "data", Settings(tokenizer=str(model)))
    assert [path.name for path in tmp_path.iterdir()] == ["rows.jsonl"]


def test_a_tokenizer_without_a_template_is_refused(tmp_path, model):
    bare = small_tokenizer(chat_template=None)
    bare.save_pretrained(tmp_path / "bare")
    with pytest.raises(BadInput, match="has no chat template"):
        make_data(tmp_path, tmp_path / "bare")


def test_a_template_that_never_ends_an_answer_is_refused():
    endless = small_tokenizer(chat_template="{% for message in messages %}{{ message['content'] }}\n{% endfor %}")
    with pytest.raises(BadInput, match="does not close an answer"):
        RowEncoder(endless, "")


def test_a_template_that_rewrites_the_prompt_drops_the_row():
    """As a template does that shows the last question otherwise once it is answered."""
    tokenizer = qwen()
    tokenizer.chat_template = (
        "{% for m in messages %}{% if m.role == 'user' and not loop.last %}[old]{% endif %}"
        "<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
        "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
    )
    assert RowEncoder(tokenizer, "").encode([ROW]) == [None]


def test_no_row_left_is_said_before_it_is_trained_on(tmp_path, model):
    with pytest.raises(BadInput, match="none of the 40 rows can be used"):
        make_data(tmp_path, model, max_length=4)
    with pytest.raises(BadInput, match="leaves no row of 40"):
        make_data(tmp_path, model, held_out=100)


@pytest.mark.parametrize("size", [{"max_length": 0}, {"held_out": -1}, {"limit": -3}])
def test_a_size_below_nothing_is_refused_by_its_option(size):
    with pytest.raises(BadInput, match=f"--{next(iter(size)).replace('_', '-')} is .*; it must be at least"):
        Settings(tokenizer="embedded", **size)


def test_lengths_are_counted_in_steps_that_end_at_their_last_length(tmp_path, model):
    folder = make_data(tmp_path, model)
    bins, lengths = manifest.read(folder).lengths, load_from_disk(folder / "train")["length"]
    assert sum(bin_["rows"] for bin_ in bins) == len(lengths)
    for bin_ in bins:
        assert bin_["rows"] == sum(bin_["from"] <= length <= bin_["to"] for length in lengths)


def test_a_folder_that_is_not_there_is_not_taken_for_a_hub_id(tmp_path):
    with pytest.raises(BadInput, match="is no folder here and no hub id"):
        load_tokenizer(str(tmp_path / "nowhere"))


def test_data_that_is_there_is_not_overwritten(tmp_path, model):
    make_data(tmp_path, model)
    with pytest.raises(BadInput, match="is there already"):
        make_data(tmp_path, model)


def test_the_tokenizers_hash_knows_a_changed_template_from_a_changed_vocabulary():
    before, template, vocabulary = qwen(), qwen(), qwen()
    template.chat_template += " "
    vocabulary.add_tokens(["<|new|>"])
    was = manifest.identify(before)
    assert manifest.identify(qwen()) == was
    assert manifest.identify(template)["sha256"] == was["sha256"]
    assert manifest.identify(template)["template_sha256"] != was["template_sha256"]
    assert manifest.identify(vocabulary)["sha256"] != was["sha256"]


def test_a_package_that_is_not_installed_is_named_with_the_command_that_installs_it(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "datasets.exceptions", None)
    assert main([str(make_rows(tmp_path / "rows.jsonl", 3)), "--out", str(tmp_path / "data")]) == 2
    assert capsys.readouterr().err == "error: datasets is not installed; pip install -r training/requirements.txt\n"
