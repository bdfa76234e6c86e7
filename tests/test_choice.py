"""Which letter a text settles on, and options in an order that is nobody's habit."""

import time
from collections import Counter

import pytest

from evaluation.judges.choice import letter_of, shuffled
from z1_core.errors import BadInput

OPTIONS_REPEATED = "A. foo\nB. bar\nC. baz\nD. qux"

SETTLED = [
    (r"\boxed{C}", "C"),
    (r"So it is $\boxed{\text{C}}$.", "C"),
    (r"\boxed{(C)}", "C"),
    (r"\boxed{\textbf{(C)} 5 eV}", "C"),
    (r"\[\boxed{\text{B. } 10^{-4}}\]", "B"),
    (r"\boxed{Option B}", "B"),
    (r"\fbox{B}", "B"),
    ("Answer: C", "C"),
    ("**Answer: (B)**", "B"),
    ("**Answer:** B", "B"),
    ("Answer:\n\nD", "D"),
    ("the answer is (C)", "C"),
    ("The answer is $B$.", "B"),
    ("The answer is A.", "A"),
    ("The answer is A because nothing else fits.", "A"),
    ("The answer is A, because nothing else fits.", "A"),
    ("The final answer is **D) 12**", "D"),
    ("The correct option is **D**.", "D"),
    ("Option C is correct.", "C"),
    ("A is not correct, C is correct", "C"),
    ("**C**", "C"),
    ("C.", "C"),
    ("C) some option text", "C"),
    ("(C) some option text", "C"),
    ("C. some option\n\nBecause the others fail.", "C"),
    (OPTIONS_REPEATED + "\n\nThe answer is B", "B"),
    (OPTIONS_REPEATED + "\n\nB", "B"),
    (r"In \boxed{} goes the letter: \boxed{A}", "A"),
]

UNSETTLED = [
    "",
    "   \n",
    "I don't know",
    "A cat",
    "A cat sat on B street",
    "The answer is A cat",
    "The answer is B cells",
    r"\boxed{A cat}",
    r"\boxed{E}",
    r"\boxed{42}",
    r"\boxed{}",
    r"\boxed{A, C}",
    r"\boxed{A} and \boxed{C}",
    "The answer is A or B",
    "ABCD",
    "Dear reader",
    "A is incorrect",
    OPTIONS_REPEATED,
]


@pytest.mark.parametrize(("text", "letter"), SETTLED)
def test_a_text_that_settles_on_a_letter(text, letter):
    assert letter_of(text) == letter


@pytest.mark.parametrize("text", UNSETTLED)
def test_a_text_that_settles_on_none(text):
    assert letter_of(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "The answer is B. No wait. The answer is D.",
        "The answer is B.\nOn second thought: the answer is (D).",
        r"\boxed{B}, hmm, that cannot be it, so \boxed{D}",
    ],
)
def test_the_last_statement_wins(text):
    assert letter_of(text) == "D"


def test_more_letters_where_the_problem_has_more_options():
    assert letter_of("The answer is (H)", "ABCDEFGHIJ") == "H"


@pytest.mark.parametrize("text", ["A, B, C, D " * 50_000, "(A" * 50_000, "answer is " * 30_000, r"\boxed{" * 50_000])
def test_a_hostile_text_takes_no_time(text):
    started = time.perf_counter()
    assert letter_of(text) is None
    assert time.perf_counter() - started < 5


def test_options_keep_their_order_for_ever():
    """Written down: another order would make old records unreadable, and scores of two versions another benchmark."""
    shown = shuffled(["right", "x", "y", "z"], problem_id="recABC")
    assert (shown.options, shown.order, shown.letter) == (("right", "z", "x", "y"), (0, 3, 1, 2), "A")


@pytest.mark.parametrize("count", [2, 4, 10])
def test_the_right_letter_is_evenly_spread(count):
    options = [str(index) for index in range(count)]
    letters = Counter(shuffled(options, problem_id=f"rec{i}").letter for i in range(4000))
    expected = 4000 / count
    assert len(letters) == count
    assert all(abs(seen - expected) < 5 * expected**0.5 for seen in letters.values())


def test_the_verdict_does_not_depend_on_the_permutation():
    """Whoever knows the right option is right in every order, whoever names another is wrong in every order."""
    options = ["mitosis", "meiosis", "osmosis", "fission"]
    for i in range(200):
        shown = shuffled(options, problem_id=f"rec{i}")
        assert sorted(shown.order) == [0, 1, 2, 3]
        assert shown.options == tuple(options[index] for index in shown.order)
        for letter, option in zip("ABCD", shown.options, strict=True):
            answered = letter_of(f"The answer is ({letter}) {option}.")
            assert (answered == shown.letter) == (option == "mitosis")


def test_a_question_with_one_option_is_refused():
    with pytest.raises(BadInput, match="rec1 has 1 options; give 2 to 10"):
        shuffled(["only"], problem_id="rec1")
