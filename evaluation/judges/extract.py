"""The program in an answer: LiveCodeBench's rule, the lines between the last two that hold a fence, and four cases more.

Where that rule finds half a program or none, a reader still sees one: the last fence opens a block that was never closed
(a cut answer); the only one closes a block that the prompt had opened; a fence stands behind the last line of code; and
`two fences in one line` are inline code and mark no block.
"""

from __future__ import annotations

import ast

FENCE = "```"


def extract_code(text: str) -> str | None:
    """None without any fence."""
    lines = text.split("\n")
    fences = [number for number, line in enumerate(lines) if line.count(FENCE) % 2]
    if not fences:
        return None
    last = fences[-1]
    before, _, after = lines[last].rpartition(FENCE)
    rest = "\n".join(lines[last + 1 :])
    names_language = len(after.split()) == 1
    if rest.strip() and (names_language or (len(fences) % 2 and is_python(rest))):
        return rest
    if names_language and len(fences) == 1:
        return ""
    block = lines[fences[-2] + 1 if len(fences) > 1 else 0 : last]
    return "\n".join([*block, before] if before.strip() else block)


def is_python(code: str) -> bool:
    try:
        ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True
