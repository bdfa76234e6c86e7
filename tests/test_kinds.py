"""Any reasoning model: with tags for its thoughts or without, byte-level BPE or SentencePiece, with a system role or not."""

from dataclasses import replace

import pytest

from tests.kinds import R1, byte_level, sentencepiece
from tests.kinds_of_text import kinds
from z1_core.engines.fake import FakeEngine
from z1_core.errors import BadInput
from z1_core.prompt import chat, check_fits
from z1_core.sweep import collect_sweep
from z1_core.thinking import answer_from, collect
from z1_core.thoughts import trace_answer
from z1_core.window import HINT, Window

TAGGED = {"by the model": byte_level(), "by the template": byte_level(R1), "hidden": byte_level(R1, special=True)}
WINDOW = Window(thinking_tokens=20, answer_tokens=30)
CLOSED = f"\n</think>{HINT}"


@pytest.fixture(params=kinds().values(), ids=kinds().keys())
def text(request):
    return request.param


@pytest.fixture(params=TAGGED.values(), ids=TAGGED.keys())
def tagged(request):
    return request.param


def controls(text) -> dict[str, int]:
    return {token.content: id_ for id_, token in text.tokenizer.get_added_tokens_decoder().items()}


def thinker(text, thought: str = "Let me see. " * 50, answer: str = "4.") -> FakeEngine:
    """A model that thinks in tags, and answers where its thought is closed."""
    opens = "" if text.thoughts.opened_by == "template" else "<think>\n"
    return FakeEngine(lambda prompt: answer if "</think>" in prompt else opens + thought, text=text)


def asked(engine: FakeEngine) -> list[int]:
    return engine.text.render(chat("2 + 2?", system=""))


def test_the_operators_hint_may_hold_any_control_token(text):
    for string, id_ in controls(text).items():
        assert text.encode(f"abc{string}abc", control=True).count(id_) == 1


def test_an_earlier_answer_goes_back_without_its_thought(tagged):
    history = [("2 + 2?", "<think>\nTwo and two.\n</think>\n\n4")]
    bare = [("2 + 2?", "4")]
    assert tagged.render(chat("And 3?", history=history)) == tagged.render(chat("And 3?", history=bare))


@pytest.mark.parametrize(
    ("trace", "answer"),
    [("Two and two.\n</think>\n\n4", "4"), ("</think>4</think>5", "5"), ("Two and", ""), ("</think>", "")],
)
def test_of_a_trace_that_ends_by_itself_the_answer_is_what_stands_behind_the_thought(tagged, trace, answer):
    opens = "<think>" if tagged.thoughts.opened_by == "model" else ""
    assert trace_answer(tagged.thoughts, opens + trace) == answer


def test_a_trace_without_a_thought_is_the_answer():
    """Of a model that opens its thoughts itself, and of one that knows no tags."""
    trace = "4, as <think> is only a word here"
    assert trace_answer(byte_level().thoughts, trace) == trace_answer(None, trace) == trace


async def test_an_open_thought_is_closed_before_the_hint(tagged):
    engine = thinker(tagged)
    done = await collect(engine, asked(engine), WINDOW)
    assert (done.end_reason, len(done.trace_ids), done.answer) == ("cut", 20, "4.")
    assert done.hint_ids.count(tagged.thoughts.closes_id) == 1
    assert tagged.decode(done.hint_ids) == CLOSED
    assert done.hint_ids[-len(tagged.encode(HINT)) :] == tuple(tagged.encode(HINT))


async def test_a_thought_that_the_model_has_closed_is_not_closed_again(tagged):
    engine = thinker(tagged, thought="Easy.\n</think>\n\nThe answer, told at length, is " + "very " * 50)
    done = await collect(engine, asked(engine), WINDOW)
    assert tagged.thoughts.closes_id in done.trace_ids
    assert done.hint_ids == tuple(tagged.encode(HINT))


async def test_a_hint_that_closes_the_thought_is_inserted_as_it_is(tagged):
    engine = thinker(tagged)
    done = await collect(engine, asked(engine), replace(WINDOW, hint="\n</think>\n\n"))
    assert done.hint_ids == tuple(tagged.encode("\n</think>\n\n", control=True))
    assert done.answer == "4."


async def test_a_visitors_tag_stays_text_and_the_thought_is_closed_all_the_same(tagged):
    engine = thinker(tagged)
    done = await collect(engine, asked(engine), replace(WINDOW, hint="</think>So", hint_is_text=True))
    assert done.hint_ids.count(tagged.thoughts.closes_id) == 1
    assert done.hint_ids[-len(tagged.encode("</think>So")) :] == tuple(tagged.encode("</think>So"))


async def test_the_end_of_the_thought_counts_for_the_total(tagged):
    engine = thinker(tagged, answer="long " * 100)
    prompt = asked(engine)
    done = await collect(engine, prompt, WINDOW)
    assert check_fits(engine, prompt, WINDOW) == len(prompt) + done.total_tokens


async def test_re_cuts_close_the_thought_too(tagged):
    engine = thinker(tagged)
    small, large = await collect_sweep(engine, asked(engine), [replace(WINDOW, thinking_tokens=8), WINDOW])
    assert small.hint_ids == large.hint_ids
    pieces = [chunk async for chunk in answer_from(engine, asked(engine), small.trace_ids, WINDOW)]
    assert pieces[0].text == CLOSED


@pytest.mark.parametrize("legacy", [False, True])
def test_sentencepiece_joins_what_stands_in_a_message_as_if_nothing_had_been_parted(legacy):
    text = sentencepiece(legacy=legacy)
    pieces = [text.tokenizer.id_to_token(id_) for id_ in text.encode("abc</s>abc")]
    assert pieces == ["abc", "<", "/", "s", ">", "abc"]
    prompt = text.render([{"role": "user", "content": "the abc</s>abc"}])
    assert "the abc</s>abc [" in text.decode(prompt)
    plain = text.render([{"role": "user", "content": "the abc"}])
    assert plain == text.tokenizer.encode("<s>[INST] the abc [/INST]", add_special_tokens=False).ids


@pytest.mark.parametrize("legacy", [False, True])
def test_sentencepiece_puts_no_space_before_a_hint(legacy):
    text = sentencepiece(legacy=legacy)
    trace = text.parse("the abc")
    assert text.decode([*trace, *text.encode("abc")]) == "the abcabc"
    behind = " abc" if legacy else "abc"
    assert text.decode([*trace, *text.encode("</s>abc", control=True)], control=True) == f"the abc</s>{behind}"


def test_a_ready_made_prompt_begins_with_one_bos_and_never_two():
    text = sentencepiece.__wrapped__()  # one of its own, as it is changed
    bos = text.tokenizer.token_to_id("<s>")
    text.tokenizer.post_processor = bos_first(bos)
    assert text.parse("<s>[INST] abc [/INST]").count(bos) == 1
    assert text.parse("abc") == [bos, *text.tokenizer.encode("abc", add_special_tokens=False).ids]


def bos_first(bos: int):
    from tokenizers.processors import TemplateProcessing

    return TemplateProcessing(single="<s> $A", pair=None, special_tokens=[("<s>", bos)])


def test_a_template_without_a_system_role_says_what_to_do():
    with pytest.raises(BadInput, match="leave the system prompt empty"):
        sentencepiece().render(chat("Hi", system="Be brief."))
    assert sentencepiece().render(chat("Hi", system=""))
