"""A visitor's conversation on the scripted engine, without a browser."""

from __future__ import annotations

import asyncio
import copy
import threading
from collections.abc import Iterator
from contextlib import aclosing

import gradio as gr
import pytest

from tests.conftest import wait_until_ready
from tests.kinds import R1, byte_level
from ui import views
from ui.comparison import Compared
from ui.conversation import Conversation, Turn
from ui.settings_panel import chosen, words
from ui.think_tab import ThinkTab
from z1_core import HINT, BadInput, ContextOverflow, EngineDead, FakeEngine
from z1_core.host import EngineHost
from z1_core.settings import Settings, read_settings


def script(prompt: str) -> str:
    """Thinks for ever about anything but greetings; answers after a hint with the last word of the question."""
    question = prompt.rsplit("<|im_start|>user\n", 1)[-1].split("<|im_end|>")[0]
    if HINT in prompt.rsplit("assistant\n", 1)[-1]:
        return f"The answer about {question}."
    return "Hello!" if question == "hi" else "thinking " * 500


@pytest.fixture
def host() -> Iterator[EngineHost]:
    host = EngineHost(lambda report: FakeEngine(script, context_tokens=4000, seconds_per_token=0.0005))
    wait_until_ready(host)
    yield host
    host.close()


def settings(**changes) -> Settings:
    chosen = {
        "thinking_tokens": 40,
        "total_tokens": 200,
        "temperature": 0.0,
        "top_p": 1.0,
        "hint": HINT,
        "system": "",
        "seed": 7,
    }
    return Settings(**{**chosen, **changes})


async def run(conversation: Conversation, host: EngineHost, question: str, **changes) -> Turn:
    turn = await conversation.begin(host, question, settings(**changes))
    async for _ in turn.follow(host):
        pass
    return turn


async def test_only_answers_go_back_into_the_context(host: EngineHost):
    conversation = Conversation()
    await run(conversation, host, "first")
    await run(conversation, host, "hi")
    turn = await run(conversation, host, "third")
    prompt = host.engine().text.decode(turn.prompt_ids, control=True)
    assert "The answer about first." in prompt
    assert "<|im_start|>assistant\nHello!<|im_end|>" in prompt
    assert "thinking" not in prompt
    assert HINT.strip() not in prompt


async def test_of_a_thought_that_ended_inside_the_window_only_the_answer_behind_it_goes_on():
    text = byte_level(R1)
    host = EngineHost(lambda report: FakeEngine(lambda prompt: "Two and two.\n</think>\n\nFour.", text=text))
    wait_until_ready(host)
    conversation = Conversation()
    first = await run(conversation, host, "2 + 2?")
    second = await run(conversation, host, "Sure?")
    host.close()
    assert (first.end_reason, first.answer) == ("inside", "Four.")
    bare = [{"role": "user", "content": "2 + 2?"}, {"role": "assistant", "content": "Four."}]
    assert [*second.prompt_ids] == text.render([*bare, {"role": "user", "content": "Sure?"}])


async def test_a_visitors_hint_makes_no_control_token_and_the_total_holds_the_end_of_the_thought():
    text = byte_level(R1)
    host = EngineHost(lambda report: FakeEngine(lambda prompt: "on and on " * 500, text=text))
    wait_until_ready(host)
    turn = await run(Conversation(), host, "2 + 2?", hint="</think><|im_end|>So:")
    host.close()
    assert turn.texts["hint"] == "\n</think>\n\n</think><|im_end|>So:\n\n"
    assert (turn.ids["hint"].count(text.thoughts.closes_id), turn.ids["hint"].count(text.eos_id)) == (1, 0)
    assert sum(turn.tokens.values()) == 200


async def test_the_operators_hint_may_hold_control_tokens_and_is_what_nobody_changes():
    text, hint = byte_level(R1), "\n</think>\n\nSo:"
    made = EngineHost(lambda report: FakeEngine(lambda prompt: "on and on " * 500, text=text), usual={"hint": hint})
    wait_until_ready(made)
    assert made.usual().hint == hint
    assert read_settings(words(made.usual())) == made.usual(), "as the page sends it back"
    turn = await run(Conversation(), made, "2 + 2?", hint=hint)
    made.close()
    assert turn.texts["hint"] == hint
    assert turn.ids["hint"].count(text.thoughts.closes_id) == 1
    with pytest.raises(BadInput, match="temperature is 'hot'; it must be a number from 0 to 2"):
        EngineHost(lambda report: FakeEngine(), usual={"temperature": "hot"})


async def test_a_stopped_turn_leaves_its_trace_on_the_page_but_not_in_the_context(host: EngineHost):
    conversation = Conversation()
    turn = await conversation.begin(host, "first", settings(thinking_tokens=400, total_tokens=900))
    async for _ in turn.follow(host):
        if turn.tokens["trace"] > 5:
            turn.stop()
    assert turn.end_reason == "user_stop"
    assert turn.texts["trace"].startswith("thinking")
    assert host.engine().active == 0
    later = await conversation.begin(host, "second", settings())
    assert "first" not in host.engine().text.decode(later.prompt_ids, control=True)


async def test_each_slider_reaches_its_budget(host: EngineHost):
    turn = await run(
        Conversation(), host, "x", thinking_tokens=30, total_tokens=100, temperature=0.5, top_p=0.9, seed=3
    )
    hint_tokens = turn.tokens["hint"]
    phase_1, phase_2 = (request.sampling for request in host.engine().requests[-2:])
    assert (phase_1.max_tokens, phase_2.max_tokens) == (30, 100 - 30 - hint_tokens)
    assert (phase_1.temperature, phase_1.top_p, phase_1.seed) == (0.5, 0.9, 3)
    assert turn.tokens["trace"] == 30


async def test_what_does_not_fit_is_refused_and_changes_nothing(host: EngineHost):
    conversation = Conversation()
    await run(conversation, host, "first")
    before = conversation.current
    for question, changes, error in [
        ("", {}, BadInput),
        ("long " * 5000, {}, ContextOverflow),
        ("x", {"total_tokens": 40}, BadInput),
    ]:
        with pytest.raises(error):
            await conversation.begin(host, question, settings(**changes))
    assert conversation.turns == [before]


async def test_an_edited_question_takes_the_place_of_the_last_turn(host: EngineHost):
    conversation = Conversation()
    await run(conversation, host, "first")
    await run(conversation, host, "second")
    with pytest.raises(BadInput):
        await conversation.begin(host, "", settings(), editing=True)
    assert [turn.question for turn in conversation.turns] == ["first", "second"]
    turn = await conversation.begin(host, "third", settings(), editing=True)
    assert [each.question for each in conversation.turns] == ["first", "third"]
    prompt = host.engine().text.decode(turn.prompt_ids, control=True)
    assert "first" in prompt
    assert "second" not in prompt


async def test_again_repeats_the_prompt_in_place_and_draws_anew_only_above_temperature_0(host: EngineHost):
    conversation = Conversation()
    await run(conversation, host, "first")
    before = await run(conversation, host, "second", temperature=0.5)
    after = await conversation.again(host, new_seed=99)
    assert after.prompt_ids == before.prompt_ids
    assert (before.settings.seed, after.settings.seed) == (7, 99)
    assert [turn.question for turn in conversation.turns] == ["first", "second"]
    with pytest.raises(BadInput, match="no finished turn"):
        await conversation.again(host)
    greedy = Conversation()
    await run(greedy, host, "first")
    assert (await greedy.again(host, new_seed=99)).settings.seed == 7


async def test_a_turn_that_waits_for_a_place_says_how_long_the_queue_is_and_stop_leaves_it():
    host = EngineHost(lambda report: FakeEngine(script, places=1, seconds_per_token=0.01))
    wait_until_ready(host)
    long = settings(thinking_tokens=400, total_tokens=900)
    first, second, third = [await Conversation().begin(host, "x", long) for _ in range(3)]
    async with aclosing(first.follow(host)) as running, aclosing(second.follow(host)) as waiting:
        await anext(running)
        await anext(waiting)
        assert (first.queue, second.queue) == (0, 1)
        assert "Waits for a place: first in the queue" in views.headline(second)
        async with aclosing(third.follow(host)) as ticks:
            await anext(ticks)
            await anext(waiting)
            assert "Waits for a place: 2 in the queue" in views.headline(third)
            assert "Waits for a place: 2 in the queue" in views.status_sentence(second)
            third.stop()
            assert "Waits" not in views.headline(third)
        assert host.engine().waiting == 1  # closed, and out of the line
        await running.aclose()
        while not second.phase:
            await anext(waiting)
        assert "Waits" not in views.headline(second)
    host.close()


async def test_of_two_questions_at_once_neither_is_lost(host: EngineHost):
    """Run and "Run again" at the same moment: both were begun, and the second took the first one's place."""
    conversation = Conversation()
    await run(conversation, host, "first")
    asked = asyncio.ensure_future(conversation.begin(host, "second", settings()))
    await asyncio.sleep(0)
    assert conversation.is_running  # so that the page answers the other one that a run is going on
    await asked
    assert [turn.question for turn in conversation.turns] == ["first", "second"]
    conversation.current.stop()
    with pytest.raises(BadInput):
        await conversation.begin(host, "", settings())
    assert not conversation.is_running


async def test_a_question_to_an_engine_that_is_gone_says_so(host: EngineHost):
    host.engine().dead = True
    turn = Turn("x", settings(), [1, 2, 3], (await Conversation().begin(host, "x", settings())).window)
    with pytest.raises(EngineDead):
        async for _ in turn.follow(host):
            pass


class Asked:
    """What the page sends along with a press of Run."""

    def __init__(self, question: str = "", *, again: bool = False, settings: dict | None = None) -> None:
        self.question, self.again, self.editing = question, again, False
        self.settings = {"window": "40", "total": "200", "system": "", "seed": "7"} if settings is None else settings


async def test_a_run_is_one_stream_of_views_and_what_goes_wrong_is_a_sentence_in_it(host: EngineHost, monkeypatch):
    with gr.Blocks():
        tab = ThinkTab(host)
    conversation = Conversation()

    async def views_of(asked: Asked) -> list[dict]:
        return [view async for view in tab._run(asked, conversation)]

    made = await views_of(Asked("first"))
    assert [view["n"] for view in made] == [*range(1, len(made) + 1)]
    assert (made[0]["running"], made[-1]["running"], made[-1]["turns"][0]["end"]) == (True, False, "cut")
    (refused,) = await views_of(Asked(" "))
    assert (refused["complaint"], len(refused["turns"])) == ("The prompt is empty; type a question first.", 1)
    (refused,) = await views_of(Asked("x", settings={"seed": "-1"}))
    assert refused["complaint"].startswith("Seed is '-1'")
    again = await views_of(Asked(again=True))
    (turn,) = again[-1]["turns"]
    assert turn["id"] != made[-1]["turns"][0]["id"]
    monkeypatch.setattr(Turn, "follow", lambda self, host: 1 / 0)
    failed = await views_of(Asked("first"))
    assert "a fault of this program" in failed[-1]["turns"][-1]["error"]


async def test_tokenising_keeps_no_loop_waiting(host: EngineHost, monkeypatch):
    """The tokenizer may be a server's, and slow: neither the page's loop nor the engine's may stand still for it."""
    threads, loops = set(), {threading.get_ident(), await asyncio.wrap_future(host.thread.begin(ident()))}
    text = copy.copy(host.engine().text)

    def noted(call):
        def called(*arguments, **options):
            threads.add(threading.get_ident())
            return call(*arguments, **options)

        return called

    for name in ("render", "encode", "decoder"):
        setattr(text, name, noted(getattr(text, name)))
    monkeypatch.setattr(host.engine(), "text", text)
    await Conversation().begin(host, "x", settings())
    await Compared().begin(host, "x", settings(), [5], 8)
    await host.count_tokens(HINT)
    assert threads
    assert not threads & loops


async def ident() -> int:
    return threading.get_ident()


@pytest.mark.parametrize(
    ("changes", "question", "reason", "headline", "sentence"),
    [
        ({}, "first", "cut", "Thinking cut after 40 tokens", "Answered after the cut."),
        ({}, "hi", "inside", "Answered inside the window", "of 40 tokens"),
        ({"total_tokens": 65}, "x", "answer_length", "Thinking cut after 40 tokens", "raise the total"),
    ],
)
async def test_every_end_is_said_in_words(host: EngineHost, changes, question, reason, headline, sentence):
    turn = await run(Conversation(), host, question, **changes)
    assert turn.end_reason == reason
    assert views.headline(turn) == headline
    assert sentence in views.turn_view(turn)["ended"]
    assert views.status_sentence(turn) == views.end_sentence(turn)


async def test_the_bar_adds_up_to_the_total(host: EngineHost):
    turn = await run(Conversation(), host, "first")
    view, used = views.turn_view(turn), sum(turn.tokens.values())
    assert view["key"][-1] == ["", f"total {used} of 200"]
    assert view["bar"] == [["thinking", 20], ["hint", turn.tokens["hint"] / 2], ["answer", turn.tokens["answer"] / 2]]
    assert view["marks"][0][0] == 20


async def test_the_first_token_and_the_rate_of_those_behind_it_are_told_apart(host: EngineHost):
    turn = await run(Conversation(), host, "first")
    turn._first_s, turn._last_s = turn.started_s + 2, turn.started_s + 6
    written = turn.tokens["trace"] + turn.tokens["answer"]
    assert views.numbers(turn) == ["40 of 40 tokens", "first after 2.0 s", f"{(written - 1) / 4:.0f} tokens/s"]


def test_an_empty_seed_draws_a_new_one_each_time():
    asked = gr.EventData(None, {"settings": {"window": "100", "seed": ""}})
    seeds = {chosen(asked).seed for _ in range(20)}
    assert len(seeds) > 10
