"""What the drivers share, inside the sandbox: the line to the judge and the limits. Standard library, Python 3.8 on."""

import json
import os
import resource

PRELUDE = "\n".join(
    [f"from {name} import *" for name in (
        "string", "re", "datetime", "collections", "heapq", "bisect", "copy", "math", "random", "statistics",
        "itertools", "functools", "operator", "io", "sys", "json", "builtins", "typing",
    )]
    + [f"import {name}" for name in (
        "string", "re", "datetime", "collections", "heapq", "bisect", "copy", "math", "random", "statistics",
        "itertools", "functools", "operator", "io", "sys", "json",
    )]
    + ["sys.setrecursionlimit(50000)"]
)  # fmt: skip
"""LiveCodeBench's own prelude: without it correct answers fail, because its starter code uses List without an import."""


class Channel:
    """JSON lines over the private socket. Not inherited by programs the code under test starts."""

    def __init__(self, fd):
        os.set_inheritable(fd, False)
        self.fd = fd
        self._reader = os.fdopen(os.dup(fd), "rb")

    def receive(self):
        line = self._reader.readline()
        if not line:
            os._exit(0)
        return json.loads(line)

    def greet(self):
        """The limits, and word that this driver runs: what fails from now on is the fault of the code."""
        limits = self.receive()
        self.send({"started": True})
        return limits

    def send(self, message):
        data = memoryview(json.dumps(message).encode() + b"\n")
        while data:
            data = data[os.write(self.fd, data) :]

    def close(self):
        self._reader.close()
        os.close(self.fd)


def apply_limits(limits, cpu_s=None):
    """Soft and hard limits for this process and all it starts; cpu_s in place of the session's, for one test."""
    try:
        with open("/proc/self/oom_score_adj", "w") as file:
            file.write("1000")
    except OSError:
        pass
    cpu = int(cpu_s if cpu_s is not None else limits["cpu_s"])
    for name, soft, hard in (
        ("RLIMIT_CORE", 0, 0),
        ("RLIMIT_AS", limits["memory_bytes"], limits["memory_bytes"]),
        ("RLIMIT_CPU", cpu, cpu + 1),
        ("RLIMIT_NPROC", limits["processes"], limits["processes"]),
        ("RLIMIT_NOFILE", limits["open_files"], limits["open_files"]),
        ("RLIMIT_FSIZE", limits["file_bytes"], limits["file_bytes"]),
        ("RLIMIT_STACK", limits["stack_bytes"], limits["stack_bytes"]),
    ):
        kind = getattr(resource, name)
        top = resource.getrlimit(kind)[1]
        if top != resource.RLIM_INFINITY:
            soft, hard = min(soft, top), min(hard, top)
        resource.setrlimit(kind, (soft, hard))
