"""What an interpreter given by its path needs to run in the sandbox. Asked once per path."""

from __future__ import annotations

import functools
import json
import os
import subprocess
from typing import NamedTuple

from z1_core.errors import BadInput

ASK_TIMEOUT_S = 120
QUESTION = """
import json, os, sys
prefixes = [sys.prefix, sys.exec_prefix, sys.base_prefix, sys.base_exec_prefix]
print(json.dumps([sys.executable, prefixes]))
"""


class Interpreter(NamedTuple):
    """folders: what has to be visible for it to run, outside of the system's own folders; one comes before those in it."""

    executable: str
    folders: list[str]


@functools.lru_cache(maxsize=32)
def inspect_interpreter(python: str) -> Interpreter:
    """Asks the interpreter itself: a pyenv shim or a virtual environment knows where its parts lie. Raises BadInput."""
    executable, prefixes = _asked(python)
    places = {*prefixes, *(os.path.realpath(prefix) for prefix in prefixes)}
    return Interpreter(executable, sorted(place for place in places if not f"{place}/".startswith("/usr/")))


def _asked(python: str) -> list:
    command = [python, "-I", "-c", QUESTION]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=ASK_TIMEOUT_S, check=False)  # noqa: S603
        return json.loads(done.stdout)
    except OSError as error:
        why = error.strerror
    except subprocess.TimeoutExpired:
        why = f"it gives no answer in {ASK_TIMEOUT_S} s"
    except ValueError:
        why = f"it ends with {done.returncode} and says {' '.join((done.stdout + done.stderr).split())[:200]!r}"
    raise BadInput(f"{python} does not run as a Python interpreter: {why}; name another --python")
