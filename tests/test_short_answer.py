import pytest

from ui.short_answer import same_answer, short_answer


@pytest.mark.parametrize(
    ("text", "short"),
    [
        ("", ""),
        (r"so \boxed{\frac{3}{7}} it is", r"\frac{3}{7}"),
        (r"\boxed{1} no, \boxed{2", "1"),
        ("It arrives at **12:10**.\n```python\nprint(150 / 60)\n```", "12:10"),
        ("The answer is 1,200 dollars.", "1,200"),
        ("The answer is: blue", "blue"),
        (r"The answer is \frac{3}{7}.", r"\frac{3}{7}"),
        ("The answer is x^2 + 3, as shown.", "x^2 + 3"),
        ("#### Step 1\n5 + 7\n#### 12", "12"),
        ("first 3, then 4.", "4"),
        ("```python\nprint(9)\n```", "9"),
        ("Paris\n", "Paris"),
        ("x" * 100, "x" * 59 + "…"),
    ],
)
def test_the_answer_in_a_few_characters(text, short):
    assert short_answer(text) == short


def test_answers_that_read_the_same():
    assert same_answer("1,200", "1200")
    assert same_answer(" Paris", "paris")
    assert not same_answer("", "")
    assert not same_answer("1", "2")
