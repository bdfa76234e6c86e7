"""Which engine to run, as command-line options: declared once for the page, the terminal and the benchmarks."""

from __future__ import annotations

import argparse
import os

from z1_core.errors import BadInput


def add_engine_options(options: argparse.ArgumentParser) -> None:
    group = options.add_argument_group("model")
    group.add_argument(
        "--model",
        help="hub id (or ID@REVISION) or folder for vLLM; FILE.gguf, hub id or ID:FILE.gguf for llama.cpp (default: Z1-7B "
        "on an NVIDIA GPU, else the embedded SmolLM2-135M-Shift; SmolLM2-135M is its base)",
    )
    group.add_argument(
        "--engine", choices=("vllm", "llama"), help="default: vllm where there is an NVIDIA GPU, llama everywhere else"
    )
    group.add_argument("--max-model-len", type=int, help="context to reserve memory for (default: the model's own)")
    group.add_argument("--tensor-parallel-size", type=int, help="vLLM: GPUs to split the model over (default 1)")
    group.add_argument(
        "--gpu-memory-utilization", type=float, help="vLLM: share of the GPU's memory to use (default 0.9)"
    )
    group.add_argument("--fake", action="store_true", help="a scripted engine instead of a model")
    group.add_argument(
        "--server-url",
        metavar="URL",
        help="a running server (vllm serve or llama.cpp, see docs/serving.md) instead of an engine here; --model is its "
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
        value = os.environ.get(f"Z1_{action.dest.upper()}")
        if not value or not action.option_strings or action.nargs == 0:
            continue
        if action.choices and value not in action.choices:  # argparse converts a default and leaves its choice alone
            raise BadInput(f"{action.option_strings[0]} is {value}; it is {' or '.join(action.choices)}")
        action.default = value


def check_counts(options: argparse.Namespace, **bounds: tuple[int, int]) -> None:
    """Raises BadInput for a number that is given and not within its bounds, both of which it may be."""
    for name, (least, most) in bounds.items():
        value = getattr(options, name)
        if value is not None and not least <= value <= most:
            raise BadInput(f"--{name.replace('_', '-')} is {value}; it must be from {least} to {most}")


def at_least(least: int, **values: float | None) -> None:
    """Raises BadInput for an option that is given and below that."""
    for name, value in values.items():
        if value is not None and not value >= least:
            raise BadInput(f"--{name.replace('_', '-')} is {value}; it must be at least {least}")
