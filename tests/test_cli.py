"""The command line, as a person in a terminal meets it: python -m z1_core ... --fake"""

import json
from pathlib import Path

import pytest

from z1_core import __main__ as cli
from z1_core.engines.fake import FakeEngine
from z1_core.prompt import SYSTEM_PROMPT
from z1_core.window import BOXED_HINT, HINT

LONG, SHORT = "When does the train arrive?", "Hello"
SMALL_BUDGETS = ["--thinking-tokens", "30", "--answer-tokens", "200"]
RECORD = ["prompt_ids", "trace", "trace_ids", "hint_ids", "answer", "answer_ids", "end_reason", "seconds"]


@pytest.fixture
def run(capsys):
    """Runs the command on the scripted engine and returns its exit code, its output and what it says beside it."""

    def command(*words: str) -> tuple[int, str, str]:
        code = cli.main([*words, "--fake"])
        said = capsys.readouterr()
        return code, said.out, said.err

    return command


@pytest.fixture
def engine(monkeypatch) -> FakeEngine:
    """The engine behind the command, to see what reaches it."""
    made = FakeEngine()
    monkeypatch.setattr(cli, "start_engine", lambda options, report: made)
    return made


def jsonl(path: Path, *rows) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return str(path)


def rows_of(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]


# One question


def test_a_cut_run_marks_the_cut_labels_the_hint_and_ends_with_its_numbers(run):
    code, out, err = run(LONG, *SMALL_BUDGETS)
    assert code == 0
    thought, _, rest = out.partition("\n--- window closed at 30 tokens ---\n")
    assert thought.startswith("To find the arrival time")
    assert rest.startswith("[inserted] I overthought it, the final answer should be:\n\nThe train travels")
    assert out.count("overthought") == 1
    assert err.strip().startswith("cut: 30 of 30 thinking tokens, ")


def test_a_run_that_ends_inside_the_window_shows_no_cut(run):
    code, out, err = run(SHORT, *SMALL_BUDGETS)
    assert (code, out) == (0, "Hello! Ask me something that needs a thought.")
    assert err.strip().startswith("inside: ")


@pytest.mark.parametrize(("question", "end_reason"), [(LONG, "cut"), (SHORT, "inside")])
def test_json_is_one_object_that_tells_the_same_as_the_stream(run, question, end_reason):
    _, streamed, _ = run(question, *SMALL_BUDGETS)
    code, out, err = run(question, *SMALL_BUDGETS, "--json")
    record = json.loads(out)
    assert (code, err, out.count("\n")) == (0, "", 1)
    assert (list(record), record["end_reason"]) == (RECORD, end_reason)
    told = record["trace"]
    if end_reason == "cut":
        told += f"\n--- window closed at 30 tokens ---\n[inserted] {HINT.strip()}\n\n{record['answer']}"
    assert streamed == told


def test_every_option_reaches_the_engine(engine):
    words = [LONG, "--thinking-tokens", "7", "--answer-tokens", "9", "--temperature", "0.7", "--top-p", "0.9"]
    assert cli.main([*words, "--seed", "3", "--hint", "boxed", "--system", "Be brief.", "--json"]) == 0
    first, second = (request.sampling for request in engine.requests)
    assert (first.max_tokens, second.max_tokens) == (7, 9)
    assert {(s.temperature, s.top_p, s.seed) for s in (first, second)} == {(0.7, 0.9, 3)}
    prompt = engine.text.decode(engine.requests[1].prompt_ids, control=True)
    assert prompt.startswith(f"<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\n{LONG}<|im_end|>\n")
    assert prompt.endswith(BOXED_HINT)


def test_without_options_it_is_greedy_with_the_published_system_prompt_and_hint(engine):
    assert cli.main([LONG, "--json"]) == 0
    assert (engine.requests[0].sampling.temperature, engine.requests[0].sampling.max_tokens) == (0, 1024)
    prompt = engine.text.decode(engine.requests[1].prompt_ids, control=True)
    assert prompt.startswith(f"<|im_start|>system\n{SYSTEM_PROMPT}<|im_end|>")
    assert prompt.endswith(HINT)


@pytest.mark.parametrize("words", [[LONG], [LONG, "--json"], [LONG, "--thinking-tokens", "40000"]])
def test_the_engine_is_closed_however_the_run_ends(engine, words):
    cli.main(words)
    assert engine.dead


# Many questions


def test_results_come_in_the_order_of_the_questions_each_with_its_own_fields(run, tmp_path):
    questions = [LONG, SHORT, f"{LONG} And why?", SHORT, LONG]
    prompts = jsonl(tmp_path / "in.jsonl", *({"id": f"q{n}", "prompt": q} for n, q in enumerate(questions)))
    out = tmp_path / "out.jsonl"
    code, printed, _ = run("--prompts", prompts, "--out", str(out), *SMALL_BUDGETS)
    assert (code, printed) == (0, "")
    rows = rows_of(out)
    assert [row["id"] for row in rows] == ["q0", "q1", "q2", "q3", "q4"]
    assert [row["prompt"] for row in rows] == questions
    assert [row["end_reason"] for row in rows] == ["cut", "inside", "cut", "inside", "cut"]
    assert all(list(row) == ["id", "prompt", *RECORD] for row in rows)
    assert [path.name for path in tmp_path.iterdir() if path.suffix == ".part"] == []


def test_a_file_gives_the_same_results_as_its_questions_one_by_one(run, tmp_path):
    prompts = jsonl(tmp_path / "in.jsonl", {"prompt": LONG}, {"prompt": SHORT})
    run("--prompts", prompts, "--out", str(tmp_path / "out.jsonl"), *SMALL_BUDGETS)
    for row in rows_of(tmp_path / "out.jsonl"):
        _, printed, _ = run(row["prompt"], *SMALL_BUDGETS, "--json")
        alone = json.loads(printed)
        assert {key: row[key] for key in RECORD[:-1]} == {key: alone[key] for key in RECORD[:-1]}


def test_blank_lines_are_no_rows_and_other_separators_are_no_line_breaks(run, tmp_path):
    """U+2028 and its kin may stand inside a JSON text; only a line feed ends a row."""
    question = "Hello\u2028there\u2029and\x85so\x1con"
    rows = [json.dumps({"prompt": text}, ensure_ascii=False) for text in (SHORT, question)]
    (tmp_path / "in.jsonl").write_bytes(f"\n{rows[0]}\r\n  \n{rows[1]}\n\n".encode())
    code, _, _ = run("--prompts", str(tmp_path / "in.jsonl"), "--out", str(tmp_path / "out.jsonl"), *SMALL_BUDGETS)
    assert code == 0
    assert [row["prompt"] for row in rows_of(tmp_path / "out.jsonl")] == [SHORT, question]


# What is refused


def refused(run, *words: str) -> str:
    """The one line that a person reads."""
    code, out, err = run(*words)
    assert (code, out) == (2, "")
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    return err.removeprefix("error: ").rstrip("\n")


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ([LONG, "--thinking-tokens", "0"], "thinking_tokens is '0'; it must be a whole number from 1 to 10,000,000"),
        (
            [LONG, "--thinking-tokens", "many"],
            "thinking_tokens is 'many'; it must be a whole number from 1 to 10,000,000",
        ),
        ([LONG, "--answer-tokens", "0"], "answer tokens is 0; it must be a whole number of at least 1"),
        ([LONG, "--temperature", "nan"], "temperature is 'nan'; it must be a number from 0 to 2"),
        ([LONG, "--top-p", "0"], "top_p is '0'; it must be a number above 0 and at most 1"),
        ([LONG, "--seed=-1"], "seed is '-1'; it must be a whole number from 0 to 9,223,372,036,854,775,807, or empty"),
        ([LONG, "--hint", ""], "hint is empty; it must be a text of 1 to 1,000,000 characters"),
        ([LONG, "--system", "\udcff"], "system is '\\udcff'; it must be a text of at most 1,000,000 characters"),
        (["\udcff"], "the prompt holds half a character at position 0; remove it"),
        ([], "the prompt is empty; type a question first"),
        (["  "], "the prompt is empty; type a question first"),
    ],
    ids=lambda value: " ".join(value)[-24:].encode("ascii", "replace").decode() if isinstance(value, list) else "",
)
def test_a_bad_value_is_refused_in_one_line_with_the_value_and_the_remedy(run, words, line):
    assert refused(run, *words) == line


def test_a_row_beyond_the_context_is_named_and_no_result_file_appears(run, tmp_path):
    prompts = jsonl(tmp_path / "in.jsonl", {"prompt": SHORT}, {"prompt": "word " * 40_000})
    code, _, err = run("--prompts", prompts, "--out", str(tmp_path / "out.jsonl"), *SMALL_BUDGETS)
    assert code == 2
    assert err.splitlines()[-1].startswith("error: row 2: prompt ")
    assert not (tmp_path / "out.jsonl").exists()


@pytest.mark.parametrize(
    ("row", "line"),
    [
        (b"{", "line 2 of in.jsonl is not JSON"),
        (b"prompt", "line 2 of in.jsonl is not JSON"),
        (b'"a text"', "line 2 of in.jsonl is not a row of named fields but str"),
        (b"[1, 2]", "line 2 of in.jsonl is not a row of named fields but list"),
        (b'{"question": "q"}', "line 2 of in.jsonl is a row without a text under prompt"),
        (b'{"prompt": ""}', "line 2 of in.jsonl: the prompt is empty"),
        (b'{"prompt": "  "}', "line 2 of in.jsonl: the prompt is empty"),
        (b'{"prompt": 5}', "line 2 of in.jsonl is a row without a text under prompt"),
        (b'{"prompt": ["q"]}', "line 2 of in.jsonl is a row without a text under prompt"),
        (b'{"prompt": "\\ud800"}', "line 2 of in.jsonl: the prompt holds half a character at position 0; remove it"),
        (b'{"prompt": "\xff"}', "line 2 of in.jsonl is not JSON in UTF-8: another encoding, or no text"),
    ],
)
def test_a_row_that_is_no_question_is_named_and_nothing_is_generated(run, engine, tmp_path, row, line):
    (tmp_path / "in.jsonl").write_bytes(b'{"prompt": "Hello"}\n' + row + b'\n{"prompt": "Hello"}\n')
    out = tmp_path / "out.jsonl"
    assert line in refused(run, "--prompts", str(tmp_path / "in.jsonl"), "--out", str(out))
    assert engine.requests == []
    assert not out.exists()


def test_files_that_are_missing_empty_or_in_the_way_are_named(run, tmp_path):
    prompts, out, empty = jsonl(tmp_path / "in.jsonl", {"prompt": SHORT}), tmp_path / "out.jsonl", tmp_path / "empty"
    assert "needs --out FILE.jsonl" in refused(run, "--prompts", prompts)
    assert "needs --out FILE.jsonl" in refused(run, LONG, "--prompts", prompts, "--out", str(out))
    empty.write_text("\n\n")
    said = refused(run, "--prompts", str(tmp_path / "absent.jsonl"), "--out", str(out))
    assert "absent.jsonl; check the name" in said
    assert f"{empty} holds no rows" in refused(run, "--prompts", str(empty), "--out", str(out))
    no_folder = f"there is no folder {tmp_path / 'absent'} for --out; make it, or name another"
    assert refused(run, "--prompts", prompts, "--out", str(tmp_path / "absent" / "out.jsonl")) == no_folder
    assert "--out is for the results of --prompts" in refused(run, LONG, "--out", str(out))
    assert not out.exists()
    out.write_text("results of last night\n")
    in_the_way = f"{out} exists already; move it away or name another file with --out"
    assert refused(run, "--prompts", prompts, "--out", str(out)) == in_the_way
    assert out.read_text() == "results of last night\n"


def test_a_model_that_is_not_there_is_refused_before_an_engine_is_loaded(capsys):
    assert cli.main([LONG, "--model", "./nowhere", "--engine", "llama"]) == 2
    assert capsys.readouterr().err.startswith("error: there is no file ./nowhere; give a .gguf file, or a hub id")


def test_ctrl_c_ends_with_a_word_instead_of_a_trace(capsys, monkeypatch):
    def interrupted(options, report):
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "start_engine", interrupted)
    assert cli.main([LONG]) == 130
    assert capsys.readouterr().err == "\nstopped\n"
