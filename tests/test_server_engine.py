"""A model server as an engine: what it is asked for, what can be wrong with it, and what its death does.

The server is a real one on loopback that writes the scripted engine's tokens; test_server.py has a real vLLM.
"""

from __future__ import annotations

import asyncio
import base64
import json
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, aclosing

import pytest
from starlette.responses import JSONResponse, RedirectResponse
from tokenizers import Tokenizer, models, pre_tokenizers

from tests.stub_server import MODEL, StubServer, until
from tests.tokenizer_files import write_tokenizer
from z1_core.engines import server as module
from z1_core.engines.calls import Server
from z1_core.engines.fake import FakeEngine, small_text
from z1_core.engines.server import ServerEngine
from z1_core.engines.tokenizer_text import TokenizerText
from z1_core.errors import BadInput, EngineDead, ModelUnavailable, Z1Error
from z1_core.prompt import chat
from z1_core.thinking import Transcript, collect, generate, think
from z1_core.window import Sampling, Window

LONG, SHORT = "When does the train arrive?", "Hello"
SMALL = Window(thinking_tokens=20, answer_tokens=200)


@pytest.fixture(autouse=True)
def impatient(monkeypatch) -> None:
    monkeypatch.setattr(module, "RETRIES", 0)


@pytest.fixture
def serve() -> Iterator[Callable[..., StubServer]]:
    """Starts servers with the manners that a test names, and stops them after it."""
    started: list[StubServer] = []

    def make(**manners) -> StubServer:
        server = StubServer(**manners)
        server.start()
        started.append(server)
        return server

    yield make
    for server in started:
        server.stop()


def connect(server: StubServer, **options) -> ServerEngine:
    engine = ServerEngine.start(server.url, **options)
    server.forget()
    return engine


def prompt(engine: ServerEngine, question: str = LONG) -> list[int]:
    return engine.text.render(chat(question))


async def generated(engine: ServerEngine, max_tokens: int | None, question: str = LONG, **fields) -> list[int]:
    sampling = Sampling(max_tokens=max_tokens, **fields)
    async with aclosing(generate(engine, prompt(engine, question), sampling)) as deltas:
        return [id_ async for delta in deltas for id_ in delta.ids]


# What it does with a good server


async def test_a_run_on_a_server_is_that_of_the_engine_behind_it(serve):
    server = serve()
    engine = connect(server)
    window = Window(thinking_tokens=60, answer_tokens=200)
    for question, end_reason in ((LONG, "cut"), (SHORT, "inside")):
        there = await collect(engine, prompt(engine, question), window)
        here = await collect(server.engine, prompt(engine, question), window)
        assert there.end_reason == end_reason
        assert (there.trace_ids, there.trace) == (here.trace_ids, here.trace)
        assert (there.hint_ids, there.answer_ids, there.answer) == (here.hint_ids, here.answer_ids, here.answer)


async def test_every_setting_is_sent_so_that_no_default_of_the_model_slips_in(serve):
    server = serve()
    engine = connect(server)
    await generated(engine, 3)
    await generated(engine, 3, temperature=0.7, top_p=0.9, seed=5, extra=(("repetition_penalty", 1.3), ("top_k", 9)))
    greedy, drawn = server.bodies
    assert (greedy["temperature"], greedy["top_p"], greedy["top_k"], greedy["min_p"]) == (0.0, 1.0, -1, 0.0)
    assert (greedy["repetition_penalty"], greedy["presence_penalty"], greedy["frequency_penalty"]) == (1.0, 0.0, 0.0)
    assert "seed" not in greedy
    assert (drawn["temperature"], drawn["top_p"], drawn["seed"]) == (
        0.7,
        0.9,
        Sampling(seed=5).seed_at(len(prompt(engine))),
    )
    assert (drawn["repetition_penalty"], drawn["top_k"]) == (1.3, 9)
    assert {body["model"] for body in server.bodies} == {MODEL}


async def test_one_reader_gets_each_token_and_many_get_them_bundled(serve):
    server = serve()
    engine = connect(server)
    await asyncio.gather(*(generated(engine, 20) for _ in range(32)))
    bundles = [body.get("stream_interval", 1) for body in server.bodies]
    assert sorted(bundles) == [*sorted([1, 2, 3, 4, 5, 6, 7] * 4), *[8] * 4]
    server.forget()
    await generated(engine, 3)
    assert "stream_interval" not in server.bodies[0]


async def test_ids_that_a_server_leaves_out_are_noticed(serve):
    """A run would go on from other tokens than were written."""
    engine = connect(serve(leaves_out=True, engine=FakeEngine(lambda _: "Up 🚀 and away.", context_tokens=2048)))
    with pytest.raises(Z1Error, match=r"told the ids of \d+ of the \d+ tokens .*: use vLLM 0.29 or newer"):
        await generated(engine, 200)
    with pytest.raises(Z1Error, match="told the ids of"):
        await collect(engine, prompt(engine), SMALL)


@pytest.mark.parametrize("path", ["", "/", "/v1", "/v1/ \n"])
async def test_address_and_key_may_be_given_in_any_of_their_forms(serve, monkeypatch, path):
    server = serve(key="secret")
    monkeypatch.setenv("OPENAI_API_KEY", "of something else")
    monkeypatch.setenv("Z1_API_KEY", " secret\n")
    engine = ServerEngine.start(server.url + path, max_model_len=512)
    assert (engine.name, engine.context_tokens) == ("model-1b", 512)
    await generated(engine, 2)
    assert server.headers[-1]["authorization"] == "Bearer secret"


async def test_a_login_in_the_address_is_sent_and_never_shown(serve):
    server = serve()
    engine = ServerEngine.start(server.url.replace("//", "//me:p%40ss@"))
    await generated(engine, 2)
    assert server.headers[-1]["authorization"] == "Basic " + base64.b64encode(b"me:p@ss").decode()
    await asyncio.to_thread(server.stop)
    with pytest.raises(EngineDead, match="cannot be reached") as caught:
        await generated(engine, 2)
    assert "ss@" not in str(caught.value)
    server.start()


@pytest.mark.parametrize("key", ["k\u00e9y", "two\nlines"])
def test_a_key_that_no_header_can_carry_is_told(serve, monkeypatch, key):
    monkeypatch.setenv("Z1_API_KEY", key)
    with pytest.raises(BadInput, match=r"the key .* holds signs that no key has"):
        connect(serve())


async def test_a_busy_server_is_asked_again_before_anything_has_come_and_never_after(serve, monkeypatch):
    server = serve()
    monkeypatch.setattr(module, "RETRIES", 2)
    engine = connect(server)
    server.failures_left = 2
    assert len(await generated(engine, 5)) == 5
    assert len(server.bodies) == 3
    server.forget()
    server.cut_after = 3
    with pytest.raises(EngineDead, match="broke off in the middle"):  # as a proxy cuts it
        await generated(engine, 9)
    assert len(server.bodies) == 1
    server.refuses = (400, "min_tokens must be at most max_tokens. More words.")
    with pytest.raises(BadInput, match=r"the engine refuses the request: min_tokens must be at most max_tokens$"):
        await generated(engine, 9)


@pytest.mark.parametrize("after", [0, 1, 5])
async def test_a_closed_stream_ends_the_request_on_the_server(serve, after):
    server = serve()
    engine = connect(server)
    stream = generate(engine, prompt(engine), Sampling(max_tokens=2000))
    for _ in range(after):
        await anext(stream)
    assert (engine.active, server.engine.active) == (min(after, 1), min(after, 1))
    server.engine.seconds_per_token = 3600
    await stream.aclose()
    assert engine.active == 0
    await until(lambda: server.engine.active == 0)


# Its tokenizer


@pytest.mark.parametrize("where", ["root", "named"])
def test_a_tokenizer_at_hand_is_taken_and_compared(serve, tmp_path, where):
    write_tokenizer(tmp_path)
    server = serve(root=str(tmp_path) if where == "root" else MODEL)
    engine = connect(server, tokenizer=str(tmp_path) if where == "named" else None)
    assert isinstance(engine.text, TokenizerText)
    assert engine.text.render(chat("Hello")) == small_text().render(chat("Hello"))
    assert engine.text.eos_id == small_text().eos_id


def test_the_tokenizer_of_another_model_is_noticed(serve, tmp_path):
    other = Tokenizer(models.BPE())
    other.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    write_tokenizer(tmp_path, other)
    with pytest.raises(ModelUnavailable, match=r"is not that of the served model.*name the right one with --tokenizer"):
        connect(serve(), tokenizer=str(tmp_path))


def test_without_any_tokenizer_the_remedy_is_named(serve):
    with pytest.raises(ModelUnavailable, match=r"cannot be had here; name it with --tokenizer HUB_ID"):
        connect(serve(root=MODEL))


# What can be wrong when it starts: one sentence, with the remedy


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("localhost:8000", "write it like http://127.0.0.1:8000"),
        ("http://", "write it like http://127.0.0.1:8000"),
        ("http://127.0.0.1:80a", "write it like http://127.0.0.1:8000"),
        ("http://x\x01y:8000", "write it like http://127.0.0.1:8000"),
        ("http://127.0.0.1:99999", "write it like http://127.0.0.1:8000"),
        ("http://127.0.0.1:9", "cannot be reached .*z1_core.serve.* or check --server-url"),
        ("http://no-such-host.invalid:8000", "cannot be reached .*check --server-url"),
    ],
)
def test_a_wrong_address_is_told(url, words):
    with pytest.raises(Z1Error, match=words) as caught:
        ServerEngine.start(url)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("manners", "options", "words"),
    [
        ({"key": "secret"}, {}, "refuses the key; .* Z1_API_KEY"),
        ({"is_a_web_page": True}, {}, "answers, but not as vLLM's or llama.cpp's servers do"),
        ({"models": ("a/one", "a/two")}, {}, "serves a/one, a/two; name one of them with --model"),
        ({"models": ()}, {}, "serves no model at the moment; load one there"),
        ({}, {"model": "nothing"}, f"serves no model nothing, but {MODEL}; name that with --model"),
        ({"context_tokens": None}, {}, "does not tell the context.*--max-model-len"),
        ({"refuses": (500, "boom")}, {}, r"failed on this request \(boom\); try it again"),
        ({"refuses": (429, "slow down")}, {}, r"failed on this request \(slow down\); try it again"),
        ({}, {"max_model_len": 4096}, "--max-model-len is 4,096, but the server holds 2,048 tokens; lower it"),
        ({"tells_ids": False}, {}, "does not tell the token ids of its answers.*use vLLM"),
        (
            {"refuses": (400, "prompt must be a string")},
            {},
            "takes no prompt of token ids.*must be a string.*vllm serve",
        ),
        ({"refuses": (404, "no such route")}, {}, r"has no such address or model \(no such route\)"),
        ({"refuses": (503, "loading")}, {}, "cannot answer now .*it is starting, or it has stopped"),
        ({"counts_as": 99}, {}, "counts 99 tokens in a prompt of .* token ids"),
        ({"cut_after": 4}, {}, "broke off in the middle.*proxy"),
    ],
)
def test_what_a_server_lacks_is_told_in_one_sentence(serve, manners, options, words):
    with pytest.raises(Z1Error, match=words) as caught:
        connect(serve(**manners), **options)
    assert "\n" not in str(caught.value)


ODD_LISTS = [{"data": [{"root": "x"}]}, {"data": None}, [], "x", {"data": [{"id": "m", "max_model_len": "many"}]}]
ODD_PIECES = [{"token_ids": ["7"]}, {"token_ids": [-1]}, {"token_ids": [1.0]}, {"token_ids": [[7]]}, {"text": 5}]


@pytest.mark.parametrize("listed", ODD_LISTS)
def test_a_model_list_of_another_form_is_told(serve, monkeypatch, listed):
    async def list_models(self, request):
        return JSONResponse(listed)

    monkeypatch.setattr(StubServer, "list_models", list_models)
    with pytest.raises(ModelUnavailable, match="answers, but not as vLLM's"):
        connect(serve())


@pytest.mark.parametrize("event", [*({"choices": [piece]} for piece in ODD_PIECES), None, {"choices": "x"}])
@pytest.mark.parametrize("when", ["at the start", "later"])
async def test_an_answer_of_another_form_is_told(serve, monkeypatch, event, when):
    async def events(self, body):
        yield f"data: {json.dumps(event)}\n\n"

    server = serve()
    engine = connect(server) if when == "later" else None
    monkeypatch.setattr(StubServer, "events", events)
    with pytest.raises(ModelUnavailable, match="answers, but not as vLLM's"):
        await generated(engine, 5) if engine else connect(server)


def test_a_server_that_ignores_stream_is_told_when_it_connects(serve, monkeypatch):
    async def complete(self, request):
        return JSONResponse({"choices": [{"text": "x", "token_ids": [7], "finish_reason": "length"}]})

    monkeypatch.setattr(StubServer, "complete", complete)
    with pytest.raises(ModelUnavailable, match="answers, but not as vLLM's"):
        connect(serve())


async def test_a_window_is_never_longer_because_a_server_writes_on(serve, monkeypatch):
    written = StubServer.events

    async def events(self, body):
        async for each in written(self, {**body, "max_tokens": body["max_tokens"] + 3}):
            yield each

    engine = connect(serve())
    monkeypatch.setattr(StubServer, "events", events)
    with pytest.raises(Z1Error, match="wrote more than the 20 tokens it was asked for; use one that keeps to"):
        await collect(engine, prompt(engine), SMALL)


async def test_what_a_server_leaves_out_of_its_usage_is_not_0(serve, monkeypatch):
    written = StubServer.events

    async def events(self, body):
        async for each in written(self, body):
            yield each if "usage" not in each else 'data: {"choices": null, "usage": {"completion_tokens": null}}\n\n'

    monkeypatch.setattr(StubServer, "events", events)
    await generated(connect(serve()), 2)


def test_a_server_that_redirects_is_told(serve, monkeypatch):
    async def list_models(self, request):
        return RedirectResponse("/v1/models")

    monkeypatch.setattr(StubServer, "list_models", list_models)
    with pytest.raises(ModelUnavailable, match="redirects its calls elsewhere"):
        connect(serve())


def test_a_server_that_speaks_no_tls_is_told_apart(serve):
    server = serve()
    with pytest.raises(ModelUnavailable, match="does not speak TLS as expected; try http://"):
        ServerEngine.start(server.url.replace("http:", "https:"))


def test_an_untrusted_certificate_is_told_and_can_be_trusted(serve, tmp_path, monkeypatch):
    certificate, private = tmp_path / "cert.pem", tmp_path / "key.pem"
    command = (
        "openssl req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1"
    )
    paths = ["-keyout", str(private), "-out", str(certificate)]
    subprocess.run([*command.split(), *paths], check=True, capture_output=True)
    server = serve(tls={"ssl_certfile": str(certificate), "ssl_keyfile": str(private)})
    with pytest.raises(ModelUnavailable, match=r"certificate of https://.* is not trusted here.*SSL_CERT_FILE"):
        connect(server)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    assert connect(server).context_tokens == 2048


# What goes wrong later


async def test_a_server_killed_in_mid_answer_is_told_and_the_text_so_far_stays(serve):
    server = serve()
    engine = connect(server)
    transcript = Transcript(prompt(engine))

    async def run_until_the_server_is_killed() -> None:
        async with aclosing(think(engine, transcript.prompt_ids, Window(thinking_tokens=1500, answer_tokens=9))) as run:
            async for chunk in run:
                transcript.add(chunk)
                if transcript.tokens["trace"] == 10:
                    await asyncio.to_thread(server.stop)

    with pytest.raises(EngineDead, match=r"broke off in the middle.*what was written until then is kept"):
        await run_until_the_server_is_killed()
    done = transcript.completion("error")
    assert len(done.trace_ids) >= 10
    assert done.trace.startswith("To find the arrival time")
    assert engine.active == 0
    with pytest.raises(EngineDead, match="cannot be reached"):
        await engine.check_health()
    with pytest.raises(EngineDead, match="cannot be reached"):
        await generated(engine, 3)
    server.start()
    await engine.check_health()
    assert len(await generated(engine, 5)) == 5, "the next stream works when it is back"


async def test_a_server_that_falls_silent_is_given_up(serve, monkeypatch):
    server = serve()
    monkeypatch.setattr(module, "SILENCE_S", 0.3)
    engine = connect(server)
    server.engine.seconds_per_token = 5
    with pytest.raises(EngineDead, match="has sent nothing for too long"):
        await generated(engine, 9)
    assert engine.active == 0


async def test_runs_on_an_engine_that_is_closed_end_in_words(serve):
    server = serve()
    engine = connect(server)
    server.engine.seconds_per_token = 0.05
    running = asyncio.ensure_future(generated(engine, 500))
    await until(lambda: engine.active == 1 and bool(server.bodies))
    await engine.close()
    with pytest.raises(EngineDead):
        await asyncio.wait_for(running, 30)
    with pytest.raises(EngineDead, match="the model was closed while this ran; send it again"):
        await generated(engine, 3)


@pytest.mark.parametrize(("healthy", "kind", "words"), [(True, Z1Error, "stumbled"), (False, EngineDead, "stopped")])
async def test_an_error_in_a_stream_is_the_requests_or_the_engines(serve, healthy, kind, words):
    server = serve()
    engine = connect(server)
    server.error_after, server.healthy = 2, healthy
    with pytest.raises(kind, match=words) as caught:
        await generated(engine, 9)
    assert type(caught.value) is kind


# Which replica


async def test_a_run_goes_where_there_is_least_to_do_and_its_answers_go_where_it_is(serve):
    engine = connect(serve(ranks=3))
    async with AsyncExitStack() as runs:
        first, second, third = [await runs.enter_async_context(engine.session(100)) for _ in range(3)]
        assert [first.rank, second.rank, third.rank] == [0, 1, 2]
        beside = await runs.enter_async_context(engine.session(100, beside=second))
        assert beside.rank == 1
        assert beside.headers["X-data-parallel-rank"] == second.headers["X-data-parallel-rank"] == "1"
        assert beside.headers["X-Session-ID"] != second.headers["X-Session-ID"]
        busiest = await runs.enter_async_context(engine.session(100))
        assert busiest.rank == 0
    async with engine.session(100) as later:
        assert later.rank == 0  # all are free again


@pytest.mark.parametrize("ranks", [1, 4])
async def test_both_phases_name_the_same_session_and_rank(serve, ranks):
    server = serve(ranks=ranks)
    engine = connect(server)
    await asyncio.gather(*(collect(engine, prompt(engine, f"{LONG} {number}"), SMALL) for number in range(4)))
    by_session: dict[str, list[str | None]] = {}
    for headers in server.headers:
        by_session.setdefault(headers["x-session-id"], []).append(headers.get("x-data-parallel-rank"))
    assert sorted(map(len, by_session.values())) == [2, 2, 2, 2]
    assert all(first == second for first, second in by_session.values())
    used = {rank for pair in by_session.values() for rank in pair}
    assert used == ({None} if ranks == 1 else {"0", "1", "2", "3"})


# On the command line


def test_our_own_process_is_asked_on_a_new_connection_each_time():
    """Its server closes an idle one when it likes: a stale one ended a run, and the engine with it, on a busy machine."""

    def connections(server: Server) -> int:
        return len({server.ask("GET", "/health").text for _ in range(3)})

    with StubServer() as stub:
        assert connections(Server(stub.url, key="k", gone="it has ended")) == 3
        assert connections(Server(stub.url, key="k")) == 1
