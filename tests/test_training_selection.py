"""Algorithm 1 and its relatives, against a version written straight from the paper."""

from __future__ import annotations

import random

import pytest

from training.subset import select


def algorithm_1(ids: list[str], tokens: list[int], budget: int, longest: bool) -> list[int]:
    """The paper's pseudo-code, word for word: an argmax over what remains, in every step."""
    remaining, chosen, total = set(range(len(ids))), [], 0
    while remaining and total < budget:
        best = min(remaining, key=lambda place: (-tokens[place] if longest else tokens[place], ids[place]))
        if total + tokens[best] <= budget:
            chosen.append(best)
            total += tokens[best]
        remaining.remove(best)
    return chosen


def random_pool(draw: random.Random) -> tuple[list[str], list[int]]:
    rows = draw.randrange(1, 40)
    ids = [f"{draw.randrange(10**6):06}" for _ in range(rows)]
    return list(dict.fromkeys(ids)), [draw.choice((1, 7, 7, 30, draw.randrange(1, 200))) for _ in dict.fromkeys(ids)]


@pytest.mark.parametrize("mode", ["longest", "shortest"])
def test_it_takes_what_the_papers_loop_takes(mode: str):
    for seed in range(300):
        draw = random.Random(seed)
        ids, tokens = random_pool(draw)
        budget = draw.randrange(1, 1 + 2 * sum(tokens))
        chosen = select(ids, tokens, mode=mode, budget=budget)
        assert chosen == algorithm_1(ids, tokens, budget, mode == "longest"), seed


@pytest.mark.parametrize("mode", ["longest", "shortest", "random"])
def test_the_sum_never_exceeds_the_budget(mode: str):
    for seed in range(200):
        draw = random.Random(seed)
        ids, tokens = random_pool(draw)
        budget = draw.randrange(1, sum(tokens) + 50)
        chosen = select(ids, tokens, mode=mode, budget=budget, seed=seed)
        assert sum(tokens[place] for place in chosen) <= budget
        assert len(set(chosen)) == len(chosen)
        left = budget - sum(tokens[place] for place in chosen)
        assert all(tokens[place] > left for place in range(len(ids)) if place not in chosen) or left == 0


@pytest.mark.parametrize("mode", ["longest", "shortest", "random"])
def test_the_order_of_the_file_does_not_matter(mode: str):
    ids, tokens = random_pool(random.Random(5))
    choice = {"mode": mode, "budget": sum(tokens) // 2}
    before = [ids[place] for place in select(ids, tokens, **choice)]
    order = random.Random(1).sample(range(len(ids)), len(ids))
    shuffled_ids, shuffled_tokens = [ids[place] for place in order], [tokens[place] for place in order]
    assert [shuffled_ids[place] for place in select(shuffled_ids, shuffled_tokens, **choice)] == before


def test_random_takes_so_many_rows_and_a_smaller_draw_lies_in_a_larger():
    ids, tokens = [f"row-{n}" for n in range(500)], [9] * 500
    small, large = (select(ids, tokens, mode="random", rows=rows, seed=3) for rows in (50, 200))
    assert len(small) == 50
    assert set(small) < set(large)
    assert set(small) != set(select(ids, tokens, mode="random", rows=50, seed=4))
    assert 150 < sum(small) / 50 < 350  # from all over the file


def test_every_row_has_the_same_chance():
    ids, tokens = [f"row-{n}" for n in range(20)], [9] * 20
    taken = [0] * 20
    for seed in range(2000):
        for place in select(ids, tokens, mode="random", rows=5, seed=seed):
            taken[place] += 1
    assert all(400 < count < 600 for count in taken)
