"""Questions whose worked answers a program can write, as long as the question is hard: letters, sums, order, loops.

    python -m training.procedural --out rows.jsonl --seed 1 --rows 25000 --families count add sort trace

A row is {id, question, response, answer, family, size, difficulty}: the response ends with the answer in \\boxed{}; size is
the number of letters, digits, numbers or rounds of a loop, and difficulty names the third of the sizes it lies in. Small
ones come more often, except in the test split, which is what evaluation.run's procedural asks. The same seed gives the
same rows, which are the first rows of a longer file. --split train, held-out and test have no task in common, however it
is worded and whatever the seeds: a hash of the task itself decides where it belongs.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from itertools import cycle
from pathlib import Path
from random import Random
from string import ascii_lowercase
from typing import Any

from z1_core.errors import BadInput
from z1_core.jsonl import write_lines
from z1_core.options import at_least
from z1_core.program import program

PERCENT = {"test": 10, "held-out": 5, "train": 85}
DIFFICULTIES = ("easy", "medium", "hard")
DRAWS = 1000
"""So many in vain for one row mean that its family is used up."""


@dataclass(frozen=True, slots=True)
class Task:
    """content: what is asked, whatever the wording and the order."""

    question: str
    content: object
    steps: list[str]
    answer: str


def count_letters(chance: Random, size: int) -> Task:
    letter = chance.choice(ascii_lowercase)
    word = "".join(letter if chance.random() < 0.3 else chance.choice(ascii_lowercase) for _ in range(size))
    wording = chance.choice(('How many times is "{}" in "{}"?', 'Count the letter "{}" in the word "{}".'))
    steps = [f"{each}: {word[: place + 1].count(letter)}" for place, each in enumerate(word)]
    return Task(wording.format(letter, word), word, steps, str(word.count(letter)))


def add(chance: Random, size: int) -> Task:
    """Each line holds all that the next one needs: what is left of both numbers, the carry, and what is written already."""
    first, second = (chance.randrange(10 ** (size - 1), 10**size) for _ in range(2))
    wording = chance.choice(("What is {} + {}?", "Add {} and {}."))
    steps, carry, written = [], "", ""
    for left in range(size, 0, -1):
        one, other = str(first)[:left], str(second)[:left]
        total = int(one[-1]) + int(other[-1]) + bool(carry)
        written = f"{total % 10 if left > 1 else total}{written}"
        steps.append(f"{one}+{other}{carry}: {one[-1]}+{other[-1]}{carry}={total}, {written}")
        carry = "+1" if total > 9 else ""
    return Task(wording.format(first, second), sorted((first, second)), steps, str(first + second))


def sort(chance: Random, size: int) -> Task:
    left = [chance.randrange(10, 100) for _ in range(size)]
    wording = chance.choice(("Sort from small to large: {}", "Put these numbers in ascending order: {}"))
    question, ordered, steps = wording.format(_listed(left)), sorted(left), []
    for smallest in ordered:
        steps.append(f"{' '.join(map(str, left))} -> {smallest}")
        left.remove(smallest)
    return Task(question, ordered, steps, _listed(ordered))


def trace(chance: Random, size: int) -> Task:
    """What is odd becomes even, and what is even is halved: the numbers stay small however long it runs."""
    name, value, plus = chance.choice("abcdknxy"), chance.randrange(1, 100), chance.randrange(1, 10, 2)
    code = (
        f"{name} = {value}\nfor i in range({size}):\n    if {name} % 2 == 0:\n        {name} = {name} // 2 + i\n"
        f"    else:\n        {name} = {name} + {plus}\nprint({name})"
    )
    wording = chance.choice(("What does this program print?\n\n{}", "Trace this program. What is printed?\n\n{}"))
    content, steps = (value, plus, size), []
    for i in range(size):
        working = f"{value} is odd, {value} + {plus}" if value % 2 else f"{value} is even, {value} // 2 + {i}"
        value = value + plus if value % 2 else value // 2 + i
        steps.append(f"i = {i}: {working} = {value}")
    return Task(wording.format(code), content, steps, str(value))


def _listed(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, numbers))


FAMILIES = {"count": (count_letters, 3, 15), "add": (add, 2, 8), "sort": (sort, 3, 12), "trace": (trace, 3, 20)}
"""What makes a task, and the least and greatest size."""


def rows(seed: int, families: Sequence[str], split: str) -> Iterator[dict[str, Any]]:
    """Without end: the families in turn, no question twice. Raises BadInput where a family has no more of them."""
    chance, seen = Random(f"{seed}:{split}"), set()  # noqa: S311 - the draw is to be repeated
    for family in cycle(families):
        make, least, most = FAMILIES[family]
        for _ in range(DRAWS):
            size = min(chance.randint(least, most) for _ in range(1 if split == "test" else 2))
            task = make(chance, size)
            if task.question not in seen and split_of(family, task.content) == split:
                break
        else:
            raise BadInput(f"{family} has hardly a question that is not among the first {len(seen):,}; lower --rows")
        seen.add(task.question)
        yield {
            "id": f"{family}-{blake2b(task.question.encode(), digest_size=6).hexdigest()}",
            "question": task.question,
            "response": "\n".join([*task.steps, f"The answer is \\boxed{{{task.answer}}}."]),
            "answer": task.answer,
            "family": family,
            "size": size,
            "difficulty": DIFFICULTIES[(size - least) * len(DIFFICULTIES) // (most - least + 1)],
        }


def split_of(family: str, content: object) -> str:
    place = int.from_bytes(blake2b(f"{family} {content}".encode(), digest_size=4).digest(), "big") % 100
    return "test" if place < PERCENT["test"] else "train" if place >= 100 - PERCENT["train"] else "held-out"


@program(stopped="stopped; nothing was written")
def main(argv: Sequence[str] | None = None) -> None:
    options = argparse.ArgumentParser(prog="python -m training.procedural", description=__doc__.split("\n\n")[0])
    options.add_argument("--out", type=Path, required=True, metavar="ROWS.jsonl", help="the file to make")
    options.add_argument("--rows", type=int, default=25_000, metavar="N", help="default %(default)s")
    options.add_argument("--seed", type=int, default=1, help="default %(default)s")
    options.add_argument("--families", nargs="+", choices=FAMILIES, default=list(FAMILIES), help="default all")
    options.add_argument("--split", choices=PERCENT, default="train", help="default %(default)s")
    chosen = options.parse_args(argv)
    at_least(1, rows=chosen.rows)
    if chosen.out.exists():
        raise BadInput(f"{chosen.out} is there already; remove it or name another file with --out")
    made = rows(chosen.seed, chosen.families, chosen.split)
    write_lines(chosen.out, (row for _, row in zip(range(chosen.rows), made, strict=False)))


if __name__ == "__main__":
    sys.exit(main())
