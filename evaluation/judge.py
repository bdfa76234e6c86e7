"""Judge answers. Needs no model; the same command goes on where it stopped, and judges what came in since.

python -m evaluation.judge results/z1                   # the answers of evaluation.run: verdicts and report
python -m evaluation.judge --benchmark math500 --responses answers.jsonl [--data FILE]     # answers made elsewhere
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator
from functools import cache, partial
from pathlib import Path
from threading import Lock

from tqdm import tqdm

from evaluation.benchmarks import benchmark
from evaluation.data import those
from evaluation.judging import fingerprint, in_threads, judge_answer, judge_text, judges, sha256_of_case
from evaluation.problem import Benchmark, Judges, Problem
from evaluation.responses import judge_responses
from z1_core.errors import BadInput
from z1_core.folder import held
from z1_core.jsonl import Lines, write_json
from z1_core.program import program
from z1_core.provenance import PACKAGES, versions
from z1_core.record import Answer, Asked, Judged, RunRecord, read, read_at, read_run
from z1_core.statuses import STATUSES


def parser() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(prog="python -m evaluation.judge", description="Judge answers, without a model.")
    add = options.add_argument
    add("folder", nargs="?", type=Path, metavar="DIR", help="the --out folder of evaluation.run")
    add("--again", action="store_true", help="judge anew what has its verdict already")
    add("--benchmark", help="for --responses: which benchmark they answer")
    add("--responses", type=Path, metavar="FILE.jsonl", help='rows with "problem_id" and "response"')
    add("--data", type=Path, metavar="FILE", help="the problems: instead of the Hub, or where a run's file is now")
    add("--python", metavar="PATH", help="interpreter for BigCodeBench, with its libraries")
    add("--unsafe-sandbox", action="store_true", help="run model-written code with resource limits only, if need be")
    return options


@program(stopped="stopped; give the same command again", needs="evaluation/requirements.txt")
def main(argv: list[str] | None = None) -> int:
    options = parser().parse_args(argv)
    if bool(options.folder) == bool(options.responses):
        raise BadInput("give the folder of a run, or --benchmark NAME --responses FILE.jsonl")
    if options.responses and not options.benchmark:
        raise BadInput("--responses needs --benchmark NAME")
    if options.responses:
        of = benchmark(options.benchmark)
        with judges(code=of.gold_field is None, unsafe_sandbox=options.unsafe_sandbox, python=options.python) as tools:
            statuses = judge_responses(options.responses, of, tools, data=options.data)
    else:
        run = read_run(options.folder)
        with held(options.folder, name=".judge.lock"):
            statuses = judge_folder(options, run)
    faults = statuses["harness_error"]
    if faults:
        print(f"error: {faults} answers could not be judged (harness_error); their detail says why", file=sys.stderr)
    return 1 if faults else 0


def judge_folder(options: argparse.Namespace, run: RunRecord) -> Counter[str]:
    """Verdicts for every answer that is there, and the report."""
    from evaluation.report import write_report

    statuses: Counter[str] = Counter()
    tasks = {options.folder / name: task for name, task in run.benchmarks.items()}
    code = any(benchmark(task.benchmark).gold_field is None for task in tasks.values())
    judge = f"{fingerprint()} {options.python}"
    with judges(code=code, unsafe_sandbox=options.unsafe_sandbox, python=options.python) as tools:
        made_with = {"sandbox": tools.sandbox and tools.sandbox.kind, "versions": versions(PACKAGES)}
        write_json(options.folder / "judge.json", {"judge": judge, "python": options.python, **made_with})
        for folder, task in tasks.items():
            of, data = benchmark(task.benchmark), options.data or task.data
            statuses += judge_task(folder, of, data, tools, judge, again=options.again)
    write_report(options.folder)
    print(", ".join(f"{statuses[name]} {name}" for name in STATUSES if statuses[name]))
    print(f"the report is {options.folder / 'report.html'}")
    return statuses


def judge_task(
    folder: Path, of: Benchmark, data: Path | str | None, tools: Judges, judge: str, *, again: bool
) -> Counter[str]:
    """What has a verdict that counts, of this judge, is left alone but for `again`, and stands until there is another. Each
    new one is a line the moment it is made."""
    verdicts = {} if again else {each.key: each for _, each in read(folder / "verdicts.jsonl", Judged)}
    path, total, one_writes = folder / "answers.jsonl", 0, Lock()
    left: defaultdict[str, list[int]] = defaultdict(list)
    for begin, answer in read(path, Answer):
        total += 1
        if not is_judged(answer, verdicts.get(answer.key), judge):
            left[answer.problem_id].append(begin)
    todo = sum(map(len, left.values()))
    with (
        Lines(folder / "verdicts.jsonl") as file,
        tqdm(total=total, initial=total - todo, desc=folder.name, unit="answer") as bar,
    ):

        def judge_problem(problem: Problem) -> None:
            judge_once = cache(partial(judge_text, of, problem, tools=tools))
            for begin in left[problem.id]:
                verdict = judge_answer(read_at(path, begin, Answer), judge_once, judge)
                with one_writes:
                    file.add(verdict.model_dump())
                    verdicts[verdict.key] = verdict
                    bar.update()

        in_threads(judge_problem, with_references(folder / "problems.jsonl", of, data, left))
    return Counter(verdict.status for verdict in verdicts.values())


def is_judged(answer: Answer, verdict: Judged | None, judge: str) -> bool:
    """What could not be judged is tried again."""
    is_same = verdict is not None and verdict.sha256 == sha256_of_case(answer, judge)
    return is_same and STATUSES[verdict.status].is_counted


def with_references(path: Path, of: Benchmark, data: Path | str | None, wanted: Collection[str]) -> Iterator[Problem]:
    """The problems of these ids; those whose reference was too long to be kept are read from the data again."""
    elsewhere: dict[str, str] = {}
    for _, asked in read(path, Asked):
        if asked.problem_id in wanted and asked.reference is None:
            elsewhere[asked.problem_id] = asked.sha256
        elif asked.problem_id in wanted:
            yield Problem.of(asked)
    left, where = set(elsewhere), data or of.source
    for problem in those(of, left, data=data):
        if problem.sha256 != elsewhere[problem.id]:
            raise BadInput(
                f"problem {problem.id!r} of {where} is not as it was asked; give the run's own file with --data"
            )
        yield problem
    if left:
        raise BadInput(f"{where} lacks problem {min(left)!r}, which was asked; give the run's file with --data")


if __name__ == "__main__":
    sys.exit(main())
