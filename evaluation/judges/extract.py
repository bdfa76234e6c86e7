"""The program in an answer: LiveCodeBench's rule, the lines between the last two that hold a fence, and four cases more.

Where that rule finds half a program or none, a reader still sees one: the last fence opens a block that was never closed
(a cut answer); the only one closes a block that the prompt had opened; a fence stands behind the last line of code; and
`two fences in one line` are inline code and mark no block.
"""

from __future__ import annotations

import ast

FENCE = "```"
PYTHON = ("python", "python3", "py")


def extract_code(text: str) -> str | None:
    """None without any fence."""
    lines = text.split("\n")
    fences = [number for number, line in enumerate(lines) if line.count(FENCE) % 2]
    if not fences:
        return None
    last = fences[-1]
    before, _, after = lines[last].rpartition(FENCE)
    block = lines[fences[-2] + 1 if len(fences) > 1 else 0 : last]
    closed = "\n".join([*block, before] if before.strip() else block)
    rest = "\n".join(lines[last + 1 :])
    if after.strip().lower() in PYTHON:
        return rest if rest.strip() or len(fences) == 1 else closed
    if len(fences) % 2 and len(rest) > (len(closed) if is_python(closed) else 0) and is_python(rest):
        return rest
    return closed


def is_python(code: str) -> bool:
    try:
        ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True
