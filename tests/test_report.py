"""The report: its figures, what it says about unfinished and failed judging, and that hostile text stays text."""

import json
import re
import warnings
from html.parser import HTMLParser
from pathlib import Path

import pytest

from evaluation import report
from evaluation.paper import paper
from evaluation.report import main, write_report
from evaluation.results import read_results
from evaluation.stats import wilson

WINDOWS = (64, 128, 256)
HINT = "\n\nI overthought it, the final answer should be:\n\n"
HOSTILE = "</script><img src=x onerror=alert(1)><!--<script>\u2028 \U0001f600 \ud800 $x$ & 'quoted'"
LABELS = {"math500": lambda n: {"level": str(n % 5 + 1), "subject": ("Algebra", "Geometry")[n % 2]}}


def reference(benchmark: str, number: int) -> dict:
    return {"letter": "ABCD"[number % 4], "order": [2, 0, 1, 3]} if benchmark == "gpqa" else {"answer": str(number)}


def answer_row(problem_id: str, *, window: int, length: int, sample: int = 0, hint: str | None = HINT) -> dict:
    """A trace of `length` tokens if it is let, four characters each, all different."""
    cut, words = length > window, [f"{n:03d} " for n in range(length)]
    return {
        "problem_id": problem_id,
        "sample": sample,
        "thinking_tokens": window,
        "trace": "".join(words[:window]) + ("" if cut else HOSTILE),
        "trace_ids": list(range(min(window, length))),
        "hint": hint if cut else None,
        "hint_ids": [1, 2, 3] if cut and hint else [],
        "answer": f"The answer is 7. {HOSTILE}" if cut else "",
        "answer_ids": [5] * 10 if cut else [],
        "end_reason": "cut" if cut else "inside",
        "seconds": 1.5,
    }


def verdict_row(row: dict, status: str, extracted: str = "7") -> dict:
    judged = "answer" if row["answer"] else "trace"
    named = {name: row[name] for name in ("problem_id", "sample", "thinking_tokens")}
    return {**named, "status": status, "extracted": extracted, "detail": f"because {HOSTILE}", "judged": judged}


def write_lines(path: Path, rows: list[dict]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


class Run:
    """Writes a result folder as evaluation.run and evaluation.judge do. statuses(number, sample, window) -> a status."""

    def __init__(self, folder: Path, *, model: str = "made/Up-7B", windows=WINDOWS, samples: int = 1) -> None:
        self.folder, self.windows, self.samples = folder, windows, samples
        self.record = {
            "model": model, "engine": "FakeEngine", "commit": "0123456789abcdef", "started_at": "2025-05-01T10:00:00+00:00",
            "windows": list(windows), "answer_tokens": 64, "samples": samples, "hint": HINT, "versions": {"torch": "2.13.0"},
            "sampling": {"temperature": 0.0, "top_p": 1.0, "seed": None}, "benchmarks": {},
        }  # fmt: skip

    def add(
        self, name: str, *, title: str, problems=8, statuses=None, method="window", hint=HINT, bad_rows=()
    ) -> "Run":
        benchmark = name.split(".")[0]
        about = {"title": title, "benchmark": benchmark, "method": method, "origin": "repo@abc", "sha256": "00ff"}
        self.record["benchmarks"][name] = {**about, "problems": problems, "bad_rows": list(bad_rows)}
        asked, answers, verdicts = [], [], []
        for number in range(problems):
            problem_id = f"{benchmark}/{number}"
            messages = [
                {"role": "system", "content": "Think."},
                {"role": "user", "content": f"What is {number}? {HOSTILE}"},
            ]
            labels = LABELS.get(benchmark, lambda n: {})(number)
            asked.append(
                {"problem_id": problem_id, "messages": messages, "prefill": "", "reference": reference(benchmark, number),
                 "labels": labels, "prompt_ids": [1, 2], "prompt_text": "x"}
            )  # fmt: skip
            for sample in range(self.samples):
                for window in self.windows:
                    answers.append(
                        answer_row(problem_id, window=window, length=40 * (number + 1), sample=sample, hint=hint)
                    )
                    if status := (statuses or (lambda *_: "right"))(number, sample, window):
                        verdicts.append(verdict_row(answers[-1], status, "B" if benchmark == "gpqa" else "7"))
        write_lines(self.folder / name / "problems.jsonl", asked)
        write_lines(self.folder / name / "answers.jsonl", answers)
        if verdicts:
            write_lines(self.folder / name / "verdicts.jsonl", verdicts)
        (self.folder / "run.json").write_text(json.dumps(self.record))
        return self


@pytest.fixture
def run(tmp_path) -> Run:
    return Run(tmp_path / "out")


@pytest.fixture(scope="module")
def written(tmp_path_factory) -> Path:
    """The folder of a run with its whole report."""
    run = Run(tmp_path_factory.mktemp("written") / "out")
    run.add("math500", title="MATH500 <b>&", bad_rows=[f"line 1: {HOSTILE}"])
    write_report(run.folder)
    return run.folder


@pytest.fixture
def figures() -> None:
    """The test looks at figures, or at whether they can be drawn."""


@pytest.fixture(autouse=True)
def no_figures_else(request, monkeypatch) -> None:
    """To draw them takes seconds."""
    if "figures" not in request.fixturenames:
        monkeypatch.setattr(report.plots, "rendered", lambda *_: b"")
        monkeypatch.setattr(report.plots, "inline_svg", lambda *_, **__: "")
        monkeypatch.setattr(report.plots, "scaling_figure", lambda *_: None)
        monkeypatch.setattr(report.plots, "lengths_figure", lambda *_: None)


def windows_of(folder: Path, name: str = "math500") -> dict[int, dict]:
    task = json.loads((folder / "summary.json").read_text())["benchmarks"][name]
    return {window["thinking_tokens"]: window for window in task["windows"]}


class Scripts(HTMLParser):
    """What a browser takes for elements, and the text of the scripts."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.scripts: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag, attrs) -> None:
        self.tags.append(tag)
        if tag == "script":
            self.scripts.append("")

    def handle_data(self, data) -> None:
        if self.get_starttag_text() and self.get_starttag_text().startswith("<script"):
            self.scripts[-1] += data


def test_figures_of_a_run_that_can_be_counted_by_hand(run):
    # traces of 40, 80, ... 320 tokens; the first five are right at every window, one times out, one says nothing
    status = {5: "timeout", 6: "no_answer", 7: "wrong"}
    run.add("math500", title="MATH500", statuses=lambda number, *_: status.get(number, "right"))
    assert main([str(run.folder)]) == 0
    made = windows_of(run.folder)[128]
    assert (made["n"], made["right"], made["accuracy"]) == (8, 5, 0.625)
    assert made["low"] == pytest.approx(wilson(5, 8).low, abs=1e-4)
    assert made["high"] == pytest.approx(wilson(5, 8).high, abs=1e-4)
    assert made["avg_thinking_tokens"] == (40 + 80 + 120 + 5 * 128) / 8
    assert made["avg_answer_tokens"] == 5 * 10 / 8
    assert made["cut_rate"] == 5 / 8
    assert made["end_reasons"] == {"cut": 5, "inside": 3}
    assert made["statuses"] == {
        "right": 5, "wrong": 1, "no_answer": 1, "timeout": 1, "harness_error": 0, "not_judged": 0,
    }  # fmt: skip
    assert made["from_trace"] == 3
    assert made["pass_at_k"] == {}


def test_what_could_not_be_judged_is_in_no_accuracy_and_a_harness_error_is_the_exit_code(run, capsys):
    status = {0: "harness_error", 1: "not_judged", 2: "wrong"}
    run.add("math500", title="MATH500", statuses=lambda number, *_: status.get(number, "right"))
    assert main([str(run.folder)]) == 1
    made = windows_of(run.folder)[64]
    assert (made["n"], made["right"]) == (6, 5)
    assert (made["statuses"]["harness_error"], made["statuses"]["not_judged"]) == (1, 1)
    said = capsys.readouterr().err
    assert "Judging failed on 3 answers of MATH500" in said
    assert "3 answers of MATH500 could not be judged here" in said


def test_without_verdicts_the_report_says_how_to_get_them(run, figures, capsys):
    run.add("gsm8k", title="GSM8K", statuses=lambda *_: None)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert main([str(run.folder)]) == 0
    command = f"python -m evaluation.judge {run.folder}"
    assert "24 of 24 answers of GSM8K are not judged yet" in (said := capsys.readouterr().err)
    assert command in said
    assert command in (run.folder / "report.md").read_text()
    assert command in (run.folder / "report.html").read_text()
    made = windows_of(run.folder, "gsm8k")[64]
    assert (made["n"], made["accuracy"], made["without_verdict"]) == (0, None, 8)
    assert made["avg_thinking_tokens"] == (40 + 7 * 64) / 8


def test_a_run_that_has_only_begun_makes_a_report(run, figures, capsys):
    run.add("math500", title="MATH500")
    for name in ("answers", "verdicts"):
        (run.folder / "math500" / f"{name}.jsonl").unlink()
    assert main([str(run.folder)]) == 0
    assert "24 of 24 answers are missing" in capsys.readouterr().err


def test_a_line_that_is_still_being_written_is_left_out(run, capsys):
    run.add("math500", title="MATH500")
    answers = run.folder / "math500" / "answers.jsonl"
    answers.write_bytes(answers.read_bytes()[:-20])
    assert main([str(run.folder)]) == 0
    assert "1 of 24 answers are missing" in capsys.readouterr().err


def test_samples_of_one_problem_make_the_interval_no_narrower(tmp_path):
    run = Run(tmp_path / "out", samples=4)
    run.add("math500", title="MATH500", statuses=lambda number, sample, _: "right" if sample < 2 else "wrong")
    write_report(run.folder)
    made = windows_of(run.folder)[64]
    assert (made["n"], made["right"], made["accuracy"]) == (32, 16, 0.5)
    assert made["low"] == pytest.approx(wilson(4, 8).low, abs=1e-4)
    assert made["pass_at_k"] == {"1": 0.5, "2": pytest.approx(1 - 1 / 6, abs=1e-4), "4": 1.0}


def test_tables_by_label_add_up_and_stand_in_order(run):
    run.add("math500", title="MATH500", statuses=lambda number, *_: "right" if number % 2 else "wrong")
    by_label = write_report(run.folder)["benchmarks"]["math500"]["by_label"]
    assert list(by_label["level"]) == ["1", "2", "3", "4", "5"]
    assert [value[0]["n"] for value in by_label["level"].values()] == [2, 2, 2, 1, 1]
    assert {name: value[0]["accuracy"] for name, value in by_label["subject"].items()} == {
        "Algebra": 0.0,
        "Geometry": 1.0,
    }


def test_easy_comes_before_medium_and_2_before_10(run, monkeypatch):
    names = ["hard", "medium", "easy"]
    monkeypatch.setitem(
        LABELS, "code", lambda n: {"difficulty": names[n % 3], "month": f"2024-{12 - n:02d}", "at": str(n + 5)}
    )
    run.add("code", title="Code")
    by_label = write_report(run.folder)["benchmarks"]["code"]["by_label"]
    assert list(by_label["difficulty"]) == ["easy", "medium", "hard"]
    assert list(by_label["at"]) == [str(number) for number in range(5, 13)]
    assert next(iter(by_label["month"])) == "2024-05"


def test_a_liking_for_one_letter_shows(run):
    run.add("gpqa", title="GPQA-Diamond", statuses=lambda number, *_: "no_answer" if number == 7 else "wrong")
    letters = write_report(run.folder)["benchmarks"]["gpqa"]["letters"]
    assert letters["gold"] == {"A": 2, "B": 2, "C": 2, "D": 2}
    assert letters["answered"]["64"] == {"A": 0, "B": 8, "C": 0, "D": 0, "none": 0}
    assert "not to publish its questions" in (run.folder / "report.md").read_text()


def test_the_papers_row_stands_beside_and_is_marked(run):
    run.add("math500", title="MATH500").add("gsm8k", title="GSM8K")
    write_report(run.folder)
    text = (run.folder / "report.md").read_text()
    assert text.count("| paper: Z1-7B | 4,096 | 76.4 % | 72.5–79.9 | 500 | 1,185 |") == 1
    assert "paper: arXiv 2504.00810v1, Tables 1 and 2" in text


def test_a_model_of_the_papers_table_gets_its_own_row_too():
    rows = paper().rows("math500", "Qwen/Qwen2.5-Coder-7B-Instruct")
    assert [(row.model, row.accuracy, row.n) for row in rows] == [
        ("Z1-7B", pytest.approx(0.764), 500), ("Qwen2.5-Coder-7B-Instruct", pytest.approx(0.686), None),
    ]  # fmt: skip
    assert [row.model for row in paper().rows("livecodebench", "Sky-T1-32B-Preview")] == ["Z1-7B"]
    assert paper().rows("gsm8k", "efficientscaling/Z1-7B") == []


def test_the_reference_file_agrees_with_itself():
    content = paper().content
    for name, (right, n) in content["counts"]["Z1-7B"].items():
        assert round(100 * right / n, 1) == content["table1"]["Z1-7B"][name]
        assert n == content["benchmarks"][name]["problems"]
    for name, curves in content["scaling"].items():
        assert curves["Z1-7B"]["points"][-1][1] == content["table1"]["Z1-7B"][name]
        assert curves["Z1-7B"]["points"][-1][0] == content["table2"]["full"][name]["avg_thinking_tokens"]


def test_the_reference_file_says_what_the_shared_one_says(shared_data):
    known = json.loads((shared_data.parent / "paper.json").read_text())
    names = {
        "math500": "math500", "gpqa": "gpqa_diamond", "livecodebench": "livecodebench_v5",
        "bigcodebench": "bigcodebench_hard_instruct",
    }  # fmt: skip
    content = paper().content
    for own, shared in names.items():
        for model, row in known["table1"]["models"].items():
            assert content["table1"][model][own] == row[shared]
        for model, points in known["table6"].get(shared, {}).items():
            assert content["scaling"][own][model]["points"] == points
        for subset, row in known["table2"]["subsets"].items():
            assert content["table2"][subset].get(own) == row.get(shared)


def test_hostile_text_stays_text(written):
    page = (written / "report.html").read_text()
    parsed = Scripts(page)
    assert "img" not in parsed.tags
    assert len(parsed.scripts) == 2
    assert "MATH500 &lt;b&gt;&amp;" in page
    data = json.loads(parsed.scripts[0])
    assert data["problems"][0]["messages"][1]["content"] == f"What is 0? {HOSTILE}"
    assert "<img" not in (written / "report.md").read_text()


def test_only_the_reports_own_script_may_run_and_nothing_is_fetched(written):
    page = (written / "report.html").read_text()
    assert "<svg" in page
    assert "default-src 'none'" in page
    assert re.search(r"script-src 'sha256-[\w+/=]+'", page)
    assert not re.search(r"""(?:src|href)=["']?(?:https?:)?//""", page)


def test_every_conversation_can_be_had_whole_from_the_page(written):
    data = json.loads(Scripts((written / "report.html").read_text()).scripts[0])
    rows = [json.loads(line) for line in (written / "math500" / "answers.jsonl").read_text().splitlines()]
    shown = [
        (data["problems"][talk["problem"]]["id"], each["window"], trace_of(talk, each), each["answer"])
        for talk in data["talks"]
        for each in talk["runs"]
    ]
    assert shown == [(row["problem_id"], row["thinking_tokens"], row["trace"], row["answer"]) for row in rows]
    assert isinstance(data["talks"][7]["runs"][0]["trace"], int), "a prefix is stored as its length"


def trace_of(talk: dict, one: dict) -> str:
    """As the page's script cuts it, in UTF-16 units."""
    if isinstance(one["trace"], str):
        return one["trace"]
    return talk["trace"].encode("utf-16-le", "surrogatepass")[: 2 * one["trace"]].decode("utf-16-le", "surrogatepass")


def test_two_methods_of_one_run_are_compared_on_the_same_problems(run):
    run.add("math500", title="MATH500")
    run.add(
        "math500.budget-forcing", title="MATH500, budget forcing", method="budget-forcing", hint=None,
        statuses=lambda number, *_: "wrong" if number < 6 else "right",
    )  # fmt: skip
    write_report(run.folder)
    text = (run.folder / "report.md").read_text()
    assert "| MATH500 | Up-7B | Up-7B, budget forcing | 64 | 8 | 100.0 % | 25.0 % | −75.0 | 6 | 0 | 0.031 |" in text
    assert text.count("| paper: Z1-7B |") == 1
    assert windows_of(run.folder, "math500.budget-forcing")[64]["cut_rate"] == 7 / 8, "a cut without a hint is a cut"


def test_two_runs_are_compared_on_the_problems_that_both_have(tmp_path, figures, capsys):
    Run(tmp_path / "a").add("math500", title="MATH500", problems=8)
    Run(tmp_path / "b", windows=(128, 512)).add("math500", title="MATH500", problems=6, statuses=lambda *_: "wrong")
    assert main([str(tmp_path / "a"), str(tmp_path / "b")]) == 0
    pairs = json.loads((tmp_path / "a" / "comparison.json").read_text())
    assert [(pair["thinking_tokens"], pair["n"], pair["only_first"], pair["only_other"]) for pair in pairs] == [
        (128, 6, 6, 0)
    ]
    assert (tmp_path / "a" / "comparison.png").read_bytes().startswith(b"\x89PNG")
    assert "Up-7B, a" in capsys.readouterr().out


def test_runs_with_nothing_in_common_are_not_compared(tmp_path, capsys):
    Run(tmp_path / "a").add("math500", title="MATH500")
    Run(tmp_path / "b").add("gsm8k", title="GSM8K")
    assert main([str(tmp_path / "a"), str(tmp_path / "b")]) == 2
    assert "in common" in capsys.readouterr().err


def test_all_files_are_there_and_the_same_folder_gives_the_same(run, figures):
    run.add("math500", title="MATH500").add("gpqa", title="$^{$ no formula")
    write_report(run.folder)
    made = {path.name: path.read_bytes() for path in run.folder.iterdir() if path.is_file()}
    names = {"run.json", "summary.json", "report.md", "report.html", "scaling.png", "scaling.svg", "lengths.png"}
    assert made.keys() == names, "and no draft is left"
    write_report(run.folder)
    assert {path.name: path.read_bytes() for path in run.folder.iterdir() if path.is_file()} == made


def test_a_file_that_cannot_be_written_leaves_the_old_one(run, capsys):
    run.add("math500", title="MATH500")
    (run.folder / "report.html.part").mkdir()  # stands in the way of the draft, for root as well
    (run.folder / "report.html").write_text("old")
    assert main([str(run.folder)]) == 2
    assert capsys.readouterr().err.startswith("error: ")
    assert (run.folder / "report.html").read_text() == "old"


@pytest.mark.parametrize(
    ("spoil", "named"),
    [
        (lambda folder: None, "there is no folder"),
        (lambda folder: folder.mkdir(), "run.json"),
        (lambda folder: (folder.mkdir(), (folder / "run.json").write_text("{")), "run.json"),
        (lambda folder: (folder.mkdir(), (folder / "run.json").write_text("{}")), "names no benchmark"),
    ],
)
def test_a_folder_that_is_no_result_is_refused_in_one_sentence(tmp_path, capsys, spoil, named):
    spoil(tmp_path / "out")
    assert main([str(tmp_path / "out")]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert named in error


@pytest.mark.parametrize("line", ["nonsense\n", "[1]\n", '{"problem_id": "math500/0"}\n', "\udcff\n", "again"])
@pytest.mark.parametrize("name", ["problems", "answers"])
def test_a_line_that_cannot_be_read_is_named(run, capsys, line, name):
    run.add("math500", title="MATH500")
    path = run.folder / "math500" / f"{name}.jsonl"
    lines = path.read_bytes().split(b"\n")
    lines.insert(1, lines[0] if line == "again" else line.strip().encode("utf-8", "surrogateescape"))
    path.write_bytes(b"\n".join(lines))
    assert main([str(run.folder)]) == 2
    error = capsys.readouterr().err
    assert f"line 2 of {path}" in error
    assert error.count("\n") == 1


def test_judging_again_replaces_a_verdict(run):
    run.add("math500", title="MATH500", problems=1, statuses=lambda *_: "wrong")
    path = run.folder / "math500" / "verdicts.jsonl"
    path.write_text(path.read_text() + path.read_text().replace('"wrong"', '"right"'))
    assert {answer.status for answer in read_results(run.folder).benchmarks["math500"].answers} == {"right"}
