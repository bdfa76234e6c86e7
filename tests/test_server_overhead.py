"""What a server costs: the comparison itself, on two scripted engines."""

from __future__ import annotations

import json

import pytest

from bench import server_overhead as command
from z1_core.engines.fake import FakeEngine
from z1_core.prompt import chat
from z1_core.window import Window


def test_the_share_is_that_of_the_same_round():
    def line(number: int, engine: str, wall_s: float) -> dict:
        return {"round": number, "engine": engine, "wall_s": wall_s, "tokens": 100}

    lines = [line(1, "in process", 1), line(1, "server", 2), line(2, "server", 10), line(2, "in process", 9)]
    table = command.with_share(lines)
    assert list(table[table.engine == "server"].of_in_process) == pytest.approx([0.5, 0.9])
    assert command.summary(table) == "0.700 (0.500-0.900)"


async def test_both_engines_write_the_same_rows_in_turns(tmp_path, capsys):
    questions = [chat(f"When does train {number} arrive?") for number in range(6)]
    words = ["--prompts", "x", "--server-url", "x", "--rounds", "2", "--concurrency", "3"]
    options = command.parser().parse_args([*words, "--out", str(tmp_path / "out.json")])
    engines = {"in process": FakeEngine(), "server": FakeEngine()}
    await command.compare(engines, options, questions, Window(thinking_tokens=7, answer_tokens=5))
    record = json.loads((tmp_path / "out.json").read_text())
    order = [(line["round"], line["engine"]) for line in record["lines"]]
    assert order == [(1, "in process"), (1, "server"), (2, "server"), (2, "in process")]
    assert {line["tokens"] for line in record["lines"]} == {6 * (7 + 5)}
    assert "of_in_process: " in capsys.readouterr().out
    assert all(engine.dead for engine in engines.values())


@pytest.mark.parametrize(
    ("words", "told"),
    [(["--rounds", "0"], "must be at least 1"), (["--server-url", "x"], "write it like http://127.0.0.1:8000")],
)
def test_what_cannot_be_measured_is_told(tmp_path, capsys, words, told):
    prompts = tmp_path / "rows.jsonl"
    prompts.write_text('{"question": "Hello"}\n')
    assert command.main(["--prompts", str(prompts), "--server-url", "http://127.0.0.1:9", *words]) == 2
    assert told in capsys.readouterr().err
