"""Programs for tasks that give the head of a function: which code of a text answers, and the head put in front of it."""

from __future__ import annotations

import ast
import re
from textwrap import dedent

from evaluation.judges.programs import extract_code

FENCE_LINE = re.compile(r"^[ \t]*```.*$", re.MULTILINE)


def answering_code(text: str, entry_point: str) -> str | None:
    """The last piece of code between two fence lines that defines the entry point; else the last fenced block.

    A text may show an example or a test behind its solution, and the last block alone would miss the solution.
    """
    for piece in reversed(FENCE_LINE.split(text)[1:]):
        for code in (piece, dedent(piece)):  # a block in a list of steps is indented as a whole
            if defines(code, entry_point):
                return code
    code = extract_code(text)
    return code if code and code.strip() else None


def defines(code: str, name: str) -> bool:
    """Whether the code is Python that binds the name at its top level."""
    try:
        body = ast.parse(code).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return any(name in _bound(statement) for statement in body)


def with_head(head: str, code: str, entry_point: str) -> str:
    """The code behind the task's own head, which holds imports and helpers that an answer may take as given.

    head: ends in the first line of the entry point's function. Code that does not define the entry point is taken as its
    body where it is indented.
    """
    first_line = next((line for line in code.splitlines() if line.strip()), "")
    if first_line[:1].isspace() and not defines(code, entry_point):
        return f"{head.rstrip()}\n{code}"
    return f"{head.rstrip()}\n    pass\n\n{code}"


def _bound(statement: ast.stmt) -> set[str]:
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return {statement.name}
    if isinstance(statement, ast.Assign):
        return {target.id for target in statement.targets if isinstance(target, ast.Name)}
    if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
        return {statement.target.id}
    return set()
