"""The /think endpoint of the running page, by gradio_client and by plain HTTP."""

from __future__ import annotations

import contextlib
import time

import httpx
import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError

from tests.browser.conftest import App


@pytest.fixture(scope="module")
def client(fake_app: App) -> Client:
    client = Client(fake_app.address, verbose=False)
    for _ in range(50):
        with contextlib.suppress(AppError):  # "the model is not ready"
            client.predict(prompt="hello", api_name="/think")
            return client
        time.sleep(0.2)
    pytest.fail("the scripted engine does not become ready")


def test_think_returns_the_record_of_the_run(client: Client):
    result = client.predict(prompt="When does it arrive?", thinking_tokens=20, total_tokens=100, api_name="/think")
    assert result["end_reason"] == "cut"
    assert len(result["trace_ids"]) == 20
    assert len(result["trace_ids"]) + len(result["hint_ids"]) + len(result["answer_ids"]) <= 100


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"prompt": ""}, "the prompt is empty; type a question first"),
        ({"prompt": 7}, "the prompt is 7; it must be a text"),
        ({"prompt": "word " * 100_000}, "the model holds 32,768"),
        ({"thinking_tokens": 0}, "window (thinking tokens) is 0; it must be a whole number of at least 1"),
        ({"thinking_tokens": -5}, "window (thinking tokens) is -5"),
        ({"thinking_tokens": "abc"}, "window (thinking tokens) is 'abc'"),
        ({"thinking_tokens": None}, "window (thinking tokens) is None"),
        ({"total_tokens": 0}, "total tokens is 0"),
        ({"total_tokens": 520}, "leaves no room for an answer"),
        ({"thinking_tokens": 10**6, "total_tokens": 10**7}, "lower the window or the total by"),
        ({"temperature": 9}, "temperature is 9; it must be a number from 0 to 2"),
        ({"temperature": "hot"}, "temperature is 'hot'"),
        ({"top_p": 0}, "top-p is 0; it must be a number above 0 and at most 1"),
        ({"seed": -1}, "seed is -1"),
        ({"hint": ""}, "the hint is empty"),
        ({"hint": 5}, "the hint is 5; it must be a text"),
        ({"system": 3}, "the system prompt is 3; it must be a text"),
    ],
)
def test_wrong_input_is_one_sentence(client: Client, values: dict, sentence: str):
    with pytest.raises(AppError) as error:
        client.predict(**{"prompt": "hello", **values}, api_name="/think")
    assert sentence in str(error.value)
    assert "Traceback" not in str(error.value)


@pytest.mark.parametrize("place", [1, 2, 3, 4])
def test_nan_in_raw_json_is_refused_in_words(fake_app: App, place: int):
    data = ['"hello"', "512", "1024", "0", "1", "0", '"system"', '"hint"']
    data[place] = "NaN"
    url = f"{fake_app.address}gradio_api/call/think"
    event = httpx.post(url, content=f'{{"data": [{",".join(data)}]}}', headers={"content-type": "application/json"})
    answer = httpx.get(f"{url}/{event.json()['event_id']}", timeout=20).text if event.is_success else event.text
    assert "error" in answer
    assert "nan" in answer
    assert "it must be a" in answer


def test_only_think_is_offered_to_programs(client: Client):
    assert list(client.view_api(return_format="dict")["named_endpoints"]) == ["/think"]
