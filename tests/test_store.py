"""The files of a run: whole lines only, the old content or the new one. Who may write to a folder: test_run.py."""

from __future__ import annotations

import errno
import json
import multiprocessing
from types import SimpleNamespace

import pytest

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


def test_two_processes_may_write_one_file_at_a_time(tmp_path):
    path = tmp_path / "summary.json"

    def slowly():
        yield {"process": 1}
        other = multiprocessing.get_context("spawn").Process(target=jsonl.write_lines, args=(path, [{"process": 2}]))
        other.start()
        other.join()
        assert (other.exitcode, jsonl.rows(path)) == (0, [{"process": 2}])

    jsonl.write_lines(path, slowly())
    assert jsonl.rows(path) == [{"process": 1}]
    assert list(tmp_path.iterdir()) == [path]


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
