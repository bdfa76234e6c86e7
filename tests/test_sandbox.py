"""The sandbox: what is seen inside, what is not, what it costs, and what happens where it cannot work."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from evaluation.judges.programs import FunctionTest, StdinTest, judge_function, judge_stdin
from evaluation.judges.unit_tests import judge_unittest
from evaluation.sandbox import bubblewrap as sandbox_module
from evaluation.sandbox.bubblewrap import Sandbox
from z1_core.errors import BadInput, Z1Error

PYENV = Path("~/.pyenv/versions").expanduser()


@pytest.fixture(scope="session")
def sandbox() -> Sandbox:
    return Sandbox()


def printed(code: str, sandbox: Sandbox, expected: str):
    verdict = judge_stdin(code, [StdinTest("", expected)], sandbox=sandbox, time_limit_s=10)
    assert verdict.status == "right", verdict.detail


def test_stdin_is_a_real_file_in_every_way_programs_read_it(sandbox):
    lines = StdinTest("a\nb\nc\nd\n", "a b c ['d']")
    text = (
        "import os, sys\nprint(input(), sys.stdin.readline().strip(), "
        "next(sys.stdin).strip(), [line.strip() for line in sys.stdin])"
    )
    raw = (
        "import os, sys\nprint(os.read(0, 2).decode().strip(), "
        "sys.stdin.buffer.readline().decode().strip(), next(sys.stdin).strip(), sys.stdin.read().split())"
    )
    whole = "print(*open(0).read().split()[:3], ['d'])"
    for code in (text, raw, whole):
        verdict = judge_stdin(code, [lines, lines], sandbox=sandbox, time_limit_s=5)
        assert verdict.status == "right", verdict.detail


def test_a_program_that_leaves_its_long_input_unread_is_no_failure(sandbox):
    test = StdinTest("9" * 5_000_000, "done")
    assert judge_stdin("print('done')", [test], sandbox=sandbox, time_limit_s=5).status == "right"


def test_nothing_of_the_machine_is_seen_but_system_and_interpreter(sandbox):
    repository = Path(__file__).parents[1]
    code = f"""
import os
print(open('/etc/passwd').read().count(chr(10)), os.path.exists('/etc/shadow'), os.path.exists('/root/.ssh'))
print(os.path.exists({str(repository / "tests")!r}), os.path.exists({str(repository.parent / "shared")!r}))
print(os.getuid() != 0, sorted(os.environ) == sorted(set(os.environ) - {{'SSH_AUTH_SOCK', 'PYTHONPATH'}}))
print(os.listdir('.'))
"""
    printed(code, sandbox, "1 False False\nFalse False\nTrue True\n['solution.py']")


def test_no_network_but_its_own_loopback(sandbox):
    code = """
import socket, urllib.request
server = socket.create_server(("127.0.0.1", 0)); client = socket.create_connection(server.getsockname()); print("own")
for act in (lambda: socket.create_connection(("1.1.1.1", 53), timeout=2), lambda: socket.gethostbyname("example.com"),
            lambda: urllib.request.urlopen("http://93.184.216.34", timeout=2)):
    try:
        act()
    except OSError:
        print("refused")
print([name for _, name in socket.if_nameindex()])
"""
    printed(code, sandbox, "own\nrefused\nrefused\nrefused\n['lo']")


def test_the_system_is_read_only_and_the_folder_small(sandbox):
    code = """
import os, sys
for path in ("/usr/x", "/x", "/dev/x", "/inside/x", sys.prefix + "/x", "/etc/x"):
    try:
        open(path, "w"); print("wrote", path)
    except OSError:
        pass
written = 0
try:
    for number in range(100):
        with open(f"file{number}", "wb") as file:
            written += file.write(bytes(10 << 20))
except OSError:
    print("full", written >> 20 <= 64)
"""
    printed(code, sandbox, "full True")


@pytest.mark.parametrize("version", ["3.8", "3.10", "3.13"])
def test_other_interpreters_run_by_path(version):
    found = sorted(PYENV.glob(f"{version}.*/bin/python3")) if PYENV.is_dir() else []
    python = str(found[0]) if found else shutil.which(f"python{version}")
    a_shim = python and subprocess.run([python, "-c", ""], capture_output=True).returncode  # of pyenv, for no version
    if python is None or a_shim:
        pytest.skip(f"there is no Python {version} on this machine")
    sandbox = Sandbox(python=python)
    printed("import sys\nprint('%d.%d' % sys.version_info[:2])", sandbox, version)
    options = {"entry_point": "f", "sandbox": sandbox, "time_limit_s": 10}
    assert judge_function("def f(x): return x + 1", [FunctionTest([1], 2)], **options).status == "right"
    test = "import unittest\nclass TestCases(unittest.TestCase):\n    def test_1(self): self.assertEqual(f(1), 2)"
    assert judge_unittest("def f(x): return x + 1", test, **options).status == "right"
    assert judge_unittest("def f(x): return x", test, **options).status == "wrong"


@pytest.mark.parametrize(
    ("does", "said"),
    [
        ("echo 'pyenv: command not found' >&2; exit 127", "it ends with 127 and says 'pyenv: command not found'"),
        ("echo hello", "it ends with 0 and says 'hello'"),
        (None, "No such file or directory"),
    ],
)
def test_why_a_program_is_no_interpreter_is_one_sentence(tmp_path, does, said):
    program = tmp_path / "python"
    if does:
        program.write_text(f"#!/bin/sh\n{does}\n")
        program.chmod(0o755)
    with pytest.raises(BadInput) as refused:
        Sandbox(python=str(program))
    assert str(refused.value) == f"{program} does not run as a Python interpreter: {said}; name another --python"


def test_without_bubblewrap_it_refuses_and_names_the_flag(monkeypatch):
    monkeypatch.setattr(sandbox_module.shutil, "which", lambda name: None)
    with pytest.raises(Z1Error, match="--unsafe-sandbox"):
        Sandbox()


def test_where_bubblewrap_fails_it_refuses_with_its_words(monkeypatch, tmp_path):
    broken = tmp_path / "bwrap"
    broken.write_text("#!/bin/sh\necho 'bwrap: setting up uid map: Permission denied' >&2\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setattr(sandbox_module.shutil, "which", lambda name: str(broken))
    with pytest.raises(Z1Error, match=r"uid map: Permission denied.*--unsafe-sandbox"):
        Sandbox()


def test_unsafe_mode_still_judges_and_cleans_up():
    before = set(Path("/tmp").glob("z1-sandbox-*"))
    unsafe = Sandbox(unsafe=True)
    assert unsafe.kind == "limits only"
    printed("print(sum(range(4)))", unsafe, "6")
    assert set(Path("/tmp").glob("z1-sandbox-*")) == before


IN_A_CONTAINER = """
import os, subprocess
from evaluation.judges.programs import StdinTest, judge_stdin
from evaluation.sandbox.bubblewrap import Sandbox
bystander = subprocess.Popen(["sleep", "60"])
code = "import subprocess; subprocess.Popen(['true']); print(1)"
verdict = judge_stdin(code, [StdinTest("", "1")] * 2, sandbox=Sandbox(unsafe=True), time_limit_s=20)
print(os.getpid() <= 16, verdict.status, bystander.poll())
bystander.kill()
"""


def test_unsafe_mode_in_a_small_namespace_spares_everybody_else():
    """A container, in which the judge's processes have small numbers and all others are its user's. bubblewrap makes one
    here: what went wrong could reach nothing outside."""
    options = ["--unshare-user", "--unshare-pid", "--die-with-parent", "--dev-bind", "/", "/", "--proc", "/proc"]
    command = ["bwrap", *options, sys.executable, "-c", IN_A_CONTAINER]
    done = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parents[1], timeout=60)
    assert done.stdout.split() == ["True", "right", "None"], done.stderr
