"""Answers made elsewhere: a JSONL file of rows with "response", and "problem_id" or "gold"."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from threading import Lock

from evaluation.data import those
from evaluation.judging import in_threads, judge_text
from evaluation.problem import Benchmark, Judges, Problem, Verdict
from z1_core.errors import BadInput
from z1_core.jsonl import Line, lines


def judge_responses(path: Path, of: Benchmark, tools: Judges, *, data: Path | None) -> Counter[str]:
    """A JSON object a row to stdout, in order, with whatever other fields the row had. A row that cannot be judged is a
    harness error that says why, and the others go on."""
    if not path.is_file():
        raise BadInput(f"there is no file {path}; name a JSONL file of responses")
    found = list(lines(path))
    if not found:
        raise BadInput(f'{path} holds no rows; give one a line, with "response", and "problem_id" or "gold"')
    statuses: Counter[str] = Counter()
    waiting: dict[int, Verdict] = {}
    one_prints = Lock()

    def judge(item: tuple[int, Problem | str]) -> None:
        number, problem = item
        verdict = _verdict(of, problem, found[number].row, tools)
        with one_prints:
            waiting[number] = verdict
            while (first := statuses.total()) in waiting:
                said, line = waiting.pop(first), found[first]
                statuses[said.status] += 1
                print(json.dumps({**(line.row or {"line": line.where}), **asdict(said)}), flush=True)

    in_threads(judge, _problems(found, of, data))
    return statuses


def _verdict(of: Benchmark, problem: Problem | str, row: dict | None, tools: Judges) -> Verdict:
    if isinstance(problem, str):
        return Verdict(status="harness_error", detail=problem)
    response = row.get("response")
    if isinstance(response, str | int | float):
        return judge_text(of, problem, str(response), tools)
    reason = f"the response is no text but {type(response).__name__}" if response else "the row has no response"
    return Verdict(status="no_answer", detail=reason)


def _problems(found: Sequence[Line], of: Benchmark, data: Path | None) -> Iterator[tuple[int, Problem | str]]:
    """The problem of each row by its number, or why it has none. Those named by an id come in the order of the data, which
    are gone through once and never held."""
    by_id: defaultdict[str, list[int]] = defaultdict(list)
    for number, line in enumerate(found):
        if line.row is None:
            yield number, f"{line.where} is no row: {line.fault}"
        elif "gold" not in line.row:
            by_id[str(line.row.get("problem_id"))].append(number)
        elif of.gold_field is None:
            yield number, f'the row has "gold", but {of.name} is judged by tests; give "problem_id"'
        elif not isinstance(gold := line.row["gold"], str | int | float) or not str(gold).strip():
            yield number, f'the row\'s "gold" is no answer but {json.dumps(gold)[:80]}'
        else:
            yield number, Problem(id="", messages=(), reference={of.gold_field: str(gold)})
    left = set(by_id)
    for problem in those(of, left, data=data):
        for number in by_id[problem.id]:
            yield number, problem
    for number in (number for name in left for number in by_id[name]):
        complaint = f"the row has problem_id {found[number].row.get('problem_id')!r}, which {of.name} does not hold"
        yield number, f'{complaint}; give an id of its data, or "gold"'
