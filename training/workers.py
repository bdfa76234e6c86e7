"""What becomes of the processes that tokenise (datasets.map) when one is killed, or all are stopped."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import psutil

from z1_core.errors import Z1Error

STUCK_S = 5.0
"""How long a worker may have been dead before nothing is expected of the others."""


@contextmanager
def failures_said() -> Iterator[None]:
    """Behind Ctrl+C, or when a worker is killed, datasets still asks its workers for results: that error hides the first."""
    from multiprocess import TimeoutError as NoResult

    done = threading.Event()
    threading.Thread(target=_interrupt_where_stuck, args=(done,), daemon=True).start()
    try:
        yield
    except (NoResult, EOFError, ConnectionError, RuntimeError, KeyboardInterrupt) as error:
        errors = [*_behind(error)]
        died = any(isinstance(each, RuntimeError) and "abruptly died" in str(each) for each in errors)
        if not died and any(isinstance(each, KeyboardInterrupt) for each in errors):
            raise KeyboardInterrupt from None
        if not died and isinstance(error, RuntimeError):
            raise
        raise Z1Error("a worker was ended from outside, perhaps for want of memory; lower --workers") from error
    finally:
        done.set()


def _behind(error: BaseException | None) -> Iterator[BaseException]:
    while error:
        yield error
        error = error.__context__


def _interrupt_where_stuck(done: threading.Event) -> None:
    """A pool whose worker ends in the moment that it holds the pool's lock waits for it for ever, and its dead workers with
    it, until the main thread is interrupted."""
    dead_s = 0.0
    while not done.wait(STUCK_S / 10):
        is_dead = any(child.status() == psutil.STATUS_ZOMBIE for child in psutil.Process().children())
        dead_s = dead_s + STUCK_S / 10 if is_dead else 0
        if dead_s >= STUCK_S:
            signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
            return
