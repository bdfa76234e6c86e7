"""Which engine to run, as command-line options: declared once for the page, the terminal and the benchmarks."""

from __future__ import annotations

import argparse
import os
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

from z1_core.engine import Engine
from z1_core.errors import BadInput, ModelUnavailable
from z1_core.models import Z1_7B, Report, has_gpu, locate

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def add_engine_options(options: argparse.ArgumentParser) -> None:
    group = options.add_argument_group("model")
    group.add_argument(
        "--model", help="hub id (or ID@REVISION) or folder (default: Z1-7B on a GPU, else the embedded one)"
    )
    group.add_argument("--max-model-len", type=int, help="context to reserve memory for (default: the model's own)")
    group.add_argument("--tensor-parallel-size", type=int, default=1, help="GPUs to split the model over (default 1)")
    group.add_argument(
        "--gpu-memory-utilization", type=float, default=0.9, help="share of the GPU's memory to use (default 0.9)"
    )
    group.add_argument("--fake", action="store_true", help="a scripted engine instead of a model")
    group.add_argument(
        "--server-url",
        metavar="URL",
        help="a running model server instead of an engine here (vllm serve, see docs/serving.md); --model is then its "
        "name there; the server's key, if it wants one, comes from Z1_API_KEY or OPENAI_API_KEY",
    )
    group.add_argument("--tokenizer", help="with --server-url: hub id or folder, where the server does not tell it")


def add_wait_option(options: argparse.ArgumentParser) -> None:
    """For work that lasts: what to do where the server goes away in the middle of it (see patience.py)."""
    options.add_argument(
        "--wait-for-server",
        type=float,
        default=600,
        metavar="SECONDS",
        help="how long to wait for a server that goes away, before the run stops and can be continued (default 600)",
    )


def server_wait_s(options: argparse.Namespace) -> float:
    """0 where there is no server to wait for. Raises BadInput."""
    if not options.wait_for_server >= 0:
        raise BadInput(f"--wait-for-server is {options.wait_for_server:g}; it must be at least 0 seconds")
    return options.wait_for_server if options.server_url else 0


def take_variables(options: argparse.ArgumentParser) -> None:
    """Let every option that has a value come from the environment, too: Z1_MODEL for --model. A Space and a container
    have no command line; where there is one, it wins."""
    for action in options._actions:
        if action.option_strings and action.nargs != 0:
            action.default = os.environ.get(f"Z1_{action.dest.upper()}") or action.default  # argparse converts a text


def tokenizer_of(options: argparse.Namespace) -> PreTrainedTokenizerBase:
    """The tokenizer alone, without weights or engine. Raises as start_engine."""
    _check(options)
    if options.fake:
        from z1_core.fake_engine import small_tokenizer

        return small_tokenizer()
    if options.server_url:
        from z1_core.server_engine import server_tokenizer

        return server_tokenizer(options.server_url, model=options.model, tokenizer=options.tokenizer)
    from transformers import AutoTokenizer

    model = options.model or (Z1_7B if has_gpu() else str(locate(None).folder))
    name, _, revision = (model, "", "") if Path(model).is_dir() else model.partition("@")
    try:
        return AutoTokenizer.from_pretrained(name, revision=revision or "main")
    except (OSError, ValueError) as error:
        reason = str(error).strip().splitlines()[0]
        raise ModelUnavailable(f"{model} has no tokenizer that can be had here: {reason}") from error


def start_engine(
    options: argparse.Namespace, report: Report, *, beside_a_browser: bool = False, fake_seconds_per_token: float = 0.0
) -> Engine:
    """The engine that the options name. Blocks while it loads; report is called at each stage.

    beside_a_browser: the page that shows what it writes has to be drawn on the same cores.
    Raises ModelUnavailable with the remedy, BadInput for options that exclude each other.
    """
    _check(options)
    if options.fake:
        from z1_core.fake_engine import FakeEngine

        return FakeEngine(seconds_per_token=fake_seconds_per_token)
    if options.server_url:
        from z1_core.server_engine import ServerEngine

        return ServerEngine.start(
            options.server_url,
            model=options.model,
            tokenizer=options.tokenizer,
            max_model_len=options.max_model_len,
            report=report,
        )
    from z1_core.vllm_engine import VllmEngine

    _check_build()
    model = locate(options.model, report=report)
    report(f"loading {model.name}")
    engine = VllmEngine.start(
        model.folder,
        name=model.name,
        max_model_len=options.max_model_len,
        tensor_parallel_size=options.tensor_parallel_size,
        gpu_memory_utilization=options.gpu_memory_utilization,
    )
    if beside_a_browser and not has_gpu():
        engine.give_way()
    return engine


def _check_build() -> None:
    """Before anything is downloaded: the usual vLLM without a GPU ends in a trace that says nothing to a visitor."""
    try:
        build = version("vllm")
    except PackageNotFoundError:  # the CPU build has another name
        return
    if "cpu" not in build and not has_gpu():
        raise ModelUnavailable(
            f"there is no GPU here, and the vLLM that is installed ({build}) needs one: choose hardware with a GPU, or "
            "install requirements-cpu.txt instead (on a Space: the Dockerfile)"
        )


def _check(options: argparse.Namespace) -> None:
    """No option that nothing reads: those of an engine here mean nothing to one that runs elsewhere."""
    if options.fake and options.server_url:
        raise BadInput("--fake and --server-url exclude each other; give one of them")
    if options.tokenizer and not options.server_url:
        raise BadInput("--tokenizer goes with --server-url; a model here brings its own")
    if options.server_url and options.tensor_parallel_size != 1:
        raise BadInput("--tensor-parallel-size is for an engine here; give it to the server instead")
