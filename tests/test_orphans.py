"""An engine's processes end with the process that started them, however that one ends.

llama.cpp's by the end of a pipe, here with a stand-in for its library (the real one is in
integration/test_llama_engine.py); vLLM's by a guard.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from z1_core.engines.vllm import end_together

ROOT = Path(__file__).parents[1]
LIBRARY = """
import pathlib

class CommonParams:
    def __getattr__(self, name):
        self.__dict__[name] = CommonParams()
        return self.__dict__[name]

class Server:
    listening_address = "http://127.0.0.1:9"

    def __init__(self, parameters):
        pathlib.Path(parameters.model.path).touch()
"""
PARENT = """
import os, pathlib, signal, subprocess, sys, threading, time
from z1_core.engines import llama_process

def started(*args, **options):
    child = popen(*args, **options)
    print(child.pid, flush=True)
    return child

popen, subprocess.Popen = subprocess.Popen, started
model = pathlib.Path(sys.argv[1])
start = lambda: llama_process.LlamaProcess(model, cells=512, places=1)
threading.Thread(target=start, daemon=True).start()
while not model.exists():
    time.sleep(0.01)
time.sleep(0.1)
"""
ENDS = {
    "at its end": "",
    "exception": "raise RuntimeError",
    "os._exit": "os._exit(1)",
    "another program in its place": "os.execv(sys.executable, [sys.executable, '-c', 'import time; time.sleep(5)'])",
    "SIGTERM": "os.kill(os.getpid(), signal.SIGTERM); time.sleep(60)",
    "SIGKILL": "os.kill(os.getpid(), signal.SIGKILL); time.sleep(60)",
}


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Puts the stand-in where the child finds it; the folder."""
    (tmp_path / "xllamacpp.py").write_text(LIBRARY)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), str(ROOT)]))
    return tmp_path


@pytest.fixture
def run() -> Iterator[Callable[..., subprocess.Popen]]:
    """Starts programs, and ends them behind the test."""
    programs: list[subprocess.Popen] = []

    def start(*words: str | Path, **options) -> subprocess.Popen:
        programs.append(
            subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, **options)
        )
        return programs[-1]

    yield start
    for program in programs:
        program.kill()
        program.communicate()


def ends(child: psutil.Process, *, within_s: float = 10) -> bool:
    """Also where nobody waits for it, and it stays as a zombie."""
    deadline = time.monotonic() + within_s
    while child.is_running() and child.status() != psutil.STATUS_ZOMBIE:
        if time.monotonic() > deadline:
            child.kill()
            return False
        time.sleep(0.02)
    return True


@pytest.mark.parametrize("end", ENDS)
def test_llama_cpp_ends_with_its_parent_whichever_way_that_goes(library, run, end):
    parent = run(sys.executable, "-c", PARENT + ENDS[end], library / "model.gguf")
    child = psutil.Process(int(parent.stdout.readline()))
    assert ends(child)


# The guard over vLLM's processes

GUARDED = """
import subprocess, sys, time
from z1_core.engines.vllm import end_together
child = subprocess.Popen(["sleep", "60"], start_new_session=True)
end_together([child.pid])
print(child.pid, flush=True)
time.sleep(60)
"""


def test_the_guarded_processes_end_with_a_parent_that_is_killed(run):
    parent = run(sys.executable, "-c", GUARDED, cwd=ROOT)
    child = psutil.Process(int(parent.stdout.readline()))
    os.kill(parent.pid, signal.SIGKILL)
    assert ends(child)


def test_a_guard_that_is_called_off_ends_nothing(run):
    child = run("sleep", "60")
    guard = end_together([child.pid])
    guard.kill()
    guard.wait()
    guard.stdin.close()
    time.sleep(0.2)
    assert child.poll() is None
