"""One interpreter in the sandbox as its judge sees it: ask, get an answer, or learn in words why there is none."""

from __future__ import annotations

import json
import os
import selectors
import socket
import subprocess
import time
from pathlib import Path
from typing import Any, Literal

from z1_core.errors import Z1Error

CHUNK_BYTES = 1 << 16
NOISE_BYTES = 4000
ESCAPED = 8  # a byte of output is up to six in JSON
LOOK_EVERY_S = 0.25
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
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

    def tell(self, message: Any) -> None:
        """Sent with the next ask."""
        self._pending += json.dumps(message).encode() + b"\n"

    def ask(self, message: Any, *, timeout_s: float) -> Any:
        """The answer to one message. Raises NoAnswer; then the session is of no more use."""
        self.tell(message)
        if self._received:
            raise NoAnswer("garbage", "it wrote to the judge's channel without being asked")
        deadline = time.monotonic() + timeout_s
        look_at = time.monotonic() + LOOK_EVERY_S
        with selectors.DefaultSelector() as selector:
            selector.register(self._channel, selectors.EVENT_READ | selectors.EVENT_WRITE)
            selector.register(self._process.stdout, selectors.EVENT_READ)
            while (end := self._received.find(b"\n")) < 0:
                now = time.monotonic()
                if now >= deadline:
                    raise NoAnswer("timeout", f"took longer than {timeout_s:g} s")
                if now >= look_at:
                    self._check_memory()
                    look_at = time.monotonic() + LOOK_EVERY_S
                for key, events in selector.select(min(deadline, look_at) - now):
                    self._move(selector, key.fileobj, events)
        line = bytes(self._received[:end])
        del self._received[: end + 1]
        try:
            return json.loads(line)
        except (ValueError, RecursionError):
            raise NoAnswer("garbage", "it wrote to the judge's channel") from None

    def noise(self) -> str:
        """The end of what was printed outside of the answers, tracebacks of a dying interpreter above all."""
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

    def _check_memory(self) -> None:
        """RLIMIT_AS bounds one process; a crowd of them is bounded here."""
        if (used := resident_bytes(self._process.pid)) > self._resident_bytes:
            raise NoAnswer("memory", f"its processes held {used >> 20} MiB together")


def resident_bytes(root: int) -> int:
    """Memory of a process and all below it. A daemon stays below the first process of its namespace."""
    parents: dict[int, int] = {}
    pages: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text(errors="replace").rpartition(")")[2].split()
            except OSError:
                continue
            parents[int(entry.name)], pages[int(entry.name)] = int(fields[1]), int(fields[21])
    inside = {root}
    for pid in sorted(parents):  # a child is newer than its parent; where numbers wrapped round, the next look finds it
        if parents[pid] in inside:
            inside.add(pid)
    return sum(pages.get(pid, 0) for pid in inside) * PAGE_BYTES
