"""A real `vllm serve` with the embedded model, started as a user would: python -m z1_core.serve."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import httpx
import psutil

from z1_core.engines.vllm import end_together

KEY = "of-the-tests"
READY_S = 240


class VllmServe:
    """One server, which may be killed and started again on the same port. log: the file it writes to."""

    def __init__(self, port: int, log: Path, *options: str) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.log = log
        self._command = [sys.executable, "-m", "z1_core.serve", "--port", str(port), *options]
        self._process: subprocess.Popen | None = None

    def start(self) -> None:
        """Blocks until it is ready."""
        with self.log.open("ab") as file:
            self._process = subprocess.Popen(
                self._command,
                cwd=Path(__file__).parents[2],
                env={**os.environ, "Z1_API_KEY": KEY},
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._guard = end_together([self._process.pid])
        deadline = time.monotonic() + READY_S
        while not self._is_ready():
            assert self._process.poll() is None, f"it ended:\n{self.log.read_text()[-3000:]}"
            assert time.monotonic() < deadline, f"it is not ready:\n{self.log.read_text()[-3000:]}"
            time.sleep(0.5)

    def stop(self) -> None:
        self._guard.kill()
        self._guard.wait()
        self._process.terminate()
        try:
            self._process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """As a crash would: the server and its engine, without a word."""
        server = psutil.Process(self._process.pid)
        for process in [*server.children(recursive=True), server]:
            process.kill()
        self._process.wait()
        self._guard.kill()
        self._guard.wait()

    def running(self) -> int:
        """How many requests the engine has, running or waiting."""
        lines = httpx.get(f"{self.url}/metrics").text.splitlines()
        counts = [
            line for line in lines if line.startswith(("vllm:num_requests_running", "vllm:num_requests_waiting{"))
        ]
        return sum(int(float(line.rsplit(" ", 1)[1])) for line in counts)

    def _is_ready(self) -> bool:
        try:
            return httpx.get(f"{self.url}/health").status_code == 200
        except httpx.TransportError:
            return False
