"""The subset command: what it writes, what it counts, what it refuses, and how little memory it takes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.small_disk import disk_of
from training import subset
from training.filters import Filters
from training.subset import main, parser

ROOT = Path(__file__).parents[2]


def rows(count: int, **fields: object) -> list[dict]:
    """Sound ones, each with a question of its own."""
    return [
        {
            "id": f"row-{n:03}",
            "question": f"How many apples are {n} baskets of {n * 7} apples each?",
            "response": f"We multiply: {n} times {n * 7} is {n * n * 7}. Wait, yes.",
            "token_num_qwen": 10 + n,
        }
        | fields
        for n in range(count)
    ]


def written(path: Path, content: list[dict]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in content), encoding="utf-8")
    return path


def lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def refusal(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> str:
    """The one sentence with which a command line is refused."""
    assert main([str(argument) for argument in arguments]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    told = [line for line in printed.err.splitlines() if line.startswith("error: ")]
    assert len(told) == 1
    return told[0]


@pytest.fixture(scope="module")
def sample_subset(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The longest 200,000 tokens of the sample."""
    sample = shared_data / "trajectories_sample" / "train.jsonl"
    out = tmp_path_factory.mktemp("subset") / "longest"
    command = [sample, "--mode", "longest", "--budget", 200_000, "--filter", "all", "--out", out]
    assert main([str(part) for part in command]) == 0
    return out


def test_every_row_of_the_sample_is_accounted_for(sample_subset: Path, shared_data: Path):
    report = json.loads((sample_subset / "report.json").read_text())
    chosen, dropped = lines(sample_subset / "subset.jsonl"), lines(sample_subset / "dropped.jsonl")
    source = lines(shared_data / "trajectories_sample" / "train.jsonl")
    assert report["rows"]["read"] == len(source) == 2055
    assert report["rows"]["sound"] + len(dropped) == 2055
    assert sum(report["left_out"].values()) == len(dropped)
    assert report["left_out"]["duplicate"] > 300  # 500 questions have two trajectories
    assert report["tokens"]["selected"] == sum(row["token_num_qwen"] for row in chosen) <= 200_000
    assert report["rows"]["selected"] == len(chosen)
    assert {row["id"] for row in chosen}.isdisjoint(row["id"] for row in dropped)
    by_id = {row["id"]: row for row in source}
    assert all(by_id[row["id"]] == row for row in chosen)
    order = [row["id"] for row in source]
    assert [order.index(row["id"]) for row in chosen] == sorted(order.index(row["id"]) for row in chosen)


def test_the_same_command_gives_the_same_bytes_in_another_process(
    sample_subset: Path, shared_data: Path, tmp_path: Path
):
    sample = shared_data / "trajectories_sample" / "train.jsonl"
    command = [sys.executable, "-m", "training.subset", sample, "--mode", "longest", "--budget", "200000"]
    command += ["--filter", "all", "--out", tmp_path / "again"]
    hashing = os.environ | {"PYTHONHASHSEED": "77"}
    subprocess.run(command, check=True, cwd=ROOT, env=hashing, capture_output=True)
    names = sorted(path.name for path in sample_subset.iterdir())
    assert names == ["dropped.jsonl", "report.json", "subset.jsonl"]
    for name in names:
        assert (tmp_path / "again" / name).read_bytes() == (sample_subset / name).read_bytes(), name


def test_what_was_written_comes_out_to_the_byte(tmp_path: Path):
    """Whatever further fields hold, whatever stands in the texts, and however another system ends its lines."""
    texts = ("It is 2.", "one\u2028two\u2029three\u0085four", "<think>Hm.</think>")
    extras = ({"source": "x"}, {"level": 3.50, "tags": []}, [1, "two", None])
    made = [
        json.dumps(row | {"response": text, "meta": extra}, ensure_ascii=False).encode()
        for row, text, extra in zip(rows(3), texts, extras, strict=True)
    ]
    source = tmp_path / "in.jsonl"
    source.write_bytes(b"\xef\xbb\xbf" + b"\r\n".join(made))
    for out, options in (("all", []), ("random", ["--mode", "random", "--rows", "3"])):
        assert main([str(source), "--out", str(tmp_path / out), *options]) == 0
        assert (tmp_path / out / "subset.jsonl").read_bytes() == b"".join(line + b"\n" for line in made)


def test_odd_rows_are_left_out_up_to_a_share_and_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    made = rows(3)
    source = written(tmp_path / "in.jsonl", [*made, made[1], {"id": "x", "question": "Why?"}])
    said = refusal(capsys, source, "--out", tmp_path / "out")
    assert (
        "2 of 5 rows cannot be used, more than --max-bad 1% (line 4 of in.jsonl: an id that came before: row-0" in said
    )
    assert main([str(source), "--out", str(tmp_path / "out"), "--max-bad", "40%"]) == 0
    assert lines(tmp_path / "out" / "subset.jsonl") == made
    dropped = [(row["row"], row["reason"]) for row in lines(tmp_path / "out" / "dropped.jsonl")]
    assert dropped == [("line 4 of in.jsonl", "odd"), ("line 5 of in.jsonl", "odd")]
    told = capsys.readouterr().out
    assert 'read 5 rows; odd: an id that came before 1, no "response" 1; left out: none' in told


def test_every_row_is_taken_unless_a_filter_is_asked_for(tmp_path: Path):
    """As the paper chose."""
    made = rows(3)
    made[2] |= {"question": made[0]["question"], "response": "```python " * 900, "token_num_qwen": 9000}
    source = written(tmp_path / "in.jsonl", made)
    for filters, kept in (([], made), (["loop"], made[:2]), (["duplicate"], made[:2])):
        out = tmp_path / ("out" + "-".join(filters))
        assert main([str(source), "--out", str(out), *(["--filter", *filters] if filters else [])]) == 0
        assert lines(out / "subset.jsonl") == kept


def test_lengths_are_only_needed_to_choose_by_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    made = [{name: value for name, value in row.items() if name != "token_num_qwen"} for row in rows(5)]
    source = written(tmp_path / "in.jsonl", made)
    assert main([str(source), "--mode", "random", "--rows", "2", "--out", str(tmp_path / "two")]) == 0
    assert len(lines(tmp_path / "two" / "subset.jsonl")) == 2
    capsys.readouterr()
    for options in (["--mode", "longest", "--rows", "2"], ["--mode", "random", "--budget", "99"]):
        said = refusal(capsys, source, *options, "--out", tmp_path / "out")
        assert (
            '5 of 5 rows cannot be used, more than --max-bad 1% (line 1 of in.jsonl: no "token_num_qwen", by which '
            in said
        )


def test_rows_of_several_files_are_one_pool(tmp_path: Path):
    made = rows(10)
    files = [written(tmp_path / f"{n}.jsonl", made[n::3]) for n in range(3)]
    command = [*files, "--mode", "shortest", "--rows", "4", "--out", tmp_path / "out"]
    assert main([str(part) for part in command]) == 0
    assert {row["id"] for row in lines(tmp_path / "out" / "subset.jsonl")} == {f"row-{n:03}" for n in range(4)}


def test_of_two_trajectories_of_a_question_a_sound_one_stays(tmp_path: Path):
    first, second = rows(2)
    second |= {"question": first["question"]}
    first |= {"response": "And so on. " * 900}
    source = written(tmp_path / "in.jsonl", [first, second])
    assert main([str(source), "--filter", "all", "--out", str(tmp_path / "out")]) == 0
    assert lines(tmp_path / "out" / "subset.jsonl") == [second]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--mode", "longest", "--budget", "0"], "--budget is 0; it must be at least 1"),
        (["--mode", "longest", "--budget", "3"], "no row fits into 3 tokens: the shortest of 5 has 10; raise --budget"),
        (["--mode", "random"], "--mode random needs either --budget TOKENS or --rows N"),
        (["--mode", "longest", "--budget", "9", "--rows", "9"], "and not both"),
        (["--mode", "random", "--rows", "-1"], "--rows is -1; it must be at least 1"),
        (["--rows", "9"], "--mode all takes every row; leave out --budget and --rows"),
        (
            ["--against", "in.jsonl"],
            "the filters left out every row (contaminated 5); ask for fewer with --filter or --against",
        ),
        (["--against", "no.jsonl"], "no.jsonl cannot be read: No such file or directory"),
        (
            ["data/no"],
            "data/no cannot be read: No such file or directory: 'data/no'; name a JSONL file",
        ),  # no hub id
        (["/dev/null"], "/dev/null is a folder, a pipe or a device; name a JSONL file"),
        (["--ngram", "1"], "--ngram is 1; it must be from 2 to 50"),
    ],
)
def test_a_command_that_makes_no_sense_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], says: str
):
    source = written(tmp_path / "in.jsonl", rows(5))
    options = [str(source) if option == "in.jsonl" else option for option in options]
    assert says in refusal(capsys, source, *options, "--out", tmp_path / "out")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.jsonl"]  # and nothing is left behind


def test_a_full_disk_leaves_no_half_subset(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    source = written(tmp_path / "in.jsonl", rows(200))
    with disk_of(9000):
        told = refusal(capsys, source, "--out", tmp_path / "out")
    assert "out cannot be written: File too large; free some space, then give the same command again" in told
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.jsonl"]


def test_the_texts_stay_on_disk(tmp_path: Path):
    options = parser().parse_args([str(written(tmp_path / "in.jsonl", rows(3))), "--out", str(tmp_path / "out")])
    _, sound = subset._read(options, Filters((), (), 13), Counter(), tmp_path / "dropped.jsonl")
    assert [(row.question, row.response, row.answer) for row in sound] == [("", "", "")] * 3
