"""The files of a run: whole lines only, and never two runs in one folder."""

from __future__ import annotations

import errno
import json
from types import SimpleNamespace

import pytest

from evaluation import store
from z1_core import jsonl
from z1_core.errors import BadInput, Z1Error

SEPARATORS = "one\u2028two\u2029three\u0085four\vfive"


def test_lines_are_there_the_moment_they_are_added(tmp_path):
    rows = [{"problem_id": "a", "text": f"ümlaut{SEPARATORS}🙂"}, {"half a character": "\ud83d"}]
    with jsonl.Lines(tmp_path / "new" / "answers.jsonl") as lines:
        for count, row in enumerate(rows, start=1):
            lines.add(row)
            assert jsonl.rows(lines.path) == rows[:count]
    assert [jsonl.row_at(lines.path, line.begin) for line in jsonl.own_lines(lines.path)] == rows
    assert jsonl.rows(tmp_path / "absent.jsonl") == []


@pytest.mark.parametrize("torn", [b'{"problem_id": "b", "te', b"{", b'{"b": "' + b"x" * 200_000, b'{"b": 1}'])
@pytest.mark.parametrize("whole", [b'{"problem_id": "a"}\n', b""])
def test_a_line_torn_by_a_crash_is_cut_off_and_the_next_one_is_whole(tmp_path, torn, whole):
    path = tmp_path / "answers.jsonl"
    path.write_bytes(whole + torn)
    assert len(jsonl.rows(path)) == whole.count(b"\n")
    with jsonl.Lines(path) as lines:
        lines.add({"problem_id": "b"})
    assert path.read_bytes() == whole + b'{"problem_id": "b"}\n'


@pytest.mark.parametrize(("line", "fault"), [("not json", "not JSON"), ("[1]", "not a row of named fields but list")])
def test_a_damaged_line_in_the_middle_is_named(tmp_path, line, fault):
    path = tmp_path / "answers.jsonl"
    path.write_text(f'{{"a": 1}}\n{line}\n{{"a": 2}}\n')
    with pytest.raises(BadInput, match=rf"line 2 of .*answers\.jsonl is {fault}.*; remove it to go on"):
        jsonl.rows(path)


def test_a_full_disk_takes_nothing_from_what_was_there(tmp_path):
    lines = jsonl.Lines(tmp_path / "answers.jsonl")
    lines.add({"a": 1})
    before, file = lines.path.read_bytes(), lines._file

    def half(line: bytes) -> int:
        if lines.path.stat().st_size > len(before):
            raise OSError(errno.ENOSPC, "No space left on device")
        return file.write(line[:3])

    lines._file = SimpleNamespace(write=half, fileno=file.fileno, truncate=file.truncate)
    with pytest.raises(Z1Error, match="cannot be written: No space left on device; nothing finished is lost"):
        lines.add({"a": 2})
    assert lines.path.read_bytes() == before


def test_a_file_that_is_replaced_is_the_old_or_the_new_one(tmp_path, monkeypatch):
    path = tmp_path / "run.json"
    jsonl.write_json(path, {"a": 1})

    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(jsonl.os, "fsync", full)
    with pytest.raises(Z1Error, match="No space left on device; free some space"):
        jsonl.write_json(path, {"a": 2})
    assert json.loads(path.read_text()) == {"a": 1}
    assert list(tmp_path.iterdir()) == [path]


def settings(**changed) -> dict:
    task = {"benchmark": "gsm8k", "method": "window", "hint": "So:", **changed.pop("task", {})}
    return {
        "model": "m",
        "windows": [2, 4],
        "samples": 1,
        "benchmarks": {changed.pop("name", "gsm8k"): task},
        **changed,
    }


def test_a_run_grows_by_windows_samples_and_tasks(tmp_path):
    jsonl.write_json(tmp_path / "run.json", {**store.merged(tmp_path, settings()), "parts": [{"commit": "c"}]})
    run = store.merged(tmp_path, settings(windows=[1, 4, 8], samples=3, name="gsm8k.boxed-hint"))
    assert (run["windows"], run["samples"], list(run["benchmarks"])) == ([1, 2, 4, 8], 3, ["gsm8k", "gsm8k.boxed-hint"])
    assert run["parts"] == [{"commit": "c"}]
    assert store.merged(tmp_path, settings(windows=[2]))["windows"] == [2, 4]


@pytest.mark.parametrize(
    ("changed", "complaint"),
    [
        ({"model": "n"}, 'its model is "m", not "n"; give the same options to continue it, or name another folder'),
        ({"task": {"hint": "Well:"}}, 'its gsm8k.hint is "So:", not "Well:"'),
    ],
)
def test_other_settings_are_named(tmp_path, changed, complaint):
    jsonl.write_json(tmp_path / "run.json", store.merged(tmp_path, settings()))
    with pytest.raises(BadInput) as caught:
        store.merged(tmp_path, settings(**changed))
    assert complaint in str(caught.value)


def test_two_processes_do_not_share_a_folder(tmp_path):
    with (
        store.held(tmp_path, name=".lock"),
        pytest.raises(BadInput, match="another process is at work in"),
        store.held(tmp_path, name=".lock"),
    ):
        pass


def test_a_folder_of_something_else_is_left_alone(tmp_path):
    (tmp_path / "thesis.tex").write_text("dear reader")
    with pytest.raises(BadInput, match=r"holds other files and no run\.json"):
        store.merged(tmp_path, settings())
    (tmp_path / "thesis.tex").rename(tmp_path / "run.json")
    with pytest.raises(BadInput, match="is no JSON"):
        store.merged(tmp_path, settings())
    jsonl.write_json(tmp_path / "run.json", settings())
    with pytest.raises(BadInput, match="begun by an earlier version"):
        store.merged(tmp_path, settings())
