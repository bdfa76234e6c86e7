"""What the Benchmarks tab stands on: which reports are found, what broken ones are told, what may be read, and that text
from files stays text."""

import json
import os
import time
from pathlib import Path

import gradio as gr
import pytest

from evaluation.results import read_results
from evaluation.summary import summarize
from tests.test_report import HOSTILE, Run
from ui.benchmark_runs import answers_of, find_runs
from ui.benchmarks_tab import BenchmarksTab
from ui.html import macros
from z1_core.errors import BadInput
from z1_core.record import Key
from z1_core.scaling_plot import run_points
from z1_core.statuses import STATUSES


def write_report(folder: Path) -> None:
    """Of a report only what the page reads: drawing the figures takes seconds."""
    (folder / "summary.json").write_text(json.dumps(summarize(read_results(folder))))


def rewrite(path: Path, change) -> None:
    rows = [change(json.loads(line)) for line in path.read_text().splitlines()]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


@pytest.fixture
def root(tmp_path) -> Path:
    """One judged run with two benchmarks: the odd problems are right."""
    run = Run(tmp_path / "results" / "up")
    run.add("math500", title="MATH500", statuses=lambda number, *_: "right" if number % 2 else "wrong")
    run.add("gsm8k", title="GSM8K")
    write_report(run.folder)
    return tmp_path / "results"


@pytest.fixture
def tab(root) -> BenchmarksTab:
    with gr.Blocks(), gr.Tab("Benchmarks") as tab:
        return BenchmarksTab(root, opened=tab.select)


LABEL = "made/Up-7B (up)"


def browsed(tab: BenchmarksTab, *, benchmark="math500", label=LABEL, window=64, answer=None) -> dict:
    """By the components' names in the tab."""
    values = tab.browse(benchmark, label, window, answer)
    return {name: values[part] for name, part in vars(tab).items() if name != "results" and part in values}


def test_reports_are_found_with_their_curves_and_told_apart(root):
    (run, other), complaints = find_runs(root)
    assert (run.label, run.task.title, other.task.title, complaints) == (LABEL, "MATH500", "GSM8K", [])
    points = run_points(run.label, run.task.model_dump()["windows"])
    assert [(point["window"], point["accuracy"], point["interval"]) for point in points] == [
        ("64", 0.5, "21.5–78.5"), ("128", 0.5, "21.5–78.5"), ("256", 0.5, "21.5–78.5"),
    ]  # fmt: skip
    again = Run(root / "more" / "again").add("math500", title="MATH500")
    again.add("math500.budget-forcing", title="MATH500, budget forcing", method="budget-forcing", hint=None)
    write_report(again.folder)
    assert [run.label for run in find_runs(root)[0] if run.task.benchmark == "math500"] == [
        LABEL, "made/Up-7B (more/again)", "made/Up-7B, budget forcing (more/again)",
    ]  # fmt: skip
    assert {run.label for run in find_runs(root / "up")[0]} == {"made/Up-7B (.)"}, "a run's own folder will do"


def test_the_tab_opens_with_a_benchmark_that_has_a_run_beside_the_papers_curve(tab):
    shown = tab.look(None, None, None, None)
    assert shown[tab.benchmark]["value"] == "math500"
    assert [title for title, _ in shown[tab.benchmark]["choices"]][:2] == ["MATH500", "GSM8K"]
    assert "1 report in" in shown[tab.found]
    assert shown[tab.frame]["visible"]
    shown = tab.look("bigcodebench", None, None, None)
    assert (shown[tab.plot], shown[tab.frame]["visible"]) == (None, False)
    assert '<tr class="z1-own"><td colspan="2">Z1-7B</td><td>22.3 %</td>' in shown[tab.figures]


def test_without_a_folder_the_paper_alone_is_shown_and_the_commands_are_told(tmp_path):
    with gr.Blocks(), gr.Tab("Benchmarks") as opened:
        tab = BenchmarksTab(tmp_path / "nothing here", opened=opened.select)
    shown = tab.look(None, None, None, None)
    assert shown[tab.benchmark]["value"] == "math500"
    assert "python -m evaluation.run math500" in shown[tab.found]
    assert f"python -m evaluation.judge {tmp_path}/nothing here/z1" in shown[tab.found]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda file: file.write_text("[" * 100_000),
        lambda file: file.write_text(file.read_text().replace('"accuracy": 0.5', '"accuracy": NaN')),
        lambda file: file.write_text(file.read_text().replace('"accuracy": 0.5', '"accuracy": null')),
        lambda file: file.write_text(file.read_text().replace('"math500": {', '"../../etc": {')),
        lambda file: (file.unlink(), os.mkfifo(file)),
        lambda file: file.unlink(),
    ],
)
def test_a_broken_report_is_named_in_one_sentence_and_the_others_stay(root, spoil):
    write_report(Run(root / "whole").add("math500", title="MATH500").folder)
    spoil(root / "up" / "summary.json")
    runs, (sentence,) = find_runs(root)
    assert [run.label for run in runs] == ["made/Up-7B (whole)"]
    assert sentence.startswith("up")
    assert "make it" in sentence
    assert "\n" not in sentence
    assert str(root) not in sentence


def test_nothing_outside_the_folder_is_read_and_no_pipe_is_waited_for(root, tmp_path):
    outside = Run(tmp_path / "outside").add("math500", title="MATH500")
    write_report(outside.folder)
    (root / "link").symlink_to(outside.folder)
    answers = root / "up" / "math500" / "answers.jsonl"
    for replaced in (
        lambda: answers.symlink_to(outside.folder / "math500" / "answers.jsonl"),
        lambda: os.mkfifo(answers),
    ):
        answers.unlink()
        replaced()
        run, *others = find_runs(root)[0]
        assert {other.folder.parent.name for other in (run, *others)} == {"up"}
        with pytest.raises(BadInput, match=r"up/math500/answers\.jsonl is missing, or no file of the results folder"):
            answers_of(run)


def test_answers_are_listed_in_the_order_of_the_problems_with_their_verdicts_and_read_whole(root, tab):
    shown = browsed(tab, answer="math500/1 #1")
    assert [value for _, value in shown["answer"]["choices"]] == [f"math500/{number} #1" for number in range(8)]
    assert shown["answer"]["choices"][1][0] == "math500/1  ✓ right"
    assert shown["answer"]["value"] == "math500/1 #1"
    found = answers_of(find_runs(root)[0][0])
    read = found.read(Key("math500/1", 0, 64))
    assert len(read["row"].trace_ids) == 64
    assert read["statuses"] == dict.fromkeys((64, 128, 256), STATUSES["right"])


def test_a_line_that_no_run_writes_is_named_unless_it_is_still_being_written(root, tab):
    file = root / "up" / "math500" / "answers.jsonl"
    file.write_bytes(file.read_bytes() + b'{"problem_id": "math500/1", "sam')
    assert len(browsed(tab)["answer"]["choices"]) == 8
    file.write_bytes(file.read_bytes() + b"\n")
    assert "Line 25 of answers.jsonl is not JSON" in browsed(tab)["shown"]
    assert str(root) not in browsed(tab)["shown"]


def test_what_the_judge_has_not_seen_is_not_wrong(root, tab):
    (root / "up" / "gsm8k" / "verdicts.jsonl").unlink()
    write_report(root / "up")
    shown = browsed(tab, benchmark="gsm8k")
    assert shown["answer"]["choices"][0] == ("gsm8k/0  … not judged yet", "gsm8k/0 #1")
    assert "24 answers are not judged yet" in shown["shown"]
    assert run_points(LABEL, find_runs(root)[0][1].task.model_dump()["windows"]) == []


def test_text_from_files_is_escaped_shortened_and_can_be_sent(root, tab):
    rewrite(root / "up" / "math500" / "answers.jsonl", lambda row: {**row, "trace": HOSTILE + "x" * 900_000})
    shown = browsed(tab, answer="math500/1 #1")["shown"] + macros("benchmarks").found(0, [HOSTILE], HOSTILE)
    shown.encode()  # halves of characters would not go through
    assert "<img" not in shown
    assert "<script" not in shown
    assert "&lt;img src=x onerror=alert(1)&gt;" in shown
    assert f"{700_000 + len(HOSTILE):,} characters more, which the run" in shown
    assert len(shown) < 220_000
    reference = {"answer": "7/3", "points": 4, "tests": ["x == 1"], "packed": "e" * 5000}
    rewrite(root / "up" / "math500" / "problems.jsonl", lambda row: {**row, "reference": reference})
    assert "reference answer: 7/3 · reference points: 4</span>" in browsed(tab)["shown"]


def test_an_answer_stays_when_another_window_is_chosen(tab):
    assert browsed(tab, window=256, answer="math500/5 #1")["answer"]["value"] == "math500/5 #1"


def test_choices_that_were_not_offered_give_way_to_the_first(tab):
    for given in (
        *({"label": label} for label in (7, None, "../../etc", ["up"])),
        *({"window": window} for window in (7, None, "64", [])),
        *({"answer": answer} for answer in (7, "<b>", ["math500/5 #1"])),
    ):
        shown = browsed(tab, **{"window": 256, **given})
        assert shown["run"]["value"] == LABEL, given
        assert (shown["window"]["value"], shown["answer"]["value"]) == (256, "math500/0 #1")
        assert "z1-bench-item" in shown["shown"]
    assert browsed(tab, benchmark="../../etc")["shown"] == ""


def test_a_run_deleted_meanwhile_leaves_nothing_to_show_and_a_spoilt_answer_is_said(root, tab, caplog):
    rewrite(root / "up" / "math500" / "problems.jsonl", lambda row: {**row, "messages": 7})
    assert "is not what a run writes" in browsed(tab)["shown"]
    (root / "up" / "math500" / "answers.jsonl").unlink()
    assert "answers.jsonl is missing" in browsed(tab)["shown"]
    (root / "up" / "run.json").unlink()
    assert (browsed(tab)["run"]["choices"], browsed(tab)["shown"]) == ([], "")


def test_long_files_are_gone_through_once_and_quickly(root):
    """25 MB, as 550 answers with traces of 4,000 tokens."""
    file = root / "up" / "math500" / "answers.jsonl"
    row = json.loads(file.read_text().splitlines()[0])
    row |= {"trace": "word " * 4000, "trace_ids": list(range(10_000, 14_000))}
    with file.open("w") as answers:
        for number in range(550):
            answers.write(json.dumps({"problem_id": "", **row}).replace("math500/0", f"math500/{number}") + "\n")
    begun_s = time.process_time()
    found = answers_of(find_runs(root)[0][0])
    assert len(found.at(row["thinking_tokens"])) == 550
    assert time.process_time() - begun_s < 1
    assert answers_of(find_runs(root)[0][0]) is found


def test_the_authors_wish_about_gpqa_is_told(root, tab):
    write_report(Run(root / "up").add("gpqa", title="GPQA-Diamond").folder)
    assert "not to publish its questions" in browsed(tab, benchmark="gpqa")["shown"]
