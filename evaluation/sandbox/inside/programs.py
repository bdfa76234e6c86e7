"""Driver for programs that read stdin: each test runs the program as __main__ in a fresh fork with real pipes.

The parent never runs foreign code. It reads what is printed, up to a limit; the judge keeps the time. It knows inputs
only, no expected outputs.
"""

import os
import select
import signal
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from z1_inside import PRELUDE, Channel, apply_limits

ERROR_BYTES = 4000
CHUNK_BYTES = 1 << 16
LOOK_EVERY_S = 0.05
SOURCE = "solution.py"


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


def feed(stdin):
    """The reading end of a pipe, and the process that fills it."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reading)
        left = memoryview(stdin.encode())
        try:
            while left:
                left = left[os.write(writing, left) :]
        except OSError:  # the program left its input unread: no fault
            pass
        os._exit(0)
    os.close(writing)
    return reading, pid


def collect(pid, out, most_bytes, kill_the_rest):
    """What the program prints, and its wait status. What it leaves running is killed: that may hold the pipe open."""
    printed, status = bytearray(), None
    while len(printed) <= most_bytes:
        if select.select([out], [], [], LOOK_EVERY_S if status is None else 0)[0]:
            chunk = os.read(out, CHUNK_BYTES)
            printed += chunk
            if not chunk:
                break
        elif status is None:
            ended, found = os.waitpid(pid, os.WNOHANG)
            if ended:
                status = found
                kill_the_rest()
        else:
            break
    if status is None:
        if len(printed) > most_bytes:
            os.kill(pid, signal.SIGKILL)
        status = os.waitpid(pid, 0)[1]
        kill_the_rest()
    return printed, status


def run_test(request, limits, channel):
    """In the parent: the report of one test. In the child: None, once the program may run."""
    stdin, feeder = feed(request["stdin"])
    out, stdout = os.pipe()
    stderr = os.memfd_create("stderr")
    pid = os.fork()
    if pid == 0:
        for target, fd in enumerate((stdin, stdout, stderr)):
            os.dup2(fd, target)
        for fd in (stdin, out, stdout, stderr):
            os.close(fd)
        channel.close()
        apply_limits(limits)
        return None
    os.close(stdin)
    os.close(stdout)
    printed, status = collect(pid, out, limits["output_bytes"], kill_all if limits["own_namespace"] else lambda: None)
    os.kill(feeder, signal.SIGKILL)
    os.waitpid(feeder, 0)
    flooded = len(printed) > limits["output_bytes"]
    errors = os.pread(stderr, ERROR_BYTES, max(0, os.fstat(stderr).st_size - ERROR_BYTES))
    os.close(out)
    os.close(stderr)
    return {
        "exit": -(status & 0x7F) if status & 0x7F else status >> 8,
        "flooded": flooded,
        "stdout": "" if flooded else printed.decode(errors="replace"),
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
        with open(SOURCE, "w") as file:
            file.write(setup["code"])
        code = compile(setup["code"], SOURCE, "exec")
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
