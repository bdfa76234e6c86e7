"""What must hold for any value: the window's arithmetic, and that every reader of foreign data either understands it or
says in one sentence why not."""

from __future__ import annotations

import argparse
import json
import struct
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.test_export import a_turn
from tests.test_gguf import gguf
from ui.export import from_json, to_json
from z1_core.__main__ import read_rows
from z1_core.errors import BadInput, ContextOverflow, ModelUnavailable
from z1_core.gguf_header import read_header
from z1_core.prompt import check_context
from z1_core.settings import SHORT, usable_settings
from z1_core.window import Sampling, Window

QUICK = settings(derandomize=True, deadline=None, max_examples=200, database=None)

COUNTS = st.integers(-3, 10_000)
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20), st.sampled_from(["\ud800", "1e9", "²"])
)
JSON = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
)


def refusal(call: Callable[[], Any], kind: type[Exception] = BadInput) -> str | None:
    """Why the call was refused, in one short sentence; None where it was not. Any other exception is a failure."""
    why = None
    try:
        call()
    except kind as error:
        why = str(error)
    assert why is None or ("\n" not in why and len(why) < 600)
    return why


@QUICK
@given(COUNTS, COUNTS, st.integers(0, 50))
def test_a_total_is_window_hint_and_answer_or_is_refused(thinking: int, total: int, hint: int):
    made: list[Window] = []
    why = refusal(
        lambda: made.append(Window.from_total(thinking_tokens=thinking, total_tokens=total, hint_tokens=hint))
    )
    fits = thinking >= 1 and total >= thinking + hint + 1
    assert fits == (why is None)
    if fits:
        assert made[0].thinking_tokens + hint + made[0].answer_tokens == total
    elif thinking >= 1 and total >= 1:  # the sentence names a total that does
        named = int(why.split("at least ")[1].split(" ")[0].replace(",", ""))
        Window.from_total(thinking_tokens=thinking, total_tokens=named, hint_tokens=hint)
        assert refusal(lambda: Window.from_total(thinking_tokens=thinking, total_tokens=named - 1, hint_tokens=hint))


@QUICK
@given(st.integers(1, 5_000), st.integers(1, 5_000), st.integers(1, 5_000), st.integers(0, 50), st.integers(1, 16_000))
def test_what_is_refused_as_too_long_fits_when_shortened_by_what_is_named(prompt, thinking, answer, hint, context):
    def check(prompt: int) -> None:
        window = Window(thinking_tokens=thinking, answer_tokens=answer)
        check_context(prompt_tokens=prompt, window=window, hint_tokens=hint, context_tokens=context)

    why = refusal(lambda: check(prompt), ContextOverflow)
    assert (why is None) == (prompt + thinking + hint + answer <= context)
    if why:
        over = int(why.rsplit(" ", 1)[1].replace(",", ""))
        check(prompt - over)
        assert refusal(lambda: check(prompt - over + 1), ContextOverflow)


@QUICK
@given(SCALARS, SCALARS, SCALARS)
def test_a_value_of_any_type_is_a_setting_or_is_named(first: object, second: object, third: object):
    refusal(lambda: Window(thinking_tokens=first, answer_tokens=second))
    refusal(lambda: Window(thinking_tokens=1, answer_tokens=1, hint=third))
    refusal(lambda: Sampling(temperature=first, top_p=second, seed=third))
    refusal(lambda: Sampling(max_tokens=third))


@QUICK
@given(st.dictionaries(st.sampled_from([*SHORT]), JSON), st.text(max_size=30))
def test_a_link_or_the_browsers_memory_may_hold_anything(values: dict, text: str):
    for given_ in (values, dict.fromkeys(values, text)):
        usable, complaints = usable_settings(given_)
        assert len(usable) + len(complaints) == len(given_)
        assert all(len(complaint) < 150 for complaint in complaints)
        assert usable_settings(usable) == (usable, [])  # what was taken is taken again


def at(record: dict, path: list[int], value: object) -> dict:
    """The record with another value in one of its places."""
    place: Any = record
    while True:
        keys = [*place] if isinstance(place, dict) else [*range(len(place))]
        key = keys[path.pop(0) % len(keys)]
        if not path or not isinstance(place[key], dict | list) or not place[key]:
            place[key] = value
            return record
        place = place[key]


@QUICK
@given(st.lists(st.integers(0, 30), min_size=1, max_size=3), JSON)
def test_an_imported_run_with_anything_in_one_place_is_read_or_refused(path: list[int], value: object):
    record = at(json.loads(to_json(a_turn())), [*path], value)
    data = json.dumps(record).encode("utf-8", errors="surrogatepass")
    if refusal(lambda: from_json(data)) is None:
        assert json.loads(to_json(from_json(data)))["question"] == record["question"]


@QUICK
@example(b"[" * 100_000)
@example(b"9" * 5_000)
@example(b'{"format": NaN}')
@given(st.binary(max_size=200) | JSON.map(lambda value: json.dumps(value).encode()))
def test_a_file_of_anything_is_no_run_and_says_so(data: bytes):
    assert refusal(lambda: from_json(data))


@QUICK
@example(b'{"prompt": "a\\ud800"}')
@example(b"[" * 100_000)
@given(
    st.binary(max_size=100) | st.dictionaries(st.sampled_from(["prompt", "x"]), JSON).map(json.dumps).map(str.encode)
)
def test_rows_of_anything_are_questions_or_are_refused_by_number(data: bytes):
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "rows.jsonl")
        file.write_bytes(data)
        options = argparse.Namespace(prompts=file, out=Path(folder, "out.jsonl"), question=None)
        if refusal(lambda: read_rows(options)) is None:
            assert all(row["prompt"].strip() for row in read_rows(options))


WHOLE = gguf()


@QUICK
@given(st.integers(0, len(WHOLE) - 1), st.binary(min_size=1, max_size=12), st.integers(1, len(WHOLE)))
@example(8, struct.pack("<QQ", 2**64 - 1, 2**64 - 1), len(WHOLE))
def test_a_damaged_model_file_is_read_or_refused_and_never_breaks_the_reader(place: int, put: bytes, length: int):
    damaged = (WHOLE[:place] + put + WHOLE[place + len(put) :])[:length]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "tiny.gguf")
        file.write_bytes(damaged)
        if refusal(lambda: read_header(file), ModelUnavailable) is None:
            assert read_header(file).context_tokens > 0
