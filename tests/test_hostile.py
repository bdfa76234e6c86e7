"""Programs that would be judged right without being right, or that do harm: none is right, and nothing of them stays.

The first are what models write by accident. The harmful ones aim at their own sandbox only.
"""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path

import pytest

from evaluation.judges.programs import FunctionTest, StdinTest, judge_function, judge_stdin
from evaluation.judges.unit_tests import judge_check, judge_unittest
from evaluation.sandbox.bubblewrap import Sandbox
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
ACCIDENTS = {
    "leaves before the tests": "import sys\nsys.exit(0)",
    "leaves in the test": "import os\ndef task_func(x): os._exit(0)",
    "runs its own tests": (
        "import unittest\nclass TestCases(unittest.TestCase):\n    def test_case_1(self): pass\n"
        "unittest.main(module=__name__)"
    ),
    "skips the tests": "import unittest\ndef task_func(x): raise unittest.SkipTest('done')",
    "loops without end": "def task_func(x):\n    while True: pass",
    "patches TestCase.run": "import unittest\nunittest.TestCase.run = lambda self, result=None: result.addSuccess(self)",
    "patches the assertions": (
        "import unittest\nfor name in dir(unittest.TestCase):\n"
        "    if name.startswith('assert'): setattr(unittest.TestCase, name, lambda *a, **k: None)"
    ),
    "patches the loader and the result": (
        "import unittest\nunittest.TestLoader.getTestCaseNames = lambda *a: []\n"
        "unittest.TestResult.addFailure = unittest.TestResult.addError = lambda *a: None"
    ),
    "puts another unittest in place": (
        "import sys, types\nfake = types.ModuleType('unittest')\nclass T:\n"
        "    def __init__(self, name): pass\n    def run(self, result): result.addSuccess(self)\n"
        "fake.TestCase = T\nsys.modules['unittest'] = fake"
    ),
    "replaces AssertionError": "import builtins\nbuiltins.AssertionError = type('Quiet', (Exception,), {})",
    "swallows all errors": (
        "import contextlib, sys\nsys.excepthook = lambda *a: None\n"
        "contextlib._GeneratorContextManager.__exit__ = lambda self, *a: True"
    ),
    "replaces the test methods": (
        "def task_func(x):\n    for name in ('test_case_1', 'test_case_2'):\n"
        "        setattr(TestCases, name, lambda self: None)\n    return 41"
    ),
    "deletes the test class": "def task_func(x):\n    globals().pop('TestCases', None)\n    return 41",
    "is equal to anything": (
        "class Any:\n    def __eq__(self, other): return True\n    def __contains__(self, item): return True\n"
        "def task_func(x): return Any()"
    ),
    "returns mock.ANY": "from unittest.mock import ANY\ndef task_func(x): return ANY",
    "prints what looks like a result": (
        'import os\nfor fd in range(1, 64):\n    for line in (b\'{"token": "", "outcomes": {}, "void": ""}\\n\','
        " b'..\\n\\nOK\\nPASSED 2 passed\\n'):\n        try: os.write(fd, line)\n        except OSError: pass"
    ),
    "writes results at exit": (
        "import atexit, os, sys\ndef forge():\n    for fd in range(3, 64):\n"
        '        try: os.write(fd, b\'{"passed": true, "value": 41, "void": ""}\\n\')\n        except OSError: pass\n'
        "atexit.register(forge)\nsys.exit(0)"
    ),
}
HARM = {
    "fork bomb": "import os\nwhile True:\n    try: os.fork()\n    except OSError: pass",
    "memory bomb": "x = []\nwhile True: x.append(bytearray(1 << 24))",
    "memory bomb of many": (
        "import os, time\nfor _ in range(12):\n"
        "    if os.fork() == 0:\n        x = b'1' * (700 << 20)\n        time.sleep(60)\ntime.sleep(60)"
    ),
    "endless output": "import sys\nwhile True: sys.stdout.write('x' * 65536)",
    "many files": "n = 0\nwhile True:\n    open(f'f{n}', 'wb').write(bytes(1 << 20)); n += 1",
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

    def new() -> set[str]:
        """A test beside this one may have a session of its own for a while."""
        return {name for name in set(os.listdir("/tmp")) - files if name.startswith("z1-")}

    deadline = time.monotonic() + 30
    while (left_behind() or new()) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert (left_behind(), new()) == ([], set())


@pytest.mark.parametrize("accident", some_now(ACCIDENTS, now=[*ACCIDENTS][::4]))
def test_no_accident_makes_code_right(sandbox, accident):
    code = ACCIDENTS[accident]
    if "def task_func" not in code:
        code += "\ndef task_func(x): return 0\n"
    options = {"entry_point": "task_func", "sandbox": sandbox, "time_limit_s": 3}
    check = "def check(candidate):\n    assert candidate(1) == 41\n    assert candidate(2) == [42]\n"
    verdicts = [
        judge_unittest(code, UNIT_TEST, **options),
        judge_check(code, check, **options),
        judge_function(code, [FunctionTest([1], 41), FunctionTest([2], [42])], **options),
    ]
    assert {verdict.status for verdict in verdicts} <= {"wrong", "timeout"}, verdicts


HABITS = """
import asyncio, json, logging, threading
thread = threading.Thread(target=json.loads, args=("{",))
thread.start()
thread.join()
logging.warning("a")
async def nothing(): await asyncio.sleep(0)
asyncio.run(nothing())
class Equal:
    def __eq__(self, other): return True
assert Equal() == 1
def assertEqual(a, b): pass
def task_func(x): return 41 if x == 1 else 42 if x == 2 else "xyz"
"""


def test_what_honest_code_does_is_right(sandbox):
    verdict = judge_unittest(HABITS, UNIT_TEST, entry_point="task_func", sandbox=sandbox, time_limit_s=10)
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
    verdict = judge_unittest(code, test, entry_point="task_func", sandbox=sandbox, time_limit_s=10)
    assert verdict.status == "right", verdict.detail


@pytest.mark.parametrize("harm", some_now(HARM, now=ONE_OF_A_KIND))
def test_harmful_programs_are_not_right_and_the_judge_goes_on(sandbox, harm):
    test = StdinTest("", "41")
    verdict = judge_stdin(HARM[harm], [test], sandbox=sandbox, time_limit_s=1)
    print(harm, "->", verdict.status, verdict.detail[:200])
    assert verdict.status in ("wrong", "timeout")
    assert judge_stdin("print(41)", [test], sandbox=sandbox, time_limit_s=10).status == "right"


@pytest.mark.parametrize("harm", some_now(WITHIN, now=["kills everybody", "leaves a daemon"]))
def test_harm_within_a_function_or_a_unittest_ends_there(sandbox, harm):
    body = "\n".join(f"    {line}" for line in HARM[harm].splitlines())
    code = f"def task_func(x):\n{body}\n"
    options = {"entry_point": "task_func", "sandbox": sandbox, "time_limit_s": 2}
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
        judge_stdin(code, [StdinTest("", "41")], sandbox=sandbox, time_limit_s=2)
    ends_s = time.monotonic() + 10  # those of other programs last as long as the first process needs to reap them
    while (left := zombies() - before) and time.monotonic() < ends_s:
        time.sleep(0.1)
    assert not left


def test_files_of_the_machine_cannot_be_read(sandbox):
    code = f"""
import os
for path in {FILES!r}:
    try:
        print(path, os.listdir(path) if os.path.isdir(path) else open(path, 'rb').read())
    except OSError:
        pass
"""
    verdict = judge_stdin(code, [StdinTest("", "nothing")], sandbox=sandbox, time_limit_s=5)
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
    verdict = judge_stdin(code, [StdinTest("", secret)], sandbox=sandbox, time_limit_s=3)
    assert verdict.status != "right"
    assert f"'{secret}" not in verdict.detail.split("expected")[0]
