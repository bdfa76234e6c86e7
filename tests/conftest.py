"""What several tests share: scripted engines, prompts, the folder with test data, and the one real engine of a session."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from z1_core.engine import Engine
from z1_core.fake_engine import FakeEngine
from z1_core.models import EMBEDDED_NAME, prepare_embedded
from z1_core.prompt import chat, render
from z1_core.window import HINT

SHARED_DATA = Path(__file__).parents[2] / "shared" / "data"
REAL_CONTEXT_TOKENS = 2048


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
        return render(engine.tokenizer, chat(question))

    return rendered


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder with benchmark files, which lies beside the repository and is no part of it."""
    if not SHARED_DATA.is_dir():
        if os.environ.get("CI"):
            pytest.fail("CI is set, and the test data is not in ../shared/data: nothing may be skipped here")
        pytest.skip("the test data is not in ../shared/data")
    return SHARED_DATA


@pytest.fixture(scope="session")
async def vllm_engine() -> AsyncIterator[Engine]:
    """The embedded model on a real vLLM: started once, on the session's loop, and closed there."""
    from z1_core.vllm_engine import VllmEngine

    engine = VllmEngine.start(prepare_embedded(), name=EMBEDDED_NAME, max_model_len=REAL_CONTEXT_TOKENS)
    yield engine
    await engine.close()


@pytest.fixture(scope="session", params=["fake", "vllm"])
def engine(request: pytest.FixtureRequest) -> Engine:
    """Each kind of engine in turn, with the same context."""
    if request.param == "vllm":
        return request.getfixturevalue("vllm_engine")
    return FakeEngine(context_tokens=REAL_CONTEXT_TOKENS)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The browser last: Playwright's synchronous API keeps an event loop running on the main thread from its first use
    on, and no asynchronous test can run beside that."""
    items.sort(key=lambda item: "browser" in item.path.parts)
