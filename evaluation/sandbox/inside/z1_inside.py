"""What the drivers share, inside the sandbox: the line to the judge and the limits. Standard library, Python 3.8 on."""

import resource
from json import dumps, loads  # by name: the code under test may patch the modules
from os import _exit, close, dup, fdopen, set_inheritable, write

MODULES = (
    "string", "re", "datetime", "collections", "heapq", "bisect", "copy", "math", "random", "statistics", "itertools",
    "functools", "operator", "io", "sys", "json",
)  # fmt: skip
PRELUDE = "\n".join(
    ["from %s import *" % name for name in (*MODULES, "builtins", "typing")]
    + ["import %s" % name for name in MODULES]
    + ["sys.setrecursionlimit(50000)"]
)
"""LiveCodeBench's own prelude: without it correct answers fail, because its starter code uses List without an import."""


SOURCE = "solution.py"


class Channel:
    """JSON lines over the private socket. Not inherited by programs the code under test starts."""

    def __init__(self, fd):
        set_inheritable(fd, False)
        self.fd = fd
        self._reader = fdopen(dup(fd), "rb")

    def receive(self):
        line = self._reader.readline()
        if not line:
            _exit(0)
        return loads(line)

    def greet(self):
        """The limits, and word that this driver runs: what fails from now on is the fault of the code."""
        limits = self.receive()
        self.send({"started": True})
        return limits

    def send(self, message):
        data = memoryview(dumps(message).encode() + b"\n")
        while data:
            data = data[write(self.fd, data) :]

    def close(self):
        self._reader.close()
        close(self.fd)


def compiled(code):
    """The file is there, too, for tracebacks and for code that reads itself."""
    with open(SOURCE, "w") as file:
        file.write(code)
    return compile(code, SOURCE, "exec")


def find(module, name):
    """A method of Solution if there is one (of one object for all calls, as LiveCodeBench does), else a function."""
    solution = getattr(module, "Solution", None)
    if isinstance(solution, type) and hasattr(solution, name):
        return getattr(solution(), name)
    function = getattr(module, name, None)
    if not callable(function):
        raise NameError("the code defines no %s" % name)
    return function


def apply_limits(limits):
    """Soft and hard limits for this process and all it starts."""
    try:
        with open("/proc/self/oom_score_adj", "w") as file:
            file.write("1000")
    except OSError:
        pass
    for name, most in (
        ("RLIMIT_CORE", 0),
        ("RLIMIT_AS", limits["address_bytes"]),
        ("RLIMIT_CPU", limits["cpu_s"]),
        ("RLIMIT_NPROC", limits["processes"]),
        ("RLIMIT_NOFILE", limits["open_files"]),
        ("RLIMIT_FSIZE", limits["file_bytes"]),
        ("RLIMIT_STACK", limits["stack_bytes"]),
    ):
        kind = getattr(resource, name)
        top = resource.getrlimit(kind)[1]
        most = most if top == resource.RLIM_INFINITY else min(most, top)
        resource.setrlimit(kind, (most, most))
