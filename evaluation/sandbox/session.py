"""One interpreter in the sandbox as its judge sees it: ask, get an answer, or learn in words why there is none."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from glob import glob
from pathlib import Path
from typing import IO, Any, NoReturn

from z1_core.errors import Z1Error

CHUNK_BYTES = 1 << 16
NOISE_BYTES = 4000
ESCAPED = 8  # a byte of output is up to six in JSON
LOOK_EVERY_S = 0.1
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
MOST_WAITING = 4
"""Times the limit. A program that waits for a processor for longer is as good as stuck."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one session may use. resident_bytes: of all its processes together, by watching; the others by rlimits.

    address_bytes: BigCodeBench's own. Libraries and large stacks map much more than they touch, and LiveCodeBench has no
    limit. cpu_s: of one process; the wall clock of each test is the judge's.
    """

    resident_bytes: int = 2 << 30
    address_bytes: int = 30 << 30
    cpu_s: int = 3600
    processes: int = 32
    open_files: int = 128
    file_bytes: int = 64 << 20
    folder_bytes: int = 64 << 20
    output_bytes: int = 8 << 20
    stack_bytes: int = 256 << 20


class NoAnswer(Z1Error):
    """The session cannot answer any more, and why."""


class TimeUp(NoAnswer):
    """It may be right, but slow."""


class Session:
    """Used by one thread. Whatever the other side writes is bounded: here, or in `noise` by the size of its files."""

    def __init__(
        self, process: subprocess.Popen[bytes], channel: socket.socket, noise: IO[bytes], limits: Limits
    ) -> None:
        """noise: the file that the processes print into, what is no answer."""
        self._process = process
        self._channel = channel
        self._channel.settimeout(LOOK_EVERY_S)
        self._noise = noise
        self._limits = limits
        self._received = bytearray()

    def ask(self, message: Any, *, timeout_s: float) -> Any:
        """The answer to one message. Raises NoAnswer; then the session is of no more use.

        timeout_s: what a thread inside spent ready to run, while others had the processors, is added to it (up to
        MOST_WAITING times): a busy machine is no fault of the program, and a loop without end is none of the machine.
        """
        if self._received:
            raise NoAnswer("it wrote to the judge's channel without being asked")
        clock = self._watched(timeout_s)
        left = memoryview(json.dumps(message).encode() + b"\n")
        while left:
            left = left[self._moved(clock, lambda: self._channel.send(left[: 1 << 20])) or 0 :]  # noqa: B023  (at once)
        chunk = b""
        while b"\n" not in chunk:
            chunk = self._moved(clock, lambda: self._channel.recv(CHUNK_BYTES) or self._ended()) or b""
            self._received += chunk
            if len(self._received) > ESCAPED * self._limits.output_bytes:
                raise NoAnswer(f"returned more than {ESCAPED * self._limits.output_bytes >> 20} MiB")
        line, _, self._received = self._received.partition(b"\n")
        try:
            return json.loads(line)
        except (ValueError, RecursionError):
            raise NoAnswer("it wrote to the judge's channel") from None

    def noise(self) -> str:
        """The end of what was printed outside of the answers, tracebacks of a dying interpreter above all."""
        self._noise.seek(max(0, self._noise.seek(0, os.SEEK_END) - NOISE_BYTES))
        return self._noise.read(NOISE_BYTES).decode(errors="replace").strip()

    def _ended(self) -> NoReturn:
        raise NoAnswer("the program ended before its test did")

    def _moved(self, clock: Iterator[None], move: Callable[[], Any]) -> Any:
        """What one move on the channel gives; None when it is time to look at the clock again."""
        next(clock)
        try:
            return move()
        except TimeoutError:
            return None
        except OSError:
            self._ended()

    def _watched(self, timeout_s: float) -> Iterator[None]:
        """One question's look at the processes, every now and then. Raises NoAnswer when the time is up, or too much memory
        held."""
        started = looked = time.monotonic()
        first: dict[str, float] | None = None
        while True:
            yield
            now = time.monotonic()
            if now < looked + LOOK_EVERY_S:
                continue
            looked = now
            resident_bytes, waited_s = look(self._process.pid)
            first = waited_s if first is None else first
            if resident_bytes > self._limits.resident_bytes:
                raise NoAnswer(f"its processes held {resident_bytes >> 20} MiB together")
            longest_s = max((total - first.get(thread, 0.0) for thread, total in waited_s.items()), default=0.0)
            if now > started + timeout_s + min(longest_s, MOST_WAITING * timeout_s):
                raise TimeUp(f"took longer than {timeout_s:g} s")


def look(root: int) -> tuple[int, dict[str, float]]:
    """At a process and all below it: bytes of memory held, and for each thread how long it was ready to run and did not,
    in s. A daemon stays below the first process of its namespace."""
    resident_bytes, waited_s, inside = 0, {}, [str(root)]
    for pid in inside:
        for thread in glob(f"/proc/{pid}/task/*"):
            with contextlib.suppress(OSError):  # it has ended
                inside += Path(f"{thread}/children").read_text().split()
                waited_s[thread] = int(Path(f"{thread}/schedstat").read_text().split()[1]) / 1e9
        with contextlib.suppress(OSError):
            resident_bytes += int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE_BYTES
    return resident_bytes, waited_s
