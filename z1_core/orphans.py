"""An engine's processes end with the process that started them, also if that is killed and can end nothing itself."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable

WAIT_FOR_THE_END_OF_THE_PIPE = 'read _; kill "$@" 2>/dev/null; sleep 5; kill -9 "$@" 2>/dev/null'


def end_together(pids: Iterable[int]) -> subprocess.Popen[bytes]:
    """Start a guard that ends these processes once this one is gone, however it went: the kernel closes the pipe that
    the guard reads from. vLLM's own processes would stay, and hold their memory, a GPU's too.

    To call the guard off, kill it.
    """
    command = ["/bin/sh", "-c", WAIT_FOR_THE_END_OF_THE_PIPE, "guard", *map(str, pids)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True)  # noqa: S603 - numbers only
