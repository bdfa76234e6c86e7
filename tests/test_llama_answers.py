"""A llama.cpp server of somebody else's that answers in another form is told so; tests/integration has a real one."""

from __future__ import annotations

import httpx
import pytest

from z1_core.engines.calls import Server, reading
from z1_core.engines.llama import LlamaEngine
from z1_core.engines.llama_calls import Slice
from z1_core.errors import ModelUnavailable

URL = "http://127.0.0.1:9"
PROPS = {"total_slots": 2, "default_generation_settings": {"n_ctx": 2048}}
SLICE = {"tokens": [7, 8], "stop_type": "limit", "timings": {"cache_n": 3}}
ODD = "answers, but not as vLLM's or llama.cpp's servers do"


class Answering(Server):
    def __init__(self, answers: dict) -> None:
        super().__init__(URL, key="none")
        self.answers = {"/props": PROPS, "/v1/models": {"data": [{"meta": {"n_vocab": 2}}]}, **answers}

    def ask(self, method: str, path: str, **_) -> httpx.Response:
        return httpx.Response(200, json=self.answers[path])


@pytest.mark.parametrize(
    "answers",
    [
        {"/props": {"total_slots": 2}},
        {"/props": {**PROPS, "total_slots": None}},
        {"/v1/models": []},
        {"/v1/models": {"data": [{"meta": None}]}},
        {"/tokenize": {}},
        {"/tokenize": {"tokens": [1, 2]}},
        {"/tokenize": {"tokens": [{"piece": None}]}},
    ],
)
def test_another_form_is_told_when_it_connects(answers):
    with pytest.raises(ModelUnavailable, match=ODD):
        LlamaEngine.connect(Answering(answers))


@pytest.mark.parametrize(
    "change",
    [{"tokens": [7] * 9}, {"tokens": [-1]}, {"tokens": "x"}, {"tokens": None}, {"timings": None}, {"timings": {}}],
)
def test_a_slice_that_cannot_be_is_told_and_never_longer_than_was_asked(change):
    assert Slice.of(SLICE, at_most=8) == Slice((7, 8), stops=False, cached=3)
    with pytest.raises(ModelUnavailable, match=ODD), reading(URL):
        Slice.of({**SLICE, **change}, at_most=8)
