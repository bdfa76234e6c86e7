"""evaluation.judge from a user's side: a run's folder, and answers made elsewhere."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from evaluation import judge as command
from evaluation import run
from evaluation.benchmarks import benchmark
from evaluation.judges.mathematics import MathJudge
from evaluation.judging import judge_answer, judge_text, judges
from evaluation.problem import KEPT_REFERENCE_CHARS, Judges, Problem
from tests.standins import key_of
from z1_core.engines.fake import FakeEngine
from z1_core.folder import held
from z1_core.jsonl import Lines, read_json, rows, write_json, write_lines
from z1_core.record import Answer, Key
from z1_core.trained import Trained
from z1_core.window import HINT

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def tools() -> Iterator[Judges]:
    with judges() as made, MathJudge(workers=2, timeout_s=2.0) as math:
        yield replace(made, math=math)


@pytest.fixture
def ready(tools, monkeypatch) -> None:
    """The command finds the children that judge mathematics ready, and draws no figures: each takes seconds."""

    @contextmanager
    def given(*, code: bool, **_) -> Iterator[Judges]:
        yield replace(tools, sandbox=tools.sandbox if code else None)

    monkeypatch.setattr(command, "judges", given)
    monkeypatch.setattr("evaluation.report.write_report", lambda folder: None)


def answered(*, trace: str = "", answer: str = "", hint: bool = True) -> Answer:
    return Answer(
        problem_id="p", sample=0, thinking_tokens=9, trace=trace, trace_ids=[1], hint="so:" if hint else None,
        hint_ids=[2] if hint else [], answer=answer, answer_ids=[3], end_reason="cut", seconds=1.0,
    )  # fmt: skip


SEVEN = Problem(id="p", messages=(), reference={"answer": "7"})
TESTS = {"public_test_cases": "[]", "private_test_cases": '[{"input": "3", "output": "9"}]', "func_name": "square"}
SQUARE = Problem(id="p", messages=(), reference=TESTS)
FENCED = "```python\ndef square(n):\n    return n * n\n```"


@pytest.mark.parametrize(
    ("answer", "status", "judged"),
    [
        (answered(trace=r"\boxed{7}"), "right", "trace"),
        (answered(trace=r"\boxed{8}", answer=r"\boxed{7}"), "right", "answer"),
        (answered(trace=r"\boxed{7}", answer=r"\boxed{8}"), "wrong", "answer"),
        (answered(trace=r"\boxed{7}", answer="I do not know, sorry"), "right", "trace"),
        (answered(trace="I do not know", answer="I do not know, sorry"), "no_answer", "answer"),
        (answered(), "no_answer", "trace"),
        (answered(trace=r"so \bo", answer="xed{7}", hint=False), "right", "trace and answer"),
        (answered(trace=r"so \boxed{", answer="7} it is, not 8", hint=False), "right", "trace and answer"),
        (answered(trace=r"\boxed{7}", answer=", as I said.", hint=False), "right", "trace and answer"),
        (answered(trace=r"\boxed{7}", hint=False), "right", "trace"),
        (answered(trace=r"so \bo", answer="xed{7}"), "no_answer", "answer"),
    ],
)
def test_which_text_is_judged(tools, answer, status, judged):
    verdict = judge_answer(answer, partial(judge_text, benchmark("math500"), SEVEN, tools=tools), "me")
    assert (verdict.status, verdict.judged) == (status, judged)


@pytest.mark.parametrize("cut", [2, len(FENCED) - 1])
def test_a_fence_that_straddles_the_cut_is_one_program(tools, cut):
    answer = answered(trace=FENCED[:cut], answer=FENCED[cut:], hint=False)
    verdict = judge_answer(answer, partial(judge_text, benchmark("livecodebench"), SQUARE, tools=tools), "me")
    assert verdict.status == "right"


def test_a_judge_that_fails_is_a_harness_error_and_not_a_wrong_answer(tools):
    broken = Problem(id="p", messages=(), reference={})
    verdict = judge_text(benchmark("math500"), broken, "7", tools)
    assert verdict.status == "harness_error"
    assert "KeyError" in verdict.detail


TASK = {
    "title": "GSM8K", "benchmark": "gsm8k", "method": "window", "hint": "so:", "origin": "f",
    "data": None, "bad_rows": [],
}  # fmt: skip
ANSWER = {
    "trace": "so it is 1", "trace_ids": [1], "hint": "so:", "hint_ids": [1], "answer": r"\boxed{1}", "answer_ids": [1, 2],
    "end_reason": "cut", "seconds": 1.0,
}  # fmt: skip
INSIDE = {"hint": None, "hint_ids": [], "answer": "", "answer_ids": [], "end_reason": "inside"}


def write_run(folder: Path, *, answers: Mapping[str, Sequence[dict]] = {}, problems: int = 2) -> Path:
    """GSM8K problems with the answers 1, 2, ..., each answered by 1 at two windows, or as given by problem."""
    run = {
        "model": "m", "context_tokens": 99, "windows": [4, 8], "answer_tokens": 4, "samples": 1,
        "sampling": {"temperature": 0.0, "top_p": 1.0, "seed": None}, "benchmarks": {"gsm8k": TASK},
        "parts": [{"engine": "e", "versions": {}, "commit": None, "started_at": "2026-01-01T00:00:00+00:00"}],
    }  # fmt: skip
    write_json(folder / "run.json", run)
    with Lines(folder / "gsm8k" / "problems.jsonl") as asked, Lines(folder / "gsm8k" / "answers.jsonl") as given:
        for name in (f"p{n}" for n in range(1, problems + 1)):
            asks = {"role": "user", "content": "?"}
            problem = Problem(id=name, messages=(asks,), reference={"answer": name.removeprefix("p")})
            asked.add(problem.as_asked([asks], [1], "?").model_dump())
            for size, changed in zip((4, 8), answers.get(name, ({}, {})), strict=True):
                given.add({"problem_id": name, "sample": 0, "thinking_tokens": size, **ANSWER, **changed})
    return folder


def kept_verdicts(folder: Path) -> dict[Key, str]:
    return {key_of(row): row["status"] for row in rows(folder / "gsm8k" / "verdicts.jsonl")}


@pytest.fixture
def judged_texts(ready, monkeypatch) -> list[str]:
    """What math-verify is given, in the order in which it is."""
    seen: list[str] = []
    verify = MathJudge.verify
    monkeypatch.setattr(MathJudge, "verify", lambda self, gold, text: seen.append(text) or verify(self, gold, text))
    return seen


def test_a_folder_gets_its_verdicts_and_its_report(tmp_path, capsys):
    assert command.main([str(write_run(tmp_path))]) == 0
    assert kept_verdicts(tmp_path) == {
        ("p1", 0, 4): "right", ("p1", 0, 8): "right", ("p2", 0, 4): "wrong", ("p2", 0, 8): "wrong",
    }  # fmt: skip
    windows = read_json(tmp_path / "summary.json")["benchmarks"]["gsm8k"]["windows"]
    assert [(window["thinking_tokens"], window["n"], window["right"]) for window in windows] == [(4, 2, 1), (8, 2, 1)]
    assert read_json(tmp_path / "judge.json")["sandbox"] is None, "no program was run"
    assert (tmp_path / "report.html").exists()
    assert "2 right, 2 wrong" in capsys.readouterr().out


def test_a_text_is_judged_once_whatever_the_windows_that_hold_it(tmp_path, judged_texts):
    inside, cut = {**INSIDE, "trace": r"\boxed{1}"}, {"trace": "so", "answer": r"\boxed{3}"}
    write_run(tmp_path, answers={"p1": (inside, inside), "p2": (inside, cut)})
    assert command.main([str(tmp_path)]) == 0
    assert sorted(judged_texts) == [r"\boxed{1}", r"\boxed{1}", r"\boxed{3}"], "once for each problem"
    assert len(kept_verdicts(tmp_path)) == 4


def test_a_verdict_holds_for_its_texts_and_its_judge(tmp_path, judged_texts, monkeypatch):
    def judged_now(*words: str) -> list[str]:
        judged_texts.clear()
        assert command.main([str(tmp_path), *words]) == 0
        return sorted(judged_texts)

    write_run(tmp_path)
    answers, verdicts = (tmp_path / "gsm8k" / f"{name}.jsonl" for name in ("answers", "verdicts"))
    assert judged_now() == [r"\boxed{1}"] * 2
    before = verdicts.read_bytes()
    assert judged_now() == []
    with Lines(answers) as given:
        given.add({"problem_id": "p1", "sample": 0, "thinking_tokens": 16, **ANSWER, "answer": "It is 5."})
    assert judged_now() == ["It is 5."]
    assert verdicts.read_bytes().startswith(before)
    first, *others = rows(answers)
    write_lines(answers, [{**first, "answer": "It is 9."}, *others])
    assert judged_now() == ["It is 9."]
    assert list(kept_verdicts(tmp_path).values()).count("right") == 1
    monkeypatch.setattr(command, "fingerprint", lambda: "changed")
    assert len(judged_now()) == 4
    assert judged_now() == []
    before = verdicts.read_bytes()
    assert len(judged_now("--again")) == 4
    assert verdicts.read_bytes().startswith(before)
    assert len(rows(verdicts)) == before.count(b"\n") + len(kept_verdicts(tmp_path)) == before.count(b"\n") + 5


def test_a_harness_error_makes_the_exit_code_and_is_tried_again(tmp_path, ready, monkeypatch, capsys):
    def broken(*_):
        raise OSError("broken")

    write_run(tmp_path)
    with monkeypatch.context() as patched:
        patched.setattr(MathJudge, "verify", broken)
        assert command.main([str(tmp_path)]) == 1
    assert "4 answers could not be judged (harness_error)" in capsys.readouterr().err
    assert command.main([str(tmp_path)]) == 0
    assert "2 right, 2 wrong" in capsys.readouterr().out


def test_two_judges_do_not_share_a_folder(tmp_path, ready, capsys):
    with held(write_run(tmp_path), name=".judge.lock"):
        assert command.main([str(tmp_path)]) == 2
    assert f"another process is at work in {tmp_path}" in capsys.readouterr().err


@pytest.mark.parametrize("kills", [1, pytest.param(10, marks=pytest.mark.thorough)])
def test_kill_9_at_random_moments_loses_no_verdict(tmp_path, ready, kills):
    """Each start has to judge something before it is killed: what its children take to start is not what is tested."""
    write_run(tmp_path, problems=20 * kills)
    path, chance = tmp_path / "gsm8k" / "verdicts.jsonl", random.Random("kill")
    for _ in range(kills):
        before = path.read_bytes() if path.exists() else b""
        judge = subprocess.Popen(
            [sys.executable, "-m", "evaluation.judge", str(tmp_path)],
            cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        deadline = time.monotonic() + 300
        while not (path.exists() and path.stat().st_size > len(before)) and time.monotonic() < deadline:
            time.sleep(0.005)
        time.sleep(chance.uniform(0, 0.05))
        judge.send_signal(signal.SIGKILL)
        judge.wait()
        whole = path.read_bytes().rpartition(b"\n")[0]
        assert whole.startswith(before.rpartition(b"\n")[0])
        assert len(whole) > len(before)
    killed = rows(path)
    assert len(killed) < 40 * kills
    assert command.main([str(tmp_path)]) == 0
    assert rows(path)[: len(killed)] == killed
    assert len(rows(path)) == len(kept_verdicts(tmp_path)) == 40 * kills
    assert list(kept_verdicts(tmp_path).values()).count("right") == 2


# Tests that are too long to be kept


@pytest.fixture
def hidden(tmp_path, monkeypatch) -> Path:
    """A run of LiveCodeBench on the scripted engine, trained under a system prompt of its own. The second problem has long
    tests."""
    monkeypatch.setattr(FakeEngine, "trained", Trained("Be brief.", HINT, "untagged"))
    tests = [{"input": str(n), "output": str(n * n)} for n in (3, 5)]
    long = [{"input": "7" + " " * KEPT_REFERENCE_CHARS, "output": "49"}]
    made = [
        {"question_id": name, "question_content": f"Square, {name}", "private_test_cases": json.dumps(private)}
        for name, private in (("short", tests), ("long", long))
    ]
    data, out = tmp_path / "test.jsonl", tmp_path / "out"
    write_lines(data, made)
    ask("livecodebench", "--data", data, "--out", out)
    program = "```python\nprint(int(input()) ** 2)\n```"
    path = out / "livecodebench" / "answers.jsonl"
    write_lines(path, [{**row, **INSIDE, "trace": program} for row in rows(path)])
    return data


def ask(*words: object) -> None:
    given = [*words, "--windows", 300, "--answer-tokens", 8, "--fake"]
    assert run.main([str(word) for word in given]) == 0


def test_long_tests_stay_in_the_data_and_are_found_there_again(tmp_path, hidden, ready):
    out = tmp_path / "out"
    short, long = rows(out / "livecodebench" / "problems.jsonl")
    assert short["messages"][0] == {"role": "system", "content": "Be brief."}
    assert "<|im_start|>system\nBe brief.<|im_end|>" in short["prompt_text"]
    assert "25" in short["reference"]["private_test_cases"]
    assert long["reference"] is None
    assert command.main([str(out)]) == 0
    verdicts = {row["problem_id"]: row["status"] for row in rows(out / "livecodebench" / "verdicts.jsonl")}
    assert verdicts == {"short": "right", "long": "right"}


def test_data_of_any_size_take_the_memory_of_a_few_rows(tmp_path, ready):
    data, out = tmp_path / "test.jsonl", tmp_path / "out"
    tests = json.dumps([{"input": "7" + " " * 1_000_000, "output": "49"}])
    write_lines(
        data, [{"question_id": f"{n}", "question_content": "?", "private_test_cases": tests} for n in range(20)]
    )
    tracemalloc.start()
    try:
        ask("livecodebench", "--data", data, "--out", out)
        assert command.main([str(out)]) == 0
        assert tracemalloc.get_traced_memory()[1] < data.stat().st_size / 2
    finally:
        tracemalloc.stop()
    assert sum(path.stat().st_size for path in out.rglob("*.jsonl")) < 1_000_000


DAMAGE = {
    "gone": (lambda path: path.unlink(), "test.jsonl; check --data"),
    "changed": (
        lambda path: path.write_text(path.read_text().replace("49", "48")),
        "test.jsonl is not as it was asked",
    ),
    "shortened": (
        lambda path: path.write_text(path.read_text().splitlines()[0] + "\n"),
        "test.jsonl lacks problem 'long'",
    ),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_data_that_are_gone_or_changed_are_told_and_may_lie_elsewhere(tmp_path, hidden, ready, capsys, damage):
    do, complaint = DAMAGE[damage]
    elsewhere = tmp_path / "elsewhere.jsonl"
    elsewhere.write_bytes(hidden.read_bytes())
    do(hidden)
    assert command.main([str(tmp_path / "out")]) == 2
    assert complaint in capsys.readouterr().err
    assert command.main([str(tmp_path / "out"), "--data", str(elsewhere)]) == 0
    assert "2 right" in capsys.readouterr().out
    assert command.main([str(tmp_path / "out"), "--again"]) == 2
    verdicts = {row["problem_id"]: row["status"] for row in rows(tmp_path / "out" / "livecodebench" / "verdicts.jsonl")}
    assert verdicts == {"short": "right", "long": "right"}, "those that cannot be made again are kept"


# Answers made elsewhere


def responses(tmp_path: Path, *given: object) -> str:
    path = tmp_path / "responses.jsonl"
    path.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in given))
    return str(path)


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
    ([1], "harness_error", "line 2 of responses.jsonl is no row: not a row of named fields but list"),
    ({"gold": "42"}, "no_answer", "the row has no response"),
    ({"gold": "42", "response": None}, "no_answer", "the row has no response"),
    ({"gold": "42", "response": ["42"]}, "no_answer", "the response is no text but list"),
    ({"gold": "42", "response": ""}, "no_answer", "nothing was written"),
    ({"gold": "42", "response": 42}, "right", ""),
    ({"gold": r"\frac{1}{2}", "response": r"so \boxed{0.5}", "run": 7}, "right", ""),
    ({"gold": "3", "response": "4"}, "wrong", "reference is 3"),
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
        ([__file__], "there is no run.json in "),
        (["--responses", "x"], "--responses needs --benchmark NAME"),
        (["--benchmark", "maths", "--responses", "x"], "there is no benchmark 'maths'"),
        (["--benchmark", "gsm8k", "--responses", "nowhere.jsonl"], "there is no file nowhere.jsonl; name a JSONL file"),
        (["--benchmark", "gsm8k", "--responses", "/dev/null"], "there is no file /dev/null"),
    ],
)
def test_what_cannot_be_judged_is_said(capsys, words, complaint):
    assert command.main(words) == 2
    said = capsys.readouterr().err
    assert complaint in said
    assert said.startswith("error: ")


def test_a_file_without_rows_is_no_success(tmp_path, capsys):
    assert command.main(["--benchmark", "gsm8k", "--responses", responses(tmp_path)]) == 2
    assert "responses.jsonl holds no rows; give one a line" in capsys.readouterr().err


def test_code_is_not_judged_by_a_gold_text(tmp_path, capsys):
    given = responses(tmp_path, {"gold": "x", "response": "y"})
    assert command.main(["--benchmark", "humaneval", "--responses", given]) == 1
    assert "humaneval is judged by tests" in verdicts(capsys)[0]["detail"]
