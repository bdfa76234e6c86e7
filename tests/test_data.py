"""Rows from files and from the Hub: what loads, and what is said of what does not."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from evaluation.data import MOST_TOLD, Source, find, labels_of, load, problems, text_field
from evaluation.problem import Judges, Problem, Verdict
from z1_core.errors import BadInput

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@dataclass(frozen=True, kw_only=True)
class Sums:
    """A benchmark as small as one can be."""

    name: str = "sums"
    title: str = "Sums"
    source: Source = Source(repo="someone/sums", revision=COMMIT, files=("one.jsonl", "two.jsonl"))  # noqa: RUF009
    hint: str = "So:"

    def make_problem(self, row: Mapping[str, Any]) -> Problem:
        return Problem(
            id=text_field(row, "id"),
            messages=({"role": "user", "content": text_field(row, "question")},),
            reference={},
            labels=labels_of(row, "level"),
        )

    def judge(self, problem: Problem, text: str, judges: Judges) -> Verdict:
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class EasySums(Sums):
    def select(self, row: Mapping[str, Any]) -> bool:
        return row.get("level") == 1


def row(number: int, **more: Any) -> dict[str, Any]:
    return {"id": f"sum-{number}", "question": f"{number} + {number}?", "level": number, **more}


def lines(*rows: Any) -> str:
    return "".join(json.dumps(each) + "\n" for each in rows)


@pytest.fixture
def sums(tmp_path: Path) -> Callable[..., Path]:
    def write(*rows: Any, name: str = "sums.jsonl") -> Path:
        path = tmp_path / name
        path.write_text(lines(*rows))
        return path

    return write


def ids(found: list[Problem]) -> list[str]:
    return [problem.id for problem in found]


def test_rows_become_problems_in_the_order_of_the_file(sums):
    file = sums(row(2), row(1), row(3))
    loaded = load(Sums(), data=file)
    assert ids(loaded.problems) == ["sum-2", "sum-1", "sum-3"]
    assert loaded.problems[0].labels == {"level": "2"}
    assert loaded.origin == "sums.jsonl"
    assert loaded.bad_rows == []


def test_a_limit_takes_the_same_problems_as_the_full_run(sums):
    file = sums(*(row(number) for number in range(9)), "no row")
    full, few = load(Sums(), data=file), load(Sums(), data=str(file), limit=4)
    assert few.problems == full.problems[:4]
    assert (full.bad_rows, few.bad_rows) == ([BAD_ROW], []), "it is not even read"


BAD_ROW = "line 10 of sums.jsonl: not a row of named fields but str"


def test_a_file_is_read_a_row_at_a_time(sums):
    """Long rows, as LiveCodeBench's with their hidden tests."""
    file = sums(*(row(number, tests="x" * 1_000_000) for number in range(40)))
    tracemalloc.start()
    try:
        assert len([problem.id for problem in problems(Sums(), find(Sums(), data=file))]) == 40
        assert tracemalloc.get_traced_memory()[1] < file.stat().st_size / 8
    finally:
        tracemalloc.stop()


def test_of_many_rows_that_are_left_out_the_first_are_named(sums):
    complaints = load(Sums(), data=sums(row(1), *[{}] * (MOST_TOLD + 1_200))).bad_rows
    assert len(complaints) == MOST_TOLD + 1
    assert complaints[-1] == "1,200 more rows of sums.jsonl"


def test_a_limit_counts_usable_problems_that_were_asked_for(sums):
    file = sums(row(1), {"id": "broken"}, row(7), row(8, level=1), row(9, level=1))
    assert ids(load(EasySums(), data=file, limit=2).problems) == ["sum-1", "sum-8"]


def test_a_bad_line_is_named_with_its_reason_and_the_others_go_on(tmp_path):
    file = tmp_path / "sums.jsonl"
    bad = [
        "{'id': 1}",
        "[1, 2]",
        json.dumps({"id": "a"}),
        json.dumps({"id": "b", "question": 7}),
        lines(row(0)).strip(),
    ]
    file.write_bytes("\n".join([lines(row(0)).strip(), *bad, ""]).encode() + b"\xff\xfe\n\n" + lines(row(5)).encode())
    loaded = load(Sums(), data=file)
    assert ids(loaded.problems) == ["sum-0", "sum-5"]
    assert [text.split(":")[0] for text in loaded.bad_rows] == [f"line {n} of sums.jsonl" for n in (2, 3, 4, 5, 6, 7)]
    reasons = [text.split(": ", 1)[1] for text in loaded.bad_rows]
    assert "not JSON" in reasons[0]
    assert "list" in reasons[1]
    assert reasons[2] == "the field 'question' is missing"
    assert reasons[3] == "the field 'question' is no text but int"
    assert reasons[4] == "the id 'sum-0' was there before"
    assert "not JSON" in reasons[5]


def test_line_separators_inside_a_text_end_no_row(tmp_path):
    text = "one\u2028two\u2029three\u0085four\vfive"
    file = tmp_path / "sums.jsonl"
    escaped = json.dumps(row(1, question=text), ensure_ascii=False) + "\n"
    file.write_text(escaped + lines(row(2)), encoding="utf-8")
    first, second = load(Sums(), data=file).problems
    assert (first.messages[0]["content"], second.id) == (text, "sum-2")


def test_half_a_character_is_a_bad_row_and_not_a_crash_when_it_is_written(sums):
    loaded = load(Sums(), data=sums(row(1), row(2, question="\ud83d?")))
    assert loaded.bad_rows == ["line 2 of sums.jsonl: the field 'question' is not valid Unicode at position 0"]


def test_json_nested_too_deep_is_a_bad_row(tmp_path):
    file = tmp_path / "sums.jsonl"
    file.write_text("[" * 200_000 + "\n" + lines(row(1)))
    assert ids(load(Sums(), data=file).problems) == ["sum-1"]


def test_a_file_without_a_usable_row_is_an_error_that_says_why(sums):
    with pytest.raises(BadInput, match=r"sums.jsonl has no usable row for Sums: line 1 of .*'id' is missing"):
        load(Sums(), data=sums({"answer": "4"}))
    with pytest.raises(BadInput, match="has no usable row"):
        load(Sums(), data=sums(name="empty.jsonl"))
    with pytest.raises(BadInput, match="no usable row"):
        load(EasySums(), data=sums(row(3)))


def test_the_same_rows_load_from_every_kind_of_file(tmp_path):
    import pyarrow
    from pyarrow.parquet import write_table

    rows = [row(1), row(2, question='two lines,\n"quoted" + é?')]
    (tmp_path / "a.jsonl").write_text(lines(*rows))
    (tmp_path / "a.json").write_text(json.dumps(rows))
    (tmp_path / "dict.json").write_text(json.dumps({each["id"]: each for each in rows}))
    (tmp_path / "a.csv").write_text('﻿id,question,level\nsum-1,1 + 1?,1\nsum-2,"two lines,\n""quoted"" + é?",2\n')
    write_table(pyarrow.Table.from_pylist(rows), tmp_path / "a.parquet")
    for name in ("a.json", "dict.json", "a.csv", "a.parquet"):
        assert load(Sums(), data=tmp_path / name).problems == load(Sums(), data=tmp_path / "a.jsonl").problems, name


def test_a_csv_row_with_too_few_columns_is_bad_and_counted_by_its_line(tmp_path):
    file = tmp_path / "sums.csv"
    file.write_text('id,question,level\nsum-1,"1\n+ 1?",1\nsum-2\nsum-3,3?,3,4\nsum-4,4?,4\n')
    loaded = load(Sums(), data=file)
    assert ids(loaded.problems) == ["sum-1", "sum-4"]
    assert [text.split(":")[0] for text in loaded.bad_rows] == ["line 4 of sums.csv", "line 5 of sums.csv"]


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a.txt", "hello", "none of .jsonl, .json, .csv, .parquet"),
        ("a.json", "{", "is not JSON"),
        ("a.json", "3", "neither a list nor a dict"),
        ("a.parquet", "PAR1", "no readable Parquet file"),
    ],
)
def test_a_file_that_cannot_be_read_at_all_is_one_sentence(tmp_path, name, content, says):
    (tmp_path / name).write_text(content)
    with pytest.raises(BadInput, match=says) as caught:
        load(Sums(), data=tmp_path / name)
    assert "\n" not in str(caught.value)


def test_a_missing_file_and_a_folder_that_lacks_one_are_named(tmp_path):
    with pytest.raises(BadInput, match=r"there is no file .*absent\.jsonl"):
        load(Sums(), data=tmp_path / "absent.jsonl")
    (tmp_path / "one.jsonl").write_text(lines(row(1)))
    with pytest.raises(BadInput, match=r"lacks two\.jsonl"):
        load(Sums(), data=tmp_path)


def test_a_folder_with_the_sources_files_is_read_in_their_order(tmp_path):
    (tmp_path / "two.jsonl").write_text(lines(row(2)))
    (tmp_path / "one.jsonl").write_text(lines(row(1)))
    assert ids(load(Sums(), data=tmp_path).problems) == ["sum-1", "sum-2"]
    assert find(Sums(), data=tmp_path).data == tmp_path


def test_limits_and_versions_that_mean_nothing_are_refused(sums):
    with pytest.raises(BadInput, match="--limit is 0"):
        load(Sums(), data=sums(row(1)), limit=0)
    with pytest.raises(BadInput, match="--revision"):
        load(Sums(), data=sums(row(1)), revision="main")


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[tuple]:
    """The Hub's client, replaced at its edge: downloads come from a folder. The list holds what was asked for."""
    asked: list[tuple] = []

    def download(repo: str, name: str, *, repo_type: str, revision: str) -> str:
        asked.append((repo, name, repo_type, revision))
        path = tmp_path / name
        path.write_text(lines(row(len(asked))))
        return str(path)

    monkeypatch.setattr("huggingface_hub.hf_hub_download", download)
    return asked


def failing(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr("huggingface_hub.hf_hub_download", fail)


def hub_error(name: str, message: str = "x") -> Exception:
    import httpx2
    from huggingface_hub import errors

    kind = getattr(errors, name)
    if not issubclass(kind, errors.HfHubHTTPError):
        return kind(message)
    return kind(message, response=httpx2.Response(403, request=httpx2.Request("GET", "https://huggingface.co")))


def test_the_pinned_commit_is_downloaded_and_recorded(hub):
    files = find(Sums())
    assert hub == [("someone/sums", name, "dataset", COMMIT) for name in ("one.jsonl", "two.jsonl")]
    assert (files.origin, files.revision, files.data) == (f"someone/sums@{COMMIT}", COMMIT, None)
    assert ids(list(problems(Sums(), files))) == ["sum-1", "sum-2"]


def test_a_branch_is_recorded_as_the_commit_it_stood_at(hub, monkeypatch):
    class Info:
        sha = "f" * 40

    monkeypatch.setattr("huggingface_hub.HfApi.dataset_info", lambda *_, **__: Info)
    assert load(Sums(), revision="main").origin == "someone/sums@" + "f" * 40
    assert {asked[-1] for asked in hub} == {"f" * 40}


@pytest.mark.parametrize(
    ("error", "says"),
    [
        ("LocalEntryNotFoundError", r"cannot be reached.*one\.jsonl, two\.jsonl\) with --data"),
        ("OfflineModeIsEnabled", "cannot be reached.*--data"),
        ("GatedRepoError", "request access on https://huggingface.co/datasets/someone/sums and run `hf auth login`"),
        ("RepositoryNotFoundError", "knows no data set someone/sums"),
        ("RevisionNotFoundError", "has no revision '0123"),
        ("RemoteEntryNotFoundError", "has no one.jsonl"),
    ],
)
def test_what_the_hub_refuses_is_one_sentence_with_a_remedy(monkeypatch, error, says):
    failing(monkeypatch, hub_error(error))
    with pytest.raises(BadInput, match=says) as caught:
        load(Sums())
    assert "\n" not in str(caught.value)


def test_a_full_disk_or_a_broken_transport_is_named_as_it_is(monkeypatch):
    failing(monkeypatch, OSError(28, "No space left on device"))
    with pytest.raises(BadInput, match=r"could not be downloaded: .*No space left on device"):
        load(Sums())


def test_without_a_network_the_real_client_ends_in_the_same_sentence(monkeypatch, tmp_path):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(BadInput, match="cannot be reached"):
        load(Sums())
