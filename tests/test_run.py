"""evaluation.run from a user's side: the command, its files, a crash in the middle."""

from __future__ import annotations

import json
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from evaluation import run as command
from evaluation.plan import FORCED_HINT, make_plan
from tests.standins import key_of
from z1_core.engines.fake import FakeEngine, small_text
from z1_core.folder import held
from z1_core.jsonl import read_json, rows
from z1_core.record import Key
from z1_core.window import BOXED_HINT, HINT

ROOT = Path(__file__).parents[1]
FAKE = "--fake"


@pytest.fixture(scope="session")
def questions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve rows in GSM8K's form."""
    path = tmp_path_factory.mktemp("data") / "test.jsonl"
    made = [{"question": f"What is {n} and {n}?", "answer": f"It is {2 * n}.\n#### {2 * n}"} for n in range(1, 13)]
    path.write_text("".join(json.dumps(row) + "\n" for row in made))
    return path


@pytest.fixture
def evaluate(capsys, questions, tmp_path):
    """Runs the command on the scripted engine: exit code, what it said, and the folder."""

    def command_line(*words: object, benchmark: str = "gsm8k", data: object = questions) -> tuple[int, str, Path]:
        given = [benchmark, "--data", data, "--out", tmp_path / "out", *words, FAKE]
        code = command.main([str(word) for word in given])
        said = capsys.readouterr()
        return code, said.out + said.err, tmp_path / "out"

    return command_line


SMALL = ("--windows", 5, 20, 40, "--answer-tokens", 8)


def test_every_problem_is_answered_at_every_window(evaluate):
    code, said, out = evaluate(*SMALL)
    assert code == 0
    assert "36 answers are in" in said
    assert "python -m evaluation.judge" in said
    answers = answers_of(out)
    assert len(answers) == 36
    assert {size for _, _, size in answers} == {5, 20, 40}
    for row in answers.values():
        assert len(row["trace_ids"]) == row["thinking_tokens"]
        assert row["end_reason"] in ("cut", "answer_length")
        assert small_text().decode(row["hint_ids"], control=True) == HINT == row["hint"]
    problems = rows(out / "gsm8k" / "problems.jsonl")
    assert [problem["reference"]["answer"] for problem in problems[:3]] == ["2", "4", "6"]
    assert problems[0]["prompt_text"] == small_text().decode(problems[0]["prompt_ids"], control=True)


def answers_of(out: Path, task: str = "gsm8k") -> dict[Key, dict]:
    """By key. None is there twice."""
    answers = rows(out / task / "answers.jsonl")
    keyed = {key_of(row): row for row in answers}
    assert len(keyed) == len(answers)
    return keyed


def test_the_record_of_a_run_names_everything(evaluate, questions):
    _, _, out = evaluate(*SMALL, "--limit", 2)
    run = read_json(out / "run.json")
    assert (run["model"], run["windows"], run["answer_tokens"]) == ("scripted engine", [5, 20, 40], 8)
    assert run["sampling"] == {"temperature": 0.0, "top_p": 1.0, "seed": None}
    task = run["benchmarks"]["gsm8k"]
    assert (task["data"], task["origin"], task["bad_rows"]) == (str(questions), "test.jsonl", [])
    [part] = run["parts"]
    named = "started_at versions commit machine engine dtype thoughts trained options"
    assert part.keys() == set(named.split())
    assert part["options"].keys() == vars(command.parser().parse_args([])).keys()
    assert (part["options"]["limit"], part["options"]["concurrency"]) == (2, 32)


def test_the_same_command_again_adds_no_answer_and_a_part_of_its_own(evaluate, monkeypatch):
    _, _, out = evaluate(*SMALL, "--limit", 2)
    before = (out / "gsm8k" / "answers.jsonl").read_bytes()
    monkeypatch.setattr(command, "about", lambda: {"versions": {"python": "4.0"}, "commit": "later"})
    assert evaluate(*SMALL, "--limit", 2)[0] == 0
    assert (out / "gsm8k" / "answers.jsonl").read_bytes() == before
    first, second = read_json(out / "run.json")["parts"]
    assert (second["commit"], second["versions"]) == ("later", {"python": "4.0"})
    assert first["versions"]["python"] != "4.0"


def test_the_record_holds_no_login():
    options = command.parser().parse_args(["--server-url", "http://me:secret@127.0.0.1:8000/v1"])
    assert command.given(options)["server_url"] == "http://127.0.0.1:8000"


def test_only_what_is_missing_is_made_again(evaluate):
    _, _, out = evaluate(*SMALL)
    path = out / "gsm8k" / "answers.jsonl"
    lines = path.read_text().splitlines(keepends=True)
    kept = [line for place, line in enumerate(lines) if place % 5]
    path.write_text("".join(kept) + lines[0][: len(lines[0]) // 2])
    problems = out / "gsm8k" / "problems.jsonl"
    asked = problems.read_bytes()
    problems.write_bytes(asked[: len(asked) // 2])
    evaluate(*SMALL)
    assert problems.read_bytes() == asked
    after = path.read_text().splitlines(keepends=True)
    assert after[: len(kept)] == kept
    assert {content(json.loads(line)) for line in after} == {content(json.loads(line)) for line in lines}
    assert len(after) == len(lines)


def content(row: dict) -> str:
    return json.dumps({name: value for name, value in row.items() if name != "seconds"}, sort_keys=True)


def test_other_settings_do_not_go_into_the_folder(evaluate, questions, tmp_path):
    evaluate(*SMALL)
    others = tmp_path / "others.jsonl"
    others.write_text("".join(questions.read_text().splitlines(keepends=True)[1:]))
    for words, data, complaint in (
        (("--windows", 5, "--answer-tokens", 9), questions, "holds another run: its answer_tokens is 8, not 9"),
        (
            ("--temperature", 1),
            questions,
            'its sampling is {"temperature": 0.0, "top_p": 1.0, "seed": null}, not {"temp',
        ),
        ((), others, f"problem 1 of gsm8k is not the one that {tmp_path / 'out'} asked; name another --out"),
    ):
        code, said, out = evaluate(*SMALL, *words, data=data)
        assert (code, complaint in said) == (2, True), said
    with held(out):
        assert "another process is at work in" in evaluate(*SMALL)[1]
    assert len(read_json(out / "run.json")["parts"]) == 1


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [
        ("thesis.tex", "dear reader", "holds other files and no run.json"),
        ("run.json", "dear reader", "is no JSON"),
        ("run.json", '{"benchmarks": {"gsm8k": {}}}', "is not what this version of"),
    ],
)
def test_a_folder_of_something_else_is_left_alone(evaluate, tmp_path, name, content, complaint):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / name).write_text(content)
    code, said, out = evaluate(*SMALL)
    assert (code, complaint in said) == (2, True), said
    assert (out / name).read_text() == content


GROWN = [
    ("a larger limit", ["--limit", 3], ["--limit", 5]),
    ("fewer problems and windows", ["--limit", 5], ["--limit", 3, "--windows", 20]),
    ("a smaller, a middle and a larger window", ["--windows", 20], ["--windows", 5, 20, 30, 60]),
    ("a hint", [], ["--hint", "plain", "boxed", "none"]),
    ("another hint alone", ["--hint", "boxed"], ["--hint", "plain", "--limit", 2]),
    ("samples", ["--temperature", 0.5], ["--temperature", 0.5, "--samples", 3]),
]


@pytest.mark.parametrize(("first", "second"), [pytest.param(*words, id=name) for name, *words in GROWN])
def test_a_finished_run_grows(evaluate, first, second):
    evaluate(*SMALL, "--limit", 4, *first)
    _, _, out = evaluate(*SMALL, "--limit", 4, *second)
    run, kept = read_json(out / "run.json"), {}
    for task in run["benchmarks"]:
        kept[task] = answers_of(out, task)
        asked = rows(out / task / "problems.jsonl")
        assert {key[0] for key in kept[task]} == {problem["problem_id"] for problem in asked}
        assert {size for _, _, size in kept[task]} == set(run["windows"])
    (out / "run.json").unlink()
    shutil.rmtree(out)
    evaluate(*SMALL, "--limit", 4, *second)
    for task in read_json(out / "run.json")["benchmarks"]:
        alone = answers_of(out, task)
        shared = kept[task].keys() & alone.keys()
        assert {key: content(alone[key]) for key in shared} == {key: content(kept[task][key]) for key in shared}
        assert alone.keys() <= kept[task].keys(), "whatever the order, the answers are those of one run"


def test_a_smaller_window_and_another_hint_are_answered_from_the_stored_trace(evaluate, monkeypatch):
    evaluate("--windows", 40, "--answer-tokens", 8, "--limit", 3)
    asked: list[int] = []
    stream = FakeEngine.stream

    def noted(self: FakeEngine, ids, sampling):
        asked.append(sampling.max_tokens)
        return stream(self, ids, sampling)

    monkeypatch.setattr(FakeEngine, "stream", noted)
    evaluate("--windows", 5, 40, "--answer-tokens", 8, "--limit", 3, "--hint", "plain", "none")
    assert asked == [8] * 9, "answers only"


def test_a_trace_that_ended_by_itself_is_the_answer_of_a_larger_window(evaluate, monkeypatch):
    engines = [FakeEngine(lambda prompt: "It is 2.") for _ in range(2)]
    monkeypatch.setattr(command, "start_engine", lambda *_, **__: engines[0])
    evaluate("--windows", 40, "--answer-tokens", 8, "--limit", 1)
    monkeypatch.setattr(command, "start_engine", lambda *_, **__: engines[1])
    _, _, out = evaluate("--windows", 30, 40, 400, "--answer-tokens", 8, "--limit", 1)
    assert [len(engine.requests) for engine in engines] == [1, 0]
    assert {(row["trace"], row["end_reason"]) for row in answers_of(out).values()} == {("It is 2.", "inside")}
    assert len(answers_of(out)) == 3


def test_hints_and_methods_are_compared_on_the_same_traces(evaluate):
    code, _, out = evaluate(*SMALL, "--limit", 4, "--hint", "plain", "boxed", "none", "budget-forcing")
    assert code == 0
    tasks = ("gsm8k", "gsm8k.boxed-hint", "gsm8k.no-hint", "gsm8k.budget-forcing")
    by_task = {name: answers_of(out, name) for name in tasks}
    for key, row in by_task["gsm8k"].items():
        assert {tuple(answers[key]["trace_ids"]) for answers in by_task.values()} == {tuple(row["trace_ids"])}
        assert [answers[key]["hint"] for answers in by_task.values()] == [HINT, BOXED_HINT, None, FORCED_HINT]
        assert by_task["gsm8k.no-hint"][key]["hint_ids"] == []
    assert len({(out / name / "problems.jsonl").read_bytes() for name in tasks}) == 1


def test_without_a_hint_a_character_that_the_cut_went_through_is_whole_again(evaluate, monkeypatch):
    text = small_text()
    said, prompts = text.encode("So \U0001f44d it is 2."), []

    def goes_on(_: FakeEngine, prompt_ids: list[int]) -> list[int]:
        prompts.append(prompt_ids)
        return [*said[len(prompt_ids) - len(prompts[0]) :], text.eos_id]

    monkeypatch.setattr(FakeEngine, "_write", goes_on)
    inside = next(place for place in range(len(said)) if text.decode(said[:place]).endswith("\ufffd"))
    _, _, out = evaluate("--windows", inside, 99, "--answer-tokens", 90, "--limit", 1, "--hint", "none")
    cut, ended = (row for _, row in sorted(answers_of(out, "gsm8k.no-hint").items()))
    assert cut["trace"] + cut["answer"] == ended["trace"] == "So \U0001f44d it is 2."
    assert cut["trace_ids"] == said[:inside]


def test_samples_have_seeds_of_their_own_that_no_other_problem_changes(questions):
    def seeds(limit: int) -> dict:
        words = ["gsm8k", "--data", str(questions), "--limit", str(limit), "--samples", "3", "--temperature", "0.7"]
        plan = make_plan(command.parser().parse_args(words))
        found = plan.problems("gsm8k")
        return {(problem.id, k): plan.sampling_of(problem.id, k).seed for problem in found for k in range(3)}

    few, many = seeds(2), seeds(5)
    assert len(set(many.values())) == 15
    assert few.items() <= many.items()


def test_a_run_that_was_killed_before_its_record_was_whole_begins(evaluate, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "run.json.1234.part").write_text('{"model"')
    assert evaluate(*SMALL)[0] == 0


@pytest.mark.parametrize("kills", [1, pytest.param(10, marks=pytest.mark.thorough)])
def test_kill_9_at_random_moments_changes_no_answer(questions, tmp_path, kills):
    def words(out: Path) -> list[str]:
        given = ["gsm8k", "--data", questions, "--out", out, "--windows", 50, 150, 400, "--answer-tokens", 30]
        return [str(word) for word in (*given, "--concurrency", 3, FAKE)]

    def started(out: Path) -> subprocess.Popen:
        command_line = [sys.executable, "-m", "evaluation.run", *words(out)]
        return subprocess.Popen(command_line, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    answers, undisturbed = Path("gsm8k/answers.jsonl"), tmp_path / "undisturbed"
    assert command.main(words(undisturbed)) == 0
    killed, chance = tmp_path / "killed", random.Random("kill")
    for _ in range(kills):
        process, before = started(killed), rows_in(killed / answers)
        deadline = time.monotonic() + 300
        while rows_in(killed / answers) <= before and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.005)
        time.sleep(chance.uniform(0, 0.25))
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert rows_in(killed / answers) > 0
    assert command.main(words(killed)) == 0
    made = [content(row) for row in rows(killed / answers)]
    assert len(made) == len(set(made)) == 36
    assert set(made) == {content(row) for row in rows(undisturbed / answers)}


def rows_in(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.exists() else 0


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("--windows", 20, 5), "the windows 20 5 do not grow"),
        (("--windows", 5, 5), "the windows 5 5 do not grow"),
        (("--windows", 0), "window (thinking tokens) is 0"),
        (("--answer-tokens", 0), "answer tokens is 0"),
        (("--windows", 40_000), "shorten the prompt or the conversation, or lower the window"),
        (("--samples", 3), "3 samples at temperature 0 are all the same"),
        (("--samples", 0), "--samples is 0"),
        (("--samples", 10**12, "--temperature", 1), "--samples is 1000000000000; it must be from 1 to 10000"),
        (("--limit", 0), "--limit is 0"),
        (("--concurrency", 0), "--concurrency is 0"),
        (("--temperature", 3), "temperature is 3.0"),
        (("--hint", "plain", "plain"), "a hint is named twice"),
        (("--hint", ""), "the hint is empty"),
        (("--hint", "So\udcff:"), "the hint holds half a character at position 2"),
        (("--hint", "budget-forcing", FORCED_HINT), "a hint is named twice"),
        (("math500",), "--data is the file of one benchmark"),
        (("gsm8k",), "a benchmark is named twice"),
    ],
)
def test_what_cannot_run_is_said_in_one_sentence(evaluate, words, complaint):
    code, said, out = evaluate(*words)
    assert code == 2
    assert complaint in said
    assert said.startswith("error: ")
    assert said.count("\n") == 1
    assert not out.exists() or not (out / "run.json").exists()


def test_a_wrong_name_and_a_missing_file_are_said(evaluate, capsys):
    names = "math500, gpqa, livecodebench, bigcodebench, gsm8k, humaneval"
    assert command.main([]) == 2
    assert f"no benchmark named; give one or several of {names}" in capsys.readouterr().err
    assert "there is no benchmark 'maths'; there are math500, gpqa" in evaluate(benchmark="maths")[1]
    assert "there is no file nowhere.jsonl; check --data" in evaluate(data="nowhere.jsonl")[1]


def test_a_malformed_row_is_named_and_the_others_are_asked(evaluate, questions, tmp_path):
    damaged = tmp_path / "damaged.jsonl"
    lines = questions.read_text().splitlines()
    damaged.write_text("\n".join([lines[0], '{"question": "no answer?"}', "{broken", *lines[1:3]]))
    code, said, out = evaluate(*SMALL, data=damaged)
    assert code == 0
    assert "left out: line 2 of damaged.jsonl: the field 'answer' is missing" in said
    assert "left out: line 3 of damaged.jsonl: not JSON" in said
    assert len(rows(out / "gsm8k" / "answers.jsonl")) == 9
    evaluate(*SMALL, "--limit", 1, data=damaged)
    assert len(read_json(out / "run.json")["benchmarks"]["gsm8k"]["bad_rows"]) == 2, "of all that were asked"
