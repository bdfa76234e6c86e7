"""The benchmark of the sweep, on the scripted engine."""

from __future__ import annotations

import json

import pytest

from bench import sweep_cost


@pytest.fixture
def rows(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps({"question": f"{n}?"}) + "\n" for n in range(6)))
    return path


def test_the_three_ways_are_measured_in_turns_and_their_tokens_counted(rows, tmp_path, capsys):
    words = ["--prompts", rows, "--windows", 5, 10, 20, "--answer-tokens", 4, "--rounds", 2, "--limit", 5]
    assert sweep_cost.main([*map(str, words), "--out", str(tmp_path / "cost.json"), "--fake"]) == 0
    lines = json.loads((tmp_path / "cost.json").read_text())["lines"]
    assert [line["method"] for line in lines] == ["largest", "sweep", "separate", "sweep", "separate", "largest"]
    tokens = {line["method"]: line["tokens"] for line in lines}
    assert tokens == {"largest": 5 * 24, "sweep": 5 * (20 + 3 * 4), "separate": 5 * (5 + 10 + 20 + 3 * 4)}
    assert "time_of_largest" in capsys.readouterr().out


def test_ratios_compare_within_a_round():
    walls = {"largest": 10, "sweep": 13, "separate": 26}
    tokens = {"largest": 100, "sweep": 130, "separate": 200}
    lines = [
        {"round": n, "method": name, "wall_s": n * wall, "tokens": tokens[name]}
        for n in (1, 2)
        for name, wall in walls.items()
    ]
    made = sweep_cost.ratios(lines)
    assert list(made.overhead) == pytest.approx([1, 1])
    assert list(made.separate_of_sweep) == [2, 2]


def test_bad_options_are_said(rows, capsys):
    assert sweep_cost.main(["--prompts", str(rows), "--windows", "9", "5", "--fake"]) == 2
    assert "the windows 9 5 do not grow" in capsys.readouterr().err
    assert sweep_cost.main(["--prompts", str(rows), "--rounds", "0", "--fake"]) == 2
    assert "--rounds is 0" in capsys.readouterr().err
