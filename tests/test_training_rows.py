"""Rows as they come from disk and from the Hub: what is passed over, what is refused, and in which words."""

from __future__ import annotations

import gzip
import json
import sys
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import huggingface_hub
import pytest

from training.libraries import appearing
from training.rows import ANSWERED, TOKENS, TRAJECTORY, Rows, share
from z1_core.errors import BadInput, Z1Error

GOOD = {"id": "a", "question": "What is 1 + 1?", "response": "It is 2.", "token_num_qwen": 5}


def written(folder: Path, *rows: dict | bytes) -> Path:
    path = folder / "rows.jsonl"
    lines = (row if isinstance(row, bytes) else json.dumps(row, ensure_ascii=False).encode() for row in rows)
    path.write_bytes(b"".join(line + b"\n" for line in lines))
    return path


def without(name: str) -> dict:
    return {key: value for key, value in (GOOD | {"id": "b"}).items() if key != name}


ODD = [
    (without("response"), 'no "response"'),
    (GOOD | {"id": "b", "response": " \n"}, '"response" is empty'),
    (GOOD | {"id": "b", "question": [{"role": "user", "content": "Why?"}]}, '"question" is no text: [{"role"'),
    (
        {"id": "b", "messages": [{"role": "user", "content": "Why?"}]},
        'no "question": it has a conversation under "messages"',
    ),
    (GOOD | {"id": ["x"]}, '"id" is no text: ["x"]'),
    (GOOD | {"response": "another"}, "an id that came before: a"),
    (json.dumps(GOOD | {"id": "b", "response": "\ud83d"}).encode(), 'half a character in "response"'),
    (b'{"id": "b", "question": "caf\xe9"}', "not JSON in UTF-8: another encoding, or no text"),
    ('{"id": "b"}'.encode("utf-16"), "not JSON in UTF-8: another encoding, or no text"),
    (b'["b"]', "not a row of named fields but list"),
]


@pytest.mark.parametrize(("odd", "fault"), ODD)
def test_an_odd_row_is_passed_over_and_counted_and_too_many_end_the_reading(
    tmp_path: Path, odd: dict | bytes, fault: str
):
    told: list[tuple[str, str]] = []
    rows = Rows([written(tmp_path, GOOD, odd)], max_bad=0.5, tell=lambda *each: told.append(each))
    assert [row.response for row in rows] == ["It is 2."]
    assert rows.read == 2
    assert rows.bad == Counter([told[0][1].partition(":")[0]])
    assert told[0][0] == "line 2 of rows.jsonl"
    assert told[0][1].startswith(fault)
    with pytest.raises(BadInput) as refused:
        list(Rows([tmp_path / "rows.jsonl"]))
    start = f"1 of 2 rows cannot be used, more than --max-bad 1% (line 2 of rows.jsonl: {fault}"
    assert str(refused.value).startswith(start)
    assert "\n" not in str(refused.value)


def test_the_share_is_borne_exactly_and_no_more(tmp_path: Path):
    good = [GOOD | {"id": str(n)} for n in range(98)]
    assert len(list(Rows([written(tmp_path, *good, b"x", b"y")], max_bad=0.02))) == 98
    assert len(list(Rows([written(tmp_path, *good[:71], *[b"x"] * 29)], max_bad=share("29%")))) == 71
    with pytest.raises(BadInput, match=r"3 of 101 rows .* --max-bad 2% \(line 99 .*; line 100 .*; line 101 .*\); mend"):
        list(Rows([written(tmp_path, *good, b"x", b"y", b"z")], max_bad=0.02))
    with pytest.raises(BadInput, match=r"2 of 2 rows cannot be used \(line 1"):
        list(Rows([written(tmp_path, b"x", b"y")], max_bad=1))
    assert [share(text) for text in ("1%", "0.5", "0%", "100%")] == [0.01, 0.005, 0, 1]


def test_a_length_is_only_asked_for_where_it_is_needed(tmp_path: Path):
    path = written(
        tmp_path, *(GOOD | {"id": str(n), TOKENS: value} for n, value in enumerate((7, "12", True, 0, None, 12.0, 1.5)))
    )
    assert [row.tokens for row in Rows([path])] == [7, None, None, None, None, 12, None]
    rows = Rows([path], fields=(*TRAJECTORY, TOKENS), max_bad=0.8)
    assert [row.tokens for row in rows] == [7, 12]
    assert rows.bad == {'no "token_num_qwen", by which --budget, longest and shortest go': 5}


def test_a_number_is_taken_for_an_id_and_an_answer_and_a_file_of_another_kind_is_told_what_is_wanted(tmp_path: Path):
    """As tables write them: 1.0 where an id is missing further down, 132 in the place of "132"."""
    path = written(tmp_path, GOOD | {"id": 1.0, "answer": 132}, GOOD | {"id": 2.0, "answer": None})
    assert [(row.id, row.answer) for row in Rows([path], fields=ANSWERED)] == [("1.0", "132"), ("2.0", "")]
    for other in (json.dumps([GOOD]).encode(), gzip.compress(json.dumps(GOOD).encode()), b"id,question\n1,Why?"):
        with pytest.raises(BadInput, match=r"\); give one JSON object with question, response a line$"):
            list(Rows([written(tmp_path, other)], max_bad=1))


def test_a_row_without_an_id_is_called_by_its_place(tmp_path: Path):
    rows = Rows([written(tmp_path, without("id"), without("id"), GOOD | {"id": None})])
    assert [row.id for row in rows] == [f"line {number} of rows.jsonl" for number in (1, 2, 3)]


def test_a_file_without_rows_and_one_that_is_not_there_are_told_apart(tmp_path: Path):
    with pytest.raises(BadInput, match="holds no rows"):
        list(Rows([written(tmp_path, b"  ")]))
    with pytest.raises(BadInput, match="cannot be read: No such file"):
        list(Rows([str(tmp_path / "missing.jsonl")]))


def test_marks_of_other_systems_and_numbers_as_ids_are_taken(tmp_path: Path):
    """A file of Windows behind another one: each begins with a byte order mark."""
    line = b"\xef\xbb\xbf" + json.dumps(GOOD | {"id": 7, "domain": {"deep": [1, None]}}).encode() + b"\r"
    text = "one\u2028two\u2029three\u0085four"
    path = written(tmp_path, line, b"", line.replace(b"7", b"8"), GOOD | {"response": text})
    assert [(row.where, row.id, row.response) for row in Rows([path])] == [
        ("line 1 of rows.jsonl", "7", "It is 2."),
        ("line 3 of rows.jsonl", "8", "It is 2."),
        ("line 4 of rows.jsonl", "a", text),
    ]


def test_rows_of_the_hub_are_named_by_their_index_and_read_in_the_state_that_is_recorded(monkeypatch):
    asked = []

    def load(name: str, **options: object) -> list[dict]:
        asked.append((name, options["revision"]))
        return [GOOD, {"id": "b"}]

    info = lambda api, name, revision: SimpleNamespace(id=name, sha=f"sha of {revision}")  # noqa: E731
    monkeypatch.setattr(huggingface_hub.HfApi, "dataset_info", info)
    monkeypatch.setitem(sys.modules, "datasets", SimpleNamespace(load_dataset=load))
    told = []
    rows = Rows(["some/set@v2"], max_bad=0.5, tell=lambda *each: told.append(each))
    assert [row.id for row in rows] == ["a"]
    assert told == [("some/set[1]", 'no "question"')]
    assert asked == [("some/set", "sha of v2")]
    assert rows.about() == [{"hub": "some/set", "revision": "sha of v2"}]


def test_a_name_that_the_hub_does_not_know_is_refused(monkeypatch):
    def missing(*_: object, **__: object) -> None:
        raise OSError("404: no such set\nwith a long page")

    monkeypatch.setattr(huggingface_hub.HfApi, "dataset_info", missing)
    with pytest.raises(
        BadInput, match=r"some/set is no file here and cannot be had from the Hub: 404: no such set; check the name"
    ):
        Rows(["some/set"])


def test_a_folder_appears_whole_or_not_at_all_and_nothing_else_is_touched(tmp_path: Path):
    with pytest.raises(Z1Error, match="out cannot be written: No such file"), appearing(tmp_path / "out") as draft:
        (draft / "missing" / "a").write_text("half")
    assert not list(tmp_path.iterdir())
    with appearing(tmp_path / "out") as draft:
        (draft / "a").write_text("whole")
        assert not (tmp_path / "out").exists()
    with pytest.raises(BadInput, match="is there already"), appearing(tmp_path / "out"):
        pass
    assert (tmp_path / "out" / "a").read_text() == "whole"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    with pytest.raises(BadInput, match="late is there already"), appearing(tmp_path / "late"):
        (tmp_path / "late" / "a").mkdir(parents=True)  # as another program makes it meanwhile
    (tmp_path / "link").symlink_to("elsewhere")  # found out before hours of work, not behind them
    with pytest.raises(BadInput, match="link is there already"), appearing(tmp_path / "link"):
        pass
