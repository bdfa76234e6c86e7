"""The report: its figures, what it says about unfinished and failed judging, and that hostile text stays text."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from bench import curves as measured
from evaluation import report
from evaluation.report import main, write_report
from evaluation.results import read_results
from evaluation.stats import wilson
from evaluation.tables import paper_figures
from z1_core.jsonl import read_json
from z1_core.scaling_plot import paper
from z1_core.statuses import STATUSES

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


def part(day: int) -> dict:
    return {
        "started_at": f"2025-05-0{day}T10:00:00+00:00",
        "commit": "0123456789abcdef",
        "versions": {"torch": "2.13.0"},
    }


class Run:
    """Writes a result folder as evaluation.run and evaluation.judge do. statuses(number, sample, window) -> a status."""

    def __init__(self, folder: Path, *, model: str = "made/Up-7B", windows=WINDOWS, samples: int = 1) -> None:
        self.folder, self.windows, self.samples = folder, windows, samples
        self.record = {
            "model": model, "windows": list(windows), "answer_tokens": 64, "samples": samples,
            "sampling": {"temperature": 0.0, "top_p": 1.0, "seed": None}, "benchmarks": {}, "parts": [part(1)],
        }  # fmt: skip

    def add(
        self, name: str, *, title: str, problems=8, statuses=None, method="window", hint=HINT, bad_rows=()
    ) -> "Run":
        benchmark = name.split(".")[0]
        about = {"title": title, "benchmark": benchmark, "method": method, "origin": "repo@abc"}
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
                 "labels": labels, "prompt_ids": [1, 2], "prompt_text": "x", "sha256": problem_id}
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


@pytest.fixture
def figures() -> None:
    """The test looks at figures, or at whether they can be drawn."""


@pytest.fixture(autouse=True)
def no_figures_else(request, monkeypatch) -> None:
    """To draw them takes seconds."""
    if "figures" not in request.fixturenames:
        monkeypatch.setattr(report, "as_png", lambda _: b"")
        monkeypatch.setattr(report, "as_svg", lambda *_: "")


def windows_of(folder: Path, name: str = "math500") -> dict[int, dict]:
    task = json.loads((folder / "summary.json").read_text())["benchmarks"][name]
    return {window["thinking_tokens"]: window for window in task["windows"]}


def test_figures_of_a_run_that_can_be_counted_by_hand(run):
    run.record["parts"] = [part(1), part(2)]
    # traces of 40, 80, ... 320 tokens; the first five are right at every window, one times out, one says nothing
    status = {5: "timeout", 6: "no_answer", 7: "wrong"}
    run.add("math500", title="MATH500", statuses=lambda number, *_: status.get(number, "right"))
    assert main([str(run.folder)]) == 0
    made = windows_of(run.folder)[128]
    interval = wilson(5, 8)
    assert made == {
        "thinking_tokens": 128, "n": 8, "right": 5, "accuracy": 0.625, "low": round(interval.low, 4),
        "high": round(interval.high, 4), "answers": 8, "avg_thinking_tokens": (40 + 80 + 120 + 5 * 128) / 8,
        "avg_answer_tokens": 5 * 10 / 8, "cut_rate": 5 / 8, "end_reasons": {"cut": 5, "inside": 3},
        "statuses": {"right": 5, "wrong": 1, "no_answer": 1, "timeout": 1, "harness_error": 0, "not_judged": 0},
        "without_verdict": 0, "from_trace": 3, "pass_at_k": {},
    }  # fmt: skip
    said = "started (UTC) 2025-05-01 10:00, 2025-05-02 10:00 · commit 0123456789ab · answer tokens 64 · temperature 0.0"
    assert said in (run.folder / "report.md").read_text()


def test_what_could_not_be_judged_is_in_no_accuracy_and_a_harness_error_is_the_exit_code(run, capsys):
    status = {0: "harness_error", 1: "not_judged", 2: "wrong"}
    run.add("math500", title="MATH500", statuses=lambda number, *_: status.get(number, "right"))
    assert main([str(run.folder)]) == 1
    made = windows_of(run.folder)[64]
    assert (made["n"], made["right"]) == (6, 5)
    assert (made["statuses"]["harness_error"], made["statuses"]["not_judged"]) == (1, 1)
    said = capsys.readouterr().err
    for name in ("harness_error", "not_judged"):
        assert f"3 answers of MATH500 got no verdict ({STATUSES[name].words})" in said


def test_without_verdicts_the_report_says_how_to_get_them(run, figures, capsys):
    run.add("gsm8k", title="GSM8K", statuses=lambda *_: None)
    assert main([str(run.folder)]) == 0
    command = f"python -m evaluation.judge {run.folder}"
    said = capsys.readouterr().err
    assert "24 of 24 answers of GSM8K are not judged yet" in said
    for text in (said, *((run.folder / name).read_text() for name in ("report.md", "report.html"))):
        assert command in text
    made = windows_of(run.folder, "gsm8k")[64]
    assert (made["n"], made["accuracy"], made["without_verdict"]) == (0, None, 8)
    assert made["avg_thinking_tokens"] == (40 + 7 * 64) / 8
    assert not (run.folder / "scaling.png").exists(), "there is no curve to draw"
    assert "scaling.png" not in (run.folder / "report.md").read_text()


def test_a_run_that_has_only_begun_makes_a_report(run, figures, capsys):
    run.add("math500", title="MATH500").add("gsm8k", title="GSM8K")
    answers = run.folder / "math500" / "answers.jsonl"
    answers.write_bytes(answers.read_bytes()[:-20])  # a line that is still being written
    for name in ("answers", "verdicts"):
        (run.folder / "gsm8k" / f"{name}.jsonl").unlink()
    assert main([str(run.folder)]) == 0
    said = capsys.readouterr().err
    assert "MATH500 is not finished: 1 of 24 answers are missing" in said
    assert "with all windows and samples and the largest --limit" in said, (
        "where one grew, the last command is not enough"
    )
    assert "GSM8K is not finished: 24 of 24 answers are missing" in said


def test_samples_of_one_problem_make_the_interval_no_narrower(tmp_path):
    run = Run(tmp_path / "out", samples=4)
    run.add("math500", title="MATH500", statuses=lambda number, sample, _: "right" if sample < 2 else "wrong")
    write_report(run.folder)
    made = windows_of(run.folder)[64]
    assert (made["n"], made["right"], made["accuracy"]) == (32, 16, 0.5)
    assert made["low"] == pytest.approx(wilson(4, 8).low, abs=1e-4)
    assert made["pass_at_k"] == {"1": 0.5, "2": pytest.approx(1 - 1 / 6, abs=1e-4), "4": 1.0}
    assert "| 50.0 % | 21.5–78.5 | 32 | 83.3 % | 100.0 % |" in (run.folder / "report.md").read_text()


def test_tables_by_label_add_up_and_stand_in_the_order_people_expect(run, monkeypatch):
    names = ["hard", "medium", "easy"]
    monkeypatch.setitem(
        LABELS,
        "code",
        lambda n: {"difficulty": names[n % 3], "of": f"add {names[n % 3]}", "at": str(n + 5), HOSTILE: HOSTILE},
    )
    run.add("math500", title="MATH500", statuses=lambda number, *_: "right" if number % 2 else "wrong")
    run.add("code", title="Code")
    made = {name: task["by_label"] for name, task in write_report(run.folder)["benchmarks"].items()}
    levels = {value: of[0]["n"] for value, of in made["math500"]["level"].items()}
    assert levels == {"1": 2, "2": 2, "3": 2, "4": 1, "5": 1}
    subjects = {name: of[0]["accuracy"] for name, of in made["math500"]["subject"].items()}
    assert subjects == {"Algebra": 0.0, "Geometry": 1.0}
    assert list(made["code"]["difficulty"]) == ["easy", "medium", "hard"]
    assert list(made["code"]["of"]) == ["add easy", "add medium", "add hard"]
    longest = made["code"]["at"]["12"][-1]["avg_thinking_tokens"]
    assert longest == read_results(run.folder).benchmarks["code"].answers.trace_tokens.iloc[-1]
    assert f"| 12 | 1 | {longest:.0f}" in (run.folder / "report.md").read_text()
    assert list(made["code"]["at"]) == [str(number) for number in range(5, 13)]


def test_measured_curves_are_kept_small_and_drawn_again(run, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(measured, "FOLDER", tmp_path / "measured")
    for words, says in (
        ([], "holds no measured curves"),
        (["mine"], "no run is named for mine"),
        (["../mine", str(run.folder)], "../mine is no name for a file"),
        (["mine", str(run.folder)], "judge it first"),
    ):
        assert measured.main(words) == 2
        assert says in capsys.readouterr().err
    run.record["parts"] = [{**part(1), "options": {"out": str(run.folder)}}]
    run.add("math500", title="MATH500", statuses=lambda number, *_: "right" if number % 2 else "wrong")
    write_report(run.folder)
    assert measured.main(["mine", str(run.folder)]) == 0
    (kept,) = read_json(tmp_path / "measured/mine.json")["runs"]
    assert (kept["model"], kept["problems"], len(kept["windows"])) == ("made/Up-7B", 8, 3)
    assert kept["parts"] == [part(1)]
    assert str(tmp_path) not in (tmp_path / "measured/mine.json").read_text()
    drawn = (tmp_path / "measured/mine.svg").read_text()
    assert "MATH500, 8 problems" in drawn
    assert "Up-7B" in drawn
    assert "paper: Z1-7B" in drawn
    (tmp_path / "measured/mine.svg").unlink()
    assert measured.main([]) == 0
    assert (tmp_path / "measured/mine.svg").read_text() == drawn


def test_the_papers_row_stands_beside_and_is_marked(run):
    run.add("math500", title="MATH500").add("gsm8k", title="GSM8K")
    write_report(run.folder)
    text = (run.folder / "report.md").read_text()
    assert text.count("| paper: Z1-7B | 4,096 | 76.4 % | 72.5–79.9 | 500 | 1,185 |") == 1
    assert "paper: arXiv 2504.00810v1, Tables 1 and 2" in text


def test_a_model_of_the_papers_table_gets_its_own_row_too():
    rows = paper_figures("math500", "Qwen/Qwen2.5-Coder-7B-Instruct")
    assert [(row["model"], row["accuracy"], row.get("n")) for row in rows] == [
        ("Z1-7B", pytest.approx(0.764), 500), ("Qwen2.5-Coder-7B-Instruct", pytest.approx(0.686), None),
    ]  # fmt: skip
    assert [row["model"] for row in paper_figures("livecodebench", "Sky-T1-32B-Preview")] == ["Z1-7B"]
    assert paper_figures("gsm8k", "efficientscaling/Z1-7B") == []


def test_the_reference_file_agrees_with_itself():
    content = paper()
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
    content = paper()
    for own, shared in names.items():
        for model, row in known["table1"]["models"].items():
            assert content["table1"][model][own] == row[shared]
        for model, points in known["table6"].get(shared, {}).items():
            assert content["scaling"][own][model]["points"] == points
        for subset, row in known["table2"]["subsets"].items():
            assert content["table2"][subset].get(own) == row.get(shared)


class Elements(HTMLParser):
    """What a browser takes for elements."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.feed(page)

    def handle_starttag(self, tag, attrs) -> None:
        self.tags.add(tag)


def test_hostile_text_stays_text_and_nothing_runs_or_is_fetched(tmp_path, figures):
    run = Run(tmp_path / "out", model="<img src=x onerror=alert(1)> | $x$ [x](//y) *z*")
    run.add("math500", title="MATH500 <b>&", bad_rows=[f"line 1: {HOSTILE}"]).add("gpqa", title="$^{$ no formula <img>")
    write_report(run.folder)
    page, text = ((run.folder / name).read_text() for name in ("report.html", "report.md"))
    tags = Elements(page).tags
    assert not {"img", "script", "b", "a", "em"} & tags
    assert "svg" in tags
    assert "MATH500 &lt;b&gt;&amp;" in page
    assert "default-src 'none'; style-src 'unsafe-inline';" in page
    assert not re.search(r"""(?:src|href)=["']?(?:https?:)?//|url\(|@import""", page)
    assert "<img" not in text
    assert "not to publish its questions" in text, "of GPQA"


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
    one = Run(tmp_path / "x" / "run").add("math500", title="MATH500", problems=8).folder
    other = Run(tmp_path / "y" / "run", model="others/Up-7B", windows=(128, 512))
    other.add("math500", title="MATH500", problems=6, statuses=lambda *_: "wrong")
    assert main([str(one), str(other.folder)]) == 0
    (row,) = [line for line in (one / "comparison.md").read_text().splitlines() if line.startswith("| MATH500")]
    assert row.endswith("| 128 | 6 | 100.0 % | 0.0 % | −100.0 | 6 | 0 | 0.031 |")
    assert (one / "comparison.png").read_bytes().startswith(b"\x89PNG")
    assert f"Up-7B, {other.folder}" in capsys.readouterr().out, "models and folders of one name are told apart"


def test_runs_with_nothing_in_common_are_not_compared(tmp_path, capsys):
    Run(tmp_path / "a").add("math500", title="MATH500")
    Run(tmp_path / "b").add("gsm8k", title="GSM8K")
    assert main([str(tmp_path / "a"), str(tmp_path / "b")]) == 2
    assert "in common" in capsys.readouterr().err


def test_all_files_are_there_and_the_same_folder_gives_the_same(run, figures, recwarn):
    run.add("math500", title="MATH500").add("gpqa", title="GPQA-Diamond")
    write_report(run.folder)
    made = {path.name: path.read_bytes() for path in run.folder.iterdir() if path.is_file()}
    names = {"run.json", "summary.json", "report.md", "report.html", "scaling.png"}
    assert made.keys() == names, "and no draft is left"
    write_report(run.folder)
    assert {path.name: path.read_bytes() for path in run.folder.iterdir() if path.is_file()} == made
    assert not [str(warning.message) for warning in recwarn if "altair" in str(warning.message)]


@pytest.mark.parametrize(
    ("record", "named"),
    [
        (None, "there is no run.json in"),
        ("", "run.json"),
        ("{}", "writes (model: field required)"),
        ("[]", "writes (all of it: "),
    ],
)
def test_a_folder_that_is_no_result_is_refused_in_one_sentence(tmp_path, capsys, record, named):
    if record is not None:
        (tmp_path / "out").mkdir()
        (tmp_path / "out" / "run.json").write_text(record)
    assert main([str(tmp_path / "out")]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert (error.count("\n"), named in error) == (1, True)


DAMAGE = [
    ({"windows": None}, "(windows: "),
    ({"samples": "1"}, "(samples: "),
    ({"benchmarks": {"math500": []}}, "(benchmarks.math500: "),
    (
        {"benchmarks": {"../elsewhere": {"title": "x", "benchmark": "math500", "method": "window"}}},
        "(benchmarks.../else",
    ),
]


@pytest.mark.parametrize(("facts", "named"), DAMAGE)
def test_a_record_with_settings_of_another_kind_is_refused_by_their_name(run, capsys, facts, named):
    run.add("math500", title="MATH500")
    path = run.folder / "run.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | facts))
    assert main([str(run.folder)]) == 2
    error = capsys.readouterr().err
    assert (error.count("\n"), named in error) == (1, True)


def test_a_record_by_hand_and_answers_that_are_there_twice_are_reported(run):
    run.add("math500", title="MATH500")
    path, answers = run.folder / "run.json", run.folder / "math500" / "answers.jsonl"
    once = read_results(run.folder).benchmarks["math500"].answers
    path.write_text(json.dumps(json.loads(path.read_text()) | {"parts": [{}], "sampling": {}}))
    answers.write_bytes(2 * answers.read_bytes())
    assert main([str(run.folder)]) == 0
    assert len(read_results(run.folder).benchmarks["math500"].answers) == len(once)


def test_a_problem_that_was_answered_and_is_gone_is_named_with_the_remedy(run, capsys):
    run.add("math500", title="MATH500")
    (run.folder / "math500" / "problems.jsonl").unlink()
    assert main([str(run.folder)]) == 2
    assert (
        "lacks problem 'math500/0', which was answered; the command of the run restores it" in capsys.readouterr().err
    )


@pytest.mark.parametrize("line", ["nonsense", '{"problem_id": "math500/0"}'])
@pytest.mark.parametrize("name", ["problems", "answers", "verdicts"])
def test_a_line_that_cannot_be_read_is_named(run, capsys, line, name):
    run.add("math500", title="MATH500")
    path = run.folder / "math500" / f"{name}.jsonl"
    first, rest = path.read_text().split("\n", 1)
    path.write_text(f"{first}\n{line}\n{rest}")
    assert main([str(run.folder)]) == 2
    error = capsys.readouterr().err
    assert (error.count("\n"), f"line 2 of {path}" in error) == (1, True)


def test_judging_again_replaces_a_verdict(run):
    run.add("math500", title="MATH500", problems=1, statuses=lambda *_: "wrong")
    path = run.folder / "math500" / "verdicts.jsonl"
    path.write_text(path.read_text() + path.read_text().replace('"wrong"', '"right"'))
    assert set(read_results(run.folder).benchmarks["math500"].answers.status) == {"right"}
