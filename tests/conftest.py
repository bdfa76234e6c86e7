"""What several tests share: scripted engines, prompts, the folder with test data, and the one real engine of a session."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from z1_core.engine import Engine
from z1_core.engines.fake import FakeEngine
from z1_core.host import EngineHost
from z1_core.models import EMBEDDED_NAME, embedded_file
from z1_core.prompt import chat
from z1_core.window import HINT

if TYPE_CHECKING:
    from tests.heavy.vllm_serve import VllmServe

# Two threads that compute together wait for each other by spinning, and so lose to whoever else wants a core: another test
# process, a browser. Read when the engine's process starts.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

SHARED_DATA = Path(__file__).parents[2] / "shared" / "data"
REAL_CONTEXT_TOKENS = 2048
LLAMA_CONTEXT_TOKENS = 1024
"""To fill it is the dearest thing that is asked of a real model."""


@pytest.fixture
def scripted() -> Callable[..., FakeEngine]:
    """Makes an engine that writes `thought` on every prompt and `answer` behind the hint."""

    def make(thought: str = "Let me think again. " * 100, answer: str = "It is 42.", **options) -> FakeEngine:
        return FakeEngine(lambda prompt: answer if HINT in prompt else thought, **options)

    return make


@pytest.fixture(scope="session")
def ask() -> Callable[..., list[int]]:
    """Token ids of a question in the engine's chat template."""

    def rendered(engine: Engine, question: str = "How many r are in raspberry?") -> list[int]:
        return engine.text.render(chat(question))

    return rendered


def wait_until_ready(host: EngineHost) -> None:
    """Start its engine, which is a scripted one and takes no time."""
    host.start()
    while host.status().state == "starting":
        time.sleep(0.01)
    assert host.status().state == "ready"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder with benchmark files, which lies beside the repository and is no part of it."""
    if not SHARED_DATA.is_dir():
        if os.environ.get("CI"):
            pytest.fail("CI is set, and the test data is not in ../shared/data: nothing may be skipped here")
        pytest.skip("the test data is not in ../shared/data")
    return SHARED_DATA


@pytest.fixture(scope="session")
async def llama_engine() -> AsyncIterator[Engine]:
    """The embedded model on a real llama.cpp, in a process of ours."""
    from z1_core.engines.llama import LlamaEngine

    engine = LlamaEngine.start(embedded_file(), name=EMBEDDED_NAME, max_model_len=LLAMA_CONTEXT_TOKENS)
    yield engine
    await engine.close()


@pytest.fixture(scope="session")
async def llama_server_engine() -> AsyncIterator[Engine]:
    """The embedded model on a llama.cpp server that somebody else started."""
    from z1_core.engines.calls import Server
    from z1_core.engines.llama import LlamaEngine
    from z1_core.engines.llama_process import LlamaProcess

    process = LlamaProcess(embedded_file(), cells=LLAMA_CONTEXT_TOKENS, places=8)
    engine = LlamaEngine.connect(Server(process.url, key=process.key))
    yield engine
    await engine.close()
    process.close()


@pytest.fixture(scope="session")
async def vllm_engine() -> AsyncIterator[Engine]:
    """The embedded model on a real vLLM: started once, on the session's loop, and closed there."""
    from tests.heavy.vllm_cpu import ON_CPU, use_cpu
    from training.pretrained import embedded_folder
    from z1_core.engines.vllm import VllmEngine

    use_cpu()
    engine = VllmEngine.start(embedded_folder(), name=EMBEDDED_NAME, max_model_len=REAL_CONTEXT_TOKENS, **ON_CPU)
    yield engine
    await engine.close()


@pytest.fixture(scope="session")
def vllm_serve(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VllmServe]:
    """The embedded model in a real `vllm serve` on loopback: started once, ended by its process id."""
    from tests.heavy.vllm_cpu import AS_OPTIONS
    from tests.heavy.vllm_serve import VllmServe
    from training.pretrained import embedded_folder

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = tmp_path_factory.mktemp("vllm-serve") / "log"
    small = ["--max-model-len", str(REAL_CONTEXT_TOKENS), *AS_OPTIONS]
    server = VllmServe(port, log, "--model", str(embedded_folder()), *small)
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
async def server_engine(vllm_serve: VllmServe) -> AsyncIterator[Engine]:
    """The engine on that server."""
    from tests.heavy.vllm_serve import KEY
    from z1_core.engines.server import ServerEngine

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("Z1_API_KEY", KEY)
        engine = ServerEngine.start(vllm_serve.url)
    yield engine
    await engine.close()


ENGINES = [
    "fake",
    "llama",
    "llama_server",
    pytest.param("vllm", marks=pytest.mark.heavy),
    pytest.param("server", marks=pytest.mark.heavy),
]


@pytest.fixture(scope="session", params=ENGINES)
def engine(request: pytest.FixtureRequest) -> Engine:
    """Each kind of engine in turn."""
    if request.param != "fake":
        return request.getfixturevalue(f"{request.param}_engine")
    return FakeEngine(context_tokens=REAL_CONTEXT_TOKENS)


@pytest.hookimpl(tryfirst=True)  # before -m looks at the marks
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The browser last: Playwright's synchronous API keeps an event loop running on the main thread from its first use
    on, and no asynchronous test can run beside that."""
    for item in items:
        for folder, mark in (("heavy", "heavy"), ("integration", "alone")):
            if folder in item.path.parts:
                item.add_marker(mark)
    items.sort(key=lambda item: "browser" in item.path.parts)
