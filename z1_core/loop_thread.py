"""An event loop in a thread of its own. An engine belongs to one loop for life; this is that loop for callers that
have none (ThinkingLLM) or another one (the page, whose web server runs its own)."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import AsyncGenerator, Callable, Coroutine
from concurrent.futures import Future
from contextlib import aclosing, suppress
from typing import Any, TypeVar

from z1_core.errors import EngineDead

T = TypeVar("T")
IDLE_S = 0.5
FIRST_PAUSE_S = 0.02
CLOSED = "the engine was closed while this ran"


class LoopThread:
    """Runs coroutines on its own loop until close()."""

    def __init__(self, name: str = "engine-loop") -> None:
        self.loop = asyncio.new_event_loop()
        self._lock = threading.Lock()
        self._is_closed = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def begin(self, coroutine: Coroutine[Any, Any, T]) -> Future[T]:
        """Run the coroutine there and wait for nothing.

        EngineDead: the loop was closed. What begins before that is cancelled by close(), so that each of these ends.
        """
        with self._lock:
            if self._is_closed:
                coroutine.close()
                raise EngineDead(CLOSED)
            return asyncio.run_coroutine_threadsafe(coroutine, self.loop)

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run the coroutine there and wait for its result here; interrupting the wait cancels it."""
        future = self.begin(coroutine)
        try:
            return future.result()
        finally:
            future.cancel()

    async def relay(
        self, make_stream: Callable[[], AsyncGenerator[T, None]], *, every_s: float
    ) -> AsyncGenerator[list[T], None]:
        """What a stream on the engine's loop yields, handed to the caller's loop in bundles: the first at once, and then as
        it comes, with pauses that double until they last every_s seconds. Where nothing comes for IDLE_S, an empty one, so
        that the caller notices when its own reader has gone; what comes then is a first one again.

        Closing this generator closes the stream there.
        """
        made: deque[T] = deque()
        pause_s = FIRST_PAUSE_S
        here, came = asyncio.get_running_loop(), asyncio.Event()

        async def pump() -> None:
            async with aclosing(make_stream()) as stream:
                async for item in stream:
                    made.append(item)
                    if len(made) == 1 and not here.is_closed():
                        here.call_soon_threadsafe(came.set)

        started = self.begin(_start(pump))  # waited for inside the try alone
        ended = asyncio.wrap_future(self.begin(_end(started)))
        ended.add_done_callback(lambda _: came.set())
        try:
            while not ended.done():
                with suppress(TimeoutError):
                    async with asyncio.timeout(IDLE_S):  # wait_for, in Python 3.11, can lose a cancelling
                        await came.wait()
                came.clear()
                bundle = [made.popleft() for _ in range(len(made))]
                yield bundle
                await asyncio.wait({ended}, timeout=pause_s)
                pause_s = min(2 * pause_s, every_s) if bundle else FIRST_PAUSE_S
            yield list(made)  # what came while the last bundle was being used
            if ended.cancelled() or started.cancelled() or started.result().cancelled():  # by close() alone
                raise EngineDead(CLOSED)
            started.result().result()  # raises what the stream raised
        finally:
            ended.cancel()
            with suppress(EngineDead):
                await asyncio.wait({asyncio.wrap_future(self.begin(_end(started, cancel=True)))})

    def close(self) -> None:
        """Cancel what still runs there and end the thread."""
        with self._lock:
            is_first, self._is_closed = not self._is_closed, True
            if is_first:
                self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        with asyncio.Runner(loop_factory=lambda: self.loop) as runner:
            runner.get_loop().run_forever()


async def _start(make: Callable[[], Coroutine[Any, Any, None]]) -> asyncio.Task[None]:
    return asyncio.ensure_future(make())


async def _end(started: Future[asyncio.Task[None]], *, cancel: bool = False) -> None:
    """Wait until the task has ended, whichever way."""
    task = await asyncio.wrap_future(started)
    if cancel:
        task.cancel()
    await asyncio.wait({task})
