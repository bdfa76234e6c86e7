"""A second real engine, behind ThinkingLLM and EngineHost at once: the published call on it, and what its death does."""

import asyncio
import time
from collections.abc import Callable, Iterator

import psutil
import pytest

from tests.heavy.vllm_cpu import ON_CPU
from training.pretrained import embedded_folder
from z1_core.errors import EngineDead
from z1_core.host import EngineHost
from z1_core.llm import ThinkingLLM
from z1_core.prompt import chat
from z1_core.thinking import collect
from z1_core.window import HINT, Sampling, Window

ENDLESS = Sampling(extra=(("ignore_eos", True),))


class Setup:
    """A host whose engine is that of a ThinkingLLM, both on the host's loop, so that one start serves two stories."""

    def __init__(self) -> None:
        self.others = set(psutil.Process().children(recursive=True))
        self.host = EngineHost(self._start)
        self.llm: ThinkingLLM | None = None

    def _start(self, report) -> object:
        self.llm = ThinkingLLM(str(embedded_folder()), max_model_len=1024, **ON_CPU)
        self.llm._thread.close()
        self.llm._thread = self.host.thread
        return self.llm.engine

    def processes(self) -> list[psutil.Process]:
        """The processes of this engine, and of no other: not the one of the session, nor Python's own helper."""
        return [
            child
            for child in psutil.Process().children(recursive=True)
            if child not in self.others and not any("resource_tracker" in word for word in child.cmdline())
        ]


@pytest.fixture(scope="module")
def setup() -> Iterator[Setup]:
    made = Setup()
    made.host.start()
    wait_until(lambda: made.host.status().state == "ready", timeout_s=180)
    yield made
    made.host.close()


def wait_until(condition: Callable[[], bool], *, timeout_s: float) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


def test_the_published_call_thinks_and_answers_on_a_real_model(setup):
    from vllm import SamplingParams

    text = setup.llm.engine.text
    questions = ("Tell me a story.", "Name all the trees.")
    prompts = [text.decode(text.render(chat(question)), control=True) for question in questions]
    params = SamplingParams(n=2, temperature=0.9, seed=3, max_tokens=64, ignore_eos=True)
    given = repr(params)
    average, outputs = setup.llm.thinking_generate(prompts, params, 24)
    assert (average, repr(params)) == (24, given)
    for prompt, output in zip(prompts, outputs, strict=True):
        first, second = output.completions
        assert (output.prompt, len(output.outputs)) == (prompt, 2)
        assert text.decode(output.prompt_token_ids, control=True) == prompt
        assert [len(first.trace_ids), len(second.trace_ids)] == [24, 24]
        assert first.trace_ids != second.trace_ids  # each sample has thoughts of its own
        assert {first.hint_ids, second.hint_ids} == {tuple(text.encode(HINT))}
        assert {first.total_tokens, second.total_tokens} == {64}  # the total that was asked for
        assert [sample.text for sample in output.outputs] == [first.answer, second.answer]
    one = SamplingParams(temperature=0, max_tokens=64, ignore_eos=True)
    average, (output,) = setup.llm.thinking_generate(prompts[0], one, 24)  # a text, not a list of its letters
    assert (average, output.prompt, len(output.outputs)) == (24, prompts[0], 1)


def test_a_killed_engine_is_noticed_in_words_and_a_new_one_takes_its_place(setup):
    host = setup.host
    running = asyncio.run_coroutine_threadsafe(
        collect(host.engine(), [50] * 8, Window(thinking_tokens=800, answer_tokens=8), ENDLESS), host.thread.loop
    )
    wait_until(lambda: host.engine().llm.output_processor.get_num_unfinished_requests() == 1, timeout_s=30)
    processes = setup.processes()
    assert processes
    for process in processes:
        process.kill()

    with pytest.raises(EngineDead, match=r"the engine's process has ended .*; start it again"):
        running.result(timeout=60)
    wait_until(lambda: host.status().state == "failed", timeout_s=60)
    assert host.status().text == "the engine's process has ended (killed, or out of memory); start it again"
    with pytest.raises(EngineDead, match="the model is not ready"):
        host.engine()

    host.start()
    assert host.status().state == "starting"
    wait_until(lambda: host.status().state != "starting", timeout_s=180)
    assert host.status().state == "ready", host.status().text
    done = host.thread.run(collect(host.engine(), [50] * 8, Window(thinking_tokens=8, answer_tokens=4), ENDLESS))
    assert (len(done.trace_ids), len(done.answer_ids)) == (8, 4)

    successors = setup.processes()
    assert successors
    host.close()
    assert psutil.wait_procs(successors, timeout=30)[1] == []  # none is left alive
