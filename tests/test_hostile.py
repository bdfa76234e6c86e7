"""Programs that want to be judged right without being right, or to do harm: none is right, and nothing of them stays.

They aim at their own sandbox only.
"""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path

import pytest

from evaluation.judges.programs import FunctionTest, StdinTest, judge_check, judge_function, judge_stdin, judge_unittest
from evaluation.sandbox.bubblewrap import Sandbox
from tests.forgeries import FORGED_BY_CODE
from tests.shares import some_now

MARK = "z1hostilemark"
UNIT_TEST = """
import unittest
class TestCases(unittest.TestCase):
    def test_case_1(self):
        self.assertEqual(task_func(1), 41)
    def test_case_2(self):
        self.assertTrue(task_func(2) == 42)
        self.assertIn("x", task_func(3))
"""
HARM = {
    "fork bomb": "import os\nwhile True:\n    try: os.fork()\n    except OSError: pass",
    "thread bomb": "import threading, time\nwhile True: threading.Thread(target=time.sleep, args=(99,)).start()",
    "memory bomb": "x = []\nwhile True: x.append(bytearray(1 << 24))",
    "memory bomb of many": (
        "import os, time\nfor _ in range(12):\n"
        "    if os.fork() == 0:\n        x = b'1' * (700 << 20)\n        time.sleep(60)\ntime.sleep(60)"
    ),
    "endless output": "import sys\nwhile True: sys.stdout.write('x' * 65536)",
    "endless errors": "import sys\nwhile True: sys.stderr.write('x' * 65536)",
    "endless file": "f = open('big', 'wb')\nwhile True: f.write(bytes(1 << 20)); f.flush()",
    "many files": "n = 0\nwhile True:\n    open(f'f{n}', 'wb').write(bytes(1 << 20)); n += 1",
    "sleeps": "import time\ntime.sleep(1000)",
    "computes for ever": "while True: pass",
    "ignores signals": "import signal\nfor s in (1, 2, 15): signal.signal(s, signal.SIG_IGN)\nwhile True: pass",
    "kills everybody": "import os, signal\nos.kill(-1, signal.SIGKILL)",
    "kills the driver": "import os, signal\nos.kill(os.getppid(), signal.SIGKILL)",
    "leaves a daemon": (
        f"import os, time\nif os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0:\n"
        f"        for fd in range(64):\n            try: os.close(fd)\n            except OSError: pass\n"
        f"        os.execvp('sleep', ['{MARK}', '300'])\n    os._exit(0)\nprint('started')"
    ),
    "deep recursion": "def f(): return f()\nf()",
    "crashes the interpreter": "import ctypes\nctypes.string_at(0)",
    "writes to every descriptor": (
        "import os\nfor fd in range(256):\n"
        '    try: os.write(fd, b\'{"exit": 0, "stdout": "41"}\\n\')\n    except OSError: pass'
    ),
}
ONE_OF_A_KIND = {
    "fork bomb", "memory bomb", "endless output", "many files", "ignores signals", "kills everybody", "leaves a daemon",
}  # fmt: skip
WITHIN = ["fork bomb", "memory bomb", "endless output", "kills everybody", "leaves a daemon"]
FILES = ["/etc/shadow", "/root", "/home", "/work", str(Path(__file__).parent), "/proc/1/environ", "/var/log", "/sys"]


@pytest.fixture(scope="session")
def sandbox() -> Sandbox:
    return Sandbox()


def left_behind() -> list[str]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
            if line and (MARK in line or (parent == os.getpid() and "bwrap" in line)):
                found.append(line)
    return found


@pytest.fixture(autouse=True)
def nothing_left_behind():
    files = set(os.listdir("/tmp"))
    yield
    deadline = time.monotonic() + 30
    while left_behind() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert left_behind() == []
    assert {name for name in set(os.listdir("/tmp")) - files if name.startswith("z1-")} == set()


@pytest.mark.parametrize("trick", some_now(FORGED_BY_CODE, now=[*FORGED_BY_CODE][::6]))
def test_no_forged_unittest_verdict_is_right(sandbox, trick):
    code = FORGED_BY_CODE[trick]
    if "def task_func" not in code:
        code += "\ndef task_func(x): return 0\n"
    verdict = judge_unittest(code, UNIT_TEST, entry_point="task_func", sandbox=sandbox, python=None, time_limit_s=10)
    print(trick, "->", verdict.status, verdict.detail)
    assert verdict.status in ("wrong", "timeout")


INDIRECT = {
    "answers with liars where it is asked for a part": (
        """
class Liar:
    def __eq__(self, other): return True
class Answer:
    def __getitem__(self, key): return Liar()
    def __getattr__(self, name): return Liar()
def task_func(x): return Answer()
""",
        'self.assertEqual(task_func(1)["a"], 41)\n        self.assertTrue(task_func(2).status == 42)',
    ),
    "patches the assertions of mocks": (
        """
import unittest.mock
for name in dir(unittest.mock.NonCallableMock):
    if name.startswith("assert"): setattr(unittest.mock.NonCallableMock, name, lambda *a, **k: None)
def task_func(x): pass
""",
        "mock = unittest.mock.Mock()\n        task_func(mock)\n        mock.assert_called_once_with()",
    ),
    "patches and restores between two statements": (
        """
import unittest
old = {name: value for name, value in vars(unittest.TestCase).items() if name.startswith("assert")}
def task_func(x):
    for name in old: setattr(unittest.TestCase, name, fake)
def fake(self, *a, **k): self.addCleanup(restore)
def restore():
    for name in old: setattr(unittest.TestCase, name, old[name])
""",
        "result = task_func(1)\n        self.assertEqual(result, 41)",
    ),
}


@pytest.mark.parametrize("trick", INDIRECT)
def test_no_forgery_fits_the_form_of_a_test(sandbox, trick):
    code, body = INDIRECT[trick]
    test = (
        f"import unittest, unittest.mock\nclass TestCases(unittest.TestCase):\n    def test_1(self):\n        {body}\n"
    )
    verdict = judge_unittest(code, test, entry_point="task_func", sandbox=sandbox, python=None, time_limit_s=10)
    assert verdict.status == "wrong", verdict.detail


HONEST = {
    "fails in a thread": "import json, threading\nt = threading.Thread(target=json.loads, args=('{',))\nt.start()\nt.join()",
    "names a tuple": "import collections, enum\nP = collections.namedtuple('P', 'x')\nclass E(enum.Enum): A = 1",
    "logs": "import logging, warnings\nlogging.warning('a')\nwarnings.warn('b')\nlogging.exception('c', stack_info=True)",
    "uses ctypes through a library": "import uuid, multiprocessing.sharedctypes as s\nuuid.uuid4()\ns.RawValue('i', 1)",
    "runs asyncio": "import asyncio\nasync def f(): await asyncio.sleep(0)\nasyncio.run(f())",
    "has a class that compares": "class C:\n    def __eq__(self, other): return True\nassert C() == 1",
    "profiles in C": "import cProfile\nwith cProfile.Profile(): pass",
    "shows a traceback": "import traceback\ntry: 1/0\nexcept Exception: traceback.print_exc(); traceback.format_stack()",
}


@pytest.mark.parametrize("habit", HONEST)
def test_what_honest_code_does_is_no_forgery(sandbox, habit):
    code = f"{HONEST[habit]}\ndef task_func(x): return 41 if x == 1 else 42 if x == 2 else 'xyz'"
    verdict = judge_unittest(code, UNIT_TEST, entry_point="task_func", sandbox=sandbox, python=None, time_limit_s=10)
    assert verdict.status == "right", verdict.detail


def test_tests_may_keep_things_in_their_class_and_patch_builtins(sandbox):
    test = """
import unittest
from unittest.mock import patch
class TestCases(unittest.TestCase):
    def setUp(self):
        type(self).folder = "kept"
    @patch("builtins.open")
    def test_1(self, opened):
        task_func(1)
        self.assertEqual(self.folder, "kept")
        opened.assert_called_once_with("f")
    def test_2(self):
        with patch("builtins.print") as printed:
            self.assertIsNone(task_func(print))
"""
    code = "def task_func(x): open('f') if x == 1 else x()"
    verdict = judge_unittest(code, test, entry_point="task_func", sandbox=sandbox, python=None, time_limit_s=10)
    assert verdict.status == "right", verdict.detail


@pytest.mark.parametrize("trick", some_now(FORGED_BY_CODE, now=[*FORGED_BY_CODE][::6]))
def test_no_forged_check_or_function_is_right(sandbox, trick):
    code = FORGED_BY_CODE[trick]
    if "def task_func" not in code:
        code += "\ndef task_func(x): return 0\n"
    options = {"entry_point": "task_func", "sandbox": sandbox, "python": None, "time_limit_s": 5}
    tests = [FunctionTest([1], 41), FunctionTest([2], [42])]
    assert judge_function(code, tests, **options).status in ("wrong", "timeout")
    check = "def check(candidate):\n    assert candidate(1) == 41\n    assert candidate(2) == [42]\n"
    assert judge_check(code, check, **options).status in ("wrong", "timeout")


def test_an_honest_function_passes_where_the_forged_ones_fail(sandbox):
    code = "def task_func(x): return 41 if x == 1 else 42 if x == 2 else 'xyz'"
    verdict = judge_unittest(code, UNIT_TEST, entry_point="task_func", sandbox=sandbox, python=None, time_limit_s=10)
    assert verdict.status == "right", verdict.detail


@pytest.mark.parametrize("harm", some_now(HARM, now=ONE_OF_A_KIND))
def test_harmful_programs_are_not_right_and_the_judge_goes_on(sandbox, harm):
    test = StdinTest("", "41")
    verdict = judge_stdin(HARM[harm], [test], sandbox=sandbox, python=None, time_limit_s=1)
    print(harm, "->", verdict.status, verdict.detail[:200])
    assert verdict.status in ("wrong", "timeout")
    assert judge_stdin("print(41)", [test], sandbox=sandbox, python=None, time_limit_s=10).status == "right"


@pytest.mark.parametrize("harm", some_now(WITHIN, now=["kills everybody", "leaves a daemon"]))
def test_harm_within_a_function_or_a_unittest_ends_there(sandbox, harm):
    body = "\n".join(f"    {line}" for line in HARM[harm].splitlines())
    code = f"def task_func(x):\n{body}\n"
    options = {"entry_point": "task_func", "sandbox": sandbox, "python": None, "time_limit_s": 2}
    assert judge_function(code, [FunctionTest([1], 41)], **options).status in ("wrong", "timeout")
    assert judge_unittest(code, UNIT_TEST, **options).status in ("wrong", "timeout")


def test_no_zombie_is_left_to_the_first_process(sandbox):
    def zombies() -> set[str]:
        states = {entry.name: entry / "stat" for entry in Path("/proc").iterdir() if entry.name.isdigit()}
        found = set()
        for pid, file in states.items():
            with contextlib.suppress(OSError):
                name, _, fields = file.read_text().partition("(")[2].rpartition(")")
                found |= (
                    {pid} if name in ("bwrap", "setpriv", "python3") and fields.split()[:2] == ["Z", "1"] else set()
                )
        return found

    before = zombies()
    for code in ("print(1)", HARM["leaves a daemon"]):
        judge_stdin(code, [StdinTest("", "41")], sandbox=sandbox, python=None, time_limit_s=2)
    assert zombies() <= before


def test_files_of_the_machine_cannot_be_read(sandbox):
    code = f"""
import os
for path in {FILES!r}:
    try:
        print(path, os.listdir(path) if os.path.isdir(path) else open(path, 'rb').read())
    except OSError:
        pass
"""
    verdict = judge_stdin(code, [StdinTest("", "nothing")], sandbox=sandbox, python=None, time_limit_s=5)
    seen = [line.split(" ")[0] for line in verdict.detail.split("printed ", 1)[1].split("\\n")]
    assert verdict.status == "wrong"
    assert str(Path(__file__).parent) not in seen
    assert not {"/etc/shadow", "/var/log", "/sys"} & {part.strip("'\"") for part in seen}


def test_the_expected_output_is_nowhere_inside(sandbox):
    secret = "z1secret" + "81a7"
    code = """
import os
found = []
for pid in os.listdir('/proc'):
    for name in ('cmdline', 'environ', 'fd/3', 'fd/4', 'fd/5'):
        try: found.append(open(f'/proc/{pid}/{name}', 'rb', buffering=0).read(100000))
        except OSError: pass
for folder, _, files in os.walk('/box'):
    found += [open(os.path.join(folder, f), 'rb').read() for f in files]
print([word for blob in found for word in blob.decode(errors='replace').split() if 'z1secret' in word and '81a7' in word])
"""
    verdict = judge_stdin(code, [StdinTest("", secret)], sandbox=sandbox, python=None, time_limit_s=3)
    assert verdict.status != "right"
    assert f"'{secret}" not in verdict.detail.split("expected")[0]


def test_the_network_cannot_be_reached(sandbox):
    code = """
import socket, urllib.request
for act in (lambda: socket.create_connection(('1.1.1.1', 53), 2), lambda: socket.gethostbyname('example.com'),
            lambda: urllib.request.urlopen('http://93.184.216.34', timeout=2)):
    try:
        act(); print('reached')
    except OSError:
        print('no')
"""
    verdict = judge_stdin(code, [StdinTest("", "no\nno\nno")], sandbox=sandbox, python=None, time_limit_s=10)
    assert verdict.status == "right", verdict.detail
