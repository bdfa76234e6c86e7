"""A finished turn as a file, and back; and what no file may do."""

from __future__ import annotations

import json

import pytest

from tests.conftest import wait_until_ready
from tests.kinds import byte_level
from ui import views
from ui.conversation import Conversation, Settings, Turn
from ui.export import MOST_BYTES, from_json, to_json
from z1_core import HINT, BadInput, FakeEngine
from z1_core.host import EngineHost
from z1_core.window import Chunk, Window


def a_turn(**changes) -> Turn:
    """Cut after three tokens, answered with two."""
    settings = Settings(
        thinking_tokens=3, total_tokens=40, temperature=0.7, top_p=0.9, hint=HINT, system="Think.", seed=2**40
    )
    messages = [{"role": "system", "content": "Think."}, {"role": "user", "content": "Why?"}]
    window = Window(thinking_tokens=3, answer_tokens=10)
    turn = Turn("Why?", settings, [5, 6, 7], window, messages=messages, model="some model")
    chunks = [Chunk("trace", "``` so $x", (1, 2, 3)), Chunk("hint", HINT, (4,)), Chunk("answer", "42 😀", (8, 9))]
    turn.restore(chunks, "cut", error="", seconds=1.5)
    return turn


def to_record(turn: Turn) -> dict:
    return json.loads(to_json(turn))


def changed(path: str, value: object) -> bytes:
    """A run's file in which one field is another."""
    record = to_record(a_turn())
    *parents, name = path.split(".")
    place = record
    for parent in parents:
        place = place[parent]
    if value is KeyError:
        del place[name]
    else:
        place[name] = value
    return json.dumps(record).encode()


def test_a_run_comes_back_as_it_went():
    turn = a_turn()
    again = from_json(to_json(turn).encode())
    assert to_record(again) == to_record(turn)
    assert again.versions is not None
    assert views.headline(again) == views.headline(turn) == "Thinking cut after 3 tokens"
    assert "imported, ran on some model" in views.facts(again)
    assert again.answer == "42 😀"


def test_the_tags_of_thoughts_come_along_and_older_files_have_none():
    turn = a_turn()
    turn.thoughts = byte_level().thoughts
    turn.texts["trace"], turn.end_reason = "<think>so</think>It is 42.", "inside"
    turn.ids |= {"hint": [], "answer": []}
    turn.texts |= {"hint": "", "answer": ""}
    again = from_json(to_json(turn).encode())
    assert (again.thoughts, again.answer) == (turn.thoughts, "It is 42.")
    assert from_json(changed("thoughts", KeyError)).thoughts is None
    with pytest.raises(BadInput, match=r"thoughts\.opened_by is 'me'"):
        from_json(changed("thoughts", {"opened_by": "me", "opens": "a", "closes": "b", "opens_id": 1, "closes_id": 2}))


def test_the_record_holds_all_that_repeats_the_run():
    record = to_record(a_turn())
    assert record["prompt_ids"] == [5, 6, 7]
    assert record["cut_after_tokens"] == 3
    assert record["settings"]["seed"] == 2**40
    assert (record["trace"]["ids"], record["hint"]["ids"], record["answer"]["ids"]) == ([1, 2, 3], [4], [8, 9])
    assert "gradio" in record["versions"]


async def test_an_imported_run_can_be_run_again_from_the_same_messages():
    host = EngineHost(lambda report: FakeEngine(lambda prompt: "It is so.", context_tokens=2000))
    wait_until_ready(host)
    conversation = Conversation()
    conversation.turns.append(from_json(to_json(a_turn()).encode()))
    turn = await conversation.again(host, new_seed=3)
    prompt = host.engine().text.decode(turn.prompt_ids, control=True)
    assert "<|im_start|>system\nThink.<|im_end|>" in prompt
    assert turn.settings.seed == 3
    assert turn.versions is None
    host.close()


@pytest.mark.parametrize(
    ("path", "value", "sentence"),
    [
        ("format", "other", "format is 'other'; it should be 'z1-demo run'"),
        ("version", 2, "version is 2; it should be less than or equal to 1"),
        ("question", KeyError, "question is missing"),
        ("question", 7, "question is 7; it should be a valid string"),
        ("question", "x" * 1_000_001, "it should have at most 1000000 characters"),
        ("settings", [], "settings is a list; it should be an object"),
        ("settings.thinking_tokens", 0, "settings.thinking_tokens is 0; it should be greater than or equal to 1"),
        ("settings.total_tokens", "2x", "settings.total_tokens is '2x'"),
        ("settings.top_p", None, "settings.top_p is empty"),
        ("settings.hint", "", "the hint is empty"),
        ("trace.ids", [1, 2, "3"], "trace.ids[2] is '3'"),
        ("trace.ids", {}, "trace.ids is an object; it should be a valid array"),
        ("end_reason", None, "end_reason is empty; it should be 'inside', 'cut'"),
        ("messages", [{"role": "tool", "content": ""}], "messages[0].role is 'tool'"),
        ("versions", {"torch": 2}, "versions.torch is 2"),
        ("model", "m" * 300, "it should have at most 200 characters"),
    ],
)
def test_a_file_that_is_no_run_is_refused_by_name(path: str, value: object, sentence: str):
    with pytest.raises(BadInput) as error:
        from_json(changed(path, value))
    assert str(error.value).startswith("the file is no run that can be shown: ")
    assert sentence in str(error.value)
    assert len(str(error.value)) < 300


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "the file is no JSON"),
        (b"\xff\xfe\x00", "the file is no JSON"),
        (b"[" * 200_000, "the file is no JSON"),
        (b"[]", "the whole is a list; it should be an object"),
        (b"{}", "format is missing"),
        (b'{"format": "\\ud800"}', "the file is no JSON"),
        (b'{"format": NaN}', "format is nan; it should be"),
        (b'{"format": ' + b"9" * 5000 + b"}", "the file is no JSON"),
        (b" " * (MOST_BYTES + 1), "the file has 5,000,001 bytes"),
    ],
)
def test_what_is_no_json_object_is_refused(data: bytes, sentence: str):
    with pytest.raises(BadInput) as error:
        from_json(data)
    assert sentence in str(error.value)
