"""Rows from files and from the Hub: what loads, and what is said of what does not."""

from __future__ import annotations

import csv
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from evaluation.data import Source, find, labels_of, problems, text_field
from evaluation.problem import Judges, Problem, Verdict
from tests.loading import load
from z1_core.errors import BadInput, ModelUnavailable

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@dataclass(frozen=True, kw_only=True)
class Sums:
    """A benchmark as small as one can be."""

    name: str = "sums"
    title: str = "Sums"
    source: Source = Source(repo="someone/sums", revision=COMMIT, files=("one.jsonl", "two.jsonl"))  # noqa: RUF009

    def make_problem(self, row: Mapping[str, Any]) -> Problem:
        return Problem(
            id=text_field(row, "id"),
            messages=({"role": "user", "content": text_field(row, "question")},),
            reference={},
            labels=labels_of(row, "level"),
        )

    def judge(self, problem: Problem, text: str, judges: Judges) -> Verdict:
        raise NotImplementedError


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
    loaded = load(Sums(), data=str(file))
    assert (ids(loaded.problems), loaded.bad_rows) == (["sum-2", "sum-1", "sum-3"], [])
    assert loaded.problems[0].labels == {"level": "2"}


def test_a_limit_takes_the_same_problems_as_the_full_run_and_reads_no_further(sums):
    file = sums(*(row(number) for number in range(9)), "no row")
    full, few = load(Sums(), data=file), load(Sums(), data=file, limit=4)
    assert few.problems == full.problems[:4]
    assert (len(full.bad_rows), few.bad_rows) == (1, [])
    usable = sums(row(1), {"id": "broken"}, row(7), row(8))
    assert ids(load(Sums(), data=usable, limit=2).problems) == ["sum-1", "sum-7"], "of those that are usable"


GOOD = json.dumps(row(1)).encode()
SEPARATED = json.dumps(row(1, question="a\u2028b\u2029c\u0085d\ve"), ensure_ascii=False).encode()
ROWS = [
    ("a.jsonl", b"{'id': 1}\n" + GOOD, 1, ["line 1 of a.jsonl: not JSON"]),
    ("a.jsonl", GOOD + b"\n\n[1, 2]", 1, ["line 3 of a.jsonl: not a row of named fields but list"]),
    ("a.jsonl", b'{"id": "a"}\n' + GOOD, 1, ["line 1 of a.jsonl: the field 'question' is missing"]),
    (
        "a.jsonl",
        b'{"id": "a", "question": 7}\n' + GOOD,
        1,
        ["line 1 of a.jsonl: the field 'question' is no text but int"],
    ),
    ("a.jsonl", GOOD + b"\n" + GOOD, 1, ["line 2 of a.jsonl: the id 'sum-1' was there before"]),
    ("a.jsonl", b"\xff\xfe\n" + GOOD, 1, ["line 1 of a.jsonl: not JSON"]),
    ("a.jsonl", b"[" * 200_000 + b"\n" + GOOD, 1, ["line 1 of a.jsonl: not JSON"]),
    (
        "a.jsonl",
        b'{"id": "a", "question": "\\ud83d?"}\n' + GOOD,
        1,
        ["line 1 of a.jsonl: the field 'question' is not va"],
    ),
    ("a.jsonl", b"\xef\xbb\xbf" + SEPARATED + b"\n", 1, []),
    ("a.json", b"[" + GOOD + b", 3]", 1, ["row 2 of a.json: not a row of named fields but int"]),
    (
        "a.csv",
        b'id,question,level\nsum-1,"1\n+ 1?",1\nsum-2\nsum-3,3?,3,4\nsum-4,4?,4\n',
        2,
        [f"line {number} of a.csv: it has more or fewer columns than the first line" for number in (4, 5)],
    ),
]


@pytest.mark.parametrize(("name", "content", "usable", "complaints"), ROWS)
def test_a_bad_row_is_named_with_its_reason_and_the_others_go_on(tmp_path, name, content, usable, complaints):
    (tmp_path / name).write_bytes(content)
    loaded = load(Sums(), data=tmp_path / name)
    assert (len(loaded.problems), len(loaded.bad_rows)) == (usable, len(complaints))
    assert all(said.startswith(expected) for said, expected in zip(loaded.bad_rows, complaints, strict=True))


def test_the_same_rows_load_from_every_kind_of_file(tmp_path):
    import pyarrow
    from pyarrow.parquet import write_table

    rows = [row(1), row(2, question='two lines,\n"quoted" + é?')]
    (tmp_path / "a.jsonl").write_text(lines(*rows))
    (tmp_path / "a.json").write_text(json.dumps(rows))
    (tmp_path / "dict.json").write_text(json.dumps({each["id"]: each for each in rows}))
    (tmp_path / "a.csv").write_text('\ufeffid,question,level\nsum-1,1 + 1?,1\nsum-2,"two lines,\n""quoted"" + é?",2\n')
    write_table(pyarrow.Table.from_pylist(rows), tmp_path / "a.parquet")
    for name, sign, encoding in (("tabs.csv", "\t", "utf-16"), ("semicolons.csv", ";", "utf-16-be")):
        with (tmp_path / name).open("w", newline="", encoding=encoding) as file:
            writer = csv.DictWriter(file, rows[0], delimiter=sign)
            writer.writeheader()
            writer.writerows(rows)
    for name in ("a.json", "dict.json", "a.csv", "a.parquet", "tabs.csv", "semicolons.csv"):
        assert load(Sums(), data=tmp_path / name).problems == load(Sums(), data=tmp_path / "a.jsonl").problems, name


@pytest.mark.parametrize(
    ("name", "content", "given", "says"),
    [
        ("a.txt", "hello", {}, "none of .jsonl, .json, .csv, .parquet"),
        ("a.json", "{", {}, "is not JSON"),
        ("a.json", "3", {}, "neither a list nor a dict"),
        ("a.parquet", "PAR1", {}, "no readable Parquet file"),
        ("a.csv", b"id\ncaf\xe9\n", {}, "a.csv is damaged text .*; save it again, as UTF-8"),
        ("a.csv", b"\xff\xfei\0d\0\n\0\0\xd8a\0", {}, "a.csv is damaged text .*; save it again, as UTF-8"),
        ("a.jsonl", '{"answer": "4"}', {}, r"a.jsonl has no usable row for Sums: line 1 of a.jsonl: the field 'id' is"),
        ("a.jsonl", "", {}, "a.jsonl has no usable row for Sums"),
        ("other.jsonl", "", {"data": "absent.jsonl"}, "there is no file absent.jsonl; check --data"),
        ("one.jsonl", GOOD.decode(), {"data": "."}, "there is no file two.jsonl; check --data"),
    ],
)
def test_what_cannot_be_read_at_all_is_one_sentence(tmp_path, monkeypatch, name, content, given, says):
    monkeypatch.chdir(tmp_path)
    Path(name).write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(BadInput, match=says) as caught:
        load(Sums(), **{"data": Path(name), **given})
    assert "\n" not in str(caught.value)


def test_a_folder_with_the_sources_files_is_read_in_their_order(tmp_path):
    (tmp_path / "two.jsonl").write_text(lines(row(2)))
    (tmp_path / "one.jsonl").write_text(lines(row(1)))
    assert ids(load(Sums(), data=tmp_path).problems) == ["sum-1", "sum-2"]


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


def hub_error(name: str) -> Exception:
    import httpx2
    from huggingface_hub import errors

    kind = getattr(errors, name)
    if not issubclass(kind, errors.HfHubHTTPError):
        return kind("x")
    return kind("x", response=httpx2.Response(403, request=httpx2.Request("GET", "https://huggingface.co")))


def test_the_pinned_commit_is_downloaded_and_recorded(hub):
    paths = find(Sums())
    assert hub == [("someone/sums", name, "dataset", COMMIT) for name in ("one.jsonl", "two.jsonl")]
    assert str(Sums().source) == f"someone/sums@{COMMIT}"
    assert ids(list(problems(Sums(), paths))) == ["sum-1", "sum-2"]


@pytest.mark.parametrize(
    ("error", "says"),
    [
        ("LocalEntryNotFoundError", r"cannot be reached.*one\.jsonl, two\.jsonl\) with --data"),
        (
            "GatedRepoError",
            "datasets/someone/sums is gated: accept its terms on the Hub and run `hf auth login`, or give",
        ),
        (
            "RepositoryNotFoundError",
            "knows no datasets/someone/sums: check its name, .*, or give its files in one folder",
        ),
        (OSError(28, "No space left on device"), r"could not be downloaded \(.*No space left on device"),
    ],
)
def test_what_the_hub_refuses_is_one_sentence_with_a_remedy(monkeypatch, error, says):
    def fail(*_: Any, **__: Any) -> None:
        raise hub_error(error) if isinstance(error, str) else error

    monkeypatch.setattr("huggingface_hub.hf_hub_download", fail)
    with pytest.raises(ModelUnavailable, match=says) as caught:
        load(Sums())
    assert "\n" not in str(caught.value)


def test_without_a_network_the_real_client_ends_in_the_same_sentence(tmp_path):
    """In a process of its own: huggingface_hub has names that are only there once somebody has imported them."""
    ask = [sys.executable, "-m", "evaluation.run", "math500", "--fake", "--out", str(tmp_path / "run")]
    alone = os.environ | {"HF_HUB_OFFLINE": "1", "HF_HUB_CACHE": str(tmp_path)}
    said = subprocess.run(ask, env=alone, capture_output=True, text=True, timeout=60, cwd=Path(__file__).parents[1])
    assert said.returncode == 2
    assert re.search(r"^error: the Hub cannot be reached and .*--data", said.stderr, re.MULTILINE), said.stderr
