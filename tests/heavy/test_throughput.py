"""The throughput benchmark: what it counts, what it refuses, and the whole of it on a scripted engine."""

import asyncio
import json
from types import SimpleNamespace

import pandas as pd
import pytest

from bench import throughput
from bench.methods import Meter, Row, find
from bench.throughput import METHODS, assistant_header, figures, measure, rotated, table
from evaluation.pool import pooled
from tests.heavy.tiny_training import small_tokenizer
from z1_core.engines.fake import FakeEngine, small_text
from z1_core.errors import BadInput, ContextOverflow
from z1_core.prompt import chat
from z1_core.window import HINT

WINDOW, ANSWER = 20, 30
HINT_TOKENS = len(small_text().encode(HINT))
TOTAL = WINDOW + HINT_TOKENS + ANSWER
LONG = "Let me think again. " * 100


class Prefix:
    """Stands for the prefix cache: counts how often it was emptied, and whether requests ran then."""

    def __init__(self, engine: FakeEngine) -> None:
        self.engine = engine
        self.resets_at: list[int] = []

    async def reset(self) -> bool:
        self.resets_at.append(len(self.engine.requests))
        return self.engine.active == 0


def options_for(tmp_path, *extra: str, questions=("One?", "Two?", "Three?"), key="question"):
    prompts = tmp_path / "rows.jsonl"
    prompts.write_text("".join(json.dumps({key: question}) + "\n" for question in questions))
    given = ["--prompts", str(prompts), "--window", str(WINDOW), "--answer", str(ANSWER), "--concurrency", "2", *extra]
    return throughput.parser().parse_args(given)


def load_for(engine, tmp_path, *extra: str, **rows):
    options = options_for(tmp_path, *extra, **rows)
    return throughput.make_load(engine, options, throughput.read_chats(options.prompts, options.limit))


def budgets(engine: FakeEngine) -> list[int]:
    return [request.sampling.max_tokens for request in engine.requests]


async def test_each_method_asks_for_its_own_budgets(scripted, tmp_path):
    asked = {}
    for method in METHODS:
        engine = scripted(LONG)
        await throughput.run(method, load_for(engine, tmp_path, "--concurrency", "1"))
        asked[method] = budgets(engine)
    assert asked == {
        "plain": [TOTAL] * 3,
        "published": [WINDOW] * 3 + [TOTAL] * 3,
        "native": [TOTAL] * 3,
        "ours": [WINDOW, ANSWER] * 3,
    }


async def test_native_hands_its_budget_to_the_engine_and_the_others_hand_nothing(scripted, tmp_path):
    for method in METHODS:
        engine = scripted(LONG)
        await throughput.run(method, load_for(engine, tmp_path))
        expected = {(("thinking_token_budget", WINDOW),)} if method == "native" else {()}
        assert {request.sampling.extra for request in engine.requests} == expected, method


async def test_published_answers_nobody_before_the_last_thought_has_ended(tmp_path):
    slow, quick = LONG, "Done."
    engine = FakeEngine(lambda prompt: slow if HINT in prompt or "One" in prompt else quick)
    rows = await throughput.run("published", load_for(engine, tmp_path))
    assert budgets(engine) == [WINDOW, WINDOW, WINDOW, TOTAL]
    assert [(row.trace_tokens, row.answer_tokens) for row in rows[:1]] == [(WINDOW, TOTAL)]
    assert [row.cut for row in rows] == [True, False, False]


async def test_published_continues_from_text_tokenised_again(scripted, tmp_path):
    engine = scripted(LONG)
    load = load_for(engine, tmp_path, questions=["One?"])
    await throughput.run("published", load)
    text = engine.text.decode(engine.requests[1].prompt_ids, control=True)
    written = engine.text.encode(LONG)[:WINDOW]
    assert text == engine.text.decode(load.prompts[0], control=True) + engine.text.decode(written, control=True) + HINT
    assert engine.requests[1].prompt_ids == tuple(engine.text.parse(text))


async def test_native_counts_the_forced_hint_as_neither_trace_nor_answer(tmp_path):
    class ForcingEngine(FakeEngine):
        def _write(self, prompt_ids):
            return [7] * 23 + self.text.encode(HINT) + [8] * 6

    rows = await throughput.run("native", load_for(ForcingEngine(), tmp_path, questions=["One?"]))
    assert [(row.trace_tokens, row.answer_tokens, row.cut) for row in rows] == [(23, 6, True)]


async def test_a_row_that_stops_inside_the_window_is_cut_by_no_method(tmp_path):
    for method in METHODS:
        engine = FakeEngine(lambda prompt: "Hello.")
        rows = await throughput.run(method, load_for(engine, tmp_path))
        assert [(row.answer_tokens, row.cut) for row in rows] == [(0, False)] * 3, method
        assert len(engine.requests) == 3, method


async def test_methods_take_turns_and_start_with_an_empty_prefix_cache(scripted, tmp_path):
    engine = scripted(LONG)
    prefix = Prefix(engine)
    lines = [
        line for number in (1, 2) for line in await measure(load_for(engine, tmp_path), METHODS, number, prefix.reset)
    ]
    names = list(METHODS)
    assert [line["method"] for line in lines] == [*names, *names[1:], names[0]]
    assert [line["round"] for line in lines] == [1] * 4 + [2] * 4
    assert len(prefix.resets_at) == 8
    assert len(set(prefix.resets_at)) == 8, "each measurement has a reset of its own before it"


async def test_a_prefix_cache_that_cannot_be_emptied_ends_the_run(scripted, tmp_path):
    async def refuse() -> bool:
        return False

    with pytest.raises(RuntimeError, match="prefix cache"):
        await measure(load_for(scripted(LONG), tmp_path), METHODS, 1, refuse)


async def test_warming_up_runs_every_method_on_few_tokens(scripted, tmp_path):
    engine = scripted(LONG)
    await throughput.warm_up(load_for(engine, tmp_path, questions=["One?"] * 9), METHODS)
    assert max(budgets(engine)) == 2 * throughput.WARM_UP_TOKENS + HINT_TOKENS
    assert len(engine.requests) == throughput.WARM_UP_ROWS * 6


async def test_tokens_are_traces_and_answers_without_hints(scripted, tmp_path):
    engine = scripted(LONG, "It is 42.")
    answer = len(small_text().encode("It is 42.")) + 1
    lines = await measure(load_for(engine, tmp_path), METHODS, 1, Prefix(engine).reset)
    tokens = {line["method"]: line["tokens"] for line in lines}
    assert tokens["plain"] == 3 * TOTAL
    assert tokens["published"] == tokens["ours"] == 3 * (WINDOW + answer)


async def test_never_more_in_flight_than_asked_and_never_fewer_while_rows_wait():
    at_once, peaks = 0, []

    async def run_one(item: int) -> int:
        nonlocal at_once
        at_once += 1
        peaks.append(at_once)
        for _ in range(item):
            await asyncio.sleep(0)
        at_once -= 1
        return item * 10

    assert await pooled(run_one, [50, 1, 1, 1, 1], 2) == [500, 10, 10, 10, 10]
    assert max(peaks) == 2
    assert peaks[1:] == [2, 2, 2, 2], "the next begins while the long first one runs: no waiting for its batch"


async def test_a_failure_ends_the_rows_that_still_run():
    ended = []

    async def run_one(item: str) -> None:
        if item == "bad":
            await asyncio.sleep(0)
            raise BadInput("no")
        try:
            await asyncio.sleep(3600)
        finally:
            ended.append(item)

    with pytest.raises(BadInput):
        await pooled(run_one, ["a", "bad", "b"], 3)
    assert ended == ["a", "b"]


def test_figures_of_known_rows():
    rows = [Row(0.1 * n, trace_tokens=10 * n, answer_tokens=5, cut=n % 2 == 0) for n in range(1, 6)]
    meter = Meter()
    meter.full_tokens, meter.full_s = 100, 0.5
    made = figures(rows, 2.0, meter)
    assert made["full_tokens_per_s"] == 200
    assert made["tokens"] == 150 + 25
    assert made["tokens_per_s"] == 87.5
    assert made["first_token_ms"] == pytest.approx(300)
    assert made["first_token_p95_ms"] == pytest.approx(480)
    assert made["rows_cut"] == 2
    assert made["max_trace_tokens"] == 50


def test_ratios_compare_within_a_round():
    walls = {"plain": (1.0, 10.0), "published": (3.0, 30.0), "native": (1.0, 10.0), "ours": (2.0, 20.0)}
    lines = [
        {"round": n + 1, "method": method, "wall_s": wall[n], "tokens_per_s": 100 / wall[n], "full_tokens_per_s": 9}
        for n in range(2)
        for method, wall in walls.items()
    ]
    ratios = throughput.with_ratios(lines).set_index(["method", "round"])
    assert list(ratios.of_plain["ours"]) == [0.5, 0.5]
    assert list(ratios.full_of_plain["ours"]) == [1, 1]
    assert list(ratios.wall_of_ours["published"]) == [1.5, 1.5]


async def test_tokens_are_counted_up_to_the_start_of_the_last_row(tmp_path):
    """Two places, four rows of 60 tokens in turns of one token each: the last takes its place after 120 of 240."""
    engine = FakeEngine(lambda prompt: "word " * 500)
    load = load_for(engine, tmp_path, "--concurrency", "2", questions=["One?"] * 4)
    await throughput.run("plain", load)
    assert load.meter.tokens == 4 * load.total_tokens
    assert load.meter.full_tokens == pytest.approx(2 * load.total_tokens, abs=2)


def test_the_table_shows_medians_and_spread():
    lines = pd.DataFrame(
        {"round": n, "method": method, "wall_s": 1 + n / 10, "rows_cut": 3} for n in (1, 2, 4) for method in METHODS
    )
    shown = table(lines)
    assert shown.splitlines()[0].split()[-4:] == list(METHODS)
    assert shown.count("1.200 (1.100-1.400)") == 4
    assert shown.splitlines()[-1].split() == ["rows_cut", "3", "3", "3", "3"]


def test_each_round_begins_with_another_method():
    assert [rotated(["a", "b", "c"], by)[0] for by in range(4)] == ["a", "b", "c", "a"]


def test_find_takes_the_first_place():
    assert find([1, 2], [0, 1, 1, 2, 1, 2]) == 2
    assert find([1, 2], [1]) is None
    assert find([1, 2], [2, 1]) is None


def test_the_assistant_header_comes_from_the_template():
    tokenizer = small_tokenizer()
    assert assistant_header(tokenizer) == "<|im_start|>assistant\n"
    other = SimpleNamespace(apply_chat_template=lambda _, tokenize, add_generation_prompt=False: "always the same")
    with pytest.raises(BadInput, match="assistant turn"):
        assistant_header(other)


def test_a_file_of_questions_that_is_not_there_is_said(tmp_path):
    with pytest.raises(BadInput, match=r"nope\.jsonl cannot be read: No such file or directory; check the path"):
        throughput.read_chats(tmp_path / "nope.jsonl", None)


def test_rows_may_hold_a_prompt_or_a_question_and_lines_may_be_blank(tmp_path):
    rows = tmp_path / "rows.jsonl"
    rows.write_text('{"prompt": "a\u2028b"}\n\n{"question": "c", "answer": "1"}\n{"prompt": "d"}\n', encoding="utf-8")
    assert throughput.read_chats(rows, 2) == [chat("a\u2028b"), chat("c")]


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ("", "no rows"),
        ("nonsense\n", "line 1 of rows.jsonl"),
        ('{"prompt": "a"}\n{"text": "b"}\n', "line 2 of rows.jsonl"),
        ('{"prompt": "a"}\n[1]\n', "line 2 of rows.jsonl"),
        ('{"prompt": 5}\n', "line 1 of rows.jsonl"),
        ('{"prompt": "\\ud800"}\n', "line 1 of rows.jsonl"),
        (b"\xff\xfe", "line 1 of rows.jsonl: not JSON: 'utf-8'"),
    ],
)
def test_unusable_rows_end_with_one_sentence_and_code_2(tmp_path, capsys, content, named):
    rows = tmp_path / "rows.jsonl"
    rows.write_bytes(content if isinstance(content, bytes) else content.encode())
    code = throughput.main(["--prompts", str(rows), "--window", "1", "--answer", "1", "--concurrency", "1"])
    error = capsys.readouterr().err
    assert code == 2
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert named in error


@pytest.mark.parametrize(
    "wrong", [("--window", "0"), ("--answer", "-1"), ("--concurrency", "0"), ("--rounds", "0"), ("--limit", "0")]
)
def test_counts_below_one_are_refused_by_name(tmp_path, capsys, wrong):
    usual = {"--prompts": str(tmp_path / "none"), "--window": "1", "--answer": "1", "--concurrency": "1"}
    given = [text for pair in {**usual, wrong[0]: wrong[1]}.items() for text in pair]
    assert throughput.main(given) == 2
    assert capsys.readouterr().err == f"error: {wrong[0]} is {wrong[1]}; it must be at least 1\n"


def test_a_missing_file_and_a_missing_folder_are_named(tmp_path, capsys):
    usual = ["--window", "1", "--answer", "1", "--concurrency", "1", "--prompts", str(tmp_path / "none.jsonl")]
    assert throughput.main(usual) == 2
    assert "none.jsonl" in capsys.readouterr().err
    assert throughput.main([*usual, "--out", str(tmp_path / "nowhere" / "out.json")]) == 2
    assert "nowhere" in capsys.readouterr().err


def test_a_prompt_that_leaves_no_room_is_refused_before_anything_runs(scripted, tmp_path):
    engine = scripted(LONG, context_tokens=TOTAL + 20)
    with pytest.raises(ContextOverflow):
        load_for(engine, tmp_path)
    assert engine.requests == []


def on_a_scripted_vllm(engine: FakeEngine) -> FakeEngine:
    """With as much of vLLM's own engine as the benchmark asks about."""
    config = SimpleNamespace(
        reasoning_config=SimpleNamespace(reasoning_start_str="<|im_start|>assistant\n"),
        cache_config=SimpleNamespace(block_size=32, kv_cache_memory_bytes=1),
        model_config=SimpleNamespace(enforce_eager=True, max_model_len=2048),
        scheduler_config=SimpleNamespace(max_num_seqs=128),
    )
    engine.llm = SimpleNamespace(vllm_config=config, reset_prefix_cache=Prefix(engine).reset)
    return engine


def run_main(engine: FakeEngine, tmp_path, monkeypatch) -> int:
    monkeypatch.setattr(throughput, "start_engine", lambda options: on_a_scripted_vllm(engine))
    (tmp_path / "rows.jsonl").write_text('{"question": "One?"}\n{"question": "Two?"}\n')
    given = ["--prompts", str(tmp_path / "rows.jsonl"), "--window", str(WINDOW), "--answer", str(ANSWER)]
    return throughput.main([*given, "--concurrency", "2", "--rounds", "2", "--out", str(tmp_path / "out.json")])


def test_the_whole_run_writes_its_settings_and_all_rounds(scripted, tmp_path, monkeypatch, capsys):
    engine = scripted(LONG)
    assert run_main(engine, tmp_path, monkeypatch) == 0
    record = json.loads((tmp_path / "out.json").read_text())
    assert record["options"]["rounds"] == 2
    assert record["rows"] == 2
    assert record["total_tokens"] == TOTAL
    assert record["block_size"] == 32
    assert {"torch", "transformers"} <= set(record["versions"])
    assert [line["method"] for line in record["rounds"]] == [*METHODS, "published", "native", "ours", "plain"]
    assert {line["max_trace_tokens"] for line in record["rounds"] if line["method"] == "ours"} == {WINDOW}
    assert list(tmp_path.glob("*.part")) == []
    assert engine.dead, "the engine is closed"
    assert "wall_of_ours" in capsys.readouterr().out


def test_a_run_that_dies_keeps_its_finished_rounds(scripted, tmp_path, monkeypatch, capsys):
    engine = scripted(LONG)
    measured = throughput.measure

    async def die_in_round_2(load, methods, number, reset):
        engine.dead = number == 2
        return await measured(load, methods, number, reset)

    monkeypatch.setattr(throughput, "measure", die_in_round_2)
    assert run_main(engine, tmp_path, monkeypatch) == 2
    assert "the engine has stopped" in capsys.readouterr().err
    assert {line["round"] for line in json.loads((tmp_path / "out.json").read_text())["rounds"]} == {1}
