"""Which rows of a pool make a subset: the paper's Algorithm 1 and its relatives, on token counts and ids alone.

Algorithm 1 (arXiv 2504.00810): while rows remain and T < B, take the longest (shortest) row; add it if T + its count
stays within B; remove it either way. So the sum never exceeds the budget, and in the longest mode smaller rows still
fill the rest. Ties go to the smaller id, so the order of the file does not matter.
"""

from __future__ import annotations

from collections.abc import Sequence

from training.rows import digest

MODES = ("all", "longest", "shortest", "random")


def select(
    ids: Sequence[str],
    tokens: Sequence[int],
    *,
    mode: str,
    budget: int | None = None,
    rows: int | None = None,
    seed: int = 42,
) -> list[int]:
    """Places of the chosen rows, in the order in which they were taken.

    mode: one of MODES, the order. budget, of tokens, or rows: where to stop.
    A row's place in the random order depends on the seed and its id alone: a smaller subset lies in a larger one, and rows
    added to the file leave the order of the others as it is.
    """
    keys = {
        "all": lambda place: place,
        "longest": lambda place: (-tokens[place], ids[place]),
        "shortest": lambda place: (tokens[place], ids[place]),
        "random": lambda place: (digest(f"{seed}:{ids[place]}"), ids[place]),
    }
    order = sorted(range(len(ids)), key=keys[mode])
    if budget is None:
        return order[:rows]
    total, chosen = 0, []
    for place in order:
        if total + tokens[place] <= budget:
            chosen.append(place)
            total += tokens[place]
    return chosen
