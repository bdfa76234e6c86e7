"""LiveCodeBench, code generation: contest problems with hidden tests, asked as in the paper (release v5, 880 problems).

Rows: https://huggingface.co/datasets/livecodebench/code_generation_lite (test.jsonl, test2.jsonl ...: each release adds a
file; v5 is 4.3 GB)
Prompt: https://github.com/QwenLM/Qwen2.5-Coder qwencoder-eval/instruct/livecode_bench/lcb_runner/prompts/code_generation.py
(its chat style for CodeQwen), without the <think> tag that the published evaluation of Z1 put behind it.
Known faults: https://github.com/LiveCodeBench/LiveCodeBench/blob/main/ERRATA.md
"""

from __future__ import annotations

import base64
import json
import pickletools
import zlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from evaluation.data import Source, labels_of, text_field
from evaluation.judges.extract import extract_code
from evaluation.judges.programs import FunctionTest, StdinTest, judge_function, judge_stdin, read_json
from evaluation.problem import Judges, Problem, Verdict, conversation
from z1_core.errors import BadInput

SYSTEM = "You are a helpful assistant."
REQUEST = (
    "You will be given a question (problem specification) and will generate a correct Python program that matches the "
    "specification and passes all tests. You will NOT return anything except for the program."
)
WITH_STARTER = (
    "You will use the following starter code to write the solution to the problem and enclose your code within "
    "delimiters."
)
WITHOUT_STARTER = (
    "Read the inputs from stdin solve the problem and write the answer to stdout (do not directly test on the sample "
    "inputs). Enclose your code within delimiters as follows."
)
PLACEHOLDER = "# YOUR CODE HERE"
TESTS = ("public_test_cases", "private_test_cases")
TEXT_FRAME = ("PROTO", "FRAME", "MEMOIZE", "BINPUT", "LONG_BINPUT", "PUT", "STOP")
"""What stands around the text in the pickle of packed tests."""
TIME_LIMIT_S = 6.0
"""For each test. The paper's scripts gave 30 s."""

SOURCE = Source(
    repo="livecodebench/code_generation_lite",
    revision="0fe84c3912ea0c4d4a78037083943e8f0c4dd505",
    files=("test.jsonl", "test2.jsonl", "test3.jsonl", "test4.jsonl", "test5.jsonl"),
)
ERRATA = {
    question: what
    for what, questions in {
        "several right answers": "abc311_c abc326_d abc327_b abc333_e abc343_e abc362_c find-words-containing-character "
        "find-the-peaks generate-binary-strings-without-adjacent-zeros",
        "interactive": "abc337_e abc355_e",
        "broken tests": "abc350_c arc189_a apply-operations-to-make-string-empty most-frequent-ids",
    }.items()
    for question in questions.split()
}
"""By question_id, or by title for LeetCode, whose ids are numbers. Asked and judged as in the paper, and labelled."""


class LiveCodeBench:
    name = "livecodebench"
    title = "LiveCodeBench"
    source = SOURCE
    gold_field = None

    def make_problem(self, row: Mapping[str, Any]) -> Problem:
        """The hidden tests stay packed until they are judged: unpacked, those of v5 do not fit into most memories."""
        problem_id = text_field(row, "question_id", may_be_number=True)
        starter = text_field(row, "starter_code", may_be_empty=True)
        tests = {
            name: row[name] if isinstance(row.get(name), list) else text_field(row, name, may_be_empty=True)
            for name in TESTS
        }
        month = str(row.get("contest_date") or "")[:7]
        erratum = ERRATA.get(problem_id) or ERRATA.get(str(row.get("question_title")))
        return Problem(
            id=problem_id,
            messages=conversation(_question(text_field(row, "question_content"), starter), system=SYSTEM),
            reference={**tests, "func_name": _func_name(row.get("metadata") or {})},
            labels=labels_of({**row, "month": month, "erratum": erratum}, "difficulty", "platform", "month", "erratum"),
        )

    def judge(self, problem: Problem, text: str, judges: Judges) -> Verdict:
        reference = problem.reference
        code = extract_code(text, reference["func_name"])
        if code is None:
            return Verdict(status="no_answer", detail="no code block in the text")
        if not reference["private_test_cases"]:
            return Verdict(status="not_judged", extracted=code, detail="this row has no hidden tests")
        tests = [test for name in TESTS for test in decode_tests(reference[name])]
        means = {"sandbox": judges.sandbox, "time_limit_s": TIME_LIMIT_S}
        if reference["func_name"]:
            functional = [_function_test(test) for test in tests]
            verdict = judge_function(code, functional, entry_point=reference["func_name"], **means)
        else:
            verdict = judge_stdin(code, [StdinTest(test["input"], test["output"]) for test in tests], **means)
        return replace(verdict, extracted=code)


def _question(content: str, starter: str) -> str:
    """The line break at the start and the empty line at the end stand in the published prompt."""
    request, block = (WITH_STARTER, starter) if starter else (WITHOUT_STARTER, PLACEHOLDER)
    return f"\n{REQUEST}\n\nQuestion: {content}\n\n{request}\n```python\n{block}\n```\n\n"


def _func_name(metadata: Any) -> str | None:
    """Which function the tests call; None for a program that reads stdin. The Hub stores it as the text of JSON."""
    try:
        return (json.loads(metadata) if isinstance(metadata, str) else metadata).get("func_name") or None
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise BadInput(f"the field 'metadata' is no JSON object: {error}") from error


def _function_test(test: Mapping[str, str]) -> FunctionTest:
    """One JSON value a line is one argument."""
    try:
        arguments = [read_json(line) for line in test["input"].split("\n") if line.strip()]
        return FunctionTest(arguments=arguments, expected=read_json(test["output"]))
    except (ValueError, RecursionError) as error:
        raise BadInput(f"a test's input or output is not JSON: {error}") from error


def decode_tests(stored: str | list[Any]) -> list[dict[str, str]]:
    """The tests as {"input", "output", ...}, from JSON, its text or that packed. Raises BadInput, saying what is wrong."""
    tests = stored or []
    try:
        if isinstance(tests, str):
            tests = json.loads(tests if tests.lstrip().startswith("[") else _unpack(tests))
    except BadInput:
        raise
    except (ValueError, TypeError, zlib.error, RecursionError) as error:
        raise BadInput(f"the tests are neither JSON nor packed JSON: {error}") from error
    if not isinstance(tests, list) or not all(_is_test(test) for test in tests):
        raise BadInput("the tests are no list of inputs and outputs")
    return tests


def _unpack(packed: str) -> str:
    """The one text of a pickle, which is read as a list of instructions and never run."""
    content = zlib.decompress(base64.b64decode(packed, validate=True))
    texts = []
    for instruction, text, _ in pickletools.genops(content):
        if instruction.name.endswith("UNICODE"):
            texts.append(text)
        elif instruction.name not in TEXT_FRAME:
            raise BadInput(f"the tests' pickle holds more than a text: {instruction.name}")
    if len(texts) != 1:
        raise BadInput(f"the tests' pickle holds {len(texts)} texts")
    return texts[0]


def _is_test(test: Any) -> bool:
    return isinstance(test, dict) and all(isinstance(test.get(name), str) for name in ("input", "output"))
