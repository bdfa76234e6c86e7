"""One interpreter in the sandbox as its judge sees it: ask, get an answer, or learn in words why there is none."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from z1_core.errors import Z1Error

CHUNK_BYTES = 1 << 16
NOISE_BYTES = 4000
ESCAPED = 8  # a byte of output is up to six in JSON
LOOK_EVERY_S = 0.1
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
MOST_WAITING = 4
"""Times the limit. A program that waits for a processor for longer is as good as stuck."""
LEAST_WAITING_S = 0.05
Why = Literal["timeout", "ended", "output", "memory", "garbage"]


class NoAnswer(Z1Error):
    """The session cannot answer any more; `why` tells a slow program from one that died."""

    def __init__(self, why: Why, text: str) -> None:
        super().__init__(text)
        self.why = why


class Session:
    """Used by one thread. Whatever the other side writes is bounded while it is read."""

    def __init__(
        self, process: subprocess.Popen[bytes], channel: socket.socket, *, output_bytes: int, resident_bytes: int
    ) -> None:
        self._process = process
        self._channel = channel
        self._output_bytes = output_bytes
        self._resident_bytes = resident_bytes
        self._pending = b""
        self._received = bytearray()
        self._noise = bytearray()
        self._noise_total = 0
        channel.setblocking(False)
        os.set_blocking(process.stdout.fileno(), False)

    def ask(self, message: Any, *, timeout_s: float) -> Any:
        """The answer to one message. Raises NoAnswer; then the session is of no more use.

        timeout_s: what a thread inside spent ready to run, while others had the processors, is added to it (up to
        MOST_WAITING times): a busy machine is no fault of the program, and a loop without end is none of the machine.
        """
        if self._received:
            raise NoAnswer("garbage", "it wrote to the judge's channel without being asked")
        self._pending = json.dumps(message).encode() + b"\n"
        self._exchange(timeout_s)
        line, _, self._received = self._received.partition(b"\n")
        try:
            return json.loads(line)
        except (ValueError, RecursionError):
            raise NoAnswer("garbage", "it wrote to the judge's channel") from None

    def _exchange(self, timeout_s: float) -> None:
        started = time.monotonic()
        deadline, look_at, before = started + timeout_s, started + LOOK_EVERY_S, None
        with selectors.DefaultSelector() as selector:
            selector.register(self._channel, selectors.EVENT_READ | selectors.EVENT_WRITE)
            selector.register(self._process.stdout, selectors.EVENT_READ)
            while b"\n" not in self._received:
                now = time.monotonic()
                if now >= min(look_at, deadline):
                    seen = look(self._process.pid)
                    before = before or seen
                    self._check_memory(seen)
                    look_at = time.monotonic() + LOOK_EVERY_S
                if now >= deadline:
                    extended = started + timeout_s + min(seen.waited_since(before), MOST_WAITING * timeout_s)
                    if extended < now + LEAST_WAITING_S:
                        raise NoAnswer("timeout", f"took longer than {timeout_s:g} s")
                    deadline = extended
                for key, events in selector.select(max(0.0, min(deadline, look_at) - now)):
                    self._move(selector, key.fileobj, events)

    def noise(self) -> str:
        """The end of what was printed outside of the answers, tracebacks of a dying interpreter above all."""
        with contextlib.suppress(NoAnswer):
            self._drain()
        return self._noise.decode(errors="replace").strip()

    def _move(self, selector: selectors.BaseSelector, source: Any, events: int) -> None:
        if source is not self._channel:
            if not self._drain():
                selector.unregister(source)
            return
        if events & selectors.EVENT_WRITE:
            self._send(selector)
        if events & selectors.EVENT_READ:
            self._receive()

    def _send(self, selector: selectors.BaseSelector) -> None:
        try:
            self._pending = self._pending[self._channel.send(self._pending[: 1 << 20]) :]
        except BlockingIOError:
            return
        except OSError:
            self._pending = b""
        if not self._pending:
            selector.modify(self._channel, selectors.EVENT_READ)

    def _receive(self) -> None:
        try:
            chunk = self._channel.recv(CHUNK_BYTES)
        except BlockingIOError:
            return
        except OSError:
            chunk = b""
        if not chunk:
            raise NoAnswer("ended", "the program ended before its test did")
        self._received += chunk
        if len(self._received) > ESCAPED * self._output_bytes:
            raise NoAnswer("output", f"returned more than {ESCAPED * self._output_bytes >> 20} MiB")

    def _drain(self) -> bool:
        """Reads what was printed, keeps its end. False once nobody can print any more."""
        while True:
            try:
                chunk = os.read(self._process.stdout.fileno(), CHUNK_BYTES)
            except BlockingIOError:
                return True
            if not chunk:
                return False
            self._noise_total += len(chunk)
            self._noise = (self._noise + chunk)[-NOISE_BYTES:]
            if self._noise_total > self._output_bytes:
                raise NoAnswer("output", f"printed more than {self._output_bytes >> 20} MiB")

    def _check_memory(self, seen: Look) -> None:
        if seen.resident_bytes > self._resident_bytes:
            raise NoAnswer("memory", f"its processes held {seen.resident_bytes >> 20} MiB together")


@dataclass(frozen=True, slots=True)
class Look:
    """A process and all below it: memory held, and for each thread how long it was ready to run and did not, in s."""

    resident_bytes: int
    waited_s: dict[str, float]

    def waited_since(self, before: Look) -> float:
        """Of the thread that waited longest."""
        return max((waited - before.waited_s.get(name, 0.0) for name, waited in self.waited_s.items()), default=0.0)


def look(root: int) -> Look:
    """At the processes as they are. A daemon stays below the first process of its namespace."""
    parents: dict[int, int] = {}
    pages: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                fields = (entry / "stat").read_text(errors="replace").rpartition(")")[2].split()
                parents[int(entry.name)], pages[int(entry.name)] = int(fields[1]), int(fields[21])
    inside = {root}
    for pid in sorted(parents):  # a child is newer than its parent; where numbers wrapped round, the next look finds it
        if parents[pid] in inside:
            inside.add(pid)
    waited = {}
    for pid in inside:
        with contextlib.suppress(OSError):  # it has ended, or the kernel does not count (CONFIG_SCHED_INFO)
            for thread in Path(f"/proc/{pid}/task").iterdir():
                waited[f"{pid}/{thread.name}"] = int((thread / "schedstat").read_text().split()[1]) / 1e9
    return Look(sum(pages.get(pid, 0) for pid in inside) * PAGE_BYTES, waited)
