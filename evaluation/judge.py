"""Judge answers. Needs no model, and can be repeated.

python -m evaluation.judge results/z1                   # the answers of evaluation.run: verdicts and report
python -m evaluation.judge --benchmark math500 --responses answers.jsonl [--data FILE]     # answers made elsewhere
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from tqdm import tqdm

from evaluation import store
from evaluation.benchmarks import benchmark
from evaluation.data import load
from evaluation.judging import as_row, in_order, judge_row, judge_text, judges
from evaluation.problem import Benchmark, Judges, Problem, Verdict
from evaluation.record import versions
from evaluation.results import run_record
from evaluation.sandbox.interpreter import inspect_interpreter
from z1_core.errors import BadInput
from z1_core.program import program

NO_ROW = "\0fault"
"""Under this name a line that is no row carries what is wrong with it."""


def parser() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(prog="python -m evaluation.judge", description="Judge answers, without a model.")
    options.add_argument("folder", nargs="?", type=Path, metavar="DIR", help="the --out folder of evaluation.run")
    options.add_argument("--benchmark", help="for --responses: which benchmark they answer")
    options.add_argument("--responses", type=Path, metavar="FILE.jsonl", help='rows with "problem_id" and "response"')
    options.add_argument("--data", type=Path, metavar="FILE", help="for --responses: the problems, instead of the Hub")
    options.add_argument("--workers", type=int, metavar="N", help="programs or answers at a time (default: the cores)")
    options.add_argument("--python", metavar="PATH", help="interpreter for BigCodeBench, with its libraries")
    options.add_argument(
        "--unsafe-sandbox", action="store_true", help="run model-written code with resource limits only, if need be"
    )
    return options


@program(stopped="stopped; give the same command again", needs="evaluation/requirements.txt")
def main(argv: list[str] | None = None) -> int:
    options = parser().parse_args(argv)
    check(options)
    run = None if options.responses else run_record(options.folder)
    names = [each["benchmark"] for each in run["benchmarks"].values()] if run else [options.benchmark]
    code = any(benchmark(name).gold_field is None for name in names)
    with judges(code=code, unsafe_sandbox=options.unsafe_sandbox, python=options.python) as tools:
        statuses = judge_folder(options, run, tools) if run else judge_responses(options, tools)
    faults = statuses["harness_error"]
    if faults:
        print(f"error: {faults} answers could not be judged (harness_error); their detail says why", file=sys.stderr)
    return 1 if faults else 0


def check(options: argparse.Namespace) -> None:
    if bool(options.folder) == bool(options.responses):
        raise BadInput("give the folder of a run, or --benchmark NAME --responses FILE.jsonl")
    if options.responses and not options.benchmark:
        raise BadInput("--responses needs --benchmark NAME")
    if options.workers is not None and options.workers < 1:
        raise BadInput(f"--workers is {options.workers}; it must be at least 1")
    if options.python:
        inspect_interpreter(options.python)


def judge_folder(options: argparse.Namespace, run: dict[str, Any], tools: Judges) -> Counter[str]:
    """Verdicts for every answer that is there, and the report."""
    from evaluation.report import write_report

    statuses: Counter[str] = Counter()
    for name, about in run["benchmarks"].items():
        statuses += judge_task(options.folder / name, benchmark(about["benchmark"]), tools, options.workers)
    judged = {"sandbox": tools.sandbox and tools.sandbox.kind, "python": options.python, "versions": versions()}
    store.write_json(options.folder / "judge.json", judged)
    write_report(options.folder)
    print(f"{', '.join(f'{count} {status}' for status, count in statuses.most_common())}")
    print(f"the report is {options.folder / 'report.html'}")
    return statuses


def judge_task(folder: Path, of: Benchmark, tools: Judges, workers: int | None) -> Counter[str]:
    problems = {row["problem_id"]: _problem(row) for row in store.read_lines(folder / "problems.jsonl")}
    answers = store.read_lines(folder / "answers.jsonl")
    calls = (partial(judge_row, of, problems[row["problem_id"]], row, tools) for row in answers)
    verdicts = list(tqdm(in_order(calls, workers=workers), total=len(answers), desc=folder.name, unit="answer"))
    store.write_lines(folder / "verdicts.jsonl", verdicts)
    return Counter(verdict["status"] for verdict in verdicts)


def _problem(row: dict[str, Any]) -> Problem:
    return Problem(
        id=row["problem_id"],
        messages=row["messages"],
        reference=row["reference"],
        prefill=row["prefill"],
        labels=row["labels"],
    )


def judge_responses(options: argparse.Namespace, tools: Judges) -> Counter[str]:
    """A JSON object a row to stdout, in order, with whatever other fields the row had. A row that cannot be judged is a
    harness error that says why, and the others go on."""
    of = benchmark(options.benchmark)
    rows = list(_responses(options.responses))
    known: dict[str, Problem] = {}
    if any("gold" not in row for row in rows):
        known = {problem.id: problem for problem in load(of, data=options.data, limit=None).problems}
    statuses: Counter[str] = Counter()
    calls = (partial(_judge_response, of, known, row, tools) for row in rows)
    for row, verdict in zip(rows, in_order(calls, workers=options.workers), strict=True):
        statuses[verdict.status] += 1
        print(json.dumps({**row, **as_row(verdict)}), flush=True)
    return statuses


def _responses(path: Path) -> Iterator[dict[str, Any]]:
    """The rows, with the place and the fault of a line that is none."""
    if not path.is_file():
        raise BadInput(f"there is no file {path}; name a JSONL file of responses")
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            try:
                row = json.loads(line.decode("utf-8-sig"))
            except (ValueError, RecursionError) as error:
                row = f"not JSON: {error}"
            yield (
                row
                if isinstance(row, dict)
                else {"line": number, NO_ROW: f"line {number} of {path.name} is no row: {row}"}
            )


def _judge_response(of: Benchmark, known: dict[str, Problem], row: dict[str, Any], tools: Judges) -> Verdict:
    response = row.get("response")
    try:
        problem = _problem_of(of, row, known)
    except BadInput as error:
        return Verdict(status="harness_error", detail=str(error))
    if isinstance(response, str | int | float):
        return judge_text(of, problem, str(response), tools)
    detail = "the row has no response" if response is None else f"the response is no text but {type(response).__name__}"
    return Verdict(status="no_answer", detail=detail)


def _problem_of(of: Benchmark, row: dict[str, Any], known: dict[str, Problem]) -> Problem:
    """The problem of a row: by its id, or made from the gold answer that it brings along."""
    if NO_ROW in row:
        raise BadInput(row.pop(NO_ROW))
    if "gold" in row:
        if of.gold_field is None:
            raise BadInput(f'the row has "gold", but {of.name} is judged by tests; give "problem_id"')
        if not isinstance(row["gold"], str | int | float) or not str(row["gold"]).strip():
            raise BadInput(f'the row\'s "gold" is no answer but {json.dumps(row["gold"])[:80]}')
        return Problem(id="", messages=(), reference={of.gold_field: str(row["gold"])})
    problem = known.get(str(row.get("problem_id")))
    if problem is None:
        raise BadInput(
            f"the row has problem_id {row.get('problem_id')!r}, which {of.name} does not hold; "
            'give an id of its data, or "gold"'
        )
    return problem


if __name__ == "__main__":
    sys.exit(main())
