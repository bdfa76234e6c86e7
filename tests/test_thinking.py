"""The window, rule by rule: think() and its gatherers on a scripted engine."""

import asyncio
import random
from contextlib import aclosing
from dataclasses import replace

import pytest

from z1_core.engines.fake import FakeEngine
from z1_core.errors import BadInput, ContextOverflow, EngineDead
from z1_core.thinking import Job, Transcript, collect, collect_all, think
from z1_core.window import HINT, Sampling, Window

STUCK_S = 3600
WINDOW = Window(thinking_tokens=20, answer_tokens=50)


class NarrowEngine(FakeEngine):
    """Runs out of context earlier than it says: one phase ends with "length" before its budget is used."""

    def __init__(self, *args, narrow_phase: int, most: int) -> None:
        super().__init__(*args)
        self.narrow_phase, self.most = narrow_phase, most

    def stream(self, prompt_ids, sampling):
        if len(self.requests) == self.narrow_phase - 1:
            sampling = replace(sampling, max_tokens=min(self.most, sampling.max_tokens))
        return super().stream(prompt_ids, sampling)


def written(engine: FakeEngine, text: str) -> tuple[int, ...]:
    """What a scripted engine generates for a text: its ids and the end-of-turn token."""
    return (*engine.text.encode(text), engine.text.eos_id)


def shown(engine: FakeEngine, ids) -> str:
    return engine.text.decode(ids)


async def chunks_of(*args, **options) -> list:
    return [chunk async for chunk in think(*args, **options)]


# The cut


async def test_a_cut_run_is_trace_then_one_hint_then_answer(scripted, ask):
    engine = scripted()
    chunks = await chunks_of(engine, ask(engine), WINDOW)
    phases = [chunk.phase for chunk in chunks]
    assert phases == sorted(phases, key=["trace", "hint", "answer"].index)
    assert phases.count("hint") == 1
    hint = chunks[phases.index("hint")]
    assert (hint.text, list(hint.ids)) == (HINT, engine.text.encode(HINT))
    assert [chunk.end_reason for chunk in chunks if chunk.end_reason] == ["cut"]
    assert chunks[-1].end_reason == "cut"


async def test_the_answer_continues_from_the_very_ids_of_prompt_trace_and_hint(scripted, ask):
    engine = scripted()
    prompt_ids = ask(engine)
    done = await collect(engine, prompt_ids, WINDOW)
    first, second = engine.requests
    assert first.prompt_ids == tuple(prompt_ids) == done.prompt_ids
    assert second.prompt_ids == (*prompt_ids, *done.trace_ids, *engine.text.encode(HINT))
    assert done.hint_ids == tuple(engine.text.encode(HINT))


async def test_a_trace_that_ends_where_text_would_merge_with_the_hint_keeps_its_ids(scripted, ask):
    """A full stop and the hint's line breaks are other tokens when the text is tokenised again."""
    engine = scripted(thought="again.\n" * 50)
    for thinking_tokens in range(1, 12):
        done = await collect(engine, ask(engine), replace(WINDOW, thinking_tokens=thinking_tokens))
        assert engine.requests[-1].prompt_ids == (*ask(engine), *done.trace_ids, *done.hint_ids)
        assert done.trace_ids == written(engine, "again.\n" * 50)[:thinking_tokens]


async def test_a_control_token_in_a_hint_is_one_for_the_operator_and_text_for_a_visitor(ask):
    engine = FakeEngine(lambda prompt: "Let me see. " * 50)
    trusted = await collect(engine, ask(engine), replace(WINDOW, hint="So:<|im_end|>"))
    typed = await collect(engine, ask(engine), replace(WINDOW, hint="So:<|im_end|>", hint_is_text=True))
    assert trusted.hint_ids == (*engine.text.encode("So:"), engine.text.eos_id)
    assert engine.text.eos_id not in typed.hint_ids
    for done in (trusted, typed):
        assert engine.text.decode(done.hint_ids, control=True) == "So:<|im_end|>"


async def test_a_stop_string_ends_an_answer_and_never_a_trace(scripted, ask):
    engine = scripted()
    await collect(engine, ask(engine), WINDOW, Sampling(extra=(("stop", ["think"]), ("top_k", 5))))
    assert [dict(request.sampling.extra) for request in engine.requests] == [
        {"stop": [], "top_k": 5},
        {"stop": ["think"], "top_k": 5},
    ]


@pytest.mark.parametrize(("wanted", "trace", "answer"), [(10, 10, 0), (60, 20, 40), (500, 20, 50)])
async def test_the_least_number_of_tokens_counts_trace_and_answer_together(scripted, ask, wanted, trace, answer):
    engine = scripted()
    await collect(engine, ask(engine), WINDOW, Sampling(extra=(("min_tokens", wanted),)))
    assert [dict(request.sampling.extra)["min_tokens"] for request in engine.requests] == [trace, answer]


async def test_each_phase_has_a_budget_of_its_own_and_the_callers_other_settings(scripted, ask):
    engine = scripted()
    sampling = Sampling(temperature=0.7, top_p=0.9, seed=3, max_tokens=3, extra=(("top_k", 20),))
    await collect(engine, ask(engine), WINDOW, sampling)
    assert [request.sampling for request in engine.requests] == [
        replace(sampling, max_tokens=20),
        replace(sampling, max_tokens=50, written=20),
    ]


# Inside the window


async def test_a_run_that_ends_inside_the_window_is_one_request_without_a_hint(scripted, ask):
    engine = scripted(thought="It is 3.")
    chunks = await chunks_of(engine, ask(engine), WINDOW)
    assert {chunk.phase for chunk in chunks} == {"trace"}
    assert chunks[-1].end_reason == "inside"
    done = await collect(engine, ask(engine), WINDOW)
    assert (done.trace, done.answer, done.hint_ids, done.answer_ids) == ("It is 3.", "", (), ())
    assert len(engine.requests) == 2  # one a run


# Ends of the budgets


@pytest.mark.parametrize(("phase", "trace", "answer"), [(1, 6, 0), (2, 20, 6)])
async def test_a_context_that_ends_early_is_neither_a_cut_nor_the_answers_budget(ask, phase, trace, answer):
    engine = NarrowEngine(lambda prompt: "Let me think. " * 50, narrow_phase=phase, most=6)
    done = await collect(engine, ask(engine), WINDOW)
    assert (done.end_reason, len(done.trace_ids), len(done.answer_ids)) == ("context_full", trace, answer)
    assert (len(engine.requests), bool(done.hint_ids)) == (phase, phase == 2)


async def test_what_cannot_fit_is_refused_before_anything_is_generated(scripted, ask):
    engine = scripted(context_tokens=200)
    room = 200 - len(ask(engine)) - 20 - len(engine.text.encode(HINT))
    with pytest.raises(ContextOverflow, match=r"lower the window or the total by 1$"):
        await collect(engine, ask(engine), replace(WINDOW, answer_tokens=room + 1))
    assert engine.requests == []
    done = await collect(engine, ask(engine), replace(WINDOW, answer_tokens=room))
    assert done.end_reason == "cut"


@pytest.mark.parametrize("seed", range(8))
async def test_every_combination_of_lengths_and_budgets_ends_as_the_rules_say(ask, seed):
    chance = random.Random(seed)
    for _ in range(25):
        thought = "Let me think. " * chance.randrange(6)
        answer = "It is 42. " * chance.randrange(4)
        engine = FakeEngine(lambda prompt, thought=thought, answer=answer: answer if HINT in prompt else thought)
        trace_ids, answer_ids = written(engine, thought), written(engine, answer)
        window = Window(
            thinking_tokens=max(1, len(trace_ids) + chance.randrange(-3, 4)),
            answer_tokens=max(1, len(answer_ids) + chance.randrange(-3, 4)),
        )
        inside = len(trace_ids) <= window.thinking_tokens
        whole = len(answer_ids) <= window.answer_tokens
        done = await collect(engine, ask(engine), window)
        assert done.end_reason == ("inside" if inside else "cut" if whole else "answer_length")
        assert done.trace_ids == trace_ids[: window.thinking_tokens]
        assert done.answer_ids == (() if inside else answer_ids[: window.answer_tokens])
        assert done.total_tokens <= window.thinking_tokens + len(done.hint_ids) + window.answer_tokens
        assert len(engine.requests) == (1 if inside else 2)


# Characters of several tokens


@pytest.mark.parametrize("tokens", range(1, 12))
async def test_a_cut_inside_a_character_keeps_every_id_and_shows_what_is_whole(scripted, ask, tokens):
    engine = scripted(thought="a🙂é你b" * 3, answer="🙂🙂🙂")
    done = await collect(engine, ask(engine), Window(thinking_tokens=tokens, answer_tokens=tokens))
    assert done.trace_ids == written(engine, "a🙂é你b" * 3)[:tokens]
    assert engine.requests[1].prompt_ids == (*ask(engine), *done.trace_ids, *done.hint_ids)
    assert done.trace == shown(engine, done.trace_ids)
    whole = done.trace.rstrip("\ufffd")
    assert "\ufffd" not in whole
    assert ("a🙂é你b" * 3).startswith(whole)
    assert done.answer == shown(engine, done.answer_ids)


async def test_closing_the_window_inside_a_character_keeps_every_id_too(scripted, ask):
    engine = scripted(thought="🙂" * 50)
    close_window = asyncio.Event()
    transcript = Transcript(ask(engine))
    async for chunk in think(engine, ask(engine), replace(WINDOW, thinking_tokens=150), close_window=close_window):
        transcript.add(chunk)
        if transcript.tokens["trace"] == 6:
            close_window.set()
    done = transcript.completion()
    assert done.trace_ids == written(engine, "🙂" * 50)[: len(done.trace_ids)]
    assert done.trace == shown(engine, done.trace_ids)
    assert engine.requests[1].prompt_ids == (*ask(engine), *done.trace_ids, *done.hint_ids)


# Answer now


async def test_a_window_closed_before_the_first_token_answers_from_the_bare_prompt(scripted, ask):
    engine = scripted()
    close_window = asyncio.Event()
    close_window.set()
    done = await collect(engine, ask(engine), WINDOW, close_window=close_window)
    assert (done.end_reason, done.trace_ids, done.answer) == ("answer_now", (), "It is 42.")
    only = engine.requests[-1]
    assert only.prompt_ids == (*ask(engine), *engine.text.encode(HINT))
    assert engine.requests == [only]  # nothing was asked for that nobody would read


async def test_a_window_closed_in_the_middle_answers_from_what_was_thought(scripted, ask):
    engine = scripted()
    close_window = asyncio.Event()
    transcript = Transcript(ask(engine))
    async for chunk in think(engine, ask(engine), replace(WINDOW, thinking_tokens=500), close_window=close_window):
        transcript.add(chunk)
        if transcript.tokens["trace"] == 10:
            close_window.set()
        if chunk.phase == "hint":
            assert engine.active == 0  # the thinking has left its slot before the answer takes one
    done = transcript.completion()
    assert (done.end_reason, done.answer) == ("answer_now", "It is 42.")
    assert done.trace_ids == written(engine, "Let me think again. " * 100)[:10]
    assert engine.requests[-1].prompt_ids == (*ask(engine), *done.trace_ids, *done.hint_ids)
    assert len(engine.requests) == 2


@pytest.mark.parametrize("tokens_before", [0, 3])
async def test_a_window_closes_at_once_while_the_engine_gives_nothing(scripted, ask, tokens_before):
    engine = scripted(seconds_per_token=0 if tokens_before else STUCK_S)
    close_window = asyncio.Event()
    transcript = Transcript(ask(engine))

    async def run() -> None:
        async for chunk in think(engine, ask(engine), WINDOW, close_window=close_window):
            transcript.add(chunk)
            if chunk.phase == "trace" and chunk.ids and transcript.tokens["trace"] == tokens_before:
                engine.seconds_per_token = STUCK_S

    running = asyncio.create_task(run())
    await asyncio.sleep(0.05)
    assert (transcript.tokens["trace"], engine.active) == (tokens_before, 1)
    engine.seconds_per_token = 0
    close_window.set()
    await asyncio.wait_for(running, timeout=30)
    done = transcript.completion()
    assert (done.end_reason, len(done.trace_ids), done.answer) == ("answer_now", tokens_before, "It is 42.")
    assert engine.active == 0


@pytest.mark.parametrize(("thought", "reason"), [("It is 3.", "inside"), ("Let me think again. " * 100, "cut")])
async def test_closing_a_window_that_has_ended_already_changes_nothing(scripted, ask, thought, reason):
    engine = scripted(thought=thought)
    last = min(WINDOW.thinking_tokens, len(written(engine, thought)))
    close_window = asyncio.Event()
    transcript = Transcript(ask(engine))
    async for chunk in think(engine, ask(engine), WINDOW, close_window=close_window):
        transcript.add(chunk)
        if transcript.tokens["trace"] == last:
            close_window.set()
    assert transcript.completion().end_reason == reason


# Stopping


@pytest.mark.parametrize("with_button", [False, True])
@pytest.mark.parametrize("phase", ["trace", "answer"])
async def test_closing_the_run_frees_its_slot_at_once(scripted, ask, phase, with_button):
    engine = scripted()
    chunks = think(engine, ask(engine), WINDOW, close_window=asyncio.Event() if with_button else None)
    async for chunk in chunks:
        if chunk.phase == phase and chunk.text:
            break
    assert engine.active == 1
    await chunks.aclose()
    assert engine.active == 0
    assert len(engine.requests) == (1 if phase == "trace" else 2)


@pytest.mark.parametrize("with_button", [False, True])
async def test_cancelling_a_run_that_waits_for_the_engine_frees_its_slot_at_once(scripted, ask, with_button):
    engine = scripted(seconds_per_token=STUCK_S)
    close_window = asyncio.Event() if with_button else None
    running = asyncio.create_task(collect(engine, ask(engine), WINDOW, close_window=close_window))
    await asyncio.sleep(0.02)
    assert engine.active == 1
    running.cancel()
    await asyncio.wait({running}, timeout=30)
    assert running.cancelled()
    assert engine.active == 0


@pytest.mark.parametrize("phase", ["trace", "answer"])
async def test_a_stopped_run_keeps_what_was_written_so_far(scripted, ask, phase):
    engine = scripted()
    transcript = Transcript(ask(engine))
    async with aclosing(think(engine, ask(engine), WINDOW)) as chunks:
        async for chunk in chunks:
            transcript.add(chunk)
            if chunk.phase == phase and transcript.tokens["trace"] >= 5:
                break
    done = transcript.completion("user_stop")
    assert done.end_reason == "user_stop"
    assert done.trace == shown(engine, done.trace_ids)
    assert done.trace_ids == written(engine, "Let me think again. " * 100)[: 5 if phase == "trace" else 20]
    assert done.answer_ids == (() if phase == "trace" else written(engine, "It is 42.")[:1])


def test_an_unfinished_run_is_no_completion_until_someone_says_why():
    with pytest.raises(ValueError, match="say why"):
        Transcript([1, 2, 3]).completion()


@pytest.mark.parametrize("with_button", [False, True])
@pytest.mark.parametrize("phase", ["trace", "answer"])
async def test_an_engine_that_dies_in_mid_run_ends_it_with_its_error(scripted, ask, phase, with_button):
    engine = scripted()
    transcript = Transcript(ask(engine))
    close_window = asyncio.Event() if with_button else None

    async def run() -> None:
        async for chunk in think(engine, ask(engine), WINDOW, close_window=close_window):
            transcript.add(chunk)
            engine.dead = engine.dead or (chunk.phase == phase and len(chunk.ids) > 0)

    with pytest.raises(EngineDead, match="start it again"):
        await run()
    assert engine.active == 0
    assert transcript.completion("error").trace_ids  # what came before it died is not lost


# Many runs


async def test_a_short_row_is_answered_while_a_long_one_still_thinks(ask):
    """No barrier between the phases of a batch."""
    engine = FakeEngine(lambda prompt: "It is 42." if HINT in prompt else "Let me think again. " * 200)
    jobs = [
        Job(ask(engine, "long"), replace(WINDOW, thinking_tokens=300)),
        Job(ask(engine, "short"), replace(WINDOW, thinking_tokens=5)),
    ]
    done = [completion async for completion in collect_all(engine, jobs)]
    sent_to = [request.prompt_ids[: len(done[1].prompt_ids)] for request in engine.requests]
    assert sent_to[2] == done[1].prompt_ids  # the third request is the short row's answer


async def test_all_rows_run_side_by_side_and_come_back_in_the_order_of_the_input(scripted, ask):
    engine = scripted()
    widths = [60, 3, 25, 1, 40]
    jobs = [Job(ask(engine, f"question {w}"), replace(WINDOW, thinking_tokens=w)) for w in widths]
    most_at_once, done = 0, []
    async for completion in collect_all(engine, jobs):
        most_at_once = max(most_at_once, engine.active)
        done.append(completion)
    assert [len(completion.trace_ids) for completion in done] == widths
    assert [list(completion.prompt_ids) for completion in done] == [job.prompt_ids for job in jobs]
    assert [len(request.prompt_ids) for request in engine.requests[:5]] == [len(job.prompt_ids) for job in jobs]
    assert all(completion.answer == "It is 42." for completion in done)


async def test_a_finished_row_is_handed_out_while_later_ones_still_run(scripted, ask):
    engine = scripted(seconds_per_token=0.005)
    jobs = [Job(ask(engine), replace(WINDOW, thinking_tokens=w)) for w in (2, 400)]
    async with aclosing(collect_all(engine, jobs)) as completions:
        first = await anext(completions)
        assert (len(first.trace_ids), engine.active) == (2, 1)
    assert engine.active == 0  # closing has aborted the other


async def test_one_row_that_cannot_fit_stops_the_batch_before_it_starts_and_is_named(scripted, ask):
    engine = scripted(context_tokens=300)
    jobs = [Job(ask(engine), WINDOW), Job(ask(engine), WINDOW), Job([5] * 280, WINDOW), Job(ask(engine), WINDOW)]
    with pytest.raises(ContextOverflow, match=r"^row 3: prompt 280 \+ window 20 "):
        async for _ in collect_all(engine, jobs):
            pass
    assert engine.requests == []


async def test_a_row_that_fails_takes_the_others_slots_with_it(ask):
    class Refusing(FakeEngine):
        async def stream(self, prompt_ids, sampling):
            if "poison" in self.text.decode(prompt_ids, control=True):
                raise BadInput("the engine refuses the request")
            async for delta in super().stream(prompt_ids, sampling):
                yield delta

    engine = Refusing(lambda prompt: "Let me think again. " * 200, seconds_per_token=STUCK_S)
    jobs = [Job(ask(engine, question), WINDOW) for question in ("poison", "good", "better")]
    with pytest.raises(BadInput, match="refuses the request"):
        async for _ in collect_all(engine, jobs):
            pass
    assert (len(engine.requests), engine.active) == (2, 0)
