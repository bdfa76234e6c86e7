"""Questions with worked answers: right, repeatable, and never in two splits."""

from __future__ import annotations

import contextlib
import io
import json
import re
from itertools import islice
from pathlib import Path

import pytest

from training.procedural import FAMILIES, PERCENT, main, rows

SAMPLES = Path(__file__).parents[1] / "training" / "samples.jsonl"


def first(
    count: int, *, seed: int = 1, families: tuple[str, ...] = tuple(FAMILIES), split: str = "train"
) -> list[dict]:
    return list(islice(rows(seed, families, split), count))


def solved(question: str, family: str) -> str:
    """The answer, found another way."""
    numbers = re.findall(r"\d+", question)
    if family == "count":
        letter, word = re.findall(r'"(\w+)"', question)
        return str(len(word) - len(word.replace(letter, "")))
    if family == "add":
        return str(sum(map(int, numbers)))
    if family == "sort":
        return ", ".join(sorted(numbers, key=int))
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(question.split("\n\n", 1)[1])
    return printed.getvalue().strip()


def test_every_answer_is_right_and_boxed_and_the_working_is_as_long_as_the_question_is_hard():
    for row in first(2000):
        assert row["answer"] == solved(row["question"], row["family"])
        *steps, last = row["response"].split("\n")
        assert last == f"The answer is \\boxed{{{row['answer']}}}."
        assert len(steps) == row["size"]
        assert row["answer"].split(", ")[-1] in steps[-1]


def test_all_difficulties_of_all_families_come_and_no_question_twice():
    made = first(4000)
    assert len({row["id"] for row in made}) == len({row["question"] for row in made}) == 4000
    for family, (_, least, most) in FAMILIES.items():
        of = {row["size"]: row["difficulty"] for row in made if row["family"] == family}
        assert set(of) == {*range(least, most + 1)}
        assert (of[least], of[(least + most) // 2], of[most]) == ("easy", "medium", "hard")


def test_small_ones_come_more_often_but_not_in_the_test():
    def share(split: str, difficulty: str) -> float:
        return sum(row["difficulty"] == difficulty for row in first(1000, split=split)) / 1000

    assert share("train", "easy") > 0.5 > 0.2 > share("train", "hard")
    assert all(0.2 < share("test", difficulty) < 0.45 for difficulty in ("easy", "medium", "hard"))


def test_no_task_is_in_two_splits_whatever_the_seeds_the_wording_and_the_order():
    def sums(split: str, seed: int) -> set[tuple[str, ...]]:
        made = first(2000, seed=seed, families=("add",), split=split)
        return {tuple(sorted(re.findall(r"\d+", row["question"]))) for row in made if row["size"] < 4}

    splits = [sums(split, seed) for seed, split in enumerate(PERCENT)]
    assert all(len(tasks) > 100 for tasks in splits)
    assert sum(map(len, splits)) == len(set.union(*splits))


def test_the_samples_are_what_the_command_makes(tmp_path: Path):
    assert main(["--out", str(tmp_path / "rows.jsonl"), "--rows", "40", "--seed", "1"]) == 0
    assert (tmp_path / "rows.jsonl").read_bytes() == SAMPLES.read_bytes()
    assert first(50)[:40] == [json.loads(line) for line in SAMPLES.read_text(encoding="utf-8").splitlines()]
    assert first(40, seed=2) != first(40)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--rows", "0"], "--rows is 0; it must be at least 1"),
        (["--rows", "9", "--out", "/"], "/ is there already"),
    ],
)
def test_what_cannot_be_made_is_refused(tmp_path: Path, capsys, options: list[str], says: str):
    assert main(["--out", str(tmp_path / "rows.jsonl"), *options]) == 2
    assert capsys.readouterr().err.startswith(f"error: {says}")


def test_a_family_without_more_questions_says_so(monkeypatch, tmp_path: Path, capsys):
    monkeypatch.setitem(FAMILIES, "add", (FAMILIES["add"][0], 1, 1))
    assert main(["--out", str(tmp_path / "new" / "rows.jsonl"), "--rows", str(10**20), "--families", "add"]) == 2
    assert "add has hardly a question" in capsys.readouterr().err
    with pytest.raises(ValueError, match="add has hardly a question that is not among the first 1"):
        first(500, families=("add",))
