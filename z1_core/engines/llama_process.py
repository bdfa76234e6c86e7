"""The process that llama.cpp's server runs in: started, watched and ended from here; what it fails with, in one sentence."""

from __future__ import annotations

import json
import logging
import os
import re
import secrets
import signal
import subprocess
import sys
import threading
from collections import deque
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import IO

from z1_core.errors import ModelUnavailable

CHILD = Path(__file__).with_name("llama_child.py")
INSTALL = "pip install -r requirements-cpu.txt"
BATCH_TOKENS = 128
"""How many tokens of a prompt are computed at once. Whoever else writes waits for them, and a run that is stopped ends
behind them: 0.2 s for 128 and 5 s for 512 with SmolLM2 on two busy cores. Larger ones are a tenth faster, at most."""

ILLEGAL_INSTRUCTION = (-getattr(signal, "SIGILL", 4), 0xC000001D)
KILLED = (-getattr(signal, "SIGKILL", 9),)

CLOCK = re.compile(r"^\d+\.\d\d\.\d{3}\.\d{3} (?:[A-Z] )?")
"""llama.cpp's, since its start, and the level of the message."""

SPINS = "1000"
"""How often a thread of OpenMP looks whether the others are done before it sleeps. The usual number keeps a core for
milliseconds: two models on the same two cores then take over ten times as long as one alone, with this three times."""

log = logging.getLogger(__name__)


class LlamaProcess:
    """A running server. url, key: how to reach it."""

    def __init__(self, model: Path, *, cells: int, places: int, adapter: Path | None = None) -> None:
        """Load the model, and a LoRA for it, and return when it answers. cells: tokens that all places can hold together.

        Raises ModelUnavailable with the reason and a remedy.
        """
        check_installed()
        self.key = secrets.token_hex(16)
        self._said: deque[str] = deque(maxlen=60)
        self._process = subprocess.Popen(  # noqa: S603 - our own program, by this interpreter
            [sys.executable, "-P", str(CHILD)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,  # Ctrl+C is for this program, which then ends that one
            env={"GOMP_SPINCOUNT": SPINS, **os.environ},
        )
        self._listener = threading.Thread(target=self._listen, args=(self._process.stderr,), daemon=True)
        self._listener.start()
        settings = {"model": str(model), "key": self.key, "cells": cells, "places": places, "threads": threads()}
        settings |= {"batch": BATCH_TOKENS, "adapter": adapter and str(adapter)}
        try:
            self.url = self._ask(settings, name=f"{model.name} with {adapter}" if adapter else model.name)
        except BaseException:
            self.close()
            raise

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def has_ended(self) -> bool:
        return self._process.poll() is not None

    def close(self) -> None:
        """End it, and wait until its memory is free."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            with suppress(OSError):  # the settings that it did not live to read are still to be written
                pipe.close()

    def _ask(self, settings: dict, *, name: str) -> str:
        """Where the server listens, once the model is loaded."""
        with suppress(OSError):  # it has ended already; its status says why
            self._process.stdin.write(json.dumps(settings).encode() + b"\n")
            self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline() or "{}")
        if "url" in answer:
            return answer["url"]
        status = self._process.wait()
        self._listener.join()
        raise ModelUnavailable(f"{name} does not start: {reason(status, answer.get('error', ''), self._said)}")

    def _listen(self, stderr: IO[bytes]) -> None:
        for line in stderr:
            self._said.append(CLOCK.sub("", line.decode(errors="replace").strip()))
            log.debug("%s", self._said[-1])
        stderr.close()


def check_installed() -> None:
    """Raises ModelUnavailable with the remedy."""
    if find_spec("xllamacpp") is None:
        raise ModelUnavailable(f"llama.cpp is not installed; {INSTALL} (a Space without a GPU: see docs/space.md)")


def reason(status: int, error: str, said: deque[str]) -> str:
    """Why the process ended while it loaded, and what to do."""
    if status in ILLEGAL_INSTRUCTION:
        return (
            "the installed llama.cpp was built for another processor (illegal instruction); build it here: "
            "pip install --force-reinstall --no-binary xllamacpp xllamacpp"
        )
    if status in KILLED:
        return "its process was killed while it loaded, by somebody or for lack of memory; start it again"
    text = "\n".join(said)
    if any(words in text for words in ("failed to allocate", "unable to allocate", "out of memory", "bad_alloc")):
        return "its memory does not suffice; lower --max-model-len, close other programs, or choose a smaller model"
    lines = (line for line in said if "error" in line.lower() or "failed" in line.lower())
    why = next(lines, error or f"exit status {status}")
    return f"{why[:300]}; choose another file with --model, or a newer llama.cpp (pip install -U xllamacpp)"


def threads() -> int | None:
    """How many compute, where a container may use less time than it sees cores; None leaves it to llama.cpp."""
    cores = os.cpu_count() or 1
    share = _share_of_cores()
    return max(1, int(share)) if share is not None and share < cores else None


def _share_of_cores() -> float | None:
    """What a Space tells of itself, else the quota of the container (cgroup 2); None for no limit."""
    if os.environ.get("SPACE_ID") and os.environ.get("CPU_CORES"):
        return float(os.environ["CPU_CORES"])
    limit = Path("/sys/fs/cgroup/cpu.max")
    quota, _, period = (limit.read_text() if limit.exists() else "max").strip().partition(" ")
    return None if quota == "max" else int(quota) / int(period)
