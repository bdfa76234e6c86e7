"""Where model-written code runs: bubblewrap, no network, a read-only system, a small folder in memory, limits on everything.

A session is one fresh interpreter that runs evaluation/sandbox/inside/driver.py and talks with it by JSON lines over a
socket of its own. The driver sets the limits (rlimits) before any foreign code runs; wall time, output and the memory of all
processes together are watched from outside; at the end the whole process namespace is killed, daemons included.

Seen inside: /usr and its kin, the interpreter's prefixes, the driver, a two-line /etc/passwd, /box (a tmpfs with a
size). Nothing else of the machine: no home folders, no repository, no network but its own loopback.

Called by root, bubblewrap is started as nobody, because RLIMIT_NPROC never binds the real root, whatever
number the user namespace shows for it. An outer bubblewrap first makes the interpreter reachable for nobody.

Not stopped: faults of the kernel, and memory held in files without a name (memfd) up to open files times file size;
everything inside is the kernel's first choice when memory runs out. Processor time is shared with what else runs.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Literal

from evaluation.sandbox.interpreter import inspect_interpreter
from evaluation.sandbox.session import Limits, NoAnswer, Session
from z1_core.errors import Z1Error

LIMITS = Limits()
INSIDE = Path(__file__).parent / "inside"
NOBODY = 65534
FOLDER = "/box"
START_TIMEOUT_S = 60
KILL_TIMEOUT_S = 5
SYSTEM_FOLDERS = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
SYSTEM_FILES = ("/etc/ld.so.cache", "/etc/alternatives", "/etc/localtime", "/etc/mime.types", "/etc/ssl/openssl.cnf")
ENVIRONMENT = {
    "PATH": "/usr/local/bin:/usr/bin:/bin",
    "USER": "sandbox",
    "LANG": "C.UTF-8",
    # A pool of threads for each core would break on the limits, and two judges already keep the cores busy.
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "MPLBACKEND": "Agg",
    "PYTHONDONTWRITEBYTECODE": "1",
}
REMEDY = "install bubblewrap and allow user namespaces, or pass --unsafe-sandbox to run model-written code unprotected"


class Sandbox:
    """Starts sessions of one interpreter; used from several threads at once. kind: which isolation is in force."""

    kind: Literal["bubblewrap", "limits only"]

    def __init__(self, *, unsafe: bool = False, python: str | None = None) -> None:
        """python: None for this one. Raises Z1Error where bubblewrap does not work, unless `unsafe` asks for resource limits
        alone, and BadInput for what is no interpreter."""
        self.python = python or sys.executable
        self._interpreter = inspect_interpreter(self.python)
        if not Path(f"/proc/self/task/{os.getpid()}/children").exists():
            raise Z1Error("this kernel lists no children of a process (CONFIG_PROC_CHILDREN): nothing could watch them")
        self.kind = "limits only" if unsafe else "bubblewrap"
        if not unsafe:
            self._bwrap = shutil.which("bwrap")
            if self._bwrap is None:
                raise Z1Error(f"bubblewrap (the program bwrap) is not installed: {REMEDY}")
            self._as_nobody = os.geteuid() == 0
            told = subprocess.run([self._bwrap, "--help"], capture_output=True, text=True, check=False)  # noqa: S603
            self._closed_userns = "--disable-userns" in told.stdout
            with self.start("programs"):  # what does not work shows here, not as 500 wrong answers
                pass

    @contextlib.contextmanager
    def start(self, driver: str, limits: Limits = LIMITS) -> Iterator[Session]:
        """A session with inside/driver.py, as the driver of that name. Nothing of it outlives the block. Raises Z1Error
        where none came about; the code to be judged has not been touched then."""
        is_wrapped = self.kind == "bubblewrap"
        ours, theirs = socket.socketpair()
        with contextlib.ExitStack() as stack:
            stack.enter_context(ours)
            noise = stack.enter_context(os.fdopen(os.memfd_create("noise"), "w+b"))
            folder = FOLDER
            if not is_wrapped:
                made = tempfile.TemporaryDirectory(prefix="z1-sandbox-", ignore_cleanup_errors=True)
                folder = stack.enter_context(made)
            with theirs:
                process = subprocess.Popen(  # noqa: S603  (its very purpose: the code comes over the socket)
                    [*self._wrap(limits), *self._python(driver, theirs.fileno())],
                    stdin=subprocess.DEVNULL,
                    stdout=noise,
                    stderr=noise,
                    cwd=None if is_wrapped else folder,
                    env=ENVIRONMENT | {"HOME": folder, "TMPDIR": folder},
                    pass_fds=[theirs.fileno()],
                    start_new_session=True,
                )
            stack.callback(_end, process, group=not is_wrapped)
            session = Session(process, ours, noise, limits)
            try:
                session.ask(asdict(limits) | {"own_namespace": is_wrapped}, timeout_s=START_TIMEOUT_S)
            except NoAnswer as error:
                raise Z1Error(f"{self.kind} does not work here ({session.noise() or error}): {REMEDY}") from None
            yield session

    def _python(self, driver: str, channel: int) -> list[str]:
        """Numbers of any length are read and printed: LiveCodeBench lifts Python's limit of 4,300 digits, too."""
        file = "/inside/driver.py" if self.kind == "bubblewrap" else str(INSIDE / "driver.py")
        options = ["-I", "-B", "-X", "utf8", "-X", "int_max_str_digits=0"]
        return [self._interpreter.executable, *options, file, driver, str(channel)]

    def _wrap(self, limits: Limits) -> list[str]:
        """bubblewrap and its options: the whole view of the world the code under test gets."""
        if self.kind == "limits only":
            return []
        options = [
            *self._drop_root(),
            self._bwrap,
            "--unshare-all",
            "--unshare-user",
            "--die-with-parent",
            "--new-session",
        ]
        options += ["--disable-userns"] * self._closed_userns
        options += ["--uid", str(NOBODY), "--gid", str(NOBODY), "--hostname", "sandbox"]
        for folder in filter(os.path.lexists, SYSTEM_FOLDERS):
            target = os.readlink(folder) if os.path.islink(folder) else None
            options += ["--symlink", target, folder] if target else ["--ro-bind", folder, folder]
        for file in SYSTEM_FILES:
            options += ["--ro-bind-try", file, file]
        for folder in ("/tmp", FOLDER):  # noqa: S108  (a file system of its own)
            options += ["--size", str(limits.folder_bytes), "--perms", "1777", "--tmpfs", folder]
        for folder in self._interpreter.folders:  # after /tmp, where it may lie
            options += [*_parents(folder), "--ro-bind", folder, folder]
        for file in ("passwd", "group", "hosts"):
            options += ["--ro-bind", str(INSIDE / "etc" / file), f"/etc/{file}"]
        options += ["--ro-bind", str(INSIDE), "/inside", "--proc", "/proc", "--dev", "/dev"]
        options += ["--size", str(limits.folder_bytes), "--tmpfs", "/dev/shm"]  # noqa: S108
        return [*options, "--remount-ro", "/dev", "--remount-ro", "/", "--chdir", FOLDER, "--"]

    def _drop_root(self) -> list[str]:
        """For a caller who is root: become nobody, who may not enter /root, where an interpreter may lie."""
        if not self._as_nobody:
            return []
        paths = [*self._interpreter.folders, str(INSIDE)]
        covers = sorted({cover for path in paths if (cover := _first_closed(path)) is not None})
        options = [self._bwrap, "--unshare-pid", "--dev-bind", "/", "/", "--die-with-parent"]
        options += ["--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"]
        for cover in covers:
            options += ["--perms", "0755", "--tmpfs", cover]
        for path in paths:
            if any(Path(path).is_relative_to(cover) for cover in covers):
                options += [*_parents(path), "--ro-bind", path, path]
        return [*options, "--", "setpriv", "--reuid", str(NOBODY), "--regid", str(NOBODY), "--clear-groups", "--"]


def _parents(path: str) -> list[str]:
    """Options that make the folders above `path`, readable: bubblewrap itself makes them for their owner alone."""
    above = [str(parent) for parent in reversed(Path(path).parents)][1:]
    return [word for parent in above for word in ("--perms", "0755", "--dir", parent)]


def _first_closed(path: str) -> str | None:
    """The topmost folder above `path` that others may not pass through."""
    return next((str(p) for p in reversed(Path(path).parents) if not p.stat().st_mode & 0o001), None)


def _end(process: subprocess.Popen[bytes], *, group: bool) -> None:
    """Kill and wait. bubblewrap takes its namespace along; without it, the process group is all there is.

    bubblewrap's child goes first, the first process of the namespace: then bubblewrap itself can collect it, and no
    zombie is left to an init that may not collect any, as in many containers.
    """
    with contextlib.suppress(OSError, subprocess.TimeoutExpired):
        if group:
            os.killpg(process.pid, signal.SIGKILL)
        for child in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split():
            os.kill(int(child), signal.SIGKILL)
        process.wait(timeout=KILL_TIMEOUT_S)
    process.kill()
    process.wait()
