"""What all studies of speed have in common, and bench.load: who is counted as an error, as foreign text, as slow."""

from __future__ import annotations

import json
from collections import namedtuple

import httpx
import pandas as pd
import psutil
import pytest

from bench import load, study
from bench.scripted_page import script
from bench.visitors import TAG, Failed, Page, Seen, Visitor


def test_the_processor_is_named_and_whether_it_has_avx512(tmp_path):
    cpuinfo = tmp_path / "cpuinfo"
    for content, processor, avx512 in (
        ("processor\t: 0\nmodel name\t: Some CPU @ 2 GHz\nflags\t\t: fpu avx2 avx512f\n", "Some CPU @ 2 GHz", True),
        ("model name\t: Old CPU\nflags\t\t: fpu avx2\n", "Old CPU", False),
    ):
        cpuinfo.write_text(content)
        made = study.machine(cpuinfo)
        assert (made["processor"], made["avx512"]) == (processor, avx512)
    assert study.machine(tmp_path / "none")["processor"]  # no Linux
    assert json.loads(json.dumps(study.machine()))["versions"]["python"]


def test_what_others_take_is_all_that_is_busy_but_what_is_ones_own(monkeypatch):
    fields = ("user", "system", "idle", "iowait", "steal", "guest")  # user holds guest, too
    times = namedtuple("Times", fields)(100_000.0, 20.0, 999.0, 30.0, 5.0, 40.0)
    monkeypatch.setattr(psutil, "cpu_times", lambda: times)
    monkeypatch.setattr(psutil.Process, "children", lambda self, recursive: [])  # those of other tests
    own_s = sum(psutil.Process().cpu_times()[:2])
    assert 100_025 - own_s - 5 < study.others_cpu_s() <= 100_025 - own_s


def test_the_table_shows_medians_and_spread_within_rounds_and_no_empty_row():
    walls = {"plain": (1.0, 10.0, 4.0), "ours": (2.0, 20.0, 12.0)}
    lines = pd.DataFrame(
        {"round": n, "way": way, "wall_s": wall[n], "rows": 3, "of_server": None}
        for n in (0, 1, 2)
        for way, wall in walls.items()
    )
    shown = [row.split() for row in study.table(lines, of_plain=("wall_s", "plain")).splitlines()]
    assert shown[0][-2:] == ["plain", "ours"]
    assert shown[1:] == [
        ["wall_s", "4", "(1-10)", "12", "(2-20)"],
        ["rows", "3", "3"],
        ["of_plain", "1", "2", "(2-3)"],
    ]
    assert "of_plain" not in study.table(lines[lines.way == "ours"], of_plain=("wall_s", "plain"))


# Many visitors


def event(id_: int, targets: list, **options) -> dict:
    return {"id": id_, "targets": targets, "backend_fn": True, "inputs": [2, 3], **options}


CONFIG = {
    "components": [
        {"id": 2, "props": {"elem_id": "window", "value": 1024}},
        {"id": 3, "props": {"value": "as it stands"}},
        {"id": 9, "props": {"elem_id": "think"}},
    ],
    "dependencies": [
        event(10, [[9, "run"]], backend_fn=False),  # in the browser alone
        event(11, [[9, "run"]]),
        event(12, [[9, "stop"]]),
    ],
}


def test_what_a_press_does_is_found_in_the_configuration_and_not_by_number():
    page = Page(CONFIG)
    run = page.event("think", "run")
    assert run["id"] == 11
    assert page.values(run, {}) == [1024, "as it stands"]
    assert page.values(run, {"window": 5}) == [5, "as it stands"]


def test_each_visitor_hears_nothing_but_the_own_tag_from_the_script():
    assert {*TAG.findall(script("user\nI am visitor-017.<|im_end|>"))} == {"visitor-017"}


@pytest.mark.parametrize(
    ("tags", "foreign", "error"),
    [
        ({"visitor-001", "visitor-002"}, {"visitor-002"}, ""),
        ({"visitor-001"}, set(), ""),
        (set(), set(), "nothing of its own came"),
    ],
)
async def test_foreign_text_and_silence_are_seen(tags, foreign, error):
    class Asking:
        async def ask(self, question: str, **_) -> Seen:
            return Seen(tags={*tags})

    (seen,) = await load.visit(Asking(), "visitor-001", until_s=0)
    assert (seen.tags, seen.error) == (foreign, error)


def test_runs_are_counted_with_the_median_and_the_95th_percentile():
    steady = [0.1 * n for n in range(19)]
    runs = [
        Seen(updates_s=[first + each for each in [*steady, steady[-1] + gap]], tags=tags, error=error)
        for first, gap, tags, error in ((0.2, 0.1, set(), ""), (0.4, 9, {"visitor-003"}, ""), (0.9, 9, set(), "lost"))
    ]
    made = load.figures([*runs, Seen(error="nothing came")])
    assert (made["runs"], made["errors"], made["foreign"]) == (4, 2, 1)
    assert (made["first_s"], made["first_s_worst"], made["gap_s"]) == pytest.approx((0.4, 0.9, 0.1))
    assert load.figures([Seen(updates_s=[0, 1, 4])])["gap_s"] == pytest.approx(2.9)


async def test_a_page_that_tells_of_an_error_is_one():
    lines = "".join(f"data: {json.dumps(each)}\n\n" for each in [{"msg": "process_completed", "success": False}])

    def answer(request: httpx.Request) -> httpx.Response:
        if request.method == "POST":
            return httpx.Response(200, json={"event_id": "x"})
        return httpx.Response(200, text=lines)

    async with httpx.AsyncClient(base_url="http://page", transport=httpx.MockTransport(answer)) as client:
        with pytest.raises(Failed):
            [text async for text in Visitor(client, Page(CONFIG)).stream(CONFIG["dependencies"][1], {})]


@pytest.mark.thorough
def test_a_few_visitors_on_a_real_page_and_nothing_is_left_running(tmp_path, capsys):
    before = psutil.Process().children(recursive=True)
    assert load.main(["--visitors", "3", "--out", str(tmp_path / "load.json")]) == 0
    (line,) = json.loads((tmp_path / "load.json").read_text())["lines"]
    assert (line["runs"], line["errors"], line["foreign"]) == (3, 0, 0)
    assert line["page_MB"] > 50
    assert "first_s" in capsys.readouterr().out
    assert psutil.Process().children(recursive=True) == before
