"""What a verdict can be: the one table that judges, summaries, report and page read. A new status is one line here.

STATUSES["no_answer"].words  # "no answer"
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """words: what people read; sign: one character before them; is_counted: whether it says something about the model, and
    so counts in its accuracy."""

    name: str
    words: str
    sign: str
    is_counted: bool


STATUSES: dict[str, Status] = {
    status.name: status
    for status in (
        Status(name="right", words="right", sign="✓", is_counted=True),
        Status(name="wrong", words="wrong", sign="✗", is_counted=True),
        Status(name="no_answer", words="no answer", sign="–", is_counted=True),
        Status(name="timeout", words="timeout", sign="⧖", is_counted=True),
        Status(name="harness_error", words="harness error", sign="!", is_counted=False),
        Status(name="not_judged", words="not judged", sign="?", is_counted=False),
    )
}
