"""Driver for programs that read stdin: each test runs the program as __main__ in a fresh fork.

Input and output are files in memory; the limit on files bounds what it prints, of which the first part is sent. The parent
never runs foreign code; the judge keeps the time. It knows inputs only, no expected outputs.
"""

import os
import signal
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from z1_inside import PRELUDE, SOURCE, Channel, apply_limits, compiled

ERROR_BYTES = 4000


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
    killed with its end."""
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


def main():
    channel = Channel(int(sys.argv[1]))
    limits = channel.greet()
    setup = channel.receive()
    namespace = {"__name__": "__main__", "__builtins__": __builtins__, "__file__": SOURCE}
    exec(PRELUDE, namespace)
    try:
        code = compiled(setup["code"])
    except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
        channel.send({"error": "%s: %s" % (type(error).__name__, error)})
        return None
    channel.send({"ready": True})
    while True:
        report = run_test(channel.receive(), limits, channel)
        if report is None:
            return code, namespace
        channel.send(report)


if __name__ == "__main__":
    program = main()
    if program is not None:
        run_as_main(*program)
