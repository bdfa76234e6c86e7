"""The speed studies, on scripted engines: who is measured against whom, and what is made of it."""

from __future__ import annotations

import json
from collections import namedtuple
from pathlib import Path

import httpx
import pandas as pd
import psutil
import pytest

from bench import engines, study
from bench.study import machine, others_cpu_s
from z1_core.engines import llama
from z1_core.engines.fake import FakeEngine
from z1_core.models import Model


class StandIn(FakeEngine):
    """In the place of LlamaEngine, and of its server, whose calls it keeps."""

    calls: list[dict]
    says = '{"content": "", "tokens_predicted":%d,"stop":true}'

    @classmethod
    def start(cls, path: Path, *, adapter: Path | None, name: str, max_model_len: int, places: int) -> StandIn:
        engine = cls(context_tokens=max_model_len)
        engine.name, engine.places, engine.calls, engine.server = name, places, [], engine
        return engine

    def client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(base_url="http://server", transport=httpx.MockTransport(self.answer))

    def answer(self, request: httpx.Request) -> httpx.Response:
        self.calls.append(json.loads(request.content))
        return httpx.Response(200, text=self.says % self.calls[-1]["n_predict"])


@pytest.fixture
def started(monkeypatch) -> list[StandIn]:
    def start(*args, **options) -> StandIn:
        made.append(StandIn.start(*args, **options))
        return made[-1]

    made: list[StandIn] = []
    monkeypatch.setattr(llama.LlamaEngine, "start", start)
    monkeypatch.setattr(study, "others_cpu_s", lambda: 0.0)  # looks at every process of the machine
    monkeypatch.setattr(engines, "locate", lambda model, engine: Model(model or "embedded", "here", Path("m.gguf")))
    return made


def test_the_ways_take_turns_on_each_model_and_change_their_order(started, tmp_path, capsys):
    out = tmp_path / "speed.json"
    words = ["--model", "a", "--model", "b", "--rounds", "2", "--tokens", "12", "--out", str(out)]
    assert engines.main(words) == 0
    record = json.loads(out.read_text())
    ours, alone, at_once = engines.OURS, engines.STREAMING, engines.UNSLICED
    assert [(line["round"], line["model"], line["streams"], line["way"]) for line in record["lines"]] == [
        (number, model, *way)
        for number, order in ((1, slice(None)), (2, slice(None, None, -1)))
        for model in "ab"
        for pair in ([(1, alone), (1, ours)], [(8, at_once), (8, ours)])
        for way in pair[order]
    ]
    assert {"processor", "avx512", "cores", "versions", "commit", "options"} <= record.keys()
    assert "of_server" in capsys.readouterr().out
    assert [engine.dead for engine in started] == [True, True]  # closed


def test_each_stream_has_a_prompt_that_no_cache_knows_and_reads_it_before_the_clock_runs(started):
    assert engines.main(["--rounds", "2", "--tokens", "12"]) == 0
    (engine,) = started
    asked = [(tuple(call["prompt"]), call["id_slot"], call["n_predict"]) for call in engine.calls if not call["stream"]]
    first, second = asked[:8], asked[8:16]  # of the warm-up
    assert [call[:2] for call in first] == [call[:2] for call in second]
    assert ([call[2] for call in first], [call[2] for call in second]) == ([1] * 8, [8] * 8)
    prompts = [prompt for prompt, _, tokens in asked if tokens == 1]
    assert len(prompts) == len(set(prompts)) == 3 * 8
    assert len({tuple(call["prompt"]) for call in engine.calls if call["stream"]}) == 3
    samplings = {
        json.dumps({name: call[name] for name in llama.sampling_fields(llama.Sampling())[0]}) for call in engine.calls
    }
    assert len(samplings) == 1
    assert all(call["ignore_eos"] is True for call in engine.calls)


def test_a_server_that_stops_early_is_no_measurement(started, monkeypatch, capsys):
    monkeypatch.setattr(StandIn, "says", '{"error": "no %d"}')
    assert engines.main(["--rounds", "1"]) == 2
    assert 'error: the server ended before its 1 tokens: {"error": "no 1"}' in capsys.readouterr().err


@pytest.mark.parametrize("words", [["--rounds", "0"], ["--tokens", "0"]])
def test_bad_options_are_said(words, capsys):
    assert engines.main(words) == 2
    assert f"{words[0]} is 0; it must be at least 1" in capsys.readouterr().err


def line(way: str, streams: int, tokens_per_s: float, number: int = 1) -> dict:
    fixed = {"model": "m", "others": 0.0, "first_token_ms": 100.0}
    return {**fixed, "way": way, "streams": streams, "tokens_per_s": tokens_per_s, "round": number}


def test_ratios_compare_within_a_round_and_as_many_streams():
    lines = [
        line(engines.STREAMING, 1, 80),
        line("ours", 1, 76),
        line(engines.UNSLICED, 8, 100),
        line("ours", 8, 95),
        line(engines.STREAMING, 1, 40, 2),
        line("ours", 1, 40, 2),
    ]
    made = engines.with_ratios(pd.DataFrame(lines))
    assert list(made.of_server) == [1, 0.95, 1, 0.95, 1, 1]
    shown = study.table(made, ["model", "streams", "way"])
    assert "0.975 (0.950-1.000)" in shown
    assert "58 (40-76)" in shown


def test_the_processor_is_named_and_whether_it_has_avx512(tmp_path):
    cpuinfo = tmp_path / "cpuinfo"
    for content, processor, avx512 in (
        ("processor\t: 0\nmodel name\t: Some CPU @ 2 GHz\nflags\t\t: fpu avx2 avx512f\n", "Some CPU @ 2 GHz", True),
        ("model name\t: Old CPU\nflags\t\t: fpu avx2\n", "Old CPU", False),
    ):
        cpuinfo.write_text(content)
        made = machine(cpuinfo)
        assert (made["processor"], made["avx512"]) == (processor, avx512)
    assert machine(tmp_path / "none")["processor"]  # no Linux
    assert json.loads(json.dumps(machine()))["versions"]["python"]


def test_what_others_take_is_all_that_is_busy_but_what_is_ones_own(monkeypatch):
    fields = ("user", "system", "idle", "iowait", "steal", "guest")  # user holds guest, too
    times = namedtuple("Times", fields)(100_000.0, 20.0, 999.0, 30.0, 5.0, 40.0)
    monkeypatch.setattr(psutil, "cpu_times", lambda: times)
    monkeypatch.setattr(psutil.Process, "children", lambda self, recursive: [])  # those of other tests
    own_s = sum(psutil.Process().cpu_times()[:2])
    assert 100_025 - own_s - 5 < others_cpu_s() <= 100_025 - own_s
