"""Driver for programs that read stdin: each test runs the program as __main__ in a fresh fork with real pipes.

The parent never runs foreign code. It feeds stdin and reads what is printed up to a limit; the judge keeps the time. It
knows inputs only, no expected outputs.
"""

import os
import selectors
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


class Test:
    """One running test: what it still has to read, and what it has printed."""

    def __init__(self, pid, stdin, most_bytes):
        self.pid = pid
        self.left = memoryview(stdin.encode())
        self.most_bytes = most_bytes
        self.printed = bytearray()
        self.errors = bytearray()

    def flooded(self):
        return len(self.printed) > self.most_bytes

    def watch(self, write, out, err, end_the_rest):
        """The wait status of the program, once it has ended and all it printed was read; or after too much of that."""
        status = None
        with selectors.DefaultSelector() as selector:
            selector.register(write, selectors.EVENT_WRITE)
            selector.register(out, selectors.EVENT_READ)
            selector.register(err, selectors.EVENT_READ)
            while True:
                ready = [key.fd for key, _ in selector.select(LOOK_EVERY_S if status is None else 0)]
                for fd in ready:
                    if not (self.feed(write) if fd == write else self.read(fd, out)):
                        selector.unregister(fd)
                        os.close(fd)
                if self.flooded():
                    os.kill(self.pid, signal.SIGKILL)
                if status is None:
                    silent = not {out, err} & set(selector.get_map())
                    done, found = os.waitpid(self.pid, 0 if silent or self.flooded() else os.WNOHANG)
                    if done:
                        status = found
                        end_the_rest()
                elif self.flooded() or not {out, err} & set(ready):
                    for fd in list(selector.get_map()):
                        os.close(fd)
                    return status

    def feed(self, write):
        try:
            self.left = self.left[os.write(write, self.left[:CHUNK_BYTES]) :]
        except BlockingIOError:
            return True
        except OSError:  # it closed its stdin: no fault
            self.left = self.left[:0]
        return bool(self.left)

    def read(self, fd, out):
        chunk = os.read(fd, CHUNK_BYTES)
        if fd == out:
            self.printed += chunk
        else:
            self.errors = (self.errors + chunk)[-ERROR_BYTES:]
        return bool(chunk)


def run_test(request, limits, channel):
    """In the parent: the report of one test. In the child: None, once the program may run."""
    child_in, feed_in = os.pipe()
    out, child_out = os.pipe()
    err, child_err = os.pipe()
    pid = os.fork()
    if pid == 0:
        for target, fd in enumerate((child_in, child_out, child_err)):
            os.dup2(fd, target)
        for fd in (child_in, feed_in, out, child_out, err, child_err):
            os.close(fd)
        channel.close()
        apply_limits(limits)
        return None
    for fd in (child_in, child_out, child_err):
        os.close(fd)
    os.set_blocking(feed_in, False)
    test = Test(pid, request["stdin"], limits["output_bytes"])
    status = test.watch(feed_in, out, err, kill_all if limits["own_namespace"] else lambda: None)
    return {
        "exit": -(status & 0x7F) if status & 0x7F else status >> 8,
        "flooded": test.flooded(),
        "stdout": "" if test.flooded() else test.printed.decode(errors="replace"),
        "stderr": test.errors.decode(errors="replace"),
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
