"""Which engine runs, and starting it. Each is a module of its own that is imported when it is chosen, not before."""

from __future__ import annotations

import argparse
from importlib.util import find_spec
from typing import Literal

from z1_core.engine import Engine
from z1_core.errors import BadInput, ModelUnavailable
from z1_core.hub import Progress, Report
from z1_core.models import has_gpu, locate
from z1_core.options import check_counts
from z1_core.trained import knowing, read_trained

Kind = Literal["vllm", "llama", "server", "fake"]

WORDS = {"vllm": "vLLM here", "llama": "llama.cpp here", "server": "a server elsewhere", "fake": "--fake"}
VLLM_OPTIONS = ("tensor_parallel_size", "gpu_memory_utilization")
READ_BY = {
    "model": ("vllm", "llama", "server"),
    "max_model_len": ("vllm", "llama", "server"),
    "tokenizer": ("server",),
    "server_url": ("server",),
    "engine": ("vllm", "llama"),
    **dict.fromkeys(VLLM_OPTIONS, ("vllm",)),
}
"""Options, and the engines that read them: one that would do nothing is refused."""


def choose(options: argparse.Namespace) -> Kind:
    """--server-url wins, then --engine, then vLLM where there is CUDA, llama.cpp everywhere else.

    Raises BadInput for options that exclude each other, ModelUnavailable for an engine that cannot run here.
    """
    for name in ("model", "server_url", "tokenizer"):  # a script's variable that is not set
        if getattr(options, name) == "":
            raise BadInput(f"--{name.replace('_', '-')} is empty; give it a value, or leave it out")
    kind = _chosen(options)
    for name, kinds in READ_BY.items():
        if getattr(options, name) is not None and kind not in kinds:
            option = f"--{name.replace('_', '-')}"
            raise BadInput(f"{option} is for {' or '.join(map(WORDS.get, kinds))}, not for {WORDS[kind]}; leave it out")
    check_counts(options, max_model_len=(1, 10**9), tensor_parallel_size=(1, 10**4))
    return kind


def _chosen(options: argparse.Namespace) -> Kind:
    if options.fake:
        return "fake"
    if options.server_url:
        return "server"
    if options.engine == "vllm" and not has_gpu():
        raise ModelUnavailable(
            "there is no NVIDIA GPU here, and --engine vllm needs one: leave --engine out, and llama.cpp runs the model"
        )
    if options.engine == "vllm" and find_spec("vllm") is None:
        raise ModelUnavailable("vLLM is not installed; pip install -r requirements.txt")
    return options.engine or ("vllm" if has_gpu() and find_spec("vllm") else "llama")


def start_engine(
    options: argparse.Namespace,
    report: Report,
    *,
    model: str | None = None,
    progress: Progress | None = None,
    places: int | None = None,
    fake_seconds_per_token: float = 0.0,
) -> Engine:
    """The engine that the options name. Blocks while it loads; report is called at each stage.

    model: for an engine here, in the place of options.model; progress follows its download (models.locate).
    places: how many runs it is to take at once; None leaves it to the engine.
    Raises ModelUnavailable with the remedy, BadInput for options that exclude each other, what progress raises.
    """
    kind = choose(options)
    if kind == "fake":
        from z1_core.engines.fake import PLACES, FakeEngine

        return FakeEngine(seconds_per_token=fake_seconds_per_token, places=places or PLACES)
    if kind == "server":
        return _connect(options, report, places)
    if kind == "llama":
        from z1_core.engines.llama_process import check_installed

        check_installed()  # before a download
    found = locate(model or options.model, engine=kind, report=report, progress=progress)
    trained = read_trained(found.adapter or found.path)  # before it is loaded
    report(f"loading {found.name}")
    context = {"name": found.name, "max_model_len": options.max_model_len}
    if kind == "llama":
        from z1_core.engines.llama import PLACES, LlamaEngine

        engine = LlamaEngine.start(found.path, adapter=found.adapter, places=places or PLACES, **context)
    else:
        from z1_core.engines.vllm import VllmEngine

        own = {name: value for name in VLLM_OPTIONS if (value := getattr(options, name)) is not None}
        engine = VllmEngine.start(found.path, places=places, **context, **own)
    return knowing(engine, trained)


def _connect(options: argparse.Namespace, report: Report, places: int | None) -> Engine:
    """A llama.cpp server tells itself by its /props; any other is asked as vLLM's."""
    from z1_core.engines.calls import Server

    server = Server.at(options.server_url)
    if server.is_llama():
        from z1_core.engines.llama import LlamaEngine

        if options.tokenizer:
            raise BadInput("--tokenizer is needless: llama.cpp's server has the model's own; leave it out")
        report(f"asking {server.url}")
        return LlamaEngine.connect(server, model=options.model, max_model_len=options.max_model_len, places=places)
    from z1_core.engines.server import ServerEngine

    return ServerEngine.start(
        options.server_url,
        model=options.model,
        tokenizer=options.tokenizer,
        max_model_len=options.max_model_len,
        places=places,
        report=report,
    )
