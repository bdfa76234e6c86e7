"""Mathematical answers: right where they are, never right where they are not, and no text that stops the judge."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from evaluation.judges import mathematics as math_judge
from z1_core.final_answer import boxes, final_answers
from evaluation.judges.mathematics import MathJudge
from tests.shares import count_of, sample_or_all
from z1_core.errors import BadInput, Z1Error

EAST, POINT = r"\text{east}", r"\left( 3, \frac{\pi}{2} \right)"
PLANE, COLUMN = "5x - 7y + 11z + 4 = 0", r"\begin{pmatrix} -2 \\ -14 \\ -7 \end{pmatrix}"

RIGHT = [
    # words
    (EAST, r"\boxed{\text{East}}"),
    (EAST, r"\boxed{east}"),
    (EAST, "**east**"),
    (r"\text{Evelyn}", "The answer is Evelyn."),
    (r"\text{ellipse}", r"\boxed{\text{an ellipse}}"),
    (r"\text{(C)}", r"\boxed{C}"),
    (r"\text{(C)}", r"\boxed{\textbf{(C)}\ 12}"),
    # thousands, currency, units, degrees, per cent
    ("10000", r"\boxed{10{,}000}"),
    ("10000", r"\boxed{10,000}"),
    ("10000", r"\boxed{10\,000}"),
    ("10000", r"\boxed{10 000}"),
    (r"10,\!080", r"\boxed{10080}"),
    (r"11,\! 111,\! 111,\! 100", r"\boxed{11{,}111{,}111{,}100}"),
    (r"\$32,\!348", r"\boxed{32348}"),
    (r"\$32,\!348", r"\boxed{\text{\$}32{,}348}"),
    (r"\$18.90", r"\boxed{18.9 \text{ dollars}}"),
    (r"5.4 \text{ cents}", r"\boxed{5.4}"),
    (r"864 \mbox{ inches}^2", r"\boxed{864 \text{ square inches}}"),
    ("12", r"\boxed{12\,\mathrm{cm}^3}"),
    ("12", r"\boxed{12 m/s}"),
    ("18", r"\boxed{\text{18 dollars}}"),
    (r"90^\circ", r"\boxed{90}"),
    (r"90^\circ", r"\boxed{90°}"),
    (r"90^\circ", r"\boxed{90 \text{ degrees}}"),
    (r"\frac{270}7\text{ degrees}", r"\boxed{\frac{270}{7}^\circ}"),
    (r"50\%", "50%"),
    # intervals, sets, points, matrices
    ("[1,2)", r"\boxed{[1, 2)}"),
    ("(3,4]", r"\boxed{3 < x \le 4}"),
    (r"x \in [-2,7]", r"\boxed{-2 \le x \le 7}"),
    (r"x \in [-2,7]", r"\boxed{[-2,7]}"),
    (r"(2,\infty)", r"\boxed{x > 2}"),
    ("1,-2", r"\boxed{-2, 1}"),
    ("1,-2", r"\boxed{x = 1 \text{ or } x = -2}"),
    ("1,-2", r"$\boxed{1}$ and $\boxed{-2}$"),
    (r"1 \pm \sqrt{19}", r"\boxed{1+\sqrt{19}, 1-\sqrt{19}}"),
    (POINT, r"\boxed{(3, \pi/2)}"),
    (COLUMN, r"\boxed{\begin{bmatrix} -2 \\ -14 \\ -7 \end{bmatrix}}"),
    (COLUMN, COLUMN),
    # equations, forms, spellings
    ("x=5", r"\boxed{5}"),
    ("5", r"\boxed{x = 5}"),
    ("y = 2x + 3", "y = 3 + 2x"),
    (PLANE, r"\boxed{-5x + 7y - 11z - 4 = 0}"),
    (r"\frac43", r"\boxed{4/3}"),
    (r"1\frac{4}{5}", r"\boxed{1.8}"),
    (r"\frac{\sqrt{3}}{2}", "sqrt(3)/2"),
    (r"\frac{\pi}{6}", r"The answer is \frac{\pi}{6}."),
    ("p - q", "p - q"),
    ("-3", "x = −3"),
    ("52_8", r"\boxed{52_{8}}"),
    (".0000672", r"\boxed{6.72 \times 10^{-5}}"),
    (r"1 - \frac{1}{e}", r"\boxed{1 - \frac{1}{\mathrm{e}}}"),
    # where the answer stands
    ("3", r"\fbox{3}"),
    ("4", r"\boxed 4"),
    ("5", r"\[ \boxed{5} \]"),
    ("5", r"\boxed{\boxed{5}}"),
    ("73", "437 + 2*234 = 905, so the number of residents is **73**.\n\n---\n\nFinal Answer: **73**"),
    ("18", r"The final answer is: $\boxed{18}$. I hope it is correct."),
    ("18", "The answer is 17. No, the answer is 18."),
]

WRONG = [
    (EAST, r"\boxed{\text{west}}"),
    (EAST, "west"),
    (r"\text{(C)}", r"\boxed{\text{(B)}}"),
    ("1", r"\boxed{100}"),
    ("540", r"\boxed{5.4}"),
    ("[1,2)", r"\boxed{(1,2]}"),
    ("[1,2)", "(1, 2]"),
    (r"x \in [-2,7]", r"\boxed{(-2,7)}"),
    ("1,-2", r"\boxed{1}"),
    ("1,-2", r"\boxed{1,2}"),
    ("(8,-2)", r"\boxed{(-2,8)}"),
    (COLUMN, COLUMN.replace("-14", "14")),
    ("x=5", r"\boxed{y=5}"),
    ("y = 2x + 3", r"\boxed{y = 2x - 3}"),
    (PLANE, "5x - 7y + 11z + 5 = 0"),
    ("52_8", r"\boxed{42}"),
    ("52_8", r"\boxed{52_9}"),
    (".0000672", r"\boxed{0.0000668}"),
    (".0000672", r"\boxed{0}"),
    (r"\frac{1}{2^{99}}", r"\boxed{\frac{1}{2^{98}}}"),
    (r"1 - \frac{1}{\mathrm{e}}", r"\boxed{1 + \frac{1}{\mathrm{e}}}"),
    ("4", r"\boxed{4\sqrt(2)}"),
    ("3", r"\boxed{3}, but wait, that forgets one, so \boxed{4}"),
    ("4", r"\boxed{4}, or rather \boxed{nonsense @@ \foo}"),
    ("5", "The word boxed makes no answer of 12."),
    ("5", r"\boxed{__import__('os').getpid()}"),
]

NO_ANSWER = ["", "  \n", r"\boxed{}", r"\boxed{\frac{1}{2", "I do not know, to be honest."]

GSM8K_WAYS = [
    "#### 1,200",
    "5 + 7 = 12\n#### $1,200",
    "$1,200",
    "**$1,200**",
    r"\boxed{\$1,200}",
    r"\boxed{1200\text{ dollars}}",
    "The answer is $1,200.",
    "The answer is 1200 dollars, since 2 * 600 = 1200 and 3 * 7 = 21",
    "She makes $2 * 600 = $1200 every day.",
    "So they pay 1,200 dollars",
    "**Answer:** 1200",
    "1200.00",
]


@pytest.fixture(scope="module")
def judge() -> Iterator[MathJudge]:
    with MathJudge(workers=2, timeout_s=20.0) as judge:
        yield judge


def rows_of(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def statuses(judge: MathJudge, pairs: list[tuple[str, str]]) -> list[str]:
    with ThreadPoolExecutor(8) as threads:
        return [verdict.status for verdict in threads.map(lambda pair: judge.verify(*pair), pairs)]


@pytest.mark.parametrize(("gold", "text"), RIGHT)
def test_an_equal_answer_is_right_in_any_spelling(judge, gold, text):
    verdict = judge.verify(gold, text)
    assert verdict.status == "right", verdict


@pytest.mark.parametrize(("gold", "text"), WRONG)
def test_another_answer_is_wrong_and_says_what_was_read(judge, gold, text):
    verdict = judge.verify(gold, text)
    assert verdict.status == "wrong", verdict
    assert verdict.extracted
    assert verdict.detail.startswith("reference is ")


@pytest.mark.parametrize("gold", [EAST, "5", "0", "[1,2)", PLANE, r"\text{(C)}"])
@pytest.mark.parametrize("text", NO_ANSWER)
def test_a_text_without_an_answer_is_never_right(judge, gold, text):
    assert judge.verify(gold, text).status == "no_answer"


@pytest.mark.parametrize("text", GSM8K_WAYS)
def test_a_plain_number_is_found_behind_commas_currency_and_units(judge, text):
    for gold in ("1200", "1,200"):
        assert judge.verify(gold, text).status == "right"
    assert judge.verify("1201", text).status == "wrong"


def test_a_reference_that_cannot_be_read_is_no_fault_of_the_answer(judge):
    for gold in (r"@@ foo \bar {", "", r"\boxed{}"):
        verdict = judge.verify(gold, r"\boxed{5}")
        assert verdict.status == "harness_error"
        assert "reference" in verdict.detail


@sample_or_all(step=10)
def test_every_math500_solution_is_right_within_the_minute_and_an_empty_answer_never(judge, shared_data, step):
    rows = rows_of(shared_data / "math500" / "test.jsonl")[::step]
    started = time.perf_counter()
    own = statuses(judge, [(row["answer"], row["solution"]) for row in rows])
    assert time.perf_counter() - started < 60
    assert own.count("right") == len(rows) == count_of(500, step)
    assert statuses(judge, [(row["answer"], "") for row in rows]) == ["no_answer"] * len(rows)


@sample_or_all(step=10)
def test_every_math500_answer_is_right_without_a_box(judge, shared_data, step):
    answers = [row["answer"] for row in rows_of(shared_data / "math500" / "test.jsonl")[::step]]
    assert set(statuses(judge, [(answer, answer) for answer in answers])) == {"right"}
    assert set(statuses(judge, [(answer, f"The answer is {answer}.") for answer in answers])) == {"right"}


@sample_or_all(step=10)
def test_another_problems_solution_is_wrong(judge, shared_data, step):
    rows = rows_of(shared_data / "math500" / "test.jsonl")[::step]
    others = [(row["answer"], other["solution"]) for row, other in zip(rows, rows[1:] + rows[:1], strict=True)]
    same = sum(row["answer"] == other["answer"] for row, other in zip(rows, rows[1:] + rows[:1], strict=True))
    assert statuses(judge, others).count("right") <= same + 1  # "x=5" follows a problem whose answer is 5


@sample_or_all(step=20)
def test_every_gsm8k_solution_is_right(judge, shared_data, step):
    rows = rows_of(shared_data / "gsm8k" / "test.jsonl")[::step]
    pairs = [(row["answer"].split("####")[1].strip(), row["answer"]) for row in rows]
    assert set(statuses(judge, pairs)) == {"right"}
    prose = [(gold, re.sub(r"<<.*?>>", "", text.split("####")[0])) for gold, text in pairs]
    assert statuses(judge, prose).count("right") >= 0.95 * len(rows)


def test_hostile_texts_are_not_right_and_the_judge_goes_on():
    hostile = [
        r"\boxed{9^{9^{9^{9}}}}",
        r"\boxed{10^{9}!}",
        r"\boxed{" + r"\frac{1}{" * 2000 + "2" + "}" * 2000 + "}",
        r"\boxed{" + "(" * 5000 + "5" + ")" * 5000 + "}",
        "9**9**9**9",
        "(" * 100_000,
        r"\boxed{" * 50_000,
        "1" * 200_000,
        "the answer is " + "a" * 100_000,
        r"\boxed{1}" + r"\text{ }$" * 30_000 + r"\boxed{2}",
    ]
    with MathJudge(workers=2, timeout_s=1.0) as judge:
        judged = statuses(judge, [("5", text) for text in hostile])
        assert judged[:2] == ["timeout", "timeout"]
        assert set(judged) <= {"timeout", "wrong", "no_answer"}
        assert judge.verify("5", r"\boxed{5}").status == "right"


def test_a_child_that_dies_is_a_harness_error_and_is_replaced():
    with MathJudge(workers=1, timeout_s=20.0) as judge, ThreadPoolExecutor(1) as thread:
        assert judge.verify("5", "5").status == "right"
        hanging = thread.submit(judge.verify, "5", r"\boxed{9^{9^{9^{9}}}}")
        time.sleep(1)
        [child] = judge._pool._pool_manager.worker_manager.workers.values()
        os.kill(child.pid, signal.SIGKILL)
        verdict = hanging.result()
        assert verdict.status == "harness_error"
        assert "ended by itself" in verdict.detail
        assert judge.verify("5", "5").status == "right"


PARENT = r"""
import multiprocessing, threading, time
from evaluation.judges.mathematics import MathJudge
if __name__ == "__main__":
    judge = MathJudge(workers=2, timeout_s=1.0)
    judge.verify("5", "5")
    judge._timeout_s = 3.0
    threading.Thread(target=judge.verify, args=("5", r"\boxed{9^{9^{9^{9}}}}")).start()
    time.sleep(1)
    print(*[child.pid for child in multiprocessing.active_children()], flush=True)
    time.sleep(60)
"""


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_children_end_with_a_parent_that_is_killed_even_while_they_judge(tmp_path):
    script = tmp_path / "parent.py"
    script.write_text(PARENT)
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}
    command = [sys.executable, str(script)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as parent:
        children = [int(pid) for pid in parent.stdout.readline().split()]
        assert len(children) == 2
        parent.kill()
    deadline = time.monotonic() + 3.0 + math_judge.ORPHAN_GRACE_S + 5.0
    while time.monotonic() < deadline and any(map(is_alive, children)):
        time.sleep(0.2)
    left = [pid for pid in children if is_alive(pid)]
    for pid in left:
        os.kill(pid, signal.SIGKILL)
    assert not left


def test_a_missing_package_is_named_with_the_remedy(monkeypatch):
    monkeypatch.setattr(math_judge, "find_spec", lambda name: None if name == "pebble" else object())
    with pytest.raises(Z1Error, match=r"missing \(pebble\): pip install -r evaluation/requirements.txt"):
        MathJudge()


@pytest.mark.parametrize("options", [{"timeout_s": 0}, {"timeout_s": -1.0}, {"workers": 0}])
def test_impossible_settings_are_refused(options):
    with pytest.raises(BadInput, match="give"):
        MathJudge(**options)


def test_the_last_box_counts_and_a_cut_one_does_not():
    assert boxes(r"\boxed{3} and then some words \boxed{\frac{1}{2}}") == [[r"\frac{1}{2}"], ["3"]]
    assert boxes(r"\boxed{3} and \boxed{4}") == [["3", "4"]]
    assert boxes(r"\boxed{\{1, 2\}}") == [[r"\{1, 2\}"]]
    assert boxes(r"\boxed{3}, so \boxed{12") == [["3"]]
    assert boxes(r"in \boxed{} please, boxed{7}") == []
    assert final_answers(r"\boxed{12") == []
