"""How programs end: 0, or one sentence and a code."""

import pytest

from z1_core.errors import ModelUnavailable
from z1_core.program import program


@pytest.mark.parametrize(
    ("raised", "code", "said"),
    [
        (ModelUnavailable("there is no such model; name another"), 2, "error: there is no such model; name another\n"),
        (FileNotFoundError(2, "No such file", "a.jsonl"), 2, "error: there is no a.jsonl; check the name\n"),
        (ModuleNotFoundError(name="trl.trainer"), 2, "error: trl is not installed; pip install -r some.txt\n"),
        (KeyboardInterrupt(), 130, "\nstopped; go on\n"),
    ],
)
def test_what_ends_a_program_is_one_sentence_and_a_code(raised, code, said, capsys):
    @program(stopped="stopped; go on", needs="some.txt")
    def main():
        raise raised

    assert main() == code
    assert capsys.readouterr() == ("", said)


@pytest.mark.parametrize(("returned", "code"), [(None, 0), (0, 0), (1, 1)])
def test_a_program_that_ends_by_itself_has_the_code_it_returns(returned, code):
    assert program()(lambda words: returned)([]) == code


def test_a_fault_of_ours_keeps_its_trace():
    @program()
    def main():
        raise KeyError("ours")

    with pytest.raises(KeyError):
        main()
