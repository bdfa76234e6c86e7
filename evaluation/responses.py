"""Answers made elsewhere: a JSONL file of rows with "response", and "problem_id" or "gold"."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from evaluation.data import find, problems
from evaluation.judging import as_completed, as_row, judge_text
from evaluation.problem import Benchmark, Judges, Problem, Verdict
from z1_core.errors import BadInput
from z1_core.jsonl import Line, lines

Call = Callable[[], tuple[int, Verdict]]
"""Tells the number of a line, and the verdict on it."""


def judge_responses(
    path: Path, of: Benchmark, tools: Judges, *, data: Path | None, workers: int | None
) -> Counter[str]:
    """A JSON object a row to stdout, in order, with whatever other fields the row had. A row that cannot be judged is a
    harness error that says why, and the others go on."""
    if not path.is_file():
        raise BadInput(f"there is no file {path}; name a JSONL file of responses")
    found = list(lines(path))
    statuses: Counter[str] = Counter()
    waiting: dict[int, Verdict] = {}
    for number, verdict in as_completed(_calls(found, of, tools, data), workers=workers):
        waiting[number] = verdict
        while (first := statuses.total()) in waiting:
            said = waiting.pop(first)
            statuses[said.status] += 1
            row = {"line": found[first].where} if found[first].row is None else found[first].row
            print(json.dumps({**row, **as_row(said)}), flush=True)
    return statuses


def _calls(found: Sequence[Line], of: Benchmark, tools: Judges, data: Path | None) -> Iterator[Call]:
    """Rows with a problem_id in the order of the data, which are read once and never held."""
    by_id: defaultdict[str, list[int]] = defaultdict(list)
    for number, line in enumerate(found):
        if line.row is not None and "gold" not in line.row:
            by_id[str(line.row.get("problem_id"))].append(number)
            continue
        try:
            problem = _problem_of(line, of)
        except BadInput as error:
            yield partial(_fault, number, str(error))
        else:
            yield partial(_judged, number, line.row, of, problem, tools)
    if not by_id:
        return
    for problem in problems(of, find(of, data=data)):
        for number in by_id.pop(problem.id, ()):
            yield partial(_judged, number, found[number].row, of, problem, tools)
        if not by_id:
            return
    for number in (number for numbers in by_id.values() for number in numbers):
        name = found[number].row.get("problem_id")
        reason = f'the row has problem_id {name!r}, which {of.name} does not hold; give an id of its data, or "gold"'
        yield partial(_fault, number, reason)


def _problem_of(line: Line, of: Benchmark) -> Problem:
    """Made from the gold answer that the row brings along. Raises BadInput."""
    if line.row is None:
        raise BadInput(f"{line.where} is no row: {line.fault}")
    if of.gold_field is None:
        raise BadInput(f'the row has "gold", but {of.name} is judged by tests; give "problem_id"')
    gold = line.row["gold"]
    if not isinstance(gold, str | int | float) or not str(gold).strip():
        raise BadInput(f'the row\'s "gold" is no answer but {json.dumps(gold)[:80]}')
    return Problem(id="", messages=(), reference={of.gold_field: str(gold)})


def _fault(number: int, reason: str) -> tuple[int, Verdict]:
    return number, Verdict(status="harness_error", detail=reason)


def _judged(number: int, row: Mapping[str, Any], of: Benchmark, problem: Problem, tools: Judges) -> tuple[int, Verdict]:
    response = row.get("response")
    if isinstance(response, str | int | float):
        return number, judge_text(of, problem, str(response), tools)
    detail = "the row has no response" if response is None else f"the response is no text but {type(response).__name__}"
    return number, Verdict(status="no_answer", detail=detail)
