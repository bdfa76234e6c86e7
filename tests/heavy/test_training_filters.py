"""What is left out: loops, open ends, cut sentences, repeated questions, benchmark questions; and what must stay."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from training.decontaminate import Benchmarks, Problem, read_benchmarks
from training.duplicates import Questions, shingles, similarity
from training.filters import cut_short, fault_of, left_open, loop_in
from training.rows import Row, read_rows
from training.trigrams import top_trigrams
from training.words import folded_words, printed_words
from z1_core.errors import BadInput


@pytest.fixture(scope="module")
def sample(shared_data: Path) -> list[Row]:
    return list(read_rows([shared_data / "trajectories_sample" / "train.jsonl"]))


@pytest.fixture(scope="module")
def math500(shared_data: Path) -> str:
    return str(shared_data / "math500" / "test.jsonl")


def row(response: str, tokens: int = 2000) -> Row:
    return Row(id="x", question="Why?", response=response, token_num_qwen=tokens)


PROSE = "First we count the apples, then we divide them by two, and in the end each child has {}. "


def test_the_known_loops_of_the_sample_are_found(sample: list[Row]):
    """Seen by reading: a fraction, a root, an exponential and a syllable repeated to the end of the budget."""
    by_id = {each["id"]: each["response"] for each in sample}
    for id_ in ("math-short-00610", "math-short-00900", "math-long-00046", "code-01493", "math-long-00171"):
        assert loop_in(by_id[id_]), id_
    found = Counter(each["id"].rsplit("-", 1)[0] for each in sample if loop_in(each["response"]))
    assert found == {"math-long": 59, "math-short": 5, "code": 1}  # 3.2 %; the paper removed about 3 %


def test_a_program_that_is_shown_twice_is_no_loop():
    code = "\n".join(f"    value_{n} = compute(value_{n - 1}, rows[{n}], columns[{n % 7}])" for n in range(1, 60))
    assert loop_in(f"{code}\n\nThe final solution:\n{code}") is None


def test_a_sentence_that_comes_back_with_another_number_is_no_loop_and_the_same_one_is():
    assert loop_in("".join(PROSE.format(n) for n in range(4))) is None
    assert "repeats" in loop_in("Let me see. " * 3 + PROSE.format(2) * 30)


@pytest.mark.parametrize(
    ("text", "open_"),
    [
        ("```python\nprint(1)\n```\nDone.", None),
        ("```python\nprint(1)\n", "a code fence"),
        ("```python\nprint(1)\n```\n```", "a code fence"),
        ("~~~\n```\n~~~", None),
        ("1. First\n   ```python\n   print(1)\n   ```\n2. Second", None),
        (r"So \[ x = 2 \] and \( y \).", None),
        (r"So \[ x = 2 \] and \( y", r"'\\( y'"),
        (r"\begin{pmatrix} 1 \\[2pt] 2 \end{pmatrix}", None),
        (r"\begin{cases} 1 \\ 2", r"'\\begin{cases} 1 \\\\ 2'"),
        ('```python\nre.compile(r"\\[")\n```', None),
        ("<think>Hm.</think> 2", None),
        ("<think>Hm.", "'<think>Hm.'"),
        ("<|begin_of_thought|> Hm. <|end_of_thought|> <|begin_of_solution|> 2", "<|begin_of_solution|>"),
        ("<|begin_of_thought|> Hm. <|end_of_thought|> <|begin_of_solution|> 2 <|end_of_solution|>", None),
    ],
)
def test_what_is_open_at_the_end_is_found(text: str, open_: str | None):
    assert left_open(text) == open_


@pytest.mark.parametrize("end", ["and the", "we get 3 +", "(", "so:", "x_", "first,"])
def test_a_long_trace_that_ends_in_mid_sentence_was_cut(end: str):
    assert cut_short(row(f"We add. Then {end}"))
    assert cut_short(row(f"We add. Then {end}", tokens=40)) is None


@pytest.mark.parametrize("end", ["the answer is 4.", "is it 4?", "**4**", "\\boxed{4}", "\\]", "```", "“4”", "4)"])
def test_a_trace_that_ends_with_its_sentence_was_not(end: str):
    assert cut_short(row(f"We add. Then {end}\n")) is None


def test_too_long_is_one_token_more_than_allowed():
    assert fault_of(row("Fine.", tokens=8192)) is None
    assert fault_of(row("Fine.", tokens=8193)) == ("too_long", "8,193 tokens")
    assert fault_of(row("Fine.", tokens=8193), off=frozenset({"too_long"})) is None


def test_the_samples_rows_are_left_out_for_these_reasons(sample: list[Row]):
    faults = Counter(fault[0] for each in sample if (fault := fault_of(each)))
    assert faults == {"too_long": 2, "loop": 63, "unclosed": 104, "truncated": 22}


@pytest.mark.parametrize("n", [8, 10, 13])
def test_every_math500_question_of_the_sample_is_a_known_positive(sample: list[Row], math500: str, n: int):
    """All 1,000 mathematical rows answer MATH500. 51 of its questions are shorter than 13 words, 13 than 8."""
    benchmark = Benchmarks(read_benchmarks([math500]), n)
    found = {each["id"] for each in sample if benchmark.match(each["question"])}
    assert len({id_ for id_ in found if id_.startswith("math")}) == 1000


def test_thirteen_words_call_no_program_a_math500_question_and_eight_call_few(sample: list[Row], math500: str):
    def accused(n: int) -> int:
        benchmark = Benchmarks(read_benchmarks([math500]), n)
        return sum(each["id"].startswith("code") and benchmark.match(each["question"]) is not None for each in sample)

    assert accused(13) == 0
    assert accused(8) <= 10


def test_the_livecodebench_questions_of_the_sample_are_found_and_gsm8k_ones_are_not(
    sample: list[Row], shared_data: Path
):
    livecodebench = Benchmarks(read_benchmarks([str(shared_data / "livecodebench_v5_statements/problems.jsonl")]), 13)
    found = [each["id"] for each in sample if livecodebench.match(each["question"])]
    assert len(found) > 990
    assert all(id_.startswith("code") for id_ in found)
    gsm8k = Benchmarks(read_benchmarks([str(shared_data / "gsm8k" / "test.jsonl")]), 13)
    assert not any(gsm8k.match(each["question"]) for each in sample)


def problems(*texts: str) -> list[Problem]:
    return [Problem(f"p{place}", " ".join(folded_words(text))) for place, text in enumerate(texts)]


def test_a_question_shorter_than_n_words_is_compared_whole():
    benchmark = Benchmarks(problems(r"Compute $\sin 60^\circ$ exactly.", "Find x."), 13)
    assert benchmark.match(r"Compute \(\SIN 60^\circ\), exactly!").problem == "p0"
    assert benchmark.match(r"Please compute $\sin 60^\circ$ exactly and explain.").problem == "p0"
    assert benchmark.match(r"Compute $\sin 61^\circ$ exactly.") is None
    assert benchmark.match("find X").problem == "p1"
    assert benchmark.match("Find x when 2x = 4.") is None  # two words alone stand in too many questions


def test_a_run_of_bare_numbers_proves_nothing():
    benchmark = Benchmarks(problems("Sort the list [1, 2, 3, 4, 5, 6, 7, 8] in place please"), 8)
    assert benchmark.match("What is the sum of 1 2 3 4 5 6 7 8?") is None
    assert benchmark.match("the list 1 2 3 4 5 6 is sorted").words == "the list 1 2 3 4 5 6"


def test_benchmark_files_of_every_kind_are_read(tmp_path: Path):
    rows = [{"id": 1, "question": "How far is the moon from here?"}, {"id": 2, "question": "And the sun?"}]
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (tmp_path / "b.json").write_text(json.dumps({str(each["id"]): each for each in rows}))
    (tmp_path / "c.csv").write_text("Record ID,Question\n1,How far is the moon from here?\n2,And the sun?\n")
    (tmp_path / "d.json").write_text(json.dumps([{"ask": each["question"]} for each in rows]))
    for given in ("a.jsonl", "b.json", "c.csv", "d.json:ask"):
        found = [problem.text for problem in read_benchmarks([str(tmp_path / given)])]
        assert found == ["how far is the moon from here", "and the sun"]


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("none.jsonl", None, "cannot be read: No such file or directory; check the name given to --against"),
        ("a.txt", b"x", "a.txt is no .jsonl, .json, .csv or .parquet file"),
        ("a.jsonl", b'{"ask": "Why?"}\n', 'name the field that holds it: "'),
        ("a.json", b"[", "a.json is not JSON"),
        ("a.csv", b"question\ncaf\xe9\n", "a.csv is not UTF-8 (at byte 12)"),
        ("a.parquet", b"PAR", "a.parquet is no readable Parquet file"),
    ],
)
def test_a_benchmark_file_that_cannot_be_used_is_refused(tmp_path: Path, name: str, content: bytes | None, says: str):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(BadInput) as refused:
        list(read_benchmarks([str(tmp_path / name)]))
    assert says in str(refused.value)
    assert "\n" not in str(refused.value)


def remembered(texts: list[str]) -> Questions:
    questions = Questions(near=True)
    for text in texts:
        questions.add(text)
    return questions


def test_the_same_question_is_found_whatever_its_case_and_white_space_and_the_earlier_one_stays():
    texts = ["What is 1+1?", "What is 1-1?", "what  is\n1+1?", "What is 1+1?"]
    found = remembered(texts).repeated(gone=set())
    assert {place: pair.of for place, pair in found.items()} == {2: 0, 3: 0}
    assert set(remembered(texts).repeated(gone={0})) == {3}  # the first is out for another reason: the next stays


def test_a_question_with_one_word_changed_is_nearly_the_same_and_another_question_is_not():
    long = " ".join(f"word{n}" for n in range(80))
    texts = [long, long.replace("word40", "other"), " ".join(f"thing{n}" for n in range(80)), "word1 word2"]
    found = remembered(texts).similar(set(), texts.__getitem__)
    assert [(pair.place, pair.of) for pair in found.values()] == [(1, 0)]
    assert found[1].similarity == similarity(texts[0], texts[1]) == pytest.approx(71 / 81)


def test_nearly_all_pairs_that_a_full_comparison_finds_are_found():
    """400 questions of 60 words, each with a twin in which one to three words are changed."""
    import random

    draw = random.Random(2)
    texts = []
    for number in range(400):
        words = [f"w{number}-{n}" for n in range(60)]
        twin = list(words)
        for place in draw.sample(range(60), draw.randrange(1, 3)):
            twin[place] = "changed"
        texts += [" ".join(words), " ".join(twin)]
    alike = {place for place in range(1, 800, 2) if similarity(texts[place - 1], texts[place]) >= 0.8}
    found = remembered(texts).similar(set(), texts.__getitem__)
    assert set(found) <= alike
    assert len(found) >= 0.95 * len(alike) > 200


def test_a_template_filled_many_times_is_compared_in_no_more_than_linear_time():
    template = " ".join(f"word{n}" for n in range(60))
    texts = [f"{template} {number}" for number in range(3000)]
    reads = Counter()

    def question_at(place: int) -> str:
        reads[place] += 1
        return texts[place]

    assert len(remembered(texts).similar(set(), question_at)) == 2999
    assert sum(reads.values()) < 3100


def test_shingles_of_a_short_question_are_the_question():
    assert shingles(["one", "two", "three"]) == {"one two three"}
    assert len(shingles(["one", "two", "three", "four", "five", "six"])) == 2


def test_trigrams_are_counted_as_by_a_plain_counter(sample: list[Row]):
    texts = [each["response"] for each in sample[:400]]
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
    counted = top_trigrams(lambda: texts, size=3)
    assert [count for _, count in counted.top] == [500, 56, 56]
    assert counted.top[0][0] == "common words here"


def test_few_words_have_few_trigrams():
    assert top_trigrams(lambda: ["one two"]).top == ()
    assert top_trigrams(lambda: ["One two three."]).top == (("one two three.", 1),)


def test_words_of_the_papers_tables_keep_their_marks_and_those_of_the_filters_do_not():
    assert printed_words("### Explanation\n1. A+b") == ["###", "explanation", "1.", "a+b"]
    assert folded_words(r"### Explanation 1. \frac{A}{b_2}") == ["explanation", "1", "frac", "a", "b", "2"]
