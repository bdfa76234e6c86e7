"""The evaluation from problems to report, with answers of a real model. Small budgets: the way counts, not the score."""

from __future__ import annotations

import ast
import asyncio
import json
import sys
from pathlib import Path

import pytest

from evaluation import judge, run
from evaluation.plan import make_plan
from tests.shares import some_now
from tests.standins import codeforces_problems, key_of, leetcode_problems
from z1_core.jsonl import read_json, rows, write_lines
from z1_core.sweep import collect_sweep
from z1_core.thinking import collect
from z1_core.window import Sampling, Window

PROBLEMS = 2


class Kept:
    """The session's engine under a name of its own; closing it is not the command's business here."""

    def __init__(self, engine) -> None:
        self._engine = engine

    def __getattr__(self, name: str):
        return getattr(self._engine, name)

    async def close(self) -> None:
        """The session goes on with it."""


def standard_library_tasks(folder: Path, to: Path) -> Path:
    """The shortest of BigCodeBench's that need nothing else."""
    tasks = json.loads((folder / "bigcodebench_hard" / "bigcodebench_hard.json").read_text())
    small = {name: row for name, row in tasks.items() if sys.stdlib_module_names >= {*ast.literal_eval(row["libs"])}}
    shortest = sorted(small, key=lambda name: len(small[name]["complete_prompt"]))[:PROBLEMS]
    to.write_text(json.dumps({name: small[name] for name in shortest}))
    return to


def as_livecodebench(folder: Path, to: Path) -> Path:
    """The shortest stand-ins in LiveCodeBench's form: half of them functions, half programs that read stdin."""
    functions = sorted((each for each in leetcode_problems(folder) if each.tests), key=lambda each: len(each.statement))
    programs = sorted(codeforces_problems(folder), key=lambda each: len(each[0]))
    made = []
    for problem in functions[: PROBLEMS // 2]:
        tests = [("\n".join(map(json.dumps, test.arguments)), json.dumps(test.expected)) for test in problem.tests]
        function = {"starter_code": problem.starter_code, "metadata": json.dumps({"func_name": problem.entry_point})}
        made.append(function | contest_row(problem.id, problem.statement, tests))
    for number, (statement, tests) in enumerate(programs[: PROBLEMS // 2]):
        made.append(contest_row(f"codeforces-{number}", statement, [(test.input, test.output) for test in tests]))
    write_lines(to, made)
    return to


def contest_row(name: str, statement: str, tests: list[tuple[str, str]]) -> dict[str, str]:
    hidden = json.dumps([{"input": given, "output": output} for given, output in tests])
    return {"question_id": name, "question_content": statement, "private_test_cases": hidden}


@pytest.mark.parametrize(
    "name", some_now(["livecodebench", "math500", "gsm8k", "humaneval", "bigcodebench"], now=["livecodebench"])
)
async def test_a_benchmark_runs_from_its_rows_to_the_report(llama_engine, shared_data, tmp_path, name):
    data = {
        "math500": lambda: shared_data / "math500" / "test.jsonl",
        "gsm8k": lambda: shared_data / "gsm8k" / "test.jsonl",
        "humaneval": lambda: shared_data / "humaneval" / "HumanEval.jsonl",
        "bigcodebench": lambda: standard_library_tasks(shared_data, tmp_path / "tasks.json"),
        "livecodebench": lambda: as_livecodebench(shared_data, tmp_path / "rows.jsonl"),
    }[name]()
    words = [name, "--data", data, "--limit", PROBLEMS, "--windows", 8, 24, "--answer-tokens", 16]
    out = tmp_path / "out"
    options = run.parser().parse_args([str(word) for word in words])
    await run._run(Kept(llama_engine), make_plan(options), out, options)
    answers = rows(out / name / "answers.jsonl")
    assert len({key_of(row) for row in answers}) == len(answers) == 2 * PROBLEMS
    assert await asyncio.to_thread(judge.main, [str(out)]) == 0
    assert len(rows(out / name / "verdicts.jsonl")) == len(answers)
    runs_code = name not in ("math500", "gsm8k")
    assert read_json(out / "judge.json")["sandbox"] == ("bubblewrap" if runs_code else None)
    windows = read_json(out / "summary.json")["benchmarks"][name]["windows"]
    assert [window["thinking_tokens"] for window in windows] == [8, 24]
    assert (out / "report.html").stat().st_size > 10_000


async def test_a_sweep_shares_one_trace_and_cuts_it_exactly(llama_engine, ask):
    sampling = Sampling(extra=(("ignore_eos", True),))
    windows = [Window(thinking_tokens=size, answer_tokens=6) for size in (5, 31, 32, 33, 70)]
    runs = await collect_sweep(llama_engine, ask(llama_engine), windows, sampling)
    for window, made in zip(windows, runs, strict=True):
        assert made.trace_ids == runs[-1].trace_ids[: window.thinking_tokens]
        assert made.trace == llama_engine.text.decode(made.trace_ids)
        assert len(made.answer_ids) == 6


async def test_the_largest_window_of_a_sweep_is_the_run_with_that_window_alone(llama_engine, ask):
    """With one window there is nothing beside the trace."""
    window = Window(thinking_tokens=24, answer_tokens=12)
    (swept,) = await collect_sweep(llama_engine, ask(llama_engine), [window])
    alone = await collect(llama_engine, ask(llama_engine), window)
    assert (swept.trace_ids, swept.answer_ids) == (alone.trace_ids, alone.answer_ids)
