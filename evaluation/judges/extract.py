"""The program in an answer: LiveCodeBench's rule, the text between the last two fence lines."""

from __future__ import annotations

FENCE = "```"


def extract_code(text: str) -> str | None:
    """None without any fence. A fence that was opened last and never closed (a cut answer) counts to the end."""
    lines = text.split("\n")
    fences = [number for number, line in enumerate(lines) if line.lstrip().startswith(FENCE)]
    if not fences:
        return None
    if len(fences) % 2:
        return "\n".join(lines[fences[-1] + 1 :])
    return "\n".join(lines[fences[-2] + 1 : fences[-1]])
