"""llama.cpp's server in a process of its own. Run by llama_process.py, which writes the settings to its standard input.

It ends when that input closes, and so with its parent, however that one ends. In the parent's process it would replace
the handlers of SIGINT and SIGTERM, and a failed assertion of its C++ would end the page.
"""

import contextlib
import json
import os
import select
import sys
from typing import NoReturn


def main() -> NoReturn:
    settings = json.loads(sys.stdin.readline())
    end_with_the_pipe()
    try:
        import xllamacpp
    except ImportError as error:
        answer(error=f"xllamacpp cannot be loaded: {error}")
        os._exit(1)
    try:
        server = xllamacpp.Server(parameters(xllamacpp, settings))
    except Exception as error:
        answer(error=str(error))
        os._exit(1)
    answer(url=server.listening_address)
    sys.stdin.read()
    os._exit(0)  # without the server's own farewell, which may wait for a request that is still running


def end_with_the_pipe() -> None:
    """End at once when the parent's end of standard input closes: while a model is loaded, no line of Python runs here.

    On Linux the signal of a pipe with O_ASYNC ends a process that has no handler for it. Elsewhere the model is loaded
    first.
    """
    with contextlib.suppress(ImportError, OSError):
        import fcntl

        fcntl.fcntl(sys.stdin, fcntl.F_SETOWN, os.getpid())
        fcntl.fcntl(sys.stdin, fcntl.F_SETFL, fcntl.fcntl(sys.stdin, fcntl.F_GETFL) | os.O_ASYNC)
        end = select.poll()
        end.register(sys.stdin, select.POLLHUP)
        if end.poll(0):  # before the signal was asked for
            os._exit(0)


def parameters(xllamacpp, settings: dict):
    made = xllamacpp.CommonParams()
    made.model.path = settings["model"]
    made.hostnames, made.port = ["127.0.0.1"], 0
    made.api_keys = [settings["key"]]
    made.n_ctx, made.n_parallel = settings["cells"], settings["places"]
    made.kv_unified = True  # the places share one pool of cells
    made.n_batch = settings["batch"]
    made.cache_ram_mib = 0  # no copy of an ended run stays in memory
    made.fit_params = False  # the context is what was asked for
    made.swa_full = True  # a sliding window that was thrown away could not be taken back to where the window closes
    made.ui = made.endpoint_slots = False
    made.verbosity = 2
    if settings["adapter"]:
        made.lora_adapters = [xllamacpp.CommonAdapterLoraInfo(settings["adapter"], 1.0)]
    if settings["threads"]:
        made.cpuparams.n_threads = made.cpuparams_batch.n_threads = settings["threads"]
    return made


def answer(**words: str) -> None:
    print(json.dumps(words), flush=True)


if __name__ == "__main__":
    main()
