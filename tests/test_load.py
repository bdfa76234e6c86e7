"""python -m bench.load: who is counted as an error, as foreign text, as slow; and a real page with a few visitors."""

from __future__ import annotations

import json

import httpx
import pandas as pd
import psutil
import pytest

from bench import load
from bench.scripted_page import script
from bench.visitors import TAG, Failed, Page, Seen, Visitor


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


def test_foreign_text_and_silence_are_seen():
    foreign, silent = Seen(tags={"visitor-001", "visitor-002"}), Seen()
    assert load._checked(foreign, "visitor-001").tags == {"visitor-002"}
    assert load._checked(silent, "visitor-001").error == "nothing of its own came"


def test_the_table_counts_and_takes_the_median_and_the_95th_percentile():
    runs = [
        load._line("page", Seen(first_s=first, gaps_s=[0.1] * 18 + [gap], tags=tags, error=error))
        for first, gap, tags, error in (
            (0.2, 0.1, set(), ""),
            (0.4, 9.0, {"visitor-003"}, ""),
            (0.9, 9.0, set(), "lost"),
        )
    ]
    made = load.table(pd.DataFrame(runs)).loc["page"]
    assert (made.runs, made.errors, made.foreign, made.first_s, made.first_s_worst) == (3, 1, 1, 0.4, 0.9)
    assert made.gap_s == 0.1
    assert load.table(pd.DataFrame([load._line("page", Seen(gaps_s=[1.0, 3.0]))])).loc["page"].gap_s == pytest.approx(
        2.9
    )


def test_memory_that_grows_has_a_slope_and_what_is_warmed_up_once_has_none():
    minutes = [n / 10 for n in range(21)]
    memory = pd.DataFrame({"minute": minutes, "page": [100 + 5 * m for m in minutes], "engine": [0] * 5 + [300] * 16})
    made = load.memory_table(memory)
    assert made.slope.page == pytest.approx(5)
    assert made.slope.engine == pytest.approx(0)
    assert (made.MB_first.engine, made.MB_last.engine) == (0, 300)


async def test_a_page_that_tells_of_an_error_is_one():

    lines = "".join(f"data: {json.dumps(each)}\n\n" for each in [{"msg": "process_completed", "success": False}])

    def answer(request: httpx.Request) -> httpx.Response:
        return (
            httpx.Response(200, json={"event_id": "x"}) if request.method == "POST" else httpx.Response(200, text=lines)
        )

    async with httpx.AsyncClient(base_url="http://page", transport=httpx.MockTransport(answer)) as client:
        with pytest.raises(Failed):
            [text async for text in Visitor(client, Page(CONFIG)).stream(CONFIG["dependencies"][1], {}, {})]


@pytest.mark.thorough
def test_a_few_visitors_on_a_real_page_and_nothing_is_left_running(capsys):
    before = psutil.Process().children(recursive=True)
    assert load.main(["--visitors", "3", "--programs", "1"]) == 0
    shown = capsys.readouterr().out
    assert "page" in shown
    assert "/think" in shown
    assert psutil.Process().children(recursive=True) == before
