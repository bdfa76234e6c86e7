"""The guard over an engine's processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

from z1_core.orphans import end_together

PARENT = """
import subprocess, sys, time
from z1_core.orphans import end_together
child = subprocess.Popen(["sleep", "60"], start_new_session=True)
end_together([child.pid])
print(child.pid, flush=True)
time.sleep(60)
"""


def is_alive(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_the_processes_end_with_a_parent_that_is_killed():
    parent = subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True)
    child = int(parent.stdout.readline())
    assert is_alive(child)
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    for _ in range(50):
        if not is_alive(child):
            return
        time.sleep(0.1)
    os.kill(child, signal.SIGKILL)
    raise AssertionError("the child outlived its parent")


def test_a_guard_that_is_called_off_ends_nothing():
    child = subprocess.Popen(["sleep", "60"])
    guard = end_together([child.pid])
    guard.kill()
    guard.wait()
    guard.stdin.close()
    time.sleep(0.2)
    assert child.poll() is None
    child.kill()
    child.wait()
