"""The endpoints /think and /sweep of the running page, by gradio_client, by plain HTTP and by an MCP client."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import httpx
import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError
from mcp import ClientSession
from mcp.client.streamable_http import streamablehttp_client

from tests.browser.conftest import App
from ui.door import WRONG_CALL


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
    ("endpoint", "values", "sentence"),
    [
        ("think", {"prompt": ""}, "the prompt is empty; type a question first"),
        ("think", {"prompt": 7}, "the prompt is 7; it must be a text"),
        ("think", {"prompt": "word " * 100_000}, "the model holds 32,768"),
        ("think", {"thinking_tokens": 0}, "thinking_tokens is 0; it must be a whole number from 1 to"),
        ("think", {"total_tokens": 520}, "leaves no room for an answer"),
        ("think", {"temperature": "hot"}, "temperature is 'hot'; it must be a number from 0 to 2"),
        ("think", {"hint": 5}, "hint is 5; it must be a text"),
        ("sweep", {"windows": []}, "windows is []; it must be a list of 1 to 16 whole numbers"),
        ("sweep", {"windows": 5}, "windows is 5; it must be a list"),
        ("sweep", {"windows": ["a"]}, "window is 'a'"),
        ("sweep", {"windows": [20, 5]}, "the windows 20 5 do not grow"),
        ("sweep", {"windows": [5, 10**7]}, "lower the window"),
        ("sweep", {"windows": [5], "answer_tokens": 0}, "answer_tokens is 0"),
    ],
)
def test_wrong_input_is_one_sentence(client: Client, endpoint: str, values: dict, sentence: str):
    with pytest.raises(AppError) as error:
        client.predict(**{"prompt": "hello", **values}, api_name=f"/{endpoint}")
    assert sentence in str(error.value)
    assert "Traceback" not in str(error.value)


def test_nan_in_raw_json_is_refused_in_words(fake_app: App):
    url = f"{fake_app.address}gradio_api/call/think"
    data = '{"data": ["hello", 512, 1024, NaN, 1, 0, "system", "hint"]}'
    event = httpx.post(url, content=data, headers={"content-type": "application/json"})
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


def test_a_program_sees_the_trace_grow(client: Client):
    pieces = list(client.submit(prompt="When?", thinking_tokens=60, total_tokens=200, api_name="/think"))
    lengths = [len(piece["trace"]) for piece in pieces]
    assert lengths == sorted(lengths)
    assert 0 < lengths[1] < lengths[-1]
    assert [piece["end_reason"] for piece in pieces] == [None] * (len(pieces) - 1) + ["cut"]
    swept = list(client.submit(prompt="When?", windows=[5, 60], answer_tokens=10, api_name="/sweep"))
    assert 0 < len(swept[1][1]["trace"]) < len(swept[-1][1]["trace"])
    assert {run["end_reason"] for run in swept[-1]} == {"answer_length"}


BY_CLIENT = """
import sys
from gradio_client import Client
address, endpoint = sys.argv[1:]
long = {"thinking_tokens": 30_000, "total_tokens": 32_000} if endpoint == "think" else {"windows": [5, 30_000]}
job = Client(address, verbose=False).submit(prompt="When?", api_name=f"/{endpoint}", **long)
while len(job.outputs()) < 2:
    pass
print("streams", flush=True)
sys.stdin.readline()
job.cancel()
sys.stdin.readline()
"""
BY_HTTP = """
import sys
import httpx
url = f"{sys.argv[1]}gradio_api/call/"
long = {"prompt": "When?", "thinking_tokens": 30_000, "total_tokens": 32_000}
event = httpx.post(f"{url}v2/think", json=long).json()["event_id"]
with httpx.stream("GET", f"{url}think/{event}", timeout=None) as answer:
    for number, line in enumerate(answer.iter_lines()):
        if number == 6:
            print("streams", flush=True)
"""


@contextlib.contextmanager
def program_that_reads(app: App, code: str, endpoint: str) -> Iterator[subprocess.Popen]:
    """Another process that has begun a run of ten minutes, and reads what comes."""
    command = [sys.executable, "-c", code, app.address, endpoint]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout.readline() == "streams\n"
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize(
    ("code", "endpoint", "goes"),
    [
        (BY_CLIENT, "think", "killed"),
        (BY_CLIENT, "think", "cancels"),
        (BY_CLIENT, "sweep", "cancels"),
        (BY_HTTP, "think", "killed"),
    ],
)
def test_the_engine_is_free_when_the_program_is_gone(
    fake_app: App, client: Client, code: str, endpoint: str, goes: str
):
    """It wrote on, to the last of 30,000 tokens, for nobody."""
    with program_that_reads(fake_app, code, endpoint) as program:
        waiting = client.submit(prompt="hello", api_name="/think")
        while not any(piece["waiting"] for piece in waiting.outputs()):
            assert not waiting.done()
            time.sleep(0.05)
        if goes == "cancels":
            program.stdin.write("\n")
            program.stdin.flush()
        else:
            program.kill()
        assert (
            waiting.result(timeout=20)["end_reason"] == "inside"
        )  # 2 s, and the run itself; far less than ten minutes


@pytest.mark.thorough
def test_a_program_that_is_gone_leaves_the_line(fake_app: App, client: Client):
    reads = partial(program_that_reads, fake_app)
    with (  # one runs, two wait
        reads(BY_HTTP, "think"),
        reads(BY_CLIENT, "think"),
        reads(BY_HTTP, "think"),
        pytest.raises(AppError, match="too many are waiting"),
    ):
        client.predict(prompt="hello", api_name="/think")
    time.sleep(2)
    assert client.submit(prompt="hello", api_name="/think").result(timeout=20)["end_reason"] == "inside"


@pytest.mark.parametrize(
    ("path", "body", "told"),
    [
        ("v2/think", {"promt": "hello"}, "Parameter `promt` is not a valid key-word argument"),
        ("v2/think", {"seed": 1}, "No value provided for required argument: prompt"),
        ("think_in", {"data": []}, WRONG_CALL),
    ],
)
def test_a_call_that_does_not_fit_is_told_why(fake_app: App, path: str, body: object, told: str):
    """The log held a trace of Gradio's, and the answer no word."""
    answer = httpx.post(f"{fake_app.address}gradio_api/call/{path}", json=body)
    assert answer.status_code == 400
    assert answer.json()["detail"].startswith(told)
    assert answer.json()["detail"].endswith("gradio_api/openapi.json describes the calls for programs")
    assert "Traceback" not in fake_app.log.read_text()


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
    assert "The most tokens the model may think" in schema
    assert "answer_length" in thought
    assert "thinking_tokens" in swept


def test_nothing_else_is_offered_to_programs(client: Client):
    assert list(client.view_api(return_format="dict")["named_endpoints"]) == ["/think", "/sweep"]
