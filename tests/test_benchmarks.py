"""Each benchmark's prompts, held against their sources, and its verdicts on right, wrong and empty answers."""

from __future__ import annotations

import base64
import csv
import json
import os
import pickle
import zlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from evaluation.benchmarks import BENCHMARKS, benchmark
from evaluation.benchmarks.livecodebench import decode_tests
from evaluation.data import find
from evaluation.judges.extract import answering_code, with_head, without_demo
from evaluation.judging import judge_text
from evaluation.judging import judges as all_judges
from evaluation.problem import Judges, Problem
from evaluation.rows import read_rows
from tests.loading import load
from training.procedural import main as make_rows
from z1_core.errors import BadInput

BOXED = r"Please reason step by step, and put your final answer within \boxed{}."


@pytest.fixture(scope="module")
def judges() -> Iterator[Judges]:
    with all_judges() as tools:
        yield tools


def fenced(code: str) -> str:
    return f"Here it is:\n\n```python\n{code}\n```\n"


def user_text(problem: Problem) -> str:
    return problem.messages[-1]["content"]


def test_every_benchmark_is_found_by_name():
    assert list(BENCHMARKS) == ["math500", "gpqa", "livecodebench", "bigcodebench", "gsm8k", "humaneval", "procedural"]
    for name, each in BENCHMARKS.items():
        assert benchmark(name).name == name
        assert name == "procedural" or len(each.source.revision) == 40


@pytest.mark.parametrize(
    ("name", "file", "count"),
    [
        ("math500", "math500/test.jsonl", 500),
        ("gsm8k", "gsm8k/test.jsonl", 1319),
        ("humaneval", "humaneval/HumanEval.jsonl", 164),
        ("bigcodebench", "bigcodebench_hard/bigcodebench_hard.json", 148),
        ("livecodebench", "livecodebench_v5_statements/problems.jsonl", 880),
    ],
)
def test_all_rows_of_the_published_files_become_problems(shared_data, name, file, count):
    loaded = load(benchmark(name), data=shared_data / file)
    assert (len(loaded.problems), loaded.bad_rows) == (count, [])
    for problem in loaded.problems:
        text = "".join(message["content"] for message in problem.messages)
        assert "<think>" not in text + problem.prefill
        assert problem.messages[-1]["role"] == "user"
        json.dumps(dict(problem.reference))


def test_math500_asks_the_problem_alone_under_the_papers_system_text(shared_data):
    problems = load(benchmark("math500"), data=shared_data / "math500/test.jsonl").problems
    rows = [row for _, row in read_rows(shared_data / "math500/test.jsonl")]
    assert [list(problem.messages) for problem in problems] == [
        [{"role": "system", "content": BOXED}, {"role": "user", "content": row["problem"]}] for row in rows
    ]
    assert Counter(problem.labels["level"] for problem in problems) == {"1": 43, "2": 90, "3": 105, "4": 128, "5": 134}


def test_math500_is_judged_by_value_and_an_empty_answer_is_never_right(shared_data, judges):
    math500 = benchmark("math500")
    problem = load(math500, data=shared_data / "math500/test.jsonl", limit=1).problems[0]
    assert math500.judge(problem, r"So \boxed{(3, \pi/2)}.", judges).status == "right"
    assert math500.judge(problem, r"So \boxed{(3, \pi)}.", judges).status == "wrong"
    assert math500.judge(problem, " \n", judges).status == "no_answer"


def test_gsm8k_reads_the_number_behind_the_mark(shared_data, judges):
    gsm8k = benchmark("gsm8k")
    problems = load(gsm8k, data=shared_data / "gsm8k/test.jsonl").problems
    assert problems[0].reference == {"answer": "18"}
    grouped = next(problem for problem in problems if problem.reference["answer"] == "114200")
    assert gsm8k.judge(grouped, r"It costs \boxed{\$114,200}.", judges).status == "right"
    assert gsm8k.judge(problems[0], "She makes $18 a day.", judges).status == "right"
    assert gsm8k.judge(problems[0], "She makes $19 a day.", judges).status == "wrong"
    assert gsm8k.judge(problems[0], "", judges).status == "no_answer"
    for answer in ("18", "#### 18\nSo it is 18 apples."):
        with pytest.raises(BadInput, match="'####'"):
            gsm8k.make_problem({"question": "How many?", "answer": answer})


@pytest.fixture
def procedural_file(tmp_path: Path) -> Path:
    assert make_rows(["--split", "test", "--rows", "40", "--out", str(tmp_path / "made.jsonl")]) == 0
    return tmp_path / "made.jsonl"


def test_the_working_of_a_made_question_is_right_until_it_is_taken_back(procedural_file, judges):
    made = benchmark("procedural")
    loaded, rows = load(made, data=procedural_file), [row for _, row in read_rows(procedural_file)]
    assert loaded.bad_rows == []
    for problem, row in zip(loaded.problems, rows, strict=True):
        assert problem.messages == ({"role": "user", "content": row["question"]},)
        assert problem.labels == {"family": row["family"], "difficulty": f"{row['family']} {row['difficulty']}"}
        for behind, status in (("", "right"), (" Wait, that is wrong: the answer is 987.", "wrong")):
            assert made.judge(problem, row["response"] + behind, judges).status == status


@pytest.mark.parametrize(
    ("gold", "text", "status"),
    [
        ("96117", r"\boxed{96117}", "right"),
        ("96117", r"\boxed{96,117}", "right"),
        ("96117", "26902 + 69215 = 96117.", "right"),
        ("96117", "The sum is 96,117.", "right"),
        ("96117", r"\boxed{961170}", "wrong"),
        ("96117", "I cannot say.", "no_answer"),
        ("10, 20, 30", r"\boxed{10, 20, 30}", "right"),
        ("10, 20, 30", r"\boxed{10,20,30}", "right"),
        ("10, 20, 30", "The answer is 10 20 30", "right"),
        ("10, 20, 30", r"\boxed{20, 10, 30}", "wrong"),
        ("10, 20, 30", r"\boxed{10, 20}", "wrong"),
    ],
)
def test_made_questions_are_judged_exactly(judges, gold, text, status):
    row = {"id": "a", "question": "q", "answer": gold, "family": "add", "difficulty": "easy"}
    made = benchmark("procedural")
    assert made.judge(made.make_problem(row), text, judges).status == status


@pytest.mark.parametrize(("data", "says"), [(None, "python -m training.procedural --split test"), (".", "is a folder")])
def test_made_questions_without_a_file_say_how_to_make_one(data, says):
    with pytest.raises(BadInput, match=says):
        find(benchmark("procedural"), data=data)


GPQA_ROWS = [
    {
        "Record ID": f"rec{number}",
        "Question": f"Which planet is number {number} from the sun?\n",
        "Correct Answer": planet,
        "Incorrect Answer 1": "Vulcan",
        "Incorrect Answer 2": "Nibiru",
        "Incorrect Answer 3": "Pluto, which is none",
        "High-level domain": "Physics",
        "Subdomain": "Astronomy",
    }
    for number, planet in enumerate(("Mercury", "Venus", "Earth", "Mars", "Jupiter", "Saturn", "Uranus"), start=1)
]


@pytest.fixture
def gpqa_file(tmp_path: Path) -> Path:
    file = tmp_path / "gpqa_diamond.csv"
    with file.open("w", newline="") as out:
        writer = csv.DictWriter(out, GPQA_ROWS[0])
        writer.writeheader()
        writer.writerows(GPQA_ROWS)
    return file


def test_gpqa_shuffles_per_question_and_keeps_the_order(gpqa_file):
    problems = load(benchmark("gpqa"), data=gpqa_file).problems
    assert load(benchmark("gpqa"), data=gpqa_file, limit=3).problems == problems[:3]
    assert len({problem.reference["letter"] for problem in problems}) > 1
    for problem, row in zip(problems, GPQA_ROWS, strict=True):
        order = problem.reference["order"]
        assert sorted(order) == [0, 1, 2, 3]
        assert "ABCD"[order.index(0)] == problem.reference["letter"]
        assert f"\n{problem.reference['letter']}. {row['Correct Answer']}\n" in user_text(problem)
        assert problem.labels == {"domain": "Physics", "subdomain": "Astronomy"}
    shown = user_text(problems[0])
    assert shown.startswith("Which planet is number 1 from the sun?\n\nA. ")
    assert shown.endswith(r"\boxed{}.")
    assert problems[0].messages[0]["content"] == BOXED


def test_gpqa_is_judged_by_the_letter(gpqa_file, judges):
    gpqa = benchmark("gpqa")
    problem = load(gpqa, data=gpqa_file).problems[0]
    right = problem.reference["letter"]
    wrong = next(letter for letter in "ABCD" if letter != right)
    for letter, status in ((right, "right"), (wrong, "wrong")):
        verdict = gpqa.judge(problem, rf"Hence \boxed{{{letter}}}.", judges)
        assert (verdict.status, verdict.extracted) == (status, letter)
    assert gpqa.judge(problem, "", judges).status == "no_answer"


def test_gpqa_shows_every_option_whole_and_refuses_a_row_that_lacks_one():
    brackets = {"Correct Answer": "ln 2 = [(a - b) / (a b)]", "Incorrect Answer 1": "[x]"}
    options = {**brackets, "Incorrect Answer 2": "c = [d]^2"}
    shown = user_text(benchmark("gpqa").make_problem({**GPQA_ROWS[0], **options}))
    for option in (*options.values(), GPQA_ROWS[0]["Incorrect Answer 3"]):
        assert sum(line[3:] == option and line[:3] in ("A. ", "B. ", "C. ", "D. ") for line in shown.splitlines()) == 1
    with pytest.raises(BadInput, match="'Incorrect Answer 3' is empty"):
        benchmark("gpqa").make_problem({**GPQA_ROWS[0], "Incorrect Answer 3": ""})


@pytest.mark.parametrize(("answer", "read"), [(18, "18"), (-2.5, "-2.5"), (True, None), (["18"], None), (None, None)])
def test_a_number_is_an_answer_and_an_id_as_programs_write_them(answer, read):
    row = {"unique_id": 7, "problem": "How many?", "answer": answer}
    if read is None:
        with pytest.raises(BadInput, match="'answer'"):
            benchmark("math500").make_problem(row)
    else:
        made = benchmark("math500").make_problem(row)
        assert (made.id, made.reference) == ("7", {"answer": read})


def statements(shared_data: Path) -> Path:
    return shared_data / "livecodebench_v5_statements/problems.jsonl"


def test_livecodebench_asks_in_the_words_of_its_source(shared_data):
    problems = load(benchmark("livecodebench"), data=statements(shared_data)).problems
    rows = [row for _, row in read_rows(statements(shared_data))]
    start = (
        "\nYou will be given a question (problem specification) and will generate a correct Python program that matches "
        "the specification and passes all tests. You will NOT return anything except for the program.\n\nQuestion: "
    )
    kinds = Counter()
    for problem, row in zip(problems, rows, strict=True):
        assert problem.messages[0] == {"role": "system", "content": "You are a helpful assistant."}
        shown = user_text(problem)
        assert shown.startswith(f"{start}{row['question_content']}\n\n")
        block = row["starter_code"] or "# YOUR CODE HERE"
        assert shown.endswith(f"\n```python\n{block}\n```\n\n")
        kinds["You will use the following starter code" in shown] += 1
    assert kinds == {False: 499, True: 381}
    assert Counter(problem.labels["difficulty"] for problem in problems) == {"easy": 279, "medium": 331, "hard": 270}
    assert min(problem.labels["month"] for problem in problems) == "2023-05"
    errata = Counter(problem.labels.get("erratum") for problem in problems)
    assert errata == {None: 865, "several right answers": 9, "broken tests": 4, "interactive": 2}


def packed(value: Any) -> str:
    return base64.b64encode(zlib.compress(pickle.dumps(value))).decode()


class Harmful:
    """What its pickle would call, if it were loaded as pickles usually are."""

    def __reduce__(self):
        return os.mkdir, ("must-not-be-made",)


TEST = {"input": "1\n", "output": "2\n", "testtype": "stdin"}


def test_hidden_tests_are_read_plain_and_packed():
    assert decode_tests(json.dumps([TEST])) == [TEST]
    assert decode_tests(packed(json.dumps([TEST]))) == [TEST]
    assert decode_tests("") == []
    assert decode_tests([TEST]) == [TEST], "of a row that holds JSON itself, not its text"


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (packed(Harmful()), "more than a text: STACK_GLOBAL"),
        (packed([TEST]), "more than a text: EMPTY_LIST"),
        (packed(None), "more than a text: NONE"),
        (packed("[1]"), "no list of inputs"),
        ([1], "no list of inputs"),
        (packed("hello"), "neither JSON"),
        ("hello", "neither JSON"),
        (packed(json.dumps([TEST]))[:-8], "neither JSON"),
        (base64.b64encode(zlib.compress(b"\x80\x04.")).decode(), "holds 0 texts"),
        (base64.b64encode(zlib.compress(b"\x80\x04X\xff")).decode(), "neither JSON"),
    ],
)
def test_hidden_tests_run_no_code_and_say_what_is_wrong(value, says, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BadInput, match=says):
        decode_tests(value)
    assert list(tmp_path.iterdir()) == []


def livecodebench_rows(shared_data: Path) -> dict[str, dict[str, Any]]:
    """The three problems of SandboxFusion's sample with their real hidden tests, in the rows of the Hub's files.

    The sample packs its tests the same way, as a dict of inputs and outputs.
    """
    rows = {}
    by_id = {row["question_id"]: row for _, row in read_rows(statements(shared_data))}
    for _, sample in read_rows(shared_data / "livecodebench_sample/code_eval_live_code_bench_v1.jsonl"):
        number = json.loads(sample["labels"])["task_id"].split("/")[1]
        stored = json.loads(pickle.loads(zlib.decompress(base64.b64decode(sample["test"])))["input_output"])
        pairs = zip(stored["inputs"], stored["outputs"], strict=True)
        public, *private = [{"input": given, "output": output} for given, output in pairs]
        tests = {"public_test_cases": json.dumps([public]), "private_test_cases": packed(json.dumps(private))}
        rows[number] = {**by_id[number], **tests, "metadata": json.dumps({"func_name": stored["fn_name"]})}
    return rows


SOLUTIONS = {
    "1873_A": "for _ in range(int(input())):\n    s = input()\n"
    "    print('YES' if sum(map(str.__ne__, s, 'abc')) < 3 else 'NO')",
    "2727": "class Solution:\n    def countSeniors(self, details: List[str]) -> int:\n"
    "        return sum(int(d[11:13]) > 60 for d in details)",
    "abc301_a": "n = int(input())\ns = input()\nt = s.count('T')\n"
    "print('T' if t * 2 > n or (t * 2 == n and s[-1] == 'A') else 'A')",
}


@pytest.mark.parametrize("number", SOLUTIONS)
def test_livecodebench_passes_a_right_program_and_no_other(shared_data, judges, number):
    lcb = benchmark("livecodebench")
    problem = lcb.make_problem(livecodebench_rows(shared_data)[number])
    verdict = lcb.judge(problem, fenced(SOLUTIONS[number]), judges)
    assert (verdict.status, verdict.extracted.strip()) == ("right", SOLUTIONS[number])
    for idle in ("pass", SOLUTIONS[number].replace("print", "str").replace("> 60", "> 90")):
        assert lcb.judge(problem, fenced(idle), judges).status == "wrong"
    for text in ("I do not know.", ""):
        assert lcb.judge(problem, text, judges).status == "no_answer"


def test_a_line_separator_inside_an_argument_does_not_end_it(judges):
    lcb = benchmark("livecodebench")
    test = {"input": '"a\u2028b\u0085"\n2', "output": '"a\u2028b\u0085a\u2028b\u0085"'}
    row = {"question_id": "twice", "question_content": "Repeat the text.", "metadata": json.dumps({"func_name": "f"})}
    row["private_test_cases"] = json.dumps([test], ensure_ascii=False)
    read = {name: json.loads(row[name]) for name in ("metadata", "private_test_cases")}
    for stored in (row, {**row, **read}):
        assert lcb.judge(lcb.make_problem(stored), fenced("def f(s, n): return s * n"), judges).status == "right"


def test_livecodebench_judges_no_answer_where_the_tests_are_missing_or_broken(shared_data, judges):
    lcb = benchmark("livecodebench")
    row = livecodebench_rows(shared_data)["abc301_a"]
    answer = fenced(SOLUTIONS["abc301_a"])
    assert lcb.judge(lcb.make_problem({**row, "private_test_cases": ""}), answer, judges).status == "not_judged"
    broken = judge_text(lcb, lcb.make_problem({**row, "private_test_cases": packed(Harmful())}), answer, judges)
    assert broken.status == "harness_error"
    assert "more than a text" in broken.detail


def test_bigcodebench_asks_and_prefills_in_the_words_of_its_source(shared_data):
    problems = load(benchmark("bigcodebench"), data=shared_data / "bigcodebench_hard/bigcodebench_hard.json").problems
    rows = [row for _, row in read_rows(shared_data / "bigcodebench_hard/bigcodebench_hard.json")]
    for problem, row in zip(problems, rows, strict=True):
        assert problem.messages[0] == {"role": "system", "content": "Please reason step by step."}
        assert user_text(problem) == (
            "Please provide a self-contained Python script that solves the following problem in a markdown code block:\n"
            f"```\n{row['instruct_prompt'].strip()}\n```\n"
        )
        assert problem.prefill == (
            "Below is a Python script with a self-contained function that solves the problem and passes corresponding "
            "tests:\n```python\n"
        )
    libs = ["subprocess", "ftplib", "os"]
    assert problems[0].reference["libs"] == libs
    assert benchmark("bigcodebench").make_problem({**rows[0], "libs": libs}).reference["libs"] == libs
    with pytest.raises(BadInput, match="'libs' is no list"):
        benchmark("bigcodebench").make_problem({**rows[0], "libs": "__import__('os')"})


def bigcodebench_task(shared_data: Path) -> tuple[Problem, dict[str, Any]]:
    """One that needs only the standard library and is quick."""
    rows = [row for _, row in read_rows(shared_data / "bigcodebench_hard/bigcodebench_hard.json")]
    row = next(row for row in rows if row["task_id"] == "BigCodeBench/13")
    return benchmark("bigcodebench").make_problem(row), row


def test_bigcodebench_judges_what_goes_on_behind_the_prefill(shared_data, judges):
    bcb = benchmark("bigcodebench")
    problem, row = bigcodebench_task(shared_data)
    whole = row["code_prompt"] + row["canonical_solution"]
    for text in (
        f"{whole}\n```\nThat is all.",
        row["canonical_solution"],
        f"Let me see.\n{fenced(whole)}",
        f"{whole}\n```\nFor example:\n```python\nprint(task_func())\n```\n",
        f"{whole}\n\nprint(task_func(input('host: ')))\n```\n",
    ):
        verdict = bcb.judge(problem, text, judges)
        assert verdict.status == "right", (text, verdict)
    for text in (row["code_prompt"] + "    pass\n```", "    pass\n```", "I do not know."):
        assert bcb.judge(problem, text, judges).status == "wrong", text
    assert bcb.judge(problem, " ", judges).status == "no_answer"


def test_humaneval_asks_for_the_function_in_a_block(shared_data):
    problem = load(benchmark("humaneval"), data=shared_data / "humaneval/HumanEval.jsonl", limit=1).problems[0]
    assert "one Markdown code block.\n\n```python\nfrom typing import List" in user_text(problem)
    assert problem.reference["test"] not in user_text(problem)


def test_humaneval_puts_the_prompts_imports_and_helpers_in_front(shared_data, judges):
    """38 decodes what the prompt's own helper encodes, and its tests call that helper."""
    humaneval = benchmark("humaneval")
    row = [row for _, row in read_rows(shared_data / "humaneval/HumanEval.jsonl")][38]
    problem = humaneval.make_problem(row)
    head = row["prompt"][row["prompt"].rindex("def ") :]
    for code, status in (
        (head + row["canonical_solution"], "right"),
        (row["canonical_solution"], "right"),
        (head + "    pass", "wrong"),
        ("pass", "wrong"),
        ("", "no_answer"),
    ):
        assert humaneval.judge(problem, fenced(code), judges).status == status, code


F = "def f(x):\n    return x"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (f"```python\n{F}\n```\nUse:\n```python\nprint(f(1))\n```", F),
        ("1. Write\n   ```python\n   def f(x):\n       return x\n   ```", F),
        (f"```python\ndef f(x):\n    return 0\n```\nNo:\n```python\n{F}", F),
        (f"So: ```python\n{F}```\nIt returns x.", F),
        (f"{F}\n```\nIt returns x.", F),
        (f"~~~python\n{F}\n~~~", F),
        (F, F),
        ("no code", None),
    ],
)
def test_the_solution_is_found_before_an_example_of_its_use(text, code):
    found = answering_code(text, "f")
    assert (found and found.strip()) == code


@pytest.mark.parametrize(
    ("behind", "kept"),
    [
        ("print(f(3))", False),
        ("data = f(3)\nassert data == 3", False),
        ("if __name__ == '__main__':\n    f(3)", False),
        ("for n in range(3):\n    print(\n        f(n)\n    )", False),
        ("class Demo:\n    value = f(3)", False),
        ("import os", True),
        ("y = 1", True),
        ("y: int = g(1)\n@cached\ndef g(n):\n    return z\nz = (\n    1\n)", True),
        ("f = cached(f)", True),
    ],
)
def test_what_the_function_does_not_need_is_not_run_behind_it(behind, kept):
    function = "from functools import cache as cached\nseed(0)\ndef f(x):\n    data = x\n    return data + y\n"
    assert without_demo(f"{function}{behind}\n", "f").strip() == f"{function}{behind if kept else ''}".strip()


def test_every_head_and_reference_solution_is_a_whole_program(shared_data):
    for name, file, head in (
        ("bigcodebench", "bigcodebench_hard/bigcodebench_hard.json", "code_prompt"),
        ("humaneval", "humaneval/HumanEval.jsonl", "prompt"),
    ):
        for _, row in read_rows(shared_data / file):
            for code in (row["canonical_solution"], row[head] + row["canonical_solution"]):
                compile(with_head(row[head], code, row["entry_point"]), name, "exec")
