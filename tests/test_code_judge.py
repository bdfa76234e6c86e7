"""Judging programs: right ones are right, others are wrong with the reason in words, and all references pass."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from functools import partial
from pathlib import Path

import pytest

from evaluation.benchmarks import benchmark
from evaluation.judges.extract import extract_code
from evaluation.judges.programs import FunctionTest, StdinTest, judge_function, judge_stdin, read_json
from evaluation.judges.unit_tests import judge_check, judge_unittest
from evaluation.problem import Judges, Verdict
from evaluation.rows import read_rows
from evaluation.sandbox.bubblewrap import Sandbox
from evaluation.sandbox.session import MOST_WAITING
from tests.shares import count_of, sample_or_all
from tests.standins import codeforces_problems, leetcode_problems

NEEDS_CGI = {"BigCodeBench/273", "BigCodeBench/274"}
"""Broken by Python 3.13, which has no cgi."""
SLOW_TASK = "BigCodeBench/1040"
"""Six servers of ten seconds each, and more than a minute in all. Its own test connects to a server that it has just
started, and at times too early where both cores are taken."""

CODEFORCES_SOLUTIONS = {
    "Output two integers: the minimum of": """
for _ in range(int(input())):
    print(*sorted(map(int, input().split())))
""",
    "There is a clock labeled with the numbers": """
for line in sys.stdin.readlines()[1:]:
    a, b, c, d = map(int, line.split())
    a, b = min(a, b), max(a, b)
    print("YES" if (a < c < b) != (a < d < b) else "NO")
""",
    "You are given a binary string": """
for _ in range(int(input())):
    s = input()
    blocks = sum(a != b for a, b in zip(s, s[1:])) + 1
    print(blocks - ("01" in s))
""",
    "You can swap the elements at positions": """
def main():
    data = list(map(int, sys.stdin.buffer.read().split()))
    at = 1
    for _ in range(data[0]):
        n = data[at]
        a = data[at + 1 : at + 1 + n]
        at += n + 1
        groups = defaultdict(list)
        for value in sorted(a, reverse=True):
            groups[value >> 2].append(value)
        print(*(groups[value >> 2].pop() for value in a))
main()
""",
    "Find the minimum number of new problems": """
for _ in range(int(input())):
    n = int(input()); a = list(map(int, input().split())); b = list(map(int, input().split()))
    i = 0
    for limit in b:
        i += a[i] <= limit
    print(n - i)
""",
}


@pytest.fixture(scope="session")
def sandbox() -> Sandbox:
    return Sandbox()


@pytest.fixture
def tools(sandbox) -> dict:
    return {"sandbox": sandbox, "time_limit_s": 2}


def on_two_cores(judgings: Iterable[tuple[str, Callable[[], Verdict]]]) -> dict[str, Verdict]:
    judgings = list(judgings)
    with ThreadPoolExecutor(2) as pool:
        return dict(zip([name for name, _ in judgings], pool.map(lambda one: one[1](), judgings), strict=True))


def not_right(verdicts: dict[str, Verdict]) -> dict[str, str]:
    return {name: f"{v.status}: {v.detail}" for name, v in verdicts.items() if v.status != "right"}


def unit_tests(body: str) -> str:
    return f"import unittest\nclass TestCases(unittest.TestCase):\n    def test_case_1(self):\n        {body}\n"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("no code at all", None),
        ("only ```inline``` code", None),
        ("```python\nprint(1)\n```", "print(1)"),
        ("first\n```python\nold\n```\nthen\n```\nnew\n```\nbye", "new"),
        ("```python\nold\n```\ncut\n```python\nx = 1\ny =", "x = 1\ny ="),
        ("```python\nold = 1\n```\nthen\n```\nnew = 2", "new = 2"),
        ("```python\n```", None),
        ("```python", None),
        ("1. Print:\n  ```py\n  print(1)\n  ```", "print(1)"),
        ("~~~python\nx = 1\n~~~\nIt sets x.", "x = 1"),
        ("````python\nx = 1\n````", "x = 1"),
        ("Here it is: ```python\nx = 1\n```", "x = 1"),
        ("```python\nx = 1\n```\nCall ```f(x)``` with it.", "x = 1"),
        ("```python\nx = 1\ny = 2```\nDone.", "x = 1\ny = 2"),
        ("x = 1\ny = 2\n```", "x = 1\ny = 2"),
        ("x = 1\ny = 2```", "x = 1\ny = 2"),
        ("x = 1\n```\nThis sets x.", "x = 1"),
        ("x = 1\n```\nDone", "x = 1"),
        ("Done\n```\nx = 1", "x = 1"),
        ("```python\nx = 1\n``` Done\nx is set.", "x = 1"),
        ("```python\nx = 1\n```python\n", "x = 1"),
        ("```python\r\nx = 1\r\n```\r\n", "x = 1\r"),
        ("```python\nx = '```y```'\n```", "x = '```y```'"),
        ("> Here it is:\n> ```python\n> if x:\n>     y = 1\n> ```\n", "if x:\n    y = 1"),
        ("x = int(input())\nprint(x)", "x = int(input())\nprint(x)"),
        ("```python\nn = int(input())\nprint(n)\n```\nIt prints:\n```\n9\n```", "n = int(input())\nprint(n)"),
        ("Yes", None),
        ("-42", None),
    ],
)
def test_the_last_fenced_block_is_the_code(text, code):
    assert extract_code(text) == code


def test_what_shows_a_solution_at_work_does_not_replace_it():
    solution = "class Solution:\n    def square(self, n):\n        return n * n"
    for behind in ("```python\nprint(Solution().square(3))\n```", "```text\n9\n```", "```cpp\nint main() {}\n```"):
        assert extract_code(f"```python\n{solution}\n```\n\n{behind}", "square") == solution


@pytest.mark.parametrize(
    ("printed", "expected", "status"),
    [
        ("3", "3\n", "right"),
        ("3.0", "3", "right"),
        ("1e2  7", "100 7.00", "right"),
        ("  a b \n\n", "a b", "right"),
        ("YES", "yes", "wrong"),
        ("1 2", "1\n2", "wrong"),
        ("", "0", "wrong"),
        ("0.1", "0.10000000000000001", "wrong"),
        ("nan", "nan", "right"),
        ("1_0", "10", "right"),
    ],
)
def test_output_is_compared_by_lines_then_by_decimal_tokens(tools, printed, expected, status):
    code = f"import sys; sys.stdout.write({printed!r})"
    assert judge_stdin(code, [StdinTest("", expected)], **tools).status == status


def test_what_failed_is_said_in_words(tools):
    tests = [StdinTest("1", "1"), StdinTest("2", "4")]
    verdict = judge_stdin("print(input())", tests, **tools)
    assert verdict.detail == "test 2 of 2: printed '2\\n', expected '4'"
    assert "ZeroDivisionError" in judge_stdin("1/0", tests, **tools).detail
    assert "SyntaxError" in judge_stdin("print(", tests, **tools).detail


def test_a_program_is_the_main_module_with_globals_recursion_and_main_guard(tools):
    code = """
depth = 0
def down(n):
    global depth
    depth += 1
    return 0 if n == 0 else down(n - 1)
if __name__ == "__main__":
    down(20000)
    n = int(sys.stdin.readline())
    print(depth + n)
"""
    assert judge_stdin(code, [StdinTest("5", "20006")], **tools).status == "right"


def test_a_test_without_time_left_is_a_time_out_at_once(tools):
    """Whether it computes or sleeps: nothing is run again, and nobody waits for it."""
    tools = tools | {"time_limit_s": 1}
    for code in ("while True: pass", "import time; time.sleep(60)"):
        started = time.monotonic()
        verdict = judge_stdin(code, [StdinTest("", "")], **tools)
        assert (verdict.status, verdict.detail) == ("timeout", "test 1 of 1: took longer than 1 s")
        assert time.monotonic() - started < 4 * MOST_WAITING, "it ran again"
    verdict = judge_function("def f(): \n while True: pass", [FunctionTest([], 1)], entry_point="f", **tools)
    assert verdict.status == "timeout"


def test_waiting_for_a_busy_processor_is_not_the_programs_time(tools):
    """One core, and another program on it that never rests: half of the time is the other's."""
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cores)})
    hog = subprocess.Popen([sys.executable, "-c", "while True: pass"], start_new_session=True)
    try:
        code = "import time\nwhile time.process_time() < 1.4: pass\nprint('done')"
        verdict = judge_stdin(code, [StdinTest("", "done")], **tools | {"time_limit_s": 1.8})
    finally:
        hog.kill()
        hog.wait()
        os.sched_setaffinity(0, cores)
    assert verdict.status == "right", verdict.detail


def test_each_test_has_the_whole_time_limit(tools):
    code = "import time; time.sleep(0.8); print('x')"
    assert judge_stdin(code, [StdinTest("", "x")] * 3, **tools).status == "right"


DIGITS = "7" * 6000
SEVENS = int(Decimal(DIGITS))


@pytest.mark.parametrize(
    ("code", "given", "expected", "status"),
    [
        ("print(int(input()) % 97, 10**5000)", DIGITS, f"{SEVENS % 97} 1{'0' * 5000}", "right"),
        ("print(int(input()) + 1)", DIGITS, DIGITS, "wrong"),
        ("print(input()[::-1]); sys.exit(1)", "ab", "ba", "right"),
        ("print(1); raise SystemExit('with words')", "", "1", "right"),
        ("print(2); exit()", "", "1", "wrong"),
        ("print(1); 1 / 0", "", "1", "wrong"),
        ("import os; print(1, flush=True); os._exit(1)", "", "1", "wrong"),
        ("import mmap; print(len(mmap.mmap(-1, 5 << 30, mmap.MAP_PRIVATE)) >> 30)", "", "5", "right"),
        ("import os, time\nif os.fork() == 0: time.sleep(60)\nprint('first')", "", "first", "right"),
    ],
)
def test_programs_are_judged_by_what_they_print_as_livecodebench_does(tools, code, given, expected, status):
    verdict = judge_stdin(code, [StdinTest(given, expected)], **tools)
    assert verdict.status == status, verdict.detail


@pytest.mark.parametrize(
    ("body", "arguments", "expected", "status"),
    [
        ("return args[0] + args[1]", [1, 2], 3, "right"),
        ("return (1, (2, 3))", [], [1, [2, 3]], "right"),
        ("return 1.0", [], 1, "right"),
        ("return 0.1 + 0.2", [], 0.3, "wrong"),
        ("return {1, 2}", [], [1, 2], "wrong"),
        ("return None", [], 0, "wrong"),
        ("raise SystemExit", [], 1, "wrong"),
        ("print('noise'); return 'é' * 3", [], "ééé", "right"),
        ("return 10 ** 100_000", [], 1, "wrong"),
        ("import numpy; return numpy.int64(3)", [], 3, "right"),
        ("import numpy; return [numpy.float32(0.5), numpy.bool_(True)]", [], [0.5, True], "right"),
        ("import numpy; return numpy.float32(0.1)", [], 0.1, "wrong"),
        ("import numpy; return numpy.array([3, 4])", [], [3, 4], "wrong"),
        ("import fractions; return fractions.Fraction(6, 2)", [], 3, "right"),
        ("import decimal; return decimal.Decimal('NaN')", [], 3, "wrong"),
    ],
)
def test_returned_values_are_compared_as_livecodebench_does(tools, body, arguments, expected, status):
    """It compares Python's own values: an array has no truth, and fails there, too."""
    verdict = judge_function(f"def f(*args): {body}", [FunctionTest(arguments, expected)], entry_point="f", **tools)
    assert verdict.status == status, verdict.detail


def test_integers_of_any_length_go_in_and_come_back(tools):
    """And are read from a test's JSON."""
    assert read_json(f"[{DIGITS}]") == [SEVENS]
    for body, expected, status in (
        ("x", SEVENS, "right"),
        ("[-x]", [-SEVENS], "right"),
        ("x + 1", SEVENS, "wrong"),
        ("1", SEVENS, "wrong"),
    ):
        tests = [FunctionTest([SEVENS], expected)]
        verdict = judge_function(f"def f(x): return {body}", tests, entry_point="f", **tools)
        assert verdict.status == status, verdict.detail


def test_a_method_of_solution_is_called_with_typing_at_hand(tools):
    code = "class Solution:\n    def f(self, a: List[int]) -> int: return len(a)"
    assert judge_function(code, [FunctionTest([[1, 2]], 2)], entry_point="f", **tools).status == "right"
    assert judge_function("def g(): return 1", [FunctionTest([], 1)], entry_point="f", **tools).status == "wrong"


def test_a_check_has_helpers_and_builtins_of_its_own(tools):
    helper = "def twice(x): return 2 * x\n"
    test = f"{helper}def check(f):\n    assert abs(f(1) - twice(1)) < 1, 'off'\n"
    options = {"entry_point": "f", **tools}
    assert judge_check(f"{helper}def f(x): return twice(x)", test, **options).status == "right"
    verdict = judge_check("twice = abs = lambda x: 0\ndef f(x): return twice(x)", test, **options)
    assert (verdict.status, verdict.detail) == (
        "wrong",
        "0 of 1 tests passed, then AssertionError: off at assert abs(f(1) - twice(1)) < 1, 'off'",
    )


COROUTINES = (
    "import unittest\nclass TestCases(unittest.IsolatedAsyncioTestCase):\n    async def test_1(self):\n        {}\n"
)


@pytest.mark.parametrize(
    ("code", "test", "status"),
    [
        ("async def f(): return 1", COROUTINES.format("self.assertEqual(await f(), 1)"), "right"),
        ("async def f(): return 2", COROUTINES.format("self.assertEqual(await f(), 1)"), "wrong"),
        ("def f(n): return 0 if n == 0 else f(n - 1)", unit_tests("self.assertEqual(f(900), 0)"), "right"),
    ],
)
def test_tests_may_be_coroutines_and_a_function_may_go_deep(tools, code, test, status):
    assert judge_unittest(code, test, entry_point="f", **tools).status == status


def test_missing_libraries_are_not_judged_and_named(tools):
    verdict = judge_unittest("", unit_tests("pass"), entry_point="f", libs=["os", "nosuchlibrary.part"], **tools)
    assert (verdict.status, verdict.detail) == ("not_judged", "libraries missing: nosuchlibrary")


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("def f(): raise Exception(\"No module named 'tensorflow'\")", "wrong"),
        ("def f(): raise ModuleNotFoundError(\"No module named 'tensorflow'\", name='tensorflow')", "wrong"),
        ("def f():\n    if False: import tensorflow\n    return 0", "wrong"),
        ("import nosuchlibrary\ndef f(): return 1", "wrong"),
        ("import tensorflow.keras\ndef f(): return 1", "not_judged"),
        ("def f():\n    from tensorflow import keras\n    return 1", "not_judged"),
        ("import importlib\ndef f(): return importlib.import_module('tensorflow')", "not_judged"),
        ("def f():\n try: import tensorflow\n except ImportError as e: raise ImportError('x') from e", "not_judged"),
        ("try: import tensorflow\nexcept ImportError: pass\ndef f(): return 1", "right"),
        ("try: import tensorflow\nexcept ImportError: pass\ndef f(): return 0", "wrong"),
    ],
)
def test_what_is_missing_is_seen_by_what_is_imported_and_not_by_what_is_said(tools, code, status):
    verdict = judge_unittest(code, unit_tests("self.assertEqual(f(), 1)"), entry_point="f", **tools)
    assert verdict.status == status, verdict.detail


def test_zero_tests_never_pass(tools):
    empty = "import unittest\nclass TestCases(unittest.TestCase):\n    pass\n"
    assert judge_unittest("def f(): pass", empty, entry_point="f", **tools).status == "harness_error"
    for source in ("assert f(1) == 1", "def check(candidate:"):
        assert judge_check("def f(x): return x", source, entry_point="f", **tools).status == "harness_error"
    assert judge_stdin("", [], **tools).status == "harness_error"
    assert judge_function("", [], entry_point="f", **tools).status == "harness_error"


def humaneval(folder: Path, sandbox: Sandbox, body: str | None):
    of, tools = benchmark("humaneval"), Judges(math=None, sandbox=sandbox)
    for _, row in read_rows(folder / "humaneval" / "HumanEval.jsonl"):
        code = row["prompt"] + (body or row["canonical_solution"])
        yield row["task_id"], partial(of.judge, of.make_problem(row), f"```python\n{code}\n```", tools)


def bigcodebench(folder: Path, sandbox: Sandbox, body: str | None):
    """Those that need the standard library alone, the slow one first, beside the others."""
    of, tools = benchmark("bigcodebench"), Judges(math=None, sandbox=sandbox)
    rows = [row for _, row in read_rows(folder / "bigcodebench_hard" / "bigcodebench_hard.json")]
    for row in sorted(rows, key=lambda row: row["task_id"] != SLOW_TASK):
        problem = of.make_problem(row)
        if all(lib.split(".")[0] in sys.stdlib_module_names | {"cgi"} for lib in problem.reference["libs"]):
            text = row["code_prompt"] + (body or row["canonical_solution"]) + "\n```"
            yield problem.id, partial(of.judge, problem, text, tools)


def leetcode(folder: Path, sandbox: Sandbox, body: str | None):
    for problem in leetcode_problems(folder):
        code = problem.starter_code.rstrip() + body if body else problem.reference
        yield problem.id, partial(problem.judge, code, sandbox, time_limit_s=15)


def codeforces(folder: Path, sandbox: Sandbox, body: str):
    for number, (_, tests) in enumerate(codeforces_problems(folder)):
        yield str(number), partial(judge_stdin, body, tests, sandbox=sandbox, time_limit_s=6)


@sample_or_all(step=40)
@pytest.mark.parametrize(("rows", "count"), [(humaneval, 164), (leetcode, 228), (bigcodebench, 36)])
def test_all_references_pass(shared_data, sandbox, step, rows, count):
    """Those of BigCodeBench that need the standard library alone; the tests of three import faker all the same."""
    judgings = [*rows(shared_data, sandbox, None)][::-step]
    verdicts = on_two_cores(judgings)
    if SLOW_TASK in verdicts and verdicts[SLOW_TASK].status != "right":
        verdicts[SLOW_TASK] = dict(judgings)[SLOW_TASK]()
    assert len(verdicts) == count_of(count, step)
    missing = {name for name, verdict in verdicts.items() if verdict.status == "not_judged"}
    assert missing <= (NEEDS_CGI if sys.version_info >= (3, 13) else set())
    assert set(not_right(verdicts)) == missing, not_right(verdicts)


@sample_or_all(step=40)
@pytest.mark.parametrize("rows", [humaneval, leetcode, bigcodebench, codeforces])
def test_pass_solves_nothing(shared_data, sandbox, step, rows):
    judgings = [*rows(shared_data, sandbox, "pass" if rows == codeforces else "    pass\n")][::-step]
    verdicts = on_two_cores((name, judge) for name, judge in judgings if name != SLOW_TASK)
    assert {verdict.status for verdict in verdicts.values()} <= {"wrong", "not_judged"}


def test_right_codeforces_solutions_pass(shared_data, sandbox):
    problems = codeforces_problems(shared_data)
    for phrase, code in CODEFORCES_SOLUTIONS.items():
        tests = next(tests for text, tests in problems if phrase in text)
        verdict = judge_stdin(code, tests, sandbox=sandbox, time_limit_s=6)
        assert verdict.status == "right", verdict.detail
        assert judge_stdin("print(1)", tests, sandbox=sandbox, time_limit_s=6).status == "wrong"
