"""What a verdict can be. One line here is all that a new one needs: tables, reports and the page read this."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Status:
    """name: in files; words: for people; sign: in front of the words, or ""; is_counted: says something about the model,
    and so stands in its accuracy."""

    name: str
    words: str
    sign: str
    is_counted: bool


STATUSES = {
    status.name: status
    for status in (
        Status("right", "right", "✓", is_counted=True),
        Status("wrong", "wrong", "✕", is_counted=True),
        Status("no_answer", "no answer found", "", is_counted=True),
        Status("timeout", "timed out", "", is_counted=True),
        Status("harness_error", "judging failed", "", is_counted=False),  # our fault; makes the exit code 1
        Status("not_judged", "could not be judged here", "", is_counted=False),  # such as a task's library is missing
    )
}
