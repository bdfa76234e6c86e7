"""A model server for other programs and machines: vllm serve with the options that fit the model and this machine.

    python -m z1_core.serve                                        # then: python app.py --server-url http://127.0.0.1:8000
    python -m z1_core.serve --model efficientscaling/Z1-7B --data-parallel-size 4

The window's clients send their own hint. For plain OpenAI clients the server knows it, too: they send
"thinking_token_budget" and get vLLM's own single-pass form of the window (docs/serving.md says what differs).
Options that are not listed here are those of vllm serve and are handed through.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from z1_core.errors import BadInput, ModelUnavailable, first_sentence
from z1_core.models import Model, locate
from z1_core.options import check_counts
from z1_core.program import program
from z1_core.prompt import chat
from z1_core.trained import read_trained

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

HERE_ONLY = ("127.0.0.1", "localhost")
OPEN = (
    "anybody who reaches {host}:{port} can use the model: set Z1_API_KEY first, and keep the port in a private network"
)

NO_TURN = (
    "the chat template marks no beginning of an answer, so that thinking_token_budget of plain clients does nothing"
)


def parser() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(prog="python -m z1_core.serve", description="A model server, by vLLM.")
    options.add_argument("--model", help="hub id or folder (default: Z1-7B)")
    options.add_argument(
        "--host", default=HERE_ONLY[0], help="address to listen on (default: %(default)s, this machine)"
    )
    options.add_argument("--port", type=int, default=8000, help="port (default %(default)s)")
    options.add_argument("--max-model-len", type=int, help="context (default: the model's own)")
    options.add_argument("--tensor-parallel-size", type=int, default=1, help="GPUs to split the model over (default 1)")
    options.add_argument("--data-parallel-size", type=int, default=1, help="replicas of the model (default 1)")
    options.add_argument(
        "--hint", help="what vLLM inserts for plain clients (default: the model's own, or the paper's)"
    )
    return options


@program()
def main(argv: list[str] | None = None) -> int:
    options, others = parser().parse_known_args(argv)
    check(options, others)  # before gigabytes of a model are fetched
    if find_spec("vllm") is None:
        raise ModelUnavailable("vllm is not installed; pip install -r requirements.txt, on Linux with an NVIDIA GPU")
    model = locate(options.model, engine="vllm", report=lambda stage: print(f"{stage} ...", file=sys.stderr))
    turn = start_of_turn(_tokenizer(model))
    if turn is None:
        print(f"warning: {NO_TURN}", file=sys.stderr)
    command = [*serve_command(options, model, turn), *others]
    key = os.environ.get("Z1_API_KEY", "")
    if not key and options.host not in HERE_ONLY:
        print(f"warning: {OPEN.format(host=options.host, port=options.port)}", file=sys.stderr)
    os.execve(sys.executable, command, environment(key))  # noqa: S606


def check(options: argparse.Namespace, others: Sequence[str]) -> None:
    """Raises BadInput. others: for vllm serve, which takes a model without --model in front."""
    sizes = dict.fromkeys(("tensor_parallel_size", "data_parallel_size"), (1, 10**4))
    check_counts(options, port=(1, 65_535), max_model_len=(1, 10**9), **sizes)
    if others and not others[0].startswith("-"):
        raise BadInput(f"{others[0]} stands alone; name a model as --model {others[0]}")


def serve_command(options: argparse.Namespace, model: Model, turn: str | None) -> list[str]:
    """The command line of vLLM's server, by its module: `vllm serve` asks for the version of a package named vllm, which
    the CPU build is not. turn: where a plain client's thinking begins; without it such clients have no window."""
    command = [sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model", str(model.path)]
    command += ["--served-model-name", served_name(model), "--host", options.host, "--port", str(options.port)]
    command += ["--enable-prefix-caching", "--enable-prompt-tokens-details", "--disable-uvicorn-access-log"]
    if turn:
        reasoning = {"reasoning_start_str": turn, "reasoning_end_str": options.hint or read_trained(model.path).hint}
        command += ["--reasoning-config", json.dumps(reasoning)]
    if options.max_model_len:
        command += ["--max-model-len", str(options.max_model_len)]
    for name in ("tensor_parallel_size", "data_parallel_size"):
        if (count := getattr(options, name)) != 1:
            command += [f"--{name.replace('_', '-')}", str(count)]
    return command


def environment(key: str) -> Mapping[str, str]:
    """What vLLM reads from there, the key among it, which others could read on a command line."""
    made = {"VLLM_NO_USAGE_STATS": "1", "VLLM_WORKER_MULTIPROC_METHOD": "spawn", **os.environ}
    return made | {"VLLM_API_KEY": key} if key else made


def served_name(model: Model) -> str:
    """The hub id where there is one, so that a client on another machine finds the tokenizer by it."""
    return model.name if Path(model.source).is_dir() else model.source.partition("@")[0]


def start_of_turn(tokenizer: PreTrainedTokenizerBase) -> str | None:
    """What the chat template puts where the model is to write, "<|im_start|>assistant\\n" for instance; None where it
    puts nothing there. Raises BadInput for a model that cannot chat."""
    messages = chat("Hello", system="")
    try:
        before = tokenizer.apply_chat_template(messages, tokenize=False)
        turn = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True).removeprefix(before)
    except Exception as error:  # transformers' for no template, Jinja's for one that wants more
        raise BadInput(
            f"the model has no usable chat template ({first_sentence(error, 200)}); choose an instruction-tuned model"
        ) from error
    return turn if turn.strip() else None


def _tokenizer(model: Model) -> PreTrainedTokenizerBase:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(model.path)


if __name__ == "__main__":
    sys.exit(main())
