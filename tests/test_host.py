"""The engine behind a page: started in the background, watched, started again, changed, and heard from another loop."""

import asyncio
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import aclosing, suppress

import psutil
import pytest

from z1_core import host as host_module
from z1_core import loop_thread
from z1_core.engines.fake import FakeEngine
from z1_core.engines.llama import LlamaEngine
from z1_core.errors import BadInput, EngineDead, ModelUnavailable
from z1_core.host import EngineHost
from z1_core.loop_thread import LoopThread
from z1_core.models import embedded_file
from z1_core.thinking import collect, think
from z1_core.window import HINT, Window

WINDOW = Window(thinking_tokens=20, answer_tokens=50)


@pytest.fixture
def hosted() -> Iterator[Callable[..., EngineHost]]:
    """Makes hosts and closes them at the end."""
    hosts: list[EngineHost] = []

    def make(start_engine, **options) -> EngineHost:
        hosts.append(EngineHost(start_engine, **options))
        return hosts[-1]

    yield make
    for host in hosts:
        host.close()


@pytest.fixture
def running(hosted) -> Callable[..., EngineHost]:
    """Makes hosts whose engine is ready."""

    def make(start_engine, **options) -> EngineHost:
        host = hosted(start_engine, **options)
        host.start()
        wait_for(host, "ready")
        return host

    return make


@pytest.fixture
def engine_loop() -> Iterator[LoopThread]:
    thread = LoopThread()
    yield thread
    thread.close()


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.005)


async def eventually(condition: Callable[[], bool]) -> None:
    await asyncio.to_thread(wait_until, condition)


def wait_for(host: EngineHost, state: str) -> str:
    wait_until(lambda: host.status().state == state)
    return host.status().text


class Models:
    """Starts an engine for each model that is named, as start_engine does. engines: all that were started, in order.

    refused: model -> what starting it raises. may_load: until it is set, none gets ready. downloads: models that have to
    be downloaded, in two pieces, each of which waits for may_go_on.
    """

    def __init__(self) -> None:
        self.engines: list[FakeEngine] = []
        self.asked: list[str | None] = []
        self.refused: dict[str | None, Exception] = {}
        self.may_load = threading.Event()
        self.may_load.set()
        self.downloads: set[str] = set()
        self.may_go_on = threading.Semaphore(0)
        self.pace_s = 0.0

    def __call__(self, report, *, model=None, progress=None) -> FakeEngine:
        self.asked.append(model)
        if model in self.downloads:
            report(f"downloading {model}")
            for so_far in (0, 40, 100):
                progress(so_far, 100)
                assert self.may_go_on.acquire(timeout=30)
        report(f"loading {model}")
        assert self.may_load.wait(30)
        if model in self.refused:
            raise self.refused[model]
        self.engines.append(FakeEngine(seconds_per_token=self.pace_s))
        self.engines[-1].name = model or "small"
        return self.engines[-1]


@pytest.fixture
def models(monkeypatch) -> Models:
    monkeypatch.setattr(host_module, "WATCH_EVERY_S", 0.01)
    monkeypatch.setattr(host_module, "IDLE_LOOK_S", 0.01)
    return Models()


# Starting


def test_the_engine_starts_in_the_background_tells_its_stages_and_is_warm_when_it_is_ready(hosted, models):
    models.may_load.clear()
    host = hosted(models)
    assert (host.status().state, host.status().text) == ("failed", "not started")
    host.start()  # returns while the engine still starts
    wait_until(lambda: host.status().text == "loading None")
    assert host.status().state == "starting"
    with pytest.raises(EngineDead, match="the model is not ready: loading None"):
        host.engine()
    models.may_load.set()
    assert wait_for(host, "ready") == "small is ready"
    (engine,) = models.engines
    (warm_up,) = engine.requests
    assert (host.engine(), engine.active) == (engine, 0)
    assert warm_up.sampling.max_tokens < 10


def test_starting_twice_starts_one_engine(hosted, models):
    models.may_load.clear()
    host = hosted(models)
    callers = [threading.Thread(target=host.start) for _ in range(8)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    models.may_load.set()
    wait_for(host, "ready")
    host.start()
    assert (len(models.asked), host.status().state) == (1, "ready")


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (ModelUnavailable("the Hub knows no model a/b"), "the Hub knows no model a/b"),
        (KeyError("x"), host_module.FAULT),
    ],
)
def test_a_failed_start_is_told_in_words_and_can_be_tried_again(hosted, models, caplog, error, told):
    models.refused[None] = error
    host = hosted(models)
    host.start()
    assert wait_for(host, "failed") == told
    assert ("KeyError" in caplog.text) == isinstance(error, KeyError), "a fault of the program is logged with its trace"
    del models.refused[None]
    host.start()
    wait_for(host, "ready")


def test_an_engine_that_dies_while_warming_up_is_a_failed_start(hosted):
    class StillBorn(FakeEngine):
        def stream(self, prompt_ids, sampling):
            self.dead = True
            return super().stream(prompt_ids, sampling)

    host = hosted(lambda report: StillBorn())
    host.start()
    assert "start it again" in wait_for(host, "failed")


# Dying


def test_a_dead_engine_is_noticed_closed_and_only_then_followed_by_another(running):
    """As often as it dies."""
    alive, engines = [], []

    class Counted(FakeEngine):
        async def close(self):
            alive.remove(self)

    def start(report):
        assert alive == []
        engines.append(Counted())
        alive.append(engines[-1])
        return engines[-1]

    host = running(start)
    for count in (2, 3):
        engines[-1].dead = True
        wait_for(host, "failed")
        with pytest.raises(EngineDead, match="the engine has stopped; start it again"):
            host.engine()
        host.start()
        wait_for(host, "ready")
        assert (len(engines), host.engine()) == (count, engines[-1])
    assert host.thread.run(collect(host.engine(), [5, 6, 7], WINDOW)).end_reason == "cut"


def test_an_engine_elsewhere_is_looked_for_until_it_is_back(caplog):
    """Quietly: one line in the log, and the status says what is wrong until the engine is ready again."""
    engines, is_away = [], threading.Event()

    def start(report):
        report("asking")
        if is_away.is_set():
            raise EngineDead("nothing listens there")
        engines.append(FakeEngine())
        return engines[-1]

    host = EngineHost(start, look_again_s=0.02)
    is_away.set()
    host.start()
    assert wait_for(host, "failed") == "nothing listens there; this is tried again by itself"
    states = set()
    for _ in range(100):
        states.add(host.status().text)
        time.sleep(0.002)
    assert states == {"nothing listens there; this is tried again by itself"}
    assert caplog.text.count("nothing listens there") == 1
    is_away.clear()
    wait_for(host, "ready")
    engines[0].dead = True  # it stays away for a while, and comes back
    wait_for(host, "failed")
    wait_for(host, "ready")
    assert host.engine() is engines[1]
    assert host.thread.run(collect(host.engine(), [5, 6, 7], WINDOW)).end_reason == "cut"
    is_away.set()
    engines[1].dead = True
    wait_for(host, "failed")
    host.close()
    time.sleep(0.1)
    assert len(engines) == 2  # a closed host looks for nothing


def test_closing_closes_the_engine_ends_its_thread_and_may_be_repeated():
    host = EngineHost(lambda report: FakeEngine())
    host.start()
    wait_for(host, "ready")
    engine = host.engine()
    host.close()
    host.close()
    assert engine.dead
    assert host.status().state == "failed"
    assert "engine-loop" not in {thread.name for thread in threading.enumerate()}


# Starting again by itself


def test_an_engine_that_dies_is_started_again_at_once_and_says_why(running, models):
    host = running(models, restarts=True)
    for count in (2, 3):  # as often as it dies
        models.may_load.clear()
        models.engines[-1].dead = True
        assert wait_for(host, "starting") == "starting again: the engine has stopped"
        with pytest.raises(EngineDead, match="starting again: the engine has stopped"):
            host.engine()
        models.may_load.set()
        wait_for(host, "ready")
        assert len(models.engines) == count
    assert host.thread.run(collect(host.engine(), [5, 6, 7], WINDOW)).end_reason == "cut"


@pytest.mark.parametrize("error", [ModelUnavailable("it was killed while it loaded"), EngineDead("gone while loading")])
def test_an_engine_that_dies_while_it_loads_waits_for_somebody_to_start_it(running, models, error):
    host = running(models, restarts=True)
    models.refused[None] = error
    models.engines[0].dead = True
    assert wait_for(host, "failed") == str(error)
    time.sleep(0.1)
    assert len(models.asked) == 2
    del models.refused[None]
    host.start()
    wait_for(host, "ready")


def test_the_real_process_may_be_killed_in_any_phase_of_a_run_and_while_it_loads(hosted):
    def start(report) -> LlamaEngine:
        return LlamaEngine.start(embedded_file(), max_model_len=1024)

    async def killed_in(phase: str) -> list[str]:
        phases = []
        async for chunk in think(host.engine(), host.engine().text.encode("Once upon a time"), WINDOW):
            phases.append(chunk.phase)
            if chunk.phase == phase:
                os.kill(host.engine().process.pid, signal.SIGKILL)
        return phases

    host = hosted(start, restarts=True)
    host.start()
    for phase in ("trace", "hint", "answer"):  # the hint is between the phases
        wait_for(host, "ready")
        with pytest.raises(EngineDead, match=r"the engine's process has ended \(killed, or out of memory\)"):
            host.thread.run(killed_in(phase))
        assert wait_for(host, "starting").startswith("starting again: the engine's process has ended (killed")
    children = psutil.Process().children
    wait_until(lambda: any("llama_child.py" in " ".join(child.cmdline()) for child in children()))
    next(child for child in children() if "llama_child.py" in " ".join(child.cmdline())).kill()
    assert "its process was killed while it loaded" in wait_for(host, "failed")
    host.start()
    wait_for(host, "ready")
    prompt_ids = host.engine().text.encode("Once upon a time")
    assert host.thread.run(collect(host.engine(), prompt_ids, WINDOW)).end_reason in ("cut", "answer_length")


# Going over to another model


def wait_for_choice(host: EngineHost, state: str) -> str:
    wait_until(lambda: host.choice is not None and host.choice.state == state)
    return host.choice.text


def test_a_chosen_model_takes_the_place_of_the_old_one_which_answers_until_then(running, models):
    host = running(models)
    models.may_load.clear()
    host.choose("large")
    assert wait_for_choice(host, "loading") in ("looking for large", "loading large")
    assert host.status().text == "small is ready"
    assert host.thread.run(collect(host.engine(), [5, 6, 7], WINDOW)).end_reason == "cut"
    models.may_load.set()
    assert wait_for_choice(host, "done") == "the page uses large now"
    assert (host.status().state, host.status().text, host.model) == ("ready", "large is ready", "large")
    small, large = models.engines
    assert host.engine() is large
    assert large.requests[0].sampling.max_tokens < 10, "it has been warmed up"
    wait_until(lambda: small.dead)
    assert not large.dead


def test_a_run_on_the_old_model_ends_there(running, models):
    models.pace_s = 0.01
    host = running(models)
    small = host.engine()
    window = Window(thinking_tokens=60, answer_tokens=30)
    running = asyncio.run_coroutine_threadsafe(collect(small, [5, 6, 7], window), host.thread.loop)
    wait_until(lambda: small.active == 1)
    host.choose("large")
    wait_for_choice(host, "done")
    assert not small.dead
    assert running.result(30).end_reason in ("cut", "answer_length")
    wait_until(lambda: small.dead)


def test_a_run_without_an_end_does_not_keep_the_old_model_for_ever(running, models, monkeypatch):
    monkeypatch.setattr(host_module, "PATIENCE_S", 0.3)
    models.pace_s = 0.01
    host = running(models)
    small = host.engine()
    window = Window(thinking_tokens=5000, answer_tokens=30)
    running = asyncio.run_coroutine_threadsafe(collect(small, [5, 6, 7], window), host.thread.loop)
    wait_until(lambda: small.active == 1)
    host.choose("large")
    with pytest.raises(EngineDead):
        running.result(30)


def test_token_ids_of_another_model_are_refused(running, models):
    host = running(models)
    assert host.engine(named="small") is models.engines[0]
    host.choose("large")
    wait_for_choice(host, "done")
    with pytest.raises(BadInput, match="this was begun on small, and large runs now; run it again"):
        host.engine(named="small")


def test_a_download_tells_how_far_it_is_and_can_be_cancelled(running, models):
    models.downloads.add("large")
    host = running(models)
    host.choose("large")
    wait_for_choice(host, "downloading")
    assert (host.choice.share, host.choice.text) == (0, "downloading large")
    models.may_go_on.release()
    wait_until(lambda: host.choice.share == 0.4)
    with pytest.raises(BadInput, match="large is on its way already; cancel that first"):
        host.choose("other")
    host.cancel_choice()
    assert (host.choice.state, host.is_choosing) == ("cancelled", False)
    assert host.choice.text == "cancelled; what has arrived of large is kept for the next time"
    models.may_go_on.release(9)
    host.cancel_choice()  # harmless
    time.sleep(0.1)
    assert (len(models.engines), host.choice.state, host.status().text) == (1, "cancelled", "small is ready")
    host.choose("large")
    wait_for_choice(host, "done")


def test_a_choice_that_is_cancelled_while_it_loads_changes_nothing(running, models):
    host = running(models)
    models.may_load.clear()
    host.choose("large")
    wait_until(lambda: models.asked[-1] == "large")
    host.cancel_choice()
    models.may_load.set()
    wait_until(lambda: len(models.engines) == 2 and models.engines[1].dead)
    assert host.engine() is models.engines[0]
    assert host.choice.text == "cancelled"


def test_a_choice_that_fails_leaves_the_old_model_as_it_is(running, models):
    models.refused |= {"large": ModelUnavailable("large needs 9,000 MB of memory"), "odd": KeyError("odd")}
    host = running(models)
    for model, text in (("large", "large needs 9,000 MB of memory"), ("odd", host_module.FAULT)):
        host.choose(model)
        assert wait_for_choice(host, "failed") == text
        assert (host.status().text, host.model) == ("small is ready", None)
    assert host.thread.run(collect(host.engine(), [5, 6, 7], WINDOW)).end_reason == "cut"


def test_after_a_death_the_chosen_model_starts_again_and_not_the_first(running, models):
    host = running(models, restarts=True)
    host.choose("large")
    wait_for_choice(host, "done")
    host.engine().dead = True
    wait_until(lambda: len(models.engines) == 3)
    assert wait_for(host, "ready") == "large is ready"
    assert models.asked == [None, "large", "large"]


def test_a_model_can_be_chosen_where_the_first_does_not_start(hosted, models):
    models.refused["broken"] = ModelUnavailable("broken does not start")
    host = hosted(models, model="broken")
    host.start()
    wait_for(host, "failed")
    host.choose("large")
    assert wait_for(host, "ready") == "large is ready"


def test_the_old_model_that_dies_meanwhile_comes_back_and_gives_way_all_the_same(running, models):
    models.downloads.add("large")
    host = running(models, restarts=True)
    host.choose("large")
    wait_for_choice(host, "downloading")
    models.engines[0].dead = True
    wait_until(lambda: len(models.engines) == 2)
    assert wait_for(host, "ready") == "small is ready"
    models.may_go_on.release(3)
    wait_for_choice(host, "done")
    assert host.status().text == "large is ready"


def test_a_choice_that_is_faster_than_the_first_start_wins(hosted, models):
    models.downloads.add("first")
    host = hosted(
        lambda report, model, progress: models(report, model=model, progress=progress or print), model="first"
    )
    host.start()
    wait_until(lambda: host.status().text == "downloading first")
    host.choose("quick")
    wait_for_choice(host, "done")
    models.may_go_on.release(3)
    wait_until(lambda: len(models.engines) == 2 and models.engines[1].dead)
    assert (host.status().state, host.status().text, host.model) == ("ready", "quick is ready", "quick")
    assert not models.engines[0].dead


# Counting tokens for the page


async def test_tokens_are_counted_by_the_engines_own_tokenizer_where_there_is_one(hosted):
    """llama.cpp's server counts them, and may be gone before anybody has noticed."""

    class Gone:
        def encode(self, text, *, control):
            raise EngineDead("nothing listens there")

    host = hosted(lambda report: FakeEngine())
    assert await host.count_tokens(HINT) == 0
    host.start()
    await eventually(lambda: host.status().state == "ready")
    assert await host.count_tokens(HINT) == len(host.engine().text.encode(HINT)) > 5
    with pytest.raises(BadInput, match="half a character"):
        await host.count_tokens("\ud800")
    host.engine().text = Gone()
    assert await host.count_tokens(HINT) == 0


# The loop of its own


def test_interrupting_the_wait_cancels_what_runs_there(engine_loop):
    """Ctrl+C in a script must not leave its requests running."""
    ended = threading.Event()

    async def endless() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            ended.set()

    def interrupt(*_) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, 0.1)
    try:
        with pytest.raises(KeyboardInterrupt):
            engine_loop.run(endless())
    finally:
        signal.signal(signal.SIGALRM, before)
    assert ended.wait(30)


async def test_a_call_that_comes_as_the_loop_closes_ends_too():
    """It is refused or cancelled: none waits for a loop that is gone."""
    for _ in range(20):
        thread = LoopThread()
        begun = [thread.begin(asyncio.sleep(60)) for _ in range(20)]
        closing = asyncio.create_task(asyncio.to_thread(thread.close))
        with suppress(EngineDead):
            while True:
                begun.append(thread.begin(asyncio.sleep(60)))
                await asyncio.sleep(0)
        await closing
        with pytest.raises(EngineDead, match="the engine was closed while this ran"):
            thread.begin(asyncio.sleep(60))
        assert all(future.cancelled() for future in begun)


async def test_a_stream_that_takes_its_time_to_end_as_the_loop_closes_is_told_of_the_engines_end():
    async def words():
        try:
            while True:
                yield "word"
                await asyncio.sleep(0.001)
        finally:
            await asyncio.sleep(0.2)

    thread = LoopThread()
    bundles = thread.relay(words, every_s=0.001)
    await anext(bundles)
    closing = asyncio.create_task(asyncio.to_thread(thread.close))
    with pytest.raises(EngineDead, match="the engine was closed while this ran"):
        async for _ in bundles:
            pass
    await closing


# The relay


async def test_everything_is_handed_over_once_and_in_order(engine_loop):
    async def numbers():
        for number in range(500):
            if number % 50 == 0:
                await asyncio.sleep(0.002)
            yield number

    async with aclosing(engine_loop.relay(numbers, every_s=0.003)) as bundles:
        received = [bundle async for bundle in bundles]
    assert [number for bundle in received for number in bundle] == list(range(500))
    assert len(received) < 100


async def test_what_comes_while_the_last_bundle_is_used_is_handed_over_too(engine_loop):
    """The stream ends while its reader is busy: the end of the answer must not be lost."""
    may_end = threading.Event()
    ended = threading.Event()

    async def stream():
        yield "first"
        await asyncio.to_thread(may_end.wait, 30)
        yield "last"
        ended.set()

    received = []
    async with aclosing(engine_loop.relay(stream, every_s=0.01)) as bundles:
        async for bundle in bundles:
            received += bundle
            if bundle == ["first"]:
                may_end.set()
                await asyncio.to_thread(ended.wait, 30)
                await asyncio.sleep(0.02)  # the reader is still busy when the stream has ended
    assert received == ["first", "last"]


async def test_the_first_item_comes_at_once_and_the_next_does_not_wait_for_the_pace(engine_loop):
    """The first says that a place is there; the next is the first token."""

    async def slow():
        yield "place"
        await asyncio.sleep(0.1)
        yield "token"
        await asyncio.sleep(60)

    began = time.monotonic()
    async with aclosing(engine_loop.relay(slow, every_s=30)) as bundles:
        assert [await anext(bundles), await anext(bundles)] == [["place"], ["token"]]
    assert time.monotonic() - began < 20


async def test_a_stream_that_gives_nothing_gives_empty_bundles_now_and_then(engine_loop, monkeypatch):
    monkeypatch.setattr(loop_thread, "IDLE_S", 0.02)

    async def stuck():
        await asyncio.sleep(60)
        yield "never"

    began = time.monotonic()
    async with aclosing(engine_loop.relay(stuck, every_s=0.02)) as bundles:
        assert [await anext(bundles) for _ in range(3)] == [[], [], []]
    assert 0.05 < time.monotonic() - began < 30


async def test_an_error_comes_through_behind_what_came_before_it(engine_loop):
    async def failing():
        yield 1
        yield 2
        raise EngineDead("the engine has stopped; start it again")

    received = []

    async def read() -> None:
        async for bundle in engine_loop.relay(failing, every_s=0.01):
            received.extend(bundle)

    with pytest.raises(EngineDead, match="start it again"):
        await read()
    assert received == [1, 2]


@pytest.mark.parametrize("phase", ["trace", "answer"])
async def test_closing_the_relay_closes_the_run_on_the_other_loop(engine_loop, scripted, ask, phase):
    engine = scripted(answer="And so on. " * 100, seconds_per_token=0.002)
    prompt_ids = ask(engine)

    def run():
        return think(engine, prompt_ids, Window(thinking_tokens=20, answer_tokens=500))

    async with aclosing(engine_loop.relay(run, every_s=0.005)) as bundles:
        async for bundle in bundles:
            if any(chunk.phase == phase and chunk.ids for chunk in bundle):
                assert engine.active == 1
                break
    assert engine.active == 0  # at once: the relay has waited for the end of the run
    await asyncio.sleep(0.05)
    assert len(engine.requests) == (1 if phase == "trace" else 2)


async def test_a_reader_that_goes_away_while_its_stream_starts_leaves_nothing_running(
    engine_loop, scripted, ask, monkeypatch
):
    """A hundred times: of these, two were lost where the first bundle came in the very moment of the cancelling."""
    monkeypatch.setattr(loop_thread, "IDLE_S", 60)
    engine = scripted(seconds_per_token=60)
    prompt_ids = ask(engine)
    for _ in range(100):
        reading = asyncio.create_task(anext(engine_loop.relay(lambda: think(engine, prompt_ids, WINDOW), every_s=60)))
        await asyncio.sleep(0)
        wait_until(lambda: engine.active == 1)  # there, while this loop is too busy to hear of it
        reading.cancel()
        await eventually(lambda: engine.active == 0)
        await asyncio.wait({reading})
        assert reading.cancelled()
