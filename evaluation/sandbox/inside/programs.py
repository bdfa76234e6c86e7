"""Driver for programs that read stdin: each test runs the program as __main__ in a fresh fork with real pipes.

The parent never runs foreign code. It feeds stdin, reads what is printed up to a limit, keeps the time, and after each
test kills every process but itself. It knows inputs only, no expected outputs.
"""

import os
import selectors
import signal
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from z1_inside import PRELUDE, Channel, apply_limits

ERROR_BYTES = 4000
CHUNK_BYTES = 1 << 16
SOURCE = "solution.py"


def run_as_main(code, namespace):
    """As `python solution.py` would: the file is there, __name__ is __main__, and the end is a normal end."""
    sys.argv[:] = [SOURCE]
    run, main_module = exec, sys.modules["__main__"].__dict__
    main_module.clear()  # this driver's own names, too
    main_module.update(namespace)
    run(code, main_module)


class Feed:
    """One running test: what it still has to read, and what it has printed."""

    def __init__(self, stdin, limit):
        self.left = memoryview(stdin.encode())
        self.limit = limit
        self.printed = bytearray()
        self.errors = bytearray()
        self.flooded = False

    def watch(self, fds, deadline):
        """Until both outputs are closed, the time is up, or too much was printed. False when the time is up."""
        write, out, err = fds
        with selectors.DefaultSelector() as selector:
            selector.register(write, selectors.EVENT_WRITE)
            selector.register(out, selectors.EVENT_READ)
            selector.register(err, selectors.EVENT_READ)
            while len(selector.get_map()) > (write in selector.get_map()):
                left = deadline - time.monotonic()
                if left <= 0:
                    return False
                for key, _ in selector.select(left):
                    if not (self.feed(write) if key.fd == write else self.read(key.fd, out)):
                        selector.unregister(key.fd)
                        os.close(key.fd)
                if self.flooded:
                    return True
        return True

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
            self.flooded = len(self.printed) > self.limit
        else:
            self.errors = (self.errors + chunk)[-ERROR_BYTES:]
        return bool(chunk)


def run_test(request, limits, channel, code, namespace):
    """In the parent: the report of one test. In the child: None, once the program may run."""
    child_in, feed_in = os.pipe()
    out, child_out = os.pipe()
    err, child_err = os.pipe()
    started = time.monotonic()
    pid = os.fork()
    if pid == 0:
        for target, fd in enumerate((child_in, child_out, child_err)):
            os.dup2(fd, target)
        for fd in (child_in, feed_in, out, child_out, err, child_err):
            os.close(fd)
        channel.close()
        apply_limits(limits, cpu_s=request["time_limit_s"] + 1)
        return None
    for fd in (child_in, child_out, child_err):
        os.close(fd)
    os.set_blocking(feed_in, False)
    feed = Feed(request["stdin"], limits["output_bytes"])
    in_time = feed.watch((feed_in, out, err), started + request["time_limit_s"])
    report = end(pid, in_time and not feed.flooded, started + request["time_limit_s"])
    for fd in (feed_in, out, err):
        try:
            os.close(fd)
        except OSError:
            pass
    report.update(
        stdout="" if feed.flooded else feed.printed.decode(errors="replace"),
        stderr=feed.errors.decode(errors="replace"),
        flooded=feed.flooded,
    )
    return report


def end(pid, wait, deadline):
    """Collects the child (with time, if it may still end by itself) and kills whatever it left running."""
    status = None
    while wait and status is None and time.monotonic() < deadline:
        done, status, usage = os.wait4(pid, os.WNOHANG)
        if not done:
            status = None
            time.sleep(0.001)
    timed_out = status is None
    if os.getpid() <= 16:  # in a namespace of our own; without one the judge kills the group
        try:
            os.kill(-1, signal.SIGKILL)
        except ProcessLookupError:
            pass
    if timed_out:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        _, status, usage = os.wait4(pid, 0)
    while True:
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            break
    code = -(status & 0x7F) if status & 0x7F else status >> 8
    return {"exit": code, "cpu_s": usage.ru_utime + usage.ru_stime, "timed_out": timed_out}


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
        report = run_test(channel.receive(), limits, channel, code, namespace)
        if report is None:
            return code, namespace
        channel.send(report)


if __name__ == "__main__":
    program = main()
    if program is not None:
        run_as_main(*program)
