"""Which rows of a pool make a subset: the paper's Algorithm 1 and its relatives, on token counts and ids alone.

Algorithm 1 (arXiv 2504.00810): while rows remain and T < B, take the longest (shortest) row; add it if T + its count
stays within B; remove it either way. So the sum never exceeds the budget, and in the longest mode smaller rows still
fill the rest. Ties go to the smaller id, so the order of the file does not matter.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from training.rows import digest
from z1_core.errors import BadInput

MODES = ("all", "longest", "shortest", "random")


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """mode: one of MODES, the order in which rows are taken. budget_tokens or rows: where to stop; one of them, none for
    "all". Raises BadInput."""

    mode: str = "all"
    budget_tokens: int | None = None
    rows: int | None = None
    seed: int = 42

    def __post_init__(self) -> None:
        for name, value in (("--budget", self.budget_tokens), ("--rows", self.rows)):
            if value is not None and value < 1:
                raise BadInput(f"{name} is {value}; it must be at least 1")
        limits = (self.budget_tokens is not None) + (self.rows is not None)
        if self.mode == "all" and limits:
            raise BadInput("--mode all takes every row; leave out --budget and --rows, or name another --mode")
        if self.mode != "all" and limits != 1:
            raise BadInput(f"--mode {self.mode} needs either --budget TOKENS or --rows N, and not both")

    @property
    def needs_tokens(self) -> bool:
        """Whether every row must say how long it is."""
        return self.mode in ("longest", "shortest") or self.budget_tokens is not None


def select(ids: Sequence[str], tokens: Sequence[int], choice: Choice) -> list[int]:
    """Places of the chosen rows, in the order in which they were taken.

    A row's place in the random order depends on the seed and its id alone: a smaller subset lies in a larger one, and rows
    added to the file leave the order of the others as it is.
    """
    keys = {
        "all": lambda place: place,
        "longest": lambda place: (-tokens[place], ids[place]),
        "shortest": lambda place: (tokens[place], ids[place]),
        "random": lambda place: (digest(f"{choice.seed}:{ids[place]}"), ids[place]),
    }
    order = sorted(range(len(ids)), key=keys[choice.mode])
    if choice.budget_tokens is None:
        return order[: choice.rows]
    total, chosen = 0, []
    for place in order:
        if total + tokens[place] <= choice.budget_tokens:
            chosen.append(place)
            total += tokens[place]
    return chosen
