"""A server that goes away in the middle of an evaluation: waited for, gone on with, given up, and continued later.

The server is a real one on loopback that writes the scripted engine's tokens.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from evaluation import run as command
from tests.standins import key_of
from tests.stub_server import StubServer
from z1_core import patience
from z1_core.engines.fake import FakeEngine
from z1_core.errors import BadInput, EngineDead
from z1_core.jsonl import rows
from z1_core.patience import MOST_TRIES, Patience

ROOT = Path(__file__).parents[1]
ROWS, WINDOWS = 8, (5, 20, 40)


@pytest.fixture(autouse=True)
def impatient(monkeypatch) -> None:
    monkeypatch.setattr(patience, "LOOK_EVERY_S", 0.05)


@pytest.fixture
def server() -> Iterator[StubServer]:
    with StubServer() as running:
        running.engine.seconds_per_token = 0.005
        yield running


@pytest.fixture
def evaluate(server, tmp_path) -> Callable[..., int]:
    """Runs the benchmark on the server, four traces at a time."""
    questions = tmp_path / "test.jsonl"
    made = [{"question": f"What is {n} and {n}?", "answer": f"It is {2 * n}.\n#### {2 * n}"} for n in range(ROWS)]
    questions.write_text("".join(json.dumps(row) + "\n" for row in made))

    def run(*words: object) -> int:
        given = ["gsm8k", "--data", questions, "--out", tmp_path / "out", "--server-url", server.url]
        given += ["--windows", *WINDOWS, "--answer-tokens", 8, "--concurrency", 4, *words]
        return command.main([str(word) for word in given])

    return run


def answers(tmp_path: Path) -> list[dict]:
    return rows(tmp_path / "out" / "gsm8k" / "answers.jsonl")


def once_answered(tmp_path: Path, count: int, act: Callable[[], None]) -> threading.Thread:
    """Do something when so many answers are on the disk."""

    def wait() -> None:
        deadline = time.monotonic() + 30
        while len(answers(tmp_path)) < count and time.monotonic() < deadline:
            time.sleep(0.01)
        act()

    thread = threading.Thread(target=wait)
    thread.start()
    return thread


def check_whole(tmp_path: Path) -> None:
    made = answers(tmp_path)
    assert len(made) == len({key_of(row) for row in made}) == ROWS * len(WINDOWS)
    assert all(len(row["trace_ids"]) == row["thinking_tokens"] for row in made)


def test_a_run_waits_for_a_server_that_comes_back_and_goes_on(evaluate, server, tmp_path):
    said, deadline = io.StringIO(), time.monotonic() + 60

    def go_and_come_back() -> None:
        server.stop()
        while "waiting up to 30 s for the server" not in said.getvalue() and time.monotonic() < deadline:
            time.sleep(0.02)
        server.start()

    absence = once_answered(tmp_path, 5, go_and_come_back)
    with contextlib.redirect_stderr(said):
        assert evaluate("--wait-for-server", 30) == 0
    absence.join()
    check_whole(tmp_path)
    assert said.getvalue().count("waiting up to 30 s for the server") == 1
    assert said.getvalue().count("the server is back, going on") == 1


def test_a_run_gives_up_in_time_and_the_same_command_goes_on(evaluate, server, tmp_path, capsys):
    absence = once_answered(tmp_path, 5, server.stop)
    assert evaluate("--wait-for-server", 0.3) == 2
    absence.join()
    said = capsys.readouterr().err
    assert "error: the server did not come back within 0 s; what is finished is kept" in said
    kept = answers(tmp_path)
    assert 5 <= len(kept) < ROWS * len(WINDOWS)
    server.start()
    assert evaluate() == 0
    assert answers(tmp_path)[: len(kept)] == kept
    check_whole(tmp_path)


def test_a_server_that_is_not_there_at_the_start_and_a_time_below_zero_are_told_at_once(evaluate, server, capsys):
    assert evaluate("--wait-for-server", -1) == 2
    assert "--wait-for-server is -1; it must be at least 0 seconds" in capsys.readouterr().err
    server.stop()
    began_s = time.monotonic()
    assert evaluate() == 2
    assert time.monotonic() - began_s < 10
    assert "cannot be reached" in capsys.readouterr().err
    server.start()


def test_ctrl_c_ends_the_wait(server, tmp_path):
    """In a process of its own, as a user would press it."""
    questions = tmp_path / "test.jsonl"
    questions.write_text(json.dumps({"question": "What is 1 and 1?", "answer": "#### 2"}) + "\n")
    words = ["gsm8k", "--data", questions, "--out", tmp_path / "out", "--windows", 900, "--answer-tokens", 8]
    words += ["--server-url", server.url]
    run = subprocess.Popen(
        [sys.executable, "-m", "evaluation.run", *map(str, words)],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # ignored below a shell's background job
    )
    deadline = time.monotonic() + 30
    server.forget()
    while not any(body["max_tokens"] == 900 for body in server.bodies):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    server.stop()
    said = ""
    while "waiting up to 600 s" not in said:
        piece = run.stderr.read(1)
        assert piece, said
        said += piece
    os.kill(run.pid, signal.SIGINT)
    said += run.communicate(timeout=60)[1]
    assert run.returncode == 130
    assert "give the same command again to go on" in said
    server.start()


# Patience by itself


async def test_work_that_breaks_its_engine_each_time_is_given_up():
    tries = []

    async def work() -> None:
        tries.append(1)
        raise EngineDead("broke off")

    with pytest.raises(EngineDead, match="broke off"):
        await Patience(FakeEngine(), 60, lambda stage: None).insist(work)
    assert len(tries) == MOST_TRIES


@pytest.mark.parametrize(("wait_s", "error"), [(0, EngineDead("gone")), (60, BadInput("refused"))])
async def test_what_no_waiting_helps_is_raised_at_once(wait_s, error):
    tries = []

    async def work() -> None:
        tries.append(1)
        raise error

    with pytest.raises(type(error)):
        await Patience(FakeEngine(), wait_s, lambda stage: None).insist(work)
    assert len(tries) == 1
