"""evaluation.judge from a user's side: a run's folder, and answers made elsewhere."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from evaluation import judge as command
from evaluation import store
from evaluation.benchmarks import benchmark
from evaluation.judges.mathematics import MathJudge
from evaluation.judging import judge_row, judges
from evaluation.problem import Judges, Problem


@pytest.fixture(scope="module")
def tools() -> Iterator[Judges]:
    with judges() as made, MathJudge(workers=2, timeout_s=2.0) as math:
        yield replace(made, math=math)


@pytest.fixture
def ready(tools, monkeypatch) -> None:
    """The command finds the children that judge mathematics ready: each start of them takes seconds."""

    @contextmanager
    def given(*, code: bool, **_) -> Iterator[Judges]:
        yield replace(tools, sandbox=tools.sandbox if code else None)

    monkeypatch.setattr(command, "judges", given)


def answered(*, trace: str = "", answer: str = "") -> dict:
    return {"problem_id": "p", "sample": 0, "thinking_tokens": 9, "trace": trace, "answer": answer}


SEVEN = Problem(id="p", messages=(), reference={"answer": "7"})


@pytest.mark.parametrize(
    ("row", "status", "judged"),
    [
        (answered(trace=r"\boxed{7}"), "right", "trace"),
        (answered(trace=r"\boxed{8}", answer=r"\boxed{7}"), "right", "answer"),
        (answered(trace=r"\boxed{7}", answer=r"\boxed{8}"), "wrong", "answer"),
        (answered(trace=r"\boxed{7}", answer="I do not know, sorry"), "right", "trace"),
        (answered(trace="I do not know", answer="I do not know, sorry"), "no_answer", "answer"),
        (answered(), "no_answer", "trace"),
    ],
)
def test_the_answer_counts_and_where_it_holds_none_the_trace_does(tools, row, status, judged):
    verdict = judge_row(benchmark("math500"), SEVEN, row, tools)
    assert (verdict["status"], verdict["judged"]) == (status, judged)


def test_a_judge_that_fails_is_a_harness_error_and_not_a_wrong_answer(tools):
    broken = Problem(id="p", messages=(), reference={})
    verdict = judge_row(benchmark("math500"), broken, answered(trace="7"), tools)
    assert verdict["status"] == "harness_error"
    assert "KeyError" in verdict["detail"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A run of two problems at two windows."""
    store.write_json(
        tmp_path / "run.json",
        {
            "model": "m",
            "engine": "e",
            "windows": [4, 8],
            "answer_tokens": 4,
            "samples": 1,
            "hint": "so:",
            "sampling": {"temperature": 0.0, "top_p": 1.0, "seed": None},
            "versions": {},
            "commit": None,
            "started_at": "2026-01-01T00:00:00+00:00",
            "benchmarks": {
                "gsm8k": {
                    "title": "GSM8K", "benchmark": "gsm8k", "method": "window", "hint": "so:", "origin": "f",
                    "sha256": "0", "problems": 2, "bad_rows": [],
                }
            },
        },
    )  # fmt: skip
    (tmp_path / "gsm8k").mkdir()
    store.write_lines(
        tmp_path / "gsm8k" / "problems.jsonl",
        [
            {
                "problem_id": f"p{n}", "messages": [{"role": "user", "content": "?"}], "prefill": "", "labels": {},
                "reference": {"answer": str(n)}, "prompt_ids": [1], "prompt_text": "?",
            }
            for n in (1, 2)
        ],
    )  # fmt: skip
    answers = [
        {
            "problem_id": f"p{n}", "sample": 0, "thinking_tokens": size, "trace": "so it is 1", "trace_ids": [1] * size,
            "hint": "so:", "hint_ids": [1], "answer": r"\boxed{1}", "answer_ids": [1, 2], "end_reason": "cut",
            "seconds": 1.0,
        }
        for n in (1, 2)
        for size in (4, 8)
    ]  # fmt: skip
    store.write_lines(tmp_path / "gsm8k" / "answers.jsonl", answers)
    return tmp_path


def test_a_folder_gets_its_verdicts_and_its_report(folder, capsys):
    assert command.main([str(folder)]) == 0
    before = (folder / "gsm8k" / "verdicts.jsonl").read_bytes()
    verdicts = store.read_lines(folder / "gsm8k" / "verdicts.jsonl")
    assert [(row["problem_id"], row["thinking_tokens"], row["status"]) for row in verdicts] == [
        ("p1", 4, "right"), ("p1", 8, "right"), ("p2", 4, "wrong"), ("p2", 8, "wrong"),
    ]  # fmt: skip
    windows = store.read_json(folder / "summary.json")["benchmarks"]["gsm8k"]["windows"]
    assert [(window["thinking_tokens"], window["n"], window["right"]) for window in windows] == [(4, 2, 1), (8, 2, 1)]
    assert store.read_json(folder / "judge.json")["sandbox"] is None, "no program was run"
    assert (folder / "report.html").exists()
    assert "2 right, 2 wrong" in capsys.readouterr().out
    command.main([str(folder)])  # again, it gives the same
    assert (folder / "gsm8k" / "verdicts.jsonl").read_bytes() == before


def test_a_harness_error_makes_the_exit_code(folder, ready, capsys):
    path = folder / "gsm8k" / "problems.jsonl"
    rows = store.read_lines(path)
    rows[0]["reference"] = {}
    store.write_lines(path, rows)
    assert command.main([str(folder)]) == 1
    assert "2 answers could not be judged (harness_error)" in capsys.readouterr().err


def responses(tmp_path: Path, *rows: object) -> str:
    path = tmp_path / "responses.jsonl"
    path.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows))
    return str(path)


def test_answers_made_elsewhere_are_judged_in_order_with_their_fields_kept(tmp_path, ready, capsys):
    rows = [
        {"gold": r"\frac{1}{2}", "response": r"so \boxed{0.5}", "run": 7},
        {"gold": "3", "response": "4"},
        {"gold": "3", "response": ""},
    ]
    assert command.main(["--benchmark", "math500", "--responses", responses(tmp_path, *rows)]) == 0
    made = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["status"] for row in made] == ["right", "wrong", "no_answer"]
    assert made[0]["run"] == 7
    assert {"response", "extracted", "detail"} <= made[1].keys()


def test_answers_by_problem_id_need_the_data(tmp_path, ready, capsys):
    data = tmp_path / "test.jsonl"
    data.write_text(json.dumps({"unique_id": "a", "problem": "1+1?", "answer": "2"}) + "\n")
    given = ["--benchmark", "math500", "--data", str(data), "--responses"]
    assert command.main([*given, responses(tmp_path, {"problem_id": "a", "response": "It is 2."})]) == 0
    assert json.loads(capsys.readouterr().out)["status"] == "right"
    assert command.main([*given, responses(tmp_path, {"problem_id": "b", "response": "2"})]) == 1
    assert "problem_id 'b', which math500 does not hold" in verdicts(capsys)[0]["detail"]


def verdicts(capsys) -> list[dict]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


ODD_ROWS = [
    ("{broken", "harness_error", "line 1 of responses.jsonl is no row: not JSON"),
    ([1], "harness_error", "line 2 of responses.jsonl is no row: [1]"),
    ({"gold": "42"}, "no_answer", "the row has no response"),
    ({"gold": "42", "response": None}, "no_answer", "the row has no response"),
    ({"gold": "42", "response": ["42"]}, "no_answer", "the response is no text but list"),
    ({"gold": "42", "response": ""}, "no_answer", "nothing was written"),
    ({"gold": "42", "response": 42}, "right", ""),
    ({"gold": 42, "response": "\\boxed{42}", "kept": [1]}, "right", ""),
    ({"gold": None, "response": "42"}, "harness_error", '"gold" is no answer but null'),
    ({"response": "42"}, "harness_error", "problem_id None, which math500 does not hold"),
    ({"gold": "42", "response": "\\boxed{42"}, "no_answer", "no complete answer"),
    ({"gold": "42", "response": "x" * 1_000_000}, None, ""),
    ({"gold": "42", "response": "\\boxed{42}\ud800"}, "right", ""),
]


def test_every_odd_row_gets_a_verdict_in_its_place(tmp_path, ready, capsys, shared_data):
    given = ["--benchmark", "math500", "--data", str(shared_data / "math500" / "test.jsonl"), "--responses"]
    assert command.main([*given, responses(tmp_path, *(row for row, _, _ in ODD_ROWS))]) == 1
    said = verdicts(capsys)
    for made, (row, status, detail) in zip(said, ODD_ROWS, strict=True):
        assert made["status"] == status or (status is None and made["status"] in ("wrong", "no_answer", "timeout")), row
        assert detail in made["detail"]
        assert not isinstance(row, dict) or row.items() <= made.items(), "fields are kept"


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ([], "give the folder of a run, or --benchmark NAME --responses FILE.jsonl"),
        (["nowhere"], "there is no run.json in nowhere; name the --out folder of a run"),
        (["--responses", "x"], "--responses needs --benchmark NAME"),
        (["--benchmark", "maths", "--responses", "x"], "there is no benchmark 'maths'"),
        (["nowhere", "--workers", "0"], "--workers is 0"),
        (["nowhere", "--python", "/bin/false"], "/bin/false does not run as a Python interpreter"),
        (["--benchmark", "gsm8k", "--responses", "nowhere.jsonl"], "there is no file nowhere.jsonl; name a JSONL file"),
    ],
)
def test_what_cannot_be_judged_is_said(capsys, words, complaint):
    assert command.main(words) == 2
    said = capsys.readouterr().err
    assert complaint in said
    assert said.startswith("error: ")


def test_code_is_not_judged_by_a_gold_text(tmp_path, capsys):
    given = responses(tmp_path, {"gold": "x", "response": "y"})
    assert command.main(["--benchmark", "humaneval", "--responses", given]) == 1
    assert "humaneval is judged by tests" in verdicts(capsys)[0]["detail"]


def test_mathematics_is_judged_without_a_sandbox(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("PATH", "")
    given = responses(tmp_path, {"gold": "1", "response": "1"})
    assert command.main(["--benchmark", "math500", "--responses", given]) == 0
    assert command.main(["--benchmark", "humaneval", "--responses", given]) == 2
    assert "bubblewrap (the program bwrap) is not installed" in capsys.readouterr().err
