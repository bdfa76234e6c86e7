"""llama.cpp's server in a process of its own. Run by llama_process.py, which writes the settings to its standard input.

It ends when that input closes, and so with its parent, however that one ends; one that still loads, when it has loaded. In
the parent's process it would replace the handlers of SIGINT and SIGTERM, and a failed assertion of its C++ would end the
page.
"""

import json
import os
import sys
from typing import NoReturn


def main() -> NoReturn:
    settings = json.loads(sys.stdin.readline())
    try:
        import xllamacpp

        server = xllamacpp.Server(parameters(xllamacpp, settings))
    except Exception as error:
        cause = "xllamacpp cannot be loaded: " if isinstance(error, ImportError) else ""
        print(json.dumps({"error": f"{cause}{error}"}), flush=True)
        os._exit(1)
    print(json.dumps({"url": server.listening_address}), flush=True)
    sys.stdin.read()
    os._exit(0)  # without the server's own farewell, which may wait for a request that is still running


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


if __name__ == "__main__":
    main()
