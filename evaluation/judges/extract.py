"""The program in an answer: the last block that defines what is asked for, or that reads stdin; else the last program.

Where there is none, what stands between the last two fences, which is LiveCodeBench's rule, or behind a last one that opens
a block (a cut answer). ~~~ is a fence, too, and so are more than three signs; a fence may stand behind the last line of
code, or in a quotation; `two fences in one line` are inline code; without any fence the whole answer may be a program.
"""

from __future__ import annotations

import ast
import re
from textwrap import dedent

FENCE = re.compile(r"(?:^[ \t]*(?:~{3,}|`{3,})|```)([^`\n]*$)?", re.MULTILINE)
INLINE = re.compile(r"```[^`\n]+```")
QUOTED_FENCE = re.compile(r"^[ \t]*>[ \t]*(?:```|~~~)", re.MULTILINE)
QUOTATION = re.compile(r"^[ \t]*> ?", re.MULTILINE)
READS_STDIN = re.compile(r"\b(?:input|stdin|open\(0)\b")
IMPORTS = (ast.Import, ast.ImportFrom)
DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
ASSIGNMENTS = (ast.Assign, ast.AnnAssign, ast.AugAssign)


def extract_code(text: str, entry_point: str | None = None) -> str | None:
    """None without any program. A block in a list of steps is indented as a whole."""
    code = answering_code(text, entry_point)
    return code if code is None or is_python(code) else dedent(code)


def answering_code(text: str, entry_point: str | None) -> str | None:
    """The last piece of code beside a fence that answers; else what LiveCodeBench's rule finds.

    A text may show an example, its output or a test behind its solution, and the last block alone would miss the solution.
    """
    for piece in reversed(_pieces(text)[0]):
        for code in (piece, dedent(piece)):
            if _answers(code, entry_point):
                return code
    code = _last_block(text)
    return code if code and code.strip() else None


def _answers(code: str, entry_point: str | None) -> bool:
    """Whether it defines the entry point, if need be in LeetCode's class, or reads stdin where there is no entry point."""
    if entry_point:
        return defines(code, entry_point) or defines(code, "Solution")
    return bool(READS_STDIN.search(code)) and is_python(code)


def _last_block(text: str) -> str | None:
    """The last that is a program as it stands there, or else is fenced."""
    pieces, kind = _pieces(text)
    if len(pieces) == 1 or any(map(_is_program, pieces)):
        return next(filter(_is_program, reversed(pieces)), None)
    return pieces[-1 if kind and len(pieces) % 2 == 0 else -2]


def _pieces(text: str) -> tuple[list[str], str]:
    """What stands around the fences, and what the last of these says of its block."""
    text = QUOTATION.sub("", text) if QUOTED_FENCE.search(text) else text
    parts = FENCE.split(INLINE.sub(lambda code: code[0].replace("`", "\0"), text))
    pieces = [part.removeprefix("\n").removesuffix("\n").replace("\0", "`") for part in parts[::2]]
    return pieces, (parts[-2] or "").strip().lower() if len(parts) > 1 else ""


def is_python(code: str) -> bool:
    try:
        ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True


def _is_program(text: str) -> bool:
    """And not a word or a number, which are Python, too."""
    return is_python(text) and any(
        not isinstance(each, ast.Expr) or isinstance(each.value, ast.Call) for each in ast.parse(text).body
    )


def defines(code: str, name: str) -> bool:
    """Whether the code is Python that binds the name at its top level."""
    return is_python(code) and any(name in _bound(statement) for statement in ast.parse(code).body)


def with_head(head: str, code: str, entry_point: str) -> str:
    """The code behind the task's own head, which holds imports and helpers that an answer may take as given.

    head: ends in the first line of the entry point's function. Code that does not define the entry point is taken as its
    body where it is indented.
    """
    if defines(code, entry_point):
        return f"{head.rstrip()}\n    pass\n\n{without_demo(code, entry_point)}"
    first_line = next((line for line in code.split("\n") if line.strip()), "")
    return f"{head.rstrip()}\n{code}" if first_line[:1].isspace() else f"{head.rstrip()}\n    pass\n\n{code}"


def without_demo(code: str, entry_point: str) -> str:
    """Of what stands behind the entry point's function: imports, and what it needs. Its example of use is not run.

    As BigCodeBench's sanitize, which drops other statements in front of the function, too (a seed, a backend).
    """
    body = ast.parse(code).body
    first = next(number for number, statement in enumerate(body) if entry_point in _bound(statement))
    needed, known = {entry_point}, set()
    while needed != known:
        known = set(needed)
        for statement in body:
            if _bound(statement) & known:
                needed |= _globals(statement)
    behind = [each for each in body[first + 1 :] if isinstance(each, IMPORTS) or _bound(each) & needed]
    kept = set(range(body[first].end_lineno + 1)).union(*map(_lines, behind))
    lines = re.split(r"\r\n?|\n", code)  # as Python counts them
    return "\n".join(line for number, line in enumerate(lines, 1) if number in kept)


def _bound(statement: ast.stmt) -> set[str]:
    """The names that a definition or an assignment gives a value, or a part of their value."""
    if isinstance(statement, DEFINITIONS):
        return {statement.name}
    if not isinstance(statement, ASSIGNMENTS):
        return set()
    targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
    return {node.id for target in targets for node in ast.walk(target) if isinstance(node, ast.Name)}


def _globals(statement: ast.stmt) -> set[str]:
    """The names that a definition or an assignment takes from the module, as far as one look at its names tells."""
    nodes = list(ast.walk(statement))
    names = [node for node in nodes if isinstance(node, ast.Name)]
    loaded = {node.id for node in names if isinstance(node.ctx, ast.Load)}
    if not isinstance(statement, DEFINITIONS):
        return loaded
    own = {node.id for node in names if isinstance(node.ctx, ast.Store)}
    own |= {node.arg for node in nodes if isinstance(node, ast.arg)}
    shared = {name for node in nodes if isinstance(node, ast.Global) for name in node.names}
    return (loaded - own) | shared


def _lines(statement: ast.stmt) -> range:
    first = min([statement.lineno, *(each.lineno for each in getattr(statement, "decorator_list", ()))])
    return range(first, statement.end_lineno + 1)
