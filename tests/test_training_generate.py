"""Trajectories from a teacher: the schema, what is left out, and that kill -9 costs nothing that was finished."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import training.generate
from tests.small_disk import disk_of
from training.generate import generate, main, sampling_of, write_trajectory
from training.rows import QUESTION, Row, Rows
from z1_core import patience
from z1_core.engines.fake import FakeEngine
from z1_core.errors import BadInput, Z1Error
from z1_core.prompt import SYSTEM_PROMPT
from z1_core.window import Sampling

ROOT = Path(__file__).parents[1]
LONG = "Explain the timetable, please, number {}."
SHORT = "Hello number {}"


def question(id_: str, text: str) -> Row:
    return Row("line 1", None, 0, id_, text, "", "", None)


def read(source: Path) -> list[Row]:
    return list(Rows([source], fields=QUESTION))


def question_file(folder: Path, texts: list[str]) -> Path:
    path = folder / "questions.jsonl"
    path.write_text("".join(json.dumps({"id": f"q{n}", "question": text}) + "\n" for n, text in enumerate(texts)))
    return path


def lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def answering(prompt: str) -> str:
    """Writes the question back, or as much as its first word says."""
    question = prompt.rsplit("user\n", 1)[-1].split("<|im_end|>")[0]
    if question.startswith("Long"):
        return "and so on " * 500
    return "" if question.startswith("Silent") else f"You asked: {question}"


@pytest.fixture
def teacher() -> FakeEngine:
    return FakeEngine(answering, context_tokens=400)


async def test_rows_come_out_in_the_schema_and_are_counted_in_the_teachers_tokens(tmp_path: Path, teacher: FakeEngine):
    source = question_file(tmp_path, ["What is 1 + 1?", "Why?"])
    await generate(teacher, read(source), Sampling(max_tokens=200), tmp_path / "out")
    rows = {row["id"]: row for row in lines(tmp_path / "out" / "trajectories.jsonl")}
    assert [row.id for row in Rows([tmp_path / "out" / "trajectories.jsonl"])] == [*rows]
    assert rows.keys() == {"q0", "q1"}
    assert rows["q1"] == {
        "id": "q1",
        "question": "Why?",
        "response": "You asked: Why?",
        "token_num_qwen": len(teacher.text.encode("You asked: Why?")),
    }


async def test_what_would_teach_not_to_stop_is_left_out_with_its_reason(tmp_path: Path, teacher: FakeEngine):
    source = question_file(tmp_path, ["Why?", "Long, please", "Silent, please", "What is " + "x" * 4000])
    counts = await generate(teacher, read(source), Sampling(max_tokens=100), tmp_path / "out")
    assert counts == {"trajectories": 1, "truncated": 1, "empty": 1, "prompt_too_long": 1}
    assert [row["id"] for row in lines(tmp_path / "out" / "trajectories.jsonl")] == ["q0"]
    left_out = {row["id"]: row for row in lines(tmp_path / "out" / "left_out.jsonl")}
    assert {id_: row["reason"] for id_, row in left_out.items()} == {
        "q1": "truncated",
        "q2": "empty",
        "q3": "prompt_too_long",
    }
    assert left_out["q1"]["token_num_qwen"] in range(95, 105)


async def test_the_budget_is_what_the_context_leaves(teacher: FakeEngine):
    row = await write_trajectory(teacher, question("a", "Long, please"), Sampling(max_tokens=10_000), SYSTEM_PROMPT)
    assert row["reason"] == "truncated"
    prompt = teacher.requests[0].prompt_ids
    assert teacher.requests[0].sampling.max_tokens == 400 - len(prompt)
    assert row["response"].startswith("and so on")


async def test_a_question_draws_the_same_whatever_runs_beside_it():
    one, two = (Sampling(temperature=0.7, seed=seed) for seed in (1, 2))
    first, other = question("a", "Why?"), question("b", "Why?")
    assert sampling_of(first, one, 9) == sampling_of(first, one, 9)
    assert sampling_of(first, one, 9).seed != sampling_of(other, one, 9).seed
    assert sampling_of(first, two, 9).seed != sampling_of(first, one, 9).seed


async def test_a_server_that_comes_back_is_gone_on_with(tmp_path: Path, monkeypatch, capsys):
    monkeypatch.setattr(patience, "LOOK_EVERY_S", 0.02)
    engine = FakeEngine(answering, seconds_per_token=0.001)
    source = question_file(tmp_path, [SHORT.format(n) for n in range(30)])
    loop = asyncio.get_running_loop()

    def go_away() -> None:
        engine.dead = True
        loop.call_later(0.2, setattr, engine, "dead", False)

    loop.call_later(0.05, go_away)
    counts = await generate(engine, read(source), Sampling(max_tokens=8192), tmp_path / "out", concurrency=4, wait_s=30)
    assert counts["trajectories"] == 30
    assert len({row["id"] for row in lines(tmp_path / "out" / "trajectories.jsonl")}) == 30
    assert "the server is back, going on" in capsys.readouterr().err


async def test_a_full_disk_ends_the_run_with_what_is_finished(tmp_path: Path, teacher: FakeEngine):
    source = question_file(tmp_path, [SHORT.format(n) for n in range(40)])
    out = tmp_path / "out"
    with disk_of(1500), pytest.raises(Z1Error, match="nothing finished is lost: free some space and give the same"):
        await generate(teacher, read(source), Sampling(max_tokens=8192), out, concurrency=4)
    assert 0 < len(lines(out / "trajectories.jsonl")) < 40
    await generate(teacher, read(source), Sampling(max_tokens=8192), out)
    assert {row["id"] for row in lines(out / "trajectories.jsonl")} == {f"q{n}" for n in range(40)}


def words(source: Path, out: Path) -> list[str]:
    return [str(source), "--fake", "--out", str(out), "--concurrency", "4", "--max-tokens", "60"]


def started(source: Path, out: Path) -> subprocess.Popen:
    command = [sys.executable, "-m", "training.generate", *words(source, out)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def wait_for(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it took too long"
        time.sleep(0.02)


def test_kill_9_in_mid_run_loses_nothing_and_doubles_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    texts = [(LONG if n % 5 == 0 else SHORT).format(n) for n in range(150)]
    source, out = question_file(tmp_path, texts), tmp_path / "out"
    finished: list[dict] = []
    for _ in range(2):
        run = started(source, out)
        trajectories, before = out / "trajectories.jsonl", len(finished)
        wait_for(lambda: trajectories.exists() and trajectories.read_bytes().count(b"\n") >= before + 20)  # noqa: B023
        os.kill(run.pid, signal.SIGKILL)
        run.wait()
        finished = [json.loads(line) for line in trajectories.read_bytes().split(b"\n")[:-1]]
        assert before < len(finished) < 120
        with trajectories.open("ab") as file:
            file.write(b'{"id": "q14", "question": "Hel')  # the worst moment to be killed
    assert main(words(source, out)) == 0
    said = capsys.readouterr().out
    assert "120 trajectories are in" in said
    assert "left out: truncated 30" in said
    rows, left_out = lines(out / "trajectories.jsonl"), lines(out / "left_out.jsonl")
    assert rows[: len(finished)] == finished
    assert sorted(row["id"] for row in rows + left_out) == sorted(f"q{n}" for n in range(150))


def test_two_processes_do_not_write_into_one_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    source, out = question_file(tmp_path, [SHORT.format(n) for n in range(2000)]), tmp_path / "out"
    run = started(source, out)
    try:
        wait_for(lambda: (out / "trajectories.jsonl").exists())
        assert main(words(source, out)) == 2
    finally:
        run.kill()
        run.wait()
    assert "another process is at work in" in capsys.readouterr().err


def test_odd_questions_are_passed_over_up_to_a_share_and_refused_before_a_model_is_loaded(tmp_path: Path, capsys):
    source = question_file(tmp_path, [SHORT.format(n) for n in range(2)])
    source.write_text(source.read_text() + '{"id": "b"}\n')
    out = tmp_path / "out"
    assert main([str(source), "--model", str(tmp_path / "no-model"), "--out", str(out)]) == 2
    said = 'error: 1 of 3 rows cannot be used, more than --max-bad 1% (line 3 of questions.jsonl: no "question"); mend'
    assert said in capsys.readouterr().err
    assert not out.exists()
    assert main([str(source), "--fake", "--out", str(out), "--max-bad", "40%"]) == 0
    assert 'passed over: line 3 of questions.jsonl: no "question"' in capsys.readouterr().err
    assert len(lines(out / "trajectories.jsonl")) == 2


async def test_what_ends_a_line_elsewhere_is_text_here_and_nothing_is_made_twice(tmp_path: Path):
    engine = FakeEngine(lambda prompt: "one\u2028two\u2029three\u0085four\u000bfive")
    source = question_file(tmp_path, ["Why\u2028?", "Where?"])
    for _ in range(2):
        await generate(engine, read(source), Sampling(max_tokens=8192), tmp_path / "out")
    made = (tmp_path / "out" / "trajectories.jsonl").read_bytes().rstrip(b"\n").split(b"\n")
    assert {json.loads(line)["response"] for line in made} == {"one\u2028two\u2029three\u0085four\u000bfive"}
    assert len(made) == len(engine.requests) == 2


async def test_the_bar_of_a_run_that_goes_on_counts_all(tmp_path: Path, teacher: FakeEngine, monkeypatch):
    bars: list[tuple[int, int]] = []
    whole = training.generate.tqdm
    monkeypatch.setattr(
        training.generate, "tqdm", lambda **its: bars.append((its["initial"], its["total"])) or whole(**its)
    )
    for asked in (["Why?"], ["Why?", "Where?"]):
        source = question_file(tmp_path, asked)
        await generate(teacher, read(source), Sampling(max_tokens=8192), tmp_path / "out", concurrency=10**12)
    assert bars == [(0, 1), (1, 2)]


async def test_a_folder_in_which_nothing_is_finished_takes_other_settings(tmp_path: Path, teacher: FakeEngine):
    questions = read(question_file(tmp_path, ["Why?"]))
    with pytest.raises(BadInput, match="half a character"):
        await generate(teacher, questions, Sampling(max_tokens=8192), tmp_path / "out", system="\udce9")
    assert (await generate(teacher, questions, Sampling(max_tokens=8192), tmp_path / "out"))["trajectories"] == 1


async def test_rows_that_somebody_else_has_added_are_let_be(tmp_path: Path, teacher: FakeEngine):
    """Without an id, as training.subset takes them, or with something else in its place."""
    (tmp_path / "out").mkdir()
    await generate(teacher, read(question_file(tmp_path, ["Why?"])), Sampling(max_tokens=8192), tmp_path / "out")
    with (tmp_path / "out" / "trajectories.jsonl").open("a") as file:
        file.write('{"question": "Who?", "response": "I."}\n{"id": ["q1"]}\n')
    source = question_file(tmp_path, ["Why?", "Where?"])
    assert (await generate(teacher, read(source), Sampling(max_tokens=8192), tmp_path / "out"))["trajectories"] == 4
    assert len(teacher.requests) == 2


async def test_a_run_takes_more_questions_and_no_other_ones_or_settings(tmp_path: Path, teacher: FakeEngine):
    await generate(teacher, read(question_file(tmp_path, ["Why?"])), Sampling(max_tokens=50), tmp_path / "out")
    source = question_file(tmp_path, ["Why?", "Where?"])
    assert (await generate(teacher, read(source), Sampling(max_tokens=50), tmp_path / "out"))["trajectories"] == 2
    assert len(teacher.requests) == 2
    with pytest.raises(BadInput, match="holds another run: its max_tokens is 50, not 60"):
        await generate(teacher, read(source), Sampling(max_tokens=60), tmp_path / "out")
    source.write_text('{"id": "q0", "question": "Where?"}\n')
    with pytest.raises(BadInput, match='the question "q0" is not the one that was answered under this id'):
        await generate(teacher, read(source), Sampling(max_tokens=50), tmp_path / "out")
    (tmp_path / "out" / "run.json").write_text('{"model": "z1", "max_tokens": 50}')
    with pytest.raises(BadInput, match="is not of a run that this version can continue; name another folder"):
        await generate(teacher, read(source), Sampling(max_tokens=50), tmp_path / "out")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--max-tokens", "0"], "--max-tokens is 0; it must be at least 1"),
        (["--concurrency", "0"], "--concurrency is 0; it must be at least 1"),
        (["--temperature", "-1"], "temperature is -1.0; it must be a number from 0 to 2"),
    ],
)
def test_a_setting_out_of_range_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], says: str
):
    source = question_file(tmp_path, ["Why?"])
    assert main([str(source), "--fake", "--out", str(tmp_path / "out"), *options]) == 2
    assert capsys.readouterr().err.startswith(f"error: {says}")
