"""The endpoints /think and /sweep of the running page, by gradio_client, by plain HTTP and by an MCP client."""

from __future__ import annotations

import asyncio
import contextlib
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError
from mcp import ClientSession
from mcp.client.streamable_http import streamablehttp_client

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
        ({"thinking_tokens": None}, "window (thinking tokens) is empty"),
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


def test_sweep_answers_at_every_window(client: Client):
    runs = client.predict(prompt="When?", windows=[5, 20, 60], answer_tokens=10, api_name="/sweep")
    assert [(run["thinking_tokens"], len(run["trace_ids"])) for run in runs] == [(5, 5), (20, 20), (60, 60)]
    assert runs[2]["trace_ids"][:20] == runs[1]["trace_ids"]
    alone = client.predict(prompt="When?", thinking_tokens=20, total_tokens=200, api_name="/think")
    assert alone["answer_ids"][:10] == runs[1]["answer_ids"]


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"windows": []}, "windows is []; it must be a list of 1 to 16 whole numbers"),
        ({"windows": 5}, "windows is 5; it must be a list"),
        ({"windows": ["a"]}, "window (thinking tokens) is 'a'"),
        ({"windows": [20, 5]}, "the windows 20 5 do not grow"),
        ({"windows": [5, 10**7]}, "lower the window"),
        ({"answer_tokens": 0}, "answer tokens is 0"),
        ({"prompt": " "}, "the prompt is empty"),
    ],
)
def test_a_wrong_sweep_is_one_sentence(client: Client, values: dict, sentence: str):
    with pytest.raises(AppError) as error:
        client.predict(**{"prompt": "hello", "windows": [5], **values}, api_name="/sweep")
    assert sentence in str(error.value)
    assert "Traceback" not in str(error.value)


def test_an_mcp_client_thinks_and_sweeps(fake_app: App, client: Client):
    async def use() -> tuple[str, str, str]:
        async with (
            streamablehttp_client(f"{fake_app.address}gradio_api/mcp/") as (read, write, _),
            ClientSession(read, write) as session,
        ):
            await session.initialize()
            tools = {tool.name: tool for tool in (await session.list_tools()).tools}
            think = next(name for name in tools if name.endswith("think"))
            sweep = next(name for name in tools if name.endswith("sweep"))
            thought = await session.call_tool(think, {"prompt": "When?", "thinking_tokens": 20, "total_tokens": 60})
            swept = await session.call_tool(sweep, {"prompt": "When?", "windows": [5, 20]})
            return str(tools[think].inputSchema), thought.content[0].text, swept.content[0].text

    with ThreadPoolExecutor(1) as thread:  # the browser tests' own event loop runs on the main thread
        schema, thought, swept = thread.submit(asyncio.run, use()).result(timeout=60)
    assert "the most tokens the model may think" in schema
    assert "answer_length" in thought
    assert "thinking_tokens" in swept


def test_nothing_else_is_offered_to_programs(client: Client):
    assert list(client.view_api(return_format="dict")["named_endpoints"]) == ["/think", "/sweep"]
