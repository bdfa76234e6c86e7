"""What runs inside the sandbox: a driver of model-written code, which its judge talks with. Standard library, Python 3.8 on.

driver.py programs FD     runs the program for each test as __main__ in a fresh fork
driver.py functions FD    loads the code once, then calls what it is told to, one call at a time
driver.py units FD        code and tests in one interpreter: see units.py

It knows inputs and arguments only. Whatever the code does to this interpreter, it can but send other results, and these
are compared outside with values it never sees.
"""

import marshal
import os
import resource
import signal
import sys
import types
from base64 import b64decode
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
ERROR_BYTES = 4000


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


def load(code):
    """Not as __main__: code behind `if __name__ == "__main__"` is for people who try it."""
    module = types.ModuleType("solution")
    module.__file__ = SOURCE
    sys.modules["solution"] = module
    exec(PRELUDE, module.__dict__)
    exec(compiled(code), module.__dict__)
    return module


def plain(value):
    """For values that JSON does not know, as numpy's: a number that is equal to this one."""
    for kind in (int, float):
        try:
            if kind(value) == value:
                return kind(value)
        except (TypeError, ValueError, OverflowError):
            pass
    raise TypeError("a value of type %s is no plain value" % type(value).__name__)


def attempt(action):
    """What an action gives, or how it failed; nothing the code raises ends the driver."""
    try:
        return action()
    except BaseException as error:
        return {"error": "%s: %s" % (type(error).__name__, str(error)[:300])}


def functions(channel, limits):
    apply_limits(limits)
    setup = channel.receive()
    loaded = attempt(lambda: {"function": find(load(setup["code"]), setup["entry_point"])})
    channel.send({"ready": True} if "function" in loaded else loaded)
    while True:
        arguments = marshal.loads(b64decode(channel.receive()["arguments"]))
        returned = attempt(lambda: {"value": dumps(loaded["function"](*arguments), default=plain)})  # noqa: B023
        channel.send(returned)


def run_as_main(code, namespace):
    """As `python solution.py` would: the file is there, __name__ is __main__, and the end is a normal end."""
    sys.argv[:] = [SOURCE]
    run, main_module = exec, sys.modules["__main__"].__dict__
    main_module.clear()  # this driver's own names, too
    main_module.update(namespace)
    try:
        run(code, main_module)
    except SystemExit:  # whatever status it leaves with, its output counts: LiveCodeBench's rule
        pass


def run_test(request, limits, channel):
    """In the parent: the report of one test. In the child: None, once the program may run. What it leaves running is
    killed with its end. Input and output are files in memory; the limit on files bounds what it prints, of which the first
    part is sent."""
    stdin, stdout, stderr = (os.memfd_create(name) for name in ("stdin", "stdout", "stderr"))
    with open(stdin, "w", newline="", closefd=False) as file:
        file.write(request["stdin"])
    os.lseek(stdin, 0, os.SEEK_SET)
    pid = os.fork()
    if pid == 0:
        for target, fd in enumerate((stdin, stdout, stderr)):
            os.dup2(fd, target)
        for fd in (stdin, stdout, stderr):
            os.close(fd)
        channel.close()
        apply_limits(limits)
        return None
    status = os.waitpid(pid, 0)[1]
    if limits["own_namespace"]:
        kill_all()
    printed = os.pread(stdout, limits["output_bytes"], 0)
    errors = os.pread(stderr, ERROR_BYTES, max(0, os.fstat(stderr).st_size - ERROR_BYTES))
    for fd in (stdin, stdout, stderr):
        os.close(fd)
    return {
        "exit": -(status & 0x7F) if status & 0x7F else status >> 8,
        "stdout": printed.decode(errors="replace"),
        "stderr": errors.decode(errors="replace"),
    }


def kill_all():
    """Everything but this process and the namespace's first. The judge has said that the namespace is its own work: in
    any other one this would end all that the user runs."""
    try:
        os.kill(-1, signal.SIGKILL)
    except ProcessLookupError:
        pass


def programs(channel, limits):
    """In the parent, which never runs foreign code: does not return. In a child: the program, and where it begins."""
    setup = channel.receive()
    namespace = {"__name__": "__main__", "__builtins__": __builtins__, "__file__": SOURCE}
    exec(PRELUDE, namespace)
    loaded = attempt(lambda: {"code": compiled(setup["code"])})
    channel.send({"ready": True} if "code" in loaded else loaded)
    while True:
        report = run_test(channel.receive(), limits, channel)
        if report is None:
            return loaded["code"], namespace
        channel.send(report)


def units(channel, limits):
    apply_limits(limits)
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
    from units import serve

    del sys.path[0], sys.modules["units"]
    serve(channel)


def main():
    channel = Channel(int(sys.argv[2]))
    return {"programs": programs, "functions": functions, "units": units}[sys.argv[1]](channel, channel.greet())


if __name__ == "__main__":
    run_as_main(*main())
