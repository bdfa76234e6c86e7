"""bench.window: what each way asks for, what is counted, what is refused, and the whole of it on a scripted engine."""

from __future__ import annotations

import json
from dataclasses import replace
from types import SimpleNamespace

import httpx
import pytest

from bench import window
from bench.ways import WAYS, Row, run
from z1_core.engines.fake import FakeEngine, small_text
from z1_core.errors import ContextOverflow, EngineDead, Z1Error
from z1_core.prompt import chat
from z1_core.window import HINT, Window

WINDOW, ANSWER = 20, 30
HINT_TOKENS = len(small_text().encode(HINT))
TOTAL = WINDOW + HINT_TOKENS + ANSWER
LONG = "Let me think again. " * 100
QUESTIONS = ("One?", "Two?", "Three?")


def load_for(engine, *, questions=QUESTIONS, windows=(WINDOW,), concurrency=2, ignore_eos=False):
    sizes = [Window(thinking_tokens=size, answer_tokens=ANSWER) for size in windows]
    options = SimpleNamespace(concurrency=concurrency, ignore_eos=ignore_eos)
    return window.make_load(engine, list(map(chat, questions)), sizes, options)


def budgets(engine: FakeEngine) -> list[int]:
    return [request.sampling.max_tokens for request in engine.requests]


@pytest.mark.parametrize(
    ("way", "asked"),
    [
        ("plain", [TOTAL] * 3),
        ("published", [WINDOW] * 3 + [TOTAL] * 3),
        ("native", [TOTAL] * 3),
        ("ours", [WINDOW, ANSWER] * 3),
        ("sweep", [WINDOW, ANSWER, ANSWER] * 3),
    ],
)
async def test_each_way_asks_for_its_own_budgets(scripted, way, asked):
    engine = scripted(LONG)
    await run(way, load_for(engine, windows=(5, WINDOW), concurrency=1))
    assert budgets(engine) == asked
    native = (("thinking_token_budget", WINDOW),)
    assert {request.sampling.extra for request in engine.requests} == {native if way == "native" else ()}


async def test_published_answers_nobody_before_the_last_thought_has_ended():
    engine = FakeEngine(lambda prompt: LONG if HINT in prompt or "One" in prompt else "Done.")
    rows = await run("published", load_for(engine))
    assert budgets(engine) == [WINDOW, WINDOW, WINDOW, TOTAL]
    assert (rows[0].trace_tokens, rows[0].answer_tokens) == (WINDOW, TOTAL)
    assert [row.cut for row in rows] == [True, False, False]


async def test_published_continues_from_text_tokenised_again(scripted):
    engine = scripted(LONG)
    load = load_for(engine, questions=["One?"])
    await run("published", load)
    text = engine.text.decode(engine.requests[1].prompt_ids, control=True)
    written = engine.text.encode(LONG)[:WINDOW]
    assert text == engine.text.decode(load.prompts[0], control=True) + engine.text.decode(written, control=True) + HINT
    assert engine.requests[1].prompt_ids == tuple(engine.text.parse(text))


async def test_native_counts_the_forced_hint_as_neither_trace_nor_answer():
    class ForcingEngine(FakeEngine):
        def _write(self, prompt_ids):
            return [7] * 23 + self.text.encode(HINT) + [8] * 6

    rows = await run("native", load_for(ForcingEngine(), questions=["One?"]))
    assert [(row.trace_tokens, row.answer_tokens, row.cut) for row in rows] == [(23, 6, True)]


@pytest.mark.parametrize("way", sorted(WAYS.keys() - {"raw"}))
async def test_a_row_that_stops_inside_the_window_is_cut_by_no_way(way):
    engine = FakeEngine(lambda prompt: "Hello.")
    rows = await run(way, load_for(engine))
    assert [(row.answer_tokens, row.cut) for row in rows] == [(0, False)] * 3
    assert len(engine.requests) == 3


@pytest.mark.parametrize("way", ["published", "ours", "sweep"])
async def test_tokens_are_traces_and_answers_as_written_without_hints(scripted, way):
    answer = len(small_text().encode("It is 42.")) + 1
    answers = 2 if way == "sweep" else 1
    line = await window.measure(way, load_for(scripted(LONG, "It is 42."), windows=(5, WINDOW)), 1)
    assert line["tokens"] == 3 * (WINDOW + answers * answer)
    assert line["max_trace_tokens"] == WINDOW


def test_figures_of_known_rows():
    rows = [Row(trace_tokens=10 * n, answer_tokens=5, cut=n % 2 == 0) for n in range(1, 6)]
    made = window.figures(rows, 2.0)
    assert (made["tokens"], made["tokens_per_s"]) == (150 + 25, 87.5)
    assert (made["rows_cut"], made["max_trace_tokens"]) == (2, 50)


# Rows and options


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ("", "holds no rows"),
        ('{"question": "a"}\n{"text": "b"}\n', "line 2 of rows.jsonl"),
        (None, "rows.jsonl cannot be read: No such file or directory"),
    ],
)
def test_unusable_rows_end_with_one_sentence(tmp_path, capsys, content, named):
    rows = tmp_path / "rows.jsonl"
    if content is not None:
        rows.write_text(content)
    assert window.main(["--prompts", str(rows), "--fake"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: ")
    assert named in said
    assert said.count("\n") == 1


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (("--answer-tokens", "-1"), "--answer-tokens is -1; it must be at least 1"),
        (("--concurrency", "0"), "--concurrency is 0; it must be at least 1"),
        (("--rounds", "0"), "--rounds is 0; it must be at least 1"),
        (("--limit", "0"), "--limit is 0; it must be at least 1"),
        (("--windows", "9", "5"), "the windows 9 5 do not grow"),
        (("--out", "/nowhere/out.json"), "there is no folder /nowhere for --out"),
        (("--beside", "x"), "write it like http://127.0.0.1:8000"),
        (("--ways", "raw"), "raw asks llama.cpp's own server; give --engine llama"),
    ],
)
def test_bad_options_are_said(tmp_path, capsys, wrong, told):
    rows = tmp_path / "rows.jsonl"
    rows.write_text('{"question": "One?"}\n')
    assert window.main(["--prompts", str(rows), "--fake", *wrong]) == 2
    assert told in capsys.readouterr().err


def test_a_prompt_that_leaves_no_room_is_refused_before_anything_runs(scripted):
    engine = scripted(LONG, context_tokens=TOTAL + 20)
    with pytest.raises(ContextOverflow):
        load_for(engine)
    assert engine.requests == []


async def test_raw_asks_the_server_for_the_whole_and_as_a_stream_only_where_it_is_alone(scripted):
    def answer(request: httpx.Request) -> httpx.Response:
        calls.append(json.loads(request.content))
        return httpx.Response(200, text=f'{{"tokens_predicted":{calls[-1]["n_predict"]},"stop":true}}')

    calls = []
    async with httpx.AsyncClient(base_url="http://server", transport=httpx.MockTransport(answer)) as server:
        for concurrency in (1, 2):
            load = replace(load_for(scripted(), concurrency=concurrency, ignore_eos=True), server=server)
            rows = await run("raw", load)
            assert [(row.trace_tokens, row.cut) for row in rows] == [(TOTAL, False)] * 3
    assert [call["stream"] for call in calls] == [True] * 3 + [False] * 3
    assert [tuple(call["prompt"]) for call in calls] == [*map(tuple, load.prompts)] * 2
    assert all((call["ignore_eos"], call["n_predict"]) == (True, TOTAL) for call in calls)


async def test_a_server_that_stops_early_is_no_measurement(scripted):
    transport = httpx.MockTransport(lambda request: httpx.Response(500, text='{"error": "no"}'))
    async with httpx.AsyncClient(base_url="http://server", transport=transport) as server:
        with pytest.raises(Z1Error, match=r'the server did not write: {"error": "no"}'):
            await run("raw", replace(load_for(scripted()), server=server))


# The whole


@pytest.fixture
def words(tmp_path) -> list[str]:
    rows = tmp_path / "rows.jsonl"
    rows.write_text("".join(json.dumps({"question": question}) + "\n" for question in QUESTIONS))
    windows = ["--windows", "5", str(WINDOW), "--answer-tokens", str(ANSWER), "--concurrency", "2"]
    return ["--prompts", str(rows), *windows, "--rounds", "2", "--out", str(tmp_path / "out.json"), "--fake"]


def test_the_ways_take_turns_and_the_record_holds_all_rounds(words, tmp_path, capsys):
    assert window.main([*words, "--ways", "ours", "sweep"]) == 0
    record = json.loads((tmp_path / "out.json").read_text())
    order = ["ours", "sweep", "sweep", "ours"]
    assert [(line["round"], line["way"]) for line in record["lines"]] == list(
        zip([1] * 2 + [2] * 2, order, strict=True)
    )
    tokens = {line["way"]: line["tokens"] for line in record["lines"]}
    assert tokens == {"ours": 3 * (WINDOW + ANSWER), "sweep": 3 * (WINDOW + 2 * ANSWER)}
    assert (record["rows"], record["options"]["rounds"]) == (3, 2)
    assert {"processor", "versions", "commit"} <= record.keys()
    assert list(tmp_path.glob("*.part")) == []
    assert "wall_of_ours" in capsys.readouterr().out


def test_a_server_beside_it_runs_ours_too_and_both_are_closed(words, tmp_path, monkeypatch):
    here, server = FakeEngine(lambda prompt: LONG), FakeEngine(lambda prompt: LONG)
    monkeypatch.setattr(window, "start_engine", lambda options, report: here)
    monkeypatch.setattr(window.ServerEngine, "start", lambda url: server)
    assert window.main([*words, "--ways", "ours", "--beside", "http://me:secret@127.0.0.1:8000", "--ignore-eos"]) == 0
    assert "secret" not in (tmp_path / "out.json").read_text()
    lines = json.loads((tmp_path / "out.json").read_text())["lines"]
    assert [line["way"] for line in lines] == ["ours", "server", "server", "ours"]
    assert {line["tokens"] for line in lines} == {3 * (WINDOW + ANSWER)}
    assert [each.dead for each in (here, server)] == [True, True]
    assert all(dict(request.sampling.extra)["ignore_eos"] for request in (*here.requests, *server.requests))


def test_a_study_that_dies_keeps_its_finished_rounds(words, tmp_path, monkeypatch, capsys):
    measure = window.measure

    async def die_in_round_2(way, load, number):
        if number == 2:
            raise EngineDead("the engine has stopped; start it again")
        return await measure(way, load, number)

    monkeypatch.setattr(window, "measure", die_in_round_2)
    assert window.main(words) == 2
    assert "the engine has stopped" in capsys.readouterr().err
    assert {line["round"] for line in json.loads((tmp_path / "out.json").read_text())["lines"]} == {1}
