"""What the Benchmarks tab stands on: which reports are found, what broken ones are told, what may be read, and that text
from files stays text."""

import json
import os
from pathlib import Path

import pytest

from evaluation.results import read_results
from evaluation.summary import summarize
from tests.test_report import HOSTILE, Run
from ui import benchmark_views as views
from ui.benchmark_browser import ALL, BenchmarkBrowser
from ui.benchmark_data import Found, find_reports, paper, paper_lines
from ui.benchmark_plots import scaling_chart, table1_chart
from ui.benchmark_problems import UNJUDGED, index
from ui.benchmarks_tab import BenchmarksTab
from z1_core.errors import BadInput


def write_report(folder: Path) -> None:
    """Of a report only what the page reads: drawing the figures takes seconds."""
    (folder / "summary.json").write_text(json.dumps(summarize(read_results(folder))))


@pytest.fixture
def root(tmp_path) -> Path:
    """One judged run with two benchmarks: the odd problems are right."""
    run = Run(tmp_path / "results" / "up")
    run.add("math500", title="MATH500", statuses=lambda number, *_: "right" if number % 2 else "wrong")
    run.add("gsm8k", title="GSM8K")
    write_report(run.folder)
    return tmp_path / "results"


@pytest.fixture
def browser(root):
    import gradio as gr

    with gr.Blocks(), gr.Tab("Benchmarks") as tab:
        return BenchmarksTab(root, opened=tab.select).browser


def shown_by(browser: BenchmarkBrowser, *choice, place: int | None = None) -> dict[str, object]:
    """By the components' names here; updates as their dicts."""
    values = browser.values(*choice, place)
    return {name: values[part] for name, part in vars(browser).items() if not isinstance(part, Path) and part in values}


def test_a_report_is_found_with_its_curve(root):
    found = find_reports(root)
    assert [(report.name, report.model) for report in found.reports] == [("up", "made/Up-7B")]
    line, *papers = found.lines("math500")
    assert line.label == "made/Up-7B"
    assert [(point.thinking_tokens, point.accuracy, point.n) for point in line.points] == [
        (64, 0.5, 8), (128, 0.5, 8), (256, 0.5, 8),
    ]  # fmt: skip
    assert all(line.from_paper for line in papers)
    assert found.first_benchmark() == "math500", "a run beside the paper's curve comes first"
    assert find_reports(root / "up").reports[0].name == ".", "a run's own folder will do"


def test_two_runs_of_a_model_and_two_methods_are_told_apart(root):
    run = Run(root / "more" / "again").add("math500", title="MATH500")
    run.add("math500.budget-forcing", title="MATH500, budget forcing", method="budget-forcing", hint=None)
    write_report(run.folder)
    labels = [line.label for line in find_reports(root).lines("math500")]
    assert labels[:3] == [
        "made/Up-7B, up", "made/Up-7B, more/again", "made/Up-7B, budget forcing, more/again",
    ]  # fmt: skip


def test_without_a_folder_the_paper_alone_is_shown_and_the_commands_are_told(tmp_path):
    found = find_reports(tmp_path / "nothing here")
    assert found == Found([], [])
    assert found.first_benchmark() == "math500"
    text = views.found_html(found, "results")
    assert "python -m evaluation.run math500" in text
    assert "python -m evaluation.judge results/z1" in text


@pytest.mark.parametrize(
    "spoil",
    [
        lambda file: file.write_text("{"),
        lambda file: file.write_text("[]"),
        lambda file: file.write_text("[" * 100_000),
        lambda file: file.write_bytes(b"\xff\xfe"),
        lambda file: file.write_text(file.read_text().replace('"accuracy": 0.5', '"accuracy": NaN')),
        lambda file: file.write_text(file.read_text().replace('"accuracy": 0.5', '"accuracy": "<b>"')),
        lambda file: file.write_text(file.read_text().replace('"math500": {', '"../../etc": {')),
        lambda file: (file.unlink(), file.mkdir()),
    ],
)
def test_a_broken_report_is_named_in_one_sentence_and_the_others_stay(root, spoil):
    write_report(Run(root / "whole").add("math500", title="MATH500").folder)
    spoil(root / "up" / "summary.json")
    found = find_reports(root)
    assert [report.name for report in found.reports] == ["whole"]
    (sentence,) = found.skipped
    assert "up/summary.json" in sentence
    assert "\n" not in sentence
    assert str(root) not in sentence


def test_a_run_without_a_report_says_how_to_make_it(tmp_path):
    Run(tmp_path / "begun").add("math500", title="MATH500")
    assert "begun has no report yet; make it with python -m evaluation.judge" in find_reports(tmp_path).skipped[0]


def test_nothing_outside_the_folder_is_read(root, tmp_path):
    outside = Run(tmp_path / "outside").add("math500", title="MATH500")
    write_report(outside.folder)
    (root / "link").symlink_to(outside.folder)
    answers = root / "up" / "math500" / "answers.jsonl"
    answers.unlink()
    answers.symlink_to(outside.folder / "math500" / "answers.jsonl")
    assert [report.name for report in find_reports(root).reports] == ["up"]
    with pytest.raises(BadInput, match=r"up/math500/answers\.jsonl is missing, or no file of the results folder"):
        index(root, "up", "math500")
    with pytest.raises(BadInput):
        index(root, "../outside", "math500")


def test_a_pipe_is_not_waited_for(root):
    os.mkfifo(root / "up" / "math500" / "pipe")
    (root / "up" / "math500" / "problems.jsonl").unlink()
    (root / "up" / "math500" / "pipe").rename(root / "up" / "math500" / "problems.jsonl")
    with pytest.raises(BadInput, match="no file of the results folder"):
        index(root, "up", "math500")


def test_answers_are_listed_by_window_and_verdict_and_read_whole(root):
    found = index(root, "up", "math500")
    assert found.counts(64) == {"right": 4, "wrong": 4}
    assert found.items(64, "right") == [(f"math500/{number}", 0) for number in (1, 3, 5, 7)]
    shown = found.read(("math500/1", 0), 64)
    row = json.loads((root / "up" / "math500" / "answers.jsonl").read_text().splitlines()[3])
    assert (row["problem_id"], row["thinking_tokens"]) == ("math500/1", 64)
    assert (shown.trace, shown.trace_tokens, shown.answer_tokens) == (row["trace"], 64, 10)
    assert shown.is_cut
    assert "overthought" in shown.hint
    assert shown.statuses == {64: "right", 128: "right", 256: "right"}
    assert not found.read(("math500/0", 0), 64).is_cut


def test_lines_that_no_run_writes_are_left_out_and_counted(root):
    file = root / "up" / "math500" / "answers.jsonl"
    file.write_bytes(b'nonsense\n[1]\n{"a": 1}\n\xff\n' + file.read_bytes() + b'{"problem_id": "math500/1", "sam')
    found = index(root, "up", "math500")
    assert found.unreadable == 4
    assert len(found.items(64)) == 8
    assert "4 lines of its files cannot be read" in views.task_note_html(find_reports(root).reports[0].tasks[0], 4)


def test_what_the_judge_has_not_seen_is_not_wrong(tmp_path):
    write_report(Run(tmp_path / "up").add("math500", title="MATH500", statuses=lambda *_: None).folder)
    assert find_reports(tmp_path).reports[0].tasks[0].points == []
    assert index(tmp_path, "up", "math500").counts(64) == {UNJUDGED: 8}


def test_text_from_files_is_escaped_and_can_be_sent(root):
    page = views.shown_html(index(root, "up", "math500").read(("math500/1", 0), 64))
    page.encode()  # halves of characters would not go through
    assert "<img" not in page
    assert "<script" not in page
    assert "&lt;img src=x onerror=alert(1)&gt;" in page
    hostile = Found(skipped=[HOSTILE])
    assert "<img" not in views.found_html(hostile, "<img src=x>")


def test_a_very_long_trace_is_shortened_and_says_so(root):
    file = root / "up" / "math500" / "answers.jsonl"
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    rows[0]["trace"] = "x" * 900_000
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    shown = index(root, "up", "math500").read(("math500/0", 0), 64)
    assert len(shown.trace) < 201_000
    assert shown.trace.endswith("700,000 characters more, which the run's file has")


def test_the_plot_has_intervals_and_dashed_lines_of_the_paper(root):
    plot = scaling_chart(find_reports(root).lines("math500"), "MATH500").to_dict()
    rows = next(iter(plot["datasets"].values()))
    assert {row["curve"] for row in rows} == {
        "made/Up-7B", "paper: Z1-7B, shifted window", "paper: R1-Distill-Qwen-7B, budget forcing",
    }  # fmt: skip
    dashes = plot["layer"][1]["encoding"]["strokeDash"]["scale"]
    assert dict(zip(dashes["domain"], dashes["range"], strict=True)) == {
        "made/Up-7B": [1, 0], "paper: Z1-7B, shifted window": [6, 4],
        "paper: R1-Distill-Qwen-7B, budget forcing": [6, 4],
    }  # fmt: skip
    assert [row["interval"] for row in rows[:1]] == ["21.5 to 78.5 %"]
    assert scaling_chart([], "BigCodeBench") is None


def test_table_1_and_table_6_are_the_papers():
    table = views.table1_html("gpqa")
    assert table.count("<tr") == len(paper()["table1"]) + 5
    assert '<td class="z1-marked">47.5</td>' in table
    bars = next(iter(table1_chart("gsm8k", "GSM8K").to_dict()["datasets"].values()))
    assert {row["model"]: row["accuracy"] for row in bars}["Z1-7B"] == pytest.approx(0.454), "the average"
    assert [(point.avg_thinking_tokens, point.accuracy) for point in paper_lines("gpqa")[0].points][-1] == (2470, 0.475)


def test_an_answer_stays_when_another_window_is_chosen(browser):
    first = shown_by(browser, ["up"], 0, 0, 64, "right", None, place=2)
    assert first["kept"] == ("math500/5", 0)
    assert first["item"]["label"] == "Problem (3 of 4)"
    other = shown_by(browser, ["up"], 0, 0, 256, ALL, first["kept"])
    assert other["kept"] == ("math500/5", 0)
    assert other["item"]["value"] == 5


def test_a_run_that_was_not_offered_is_refused_in_one_sentence(browser):
    for run in (7, -1, None, True, "../../etc", 1.5):
        shown = shown_by(browser, ["up"], run, 0, 64, ALL, None)
        assert "no longer there; press Refresh" in shown["shown"], run


def test_other_choices_that_were_not_offered_give_way_to_the_first(browser):
    choices = [
        *((task, 256, 0) for task in (7, -1, None, True, "../../etc")),
        *((0, window, 0) for window in (7, None, "64", True)),
        *((0, 256, place) for place in (-5, 10_000, None)),
        ("../../etc", True, -5),
    ]
    for task, window, place in choices:
        shown = shown_by(browser, ["up"], 0, task, window, "<b>", "nothing", place=place)
        assert shown["task"]["value"] == 0
        assert shown["window"]["value"] == 256
        assert shown["status"]["value"] == ALL
        assert "z1-bench-item" in shown["shown"]


def test_a_report_deleted_meanwhile_is_said(browser, root):
    (root / "up" / "run.json").unlink()
    assert "press Refresh" in shown_by(browser, ["up"], 0, 0, 64, ALL, None)["shown"]


def test_the_authors_wish_about_gpqa_is_told(tmp_path):
    write_report(Run(tmp_path / "up").add("gpqa", title="GPQA-Diamond").folder)
    assert "not to publish its questions" in views.task_note_html(find_reports(tmp_path).reports[0].tasks[0], 0)
