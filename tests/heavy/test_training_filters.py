"""What is left out: loops, open ends, cut sentences, repeated questions, benchmark questions; and what must stay."""

from __future__ import annotations

import json
import random
from collections import Counter
from pathlib import Path

import pandas as pd
import pytest

from training import filters, trigrams
from training.filters import Benchmarks, Questions, folded_words, loop_in, questions_of, similarity
from training.rows import Row, Rows
from training.trigrams import top_trigrams
from z1_core.errors import BadInput


@pytest.fixture(scope="module")
def sample(shared_data: Path) -> list[Row]:
    return list(Rows([shared_data / "trajectories_sample" / "train.jsonl"]))


PROSE = "First we count the apples, then we divide them by two, and in the end each child has {}. "


def test_the_known_loops_of_the_sample_are_found(sample: list[Row]):
    """Seen by reading: a fraction, a root, an exponential and a syllable repeated to the end of the budget."""
    by_id = {each.id: each.response for each in sample}
    for id_ in ("math-short-00610", "math-short-00900", "math-long-00046", "code-01493", "math-long-00171"):
        assert loop_in(by_id[id_]), id_
    found = Counter(each.id.rsplit("-", 1)[0] for each in sample if loop_in(each.response))
    assert found == {"math-long": 59, "math-short": 5, "code": 1}  # 3.2 %; the paper removed about 3 %


def test_a_program_that_is_shown_twice_is_no_loop():
    code = "\n".join(f"    value_{n} = compute(value_{n - 1}, rows[{n}], columns[{n % 7}])" for n in range(1, 60))
    assert loop_in(f"{code}\n\nThe final solution:\n{code}") is None


def test_a_sentence_that_comes_back_with_another_number_is_no_loop_and_the_same_one_is():
    assert loop_in("".join(PROSE.format(n) for n in range(4))) is None
    assert "repeats" in loop_in("Let me see. " * 3 + PROSE.format(2) * 30)


@pytest.mark.parametrize(("n", "accused"), [(8, 10), (13, 0)])
def test_every_benchmark_question_of_the_sample_is_found_and_hardly_another_accused(
    sample: list[Row], shared_data: Path, n: int, accused: int
):
    """All 1,000 mathematical rows answer MATH500, of which 51 questions are shorter than 13 words, 13 than 8; the programs
    answer LiveCodeBench."""
    kinds = (("math500/test", "math", 1000), ("livecodebench_v5_statements/problems", "code", 991))
    for file, kind, least in kinds:
        benchmark = Benchmarks([str(shared_data / f"{file}.jsonl")], n)
        found = [each.id for each in sample if benchmark.match(each.question)]
        assert sum(id_.startswith(kind) for id_ in found) >= least
        assert sum(not id_.startswith(kind) for id_ in found) <= accused
    gsm8k = Benchmarks([str(shared_data / "gsm8k" / "test.jsonl")], 13)
    assert not any(gsm8k.match(each.question) for each in sample)


def benchmark_of(folder: Path, n: int, *texts: str) -> Benchmarks:
    (folder / "b.jsonl").write_text("".join(json.dumps({"problem": text}) + "\n" for text in texts))
    return Benchmarks([str(folder / "b.jsonl")], n)


def test_a_question_shorter_than_n_words_is_compared_whole(tmp_path: Path):
    benchmark = benchmark_of(tmp_path, 13, r"Compute $\sin 60^\circ$ exactly.", "Find x.", "?!")
    assert benchmark.match(r"Compute \(\SIN 60^\circ\), exactly!").startswith("line 1 of b.jsonl: ")
    assert benchmark.match(r"Please compute $\sin 60^\circ$ exactly and explain.").startswith("line 1 of b.jsonl: ")
    assert benchmark.match(r"Compute $\sin 61^\circ$ exactly.") is None
    assert benchmark.match("find X").startswith("line 2 of b.jsonl: ")
    assert benchmark.match("Find x when 2x = 4.") is None  # two words alone stand in too many questions
    assert benchmark.match("?") is None


def test_a_run_of_bare_numbers_proves_nothing(tmp_path: Path):
    benchmark = benchmark_of(tmp_path, 8, "Sort the list [1, 2, 3, 4, 5, 6, 7, 8] in place please")
    assert benchmark.match("What is the sum of 1 2 3 4 5 6 7 8?") is None
    assert benchmark.match("the list 1 2 3 4 5 6 is sorted") == "line 1 of b.jsonl: 'the list 1 2 3 4 5 6'"


def test_the_questions_of_a_benchmark_are_found_wherever_it_keeps_them(tmp_path: Path):
    questions = ["How far is\u2028the moon?", "And the sun?"]
    pd.DataFrame({"problem": questions}).to_json(tmp_path / "a.jsonl", orient="records", lines=True)
    pd.DataFrame({"Question": questions}).to_csv(tmp_path / "b.csv")
    pd.DataFrame({"ask": questions}).to_parquet(tmp_path / "c.parquet")
    for given in ("a.jsonl", "b.csv", "c.parquet:ask"):
        assert [text for _, text in questions_of(f"{tmp_path}/{given}")] == questions


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "cannot be read: No such file or directory; check the path"),
        ('{"ask": "Why?"}\n', 'name the field: "'),
        ("Why?", "line 1 of a.jsonl: not JSON"),
    ],
)
def test_a_benchmark_file_that_cannot_be_used_is_refused(tmp_path: Path, content: str | None, says: str):
    if content is not None:
        (tmp_path / "a.jsonl").write_text(content)
    with pytest.raises(BadInput) as refused:
        list(questions_of(str(tmp_path / "a.jsonl")))
    assert says in str(refused.value)
    assert "\n" not in str(refused.value)


def asked(text: str, id_: str) -> Row:
    return Row("line 1", None, 0, id_, text, "", "", None)


def repeats(texts: list[str], *, near: bool = True) -> dict[int, tuple[str, str]]:
    """Of each text that repeats an earlier one: the reason, and which."""
    questions = Questions(near=near)
    found = {number: questions.repeated(asked(text, f"{number}")) for number, text in enumerate(texts)}
    return {number: repeat for number, repeat in found.items() if repeat}


def same(earlier: int) -> tuple[str, str]:
    return "duplicate", f"the question of {earlier}"


@pytest.mark.parametrize("near", [True, False])
def test_the_same_question_is_found_whatever_its_case_and_white_space(near: bool):
    texts = ["What is 1+1?", "What is 1-1?", "what  is\n1+1?", "Why?", "What is 1+1?", "why?"]
    assert repeats(texts, near=near) == {2: same(0), 4: same(0), 5: same(3)}
    accents = [
        "Où est le café?",
        "OU\u0300 EST LE CAFE\u0301?",
        "Wie lang ist die Straße?",
        "WIE LANG IST DIE STRASSE?",
    ]
    assert repeats(accents, near=near) == {1: same(0), 3: same(2)}


def test_a_question_with_one_word_changed_is_nearly_the_same_and_another_question_is_not():
    long = " ".join(f"word{n}" for n in range(80))
    texts = [long, long.replace("word40", "other"), " ".join(f"thing{n}" for n in range(80)), "word1 word2"]
    assert repeats(texts) == {1: ("near_duplicate", "88% the question of 0")}
    assert repeats(texts, near=False) == {}


def test_nearly_all_pairs_that_a_full_comparison_finds_are_found():
    """400 questions of 60 words, each with a twin in which one to three words are changed."""
    draw = random.Random(2)
    texts = []
    for number in range(400):
        words = [f"w{number}-{n}" for n in range(60)]
        twin = list(words)
        for place in draw.sample(range(60), draw.randrange(1, 3)):
            twin[place] = "changed"
        texts += [" ".join(words), " ".join(twin)]
    alike = {place for place in range(1, 800, 2) if similarity(texts[place - 1], texts[place]) >= 0.8}
    found = repeats(texts)
    assert set(found) <= alike
    assert len(found) >= 0.95 * len(alike) > 200


def test_a_template_filled_many_times_is_compared_in_no_more_than_linear_time(monkeypatch):
    template = " ".join(f"word{n}" for n in range(60))
    looks = []
    monkeypatch.setattr(filters, "similarity", lambda one, other: looks.append(one) or similarity(one, other))
    assert len(repeats([f"{template} {number}" for number in range(2000)])) == 1999
    assert len(looks) == 1999


def test_trigrams_are_counted_as_by_a_plain_counter(sample: list[Row]):
    texts = [each.response for each in sample[:400]]
    plain = Counter()
    for text in texts:
        words = text.lower().split()
        plain.update(map(" ".join, zip(words, words[1:], words[2:], strict=False)))
    counted = top_trigrams(lambda: texts)
    assert list(counted.top) == sorted(plain.items(), key=lambda entry: (-entry[1], entry[0]))[:50]
    assert counted.total == plain.total()


def test_trigrams_stay_exact_where_all_share_a_few_counters(monkeypatch):
    monkeypatch.setattr("training.trigrams.COUNTER_BITS", 6)
    monkeypatch.setattr("training.trigrams.NAMED_AT_FIRST", 2)
    texts = [f"common words here {n} and {n % 9} more" for n in range(500)]
    assert top_trigrams(lambda: ["one two"]).top == ()
    counted = top_trigrams(lambda: texts, size=3)
    assert [count for _, count in counted.top] == [500, 56, 56]
    assert counted.top[0][0] == "common words here"


def test_the_table_and_the_figure_show_the_sets_beside_each_other(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    for name, text in (("a", "I need to count."), ("b", "I need to count $1_2$ and $a_b$ apples.")):
        (tmp_path / f"{name}.jsonl").write_text(json.dumps({"response": text}) + "\n")
    files = [str(tmp_path / f"{name}.jsonl") for name in "ab"]
    for figure in ("t.xyz", "missing/t.png"):
        assert trigrams.main([*files, "--figure", str(tmp_path / figure)]) == 2  # before anything is counted
        assert figure in capsys.readouterr().err
    assert trigrams.main([*files, "--figure", str(tmp_path / "t.svg")]) == 0
    capsys.readouterr()
    assert trigrams.main([*files, "--figure", str(tmp_path / "t.png")]) == 0
    told = capsys.readouterr().out.splitlines()
    assert told[0] == f"{files[0]}: 2 trigrams"
    assert told[2].split() == ["1", "1", "500,000", "i", "need", "to"]
    assert len(told) == (2 + 2) + (2 + 6)
    assert (tmp_path / "t.png").read_bytes()[:4] == b"\x89PNG"


def test_words_of_the_filters_have_no_marks():
    assert folded_words(r"### Explanation 1. \frac{A}{b_2}") == ["explanation", "1", "frac", "a", "b", "2"]
