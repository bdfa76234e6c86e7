"""What a model server can do, asked once when the engine starts: whatever is missing is one sentence with its remedy."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from z1_core.engines.calls import Server, cut_off, reading
from z1_core.engines.server_calls import Event
from z1_core.engines.tokenizer_text import TokenizerText
from z1_core.errors import BadInput, ModelUnavailable, Z1Error
from z1_core.plain_text import behind_text

ENGINE_LABEL = re.compile(r'^vllm:num_requests_running\{[^}]*engine="(\d+)"', re.MULTILINE)

SAMPLE = "Hello, wörld! 🙂\n\n  def f(x):\n\treturn x ** 2  # 你好\n"
"""Text that few tokenizers agree on."""

HUB_S = 5.0


@dataclass(frozen=True, slots=True)
class Served:
    """A model as the server tells of it. root: the folder or hub id it was loaded from, or its name once more."""

    name: str
    root: str
    context_tokens: int


def find_model(server: Server, *, model: str | None, max_model_len: int | None) -> Served:
    """The model to use there. Raises ModelUnavailable or BadInput, naming what is served; EngineDead without a server."""
    answer = server.ask("GET", "/v1/models")
    with reading(server.url):
        entries = {str(entry["id"]): entry for entry in answer.json()["data"]}
    names = list(entries)
    if not names:
        raise ModelUnavailable(f"{server.url} serves no model at the moment; load one there")
    if model is None and len(names) > 1:
        raise BadInput(f"{server.url} serves {_some(names)}; name one of them with --model")
    wanted = names[0] if model is None else model
    if wanted not in names:
        raise ModelUnavailable(f"{server.url} serves no model {wanted}, but {_some(names)}; name that with --model")
    with reading(server.url):
        context, root = int(entries[wanted].get("max_model_len") or 0), str(entries[wanted].get("root") or wanted)
    if not context and not max_model_len:
        raise BadInput(f"{server.url} does not tell the context of {wanted}; give it with --max-model-len")
    if context and max_model_len and max_model_len > context:
        raise BadInput(
            f"--max-model-len is {max_model_len:,}, but the server holds {context:,} tokens; lower it, or start the "
            f"server with --max-model-len {max_model_len}"
        )
    return Served(name=wanted, root=root, context_tokens=max_model_len or context)


def find_text(server: Server, served: Served, *, named: str | None) -> TokenizerText:
    """The text side of the served model. named: --tokenizer, which wins; without it, from where the server loaded the model
    or by its name. Raises ModelUnavailable where there is none, or it is another model's."""
    text = TokenizerText.load(named) if named else _one_at_hand(served)
    if text is None:
        raise ModelUnavailable(
            f"the tokenizer of {served.name} cannot be had here; name it with --tokenizer HUB_ID_OR_FOLDER (of the "
            "folder, tokenizer.json, tokenizer_config.json and chat_template.jinja are enough)"
        )
    if _splits_otherwise(server, served.name, text):
        raise ModelUnavailable(
            f"the tokenizer {named or served.root} is not that of the served model {served.name}: they split a text "
            "differently; name the right one with --tokenizer"
        )
    return text


def check_ids(server: Server, body: Mapping[str, Any]) -> None:
    """Generate a few tokens. Raises ModelUnavailable for a server without prompts or answers of token ids; EngineDead where
    the answer breaks off. body: the request."""
    try:
        answer = server.ask("POST", "/v1/completions", json=body)
    except BadInput as error:
        raise ModelUnavailable(
            f"{server.url} takes no prompt of token ids ({error}); use a server that does, such as vllm serve"
        ) from error
    with reading(server.url):
        events = [event for line in answer.content.split(b"\n") if (event := Event.read(line, server.url))]
    choices = [choice for event in events for choice in event.choices]
    counts = [event.usage.prompt_tokens for event in events if event.usage]
    if not any(choice.finish_reason for choice in choices):
        raise cut_off(server.url)
    if counts and counts[-1] != len(body["prompt"]):  # it makes a text of the ids
        raise ModelUnavailable(
            f"{server.url} counts {counts[-1]} tokens in a prompt of {len(body['prompt'])} token ids, so it does not take "
            "them as they are; use a server that does, such as vllm serve"
        )
    if any(choice.token_ids is None and choice.text for choice in choices):
        raise ModelUnavailable(
            f"{server.url} does not tell the token ids of its answers, which the second phase continues from; use vLLM "
            "0.29 or newer, SGLang with return_token_ids, or llama.cpp's server at its own address"
        )


def count_ranks(server: Server) -> int:
    """How many data-parallel replicas a vLLM server has behind this one address; 1 for servers that do not tell."""
    try:
        labels = set(ENGINE_LABEL.findall(server.ask("GET", "/metrics").text))
    except Z1Error:
        return 1
    return len(labels) if labels == {str(rank) for rank in range(len(labels))} and labels else 1


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")


def _splits_otherwise(server: Server, model: str, text: TokenizerText) -> bool:
    def theirs(sample: str) -> list[int]:
        body = {"model": model, "prompt": sample, "add_special_tokens": False}
        return [*server.ask("POST", "/tokenize", json=body).json()["tokens"]]

    try:
        with reading(server.url):
            return behind_text(theirs)(SAMPLE) != text.encode(SAMPLE)
    except Z1Error:  # a server that cannot split a text is trusted
        return False


def _one_at_hand(served: Served) -> TokenizerText | None:
    """From where the server loaded the model, or by its name: a folder of this machine, or a hub id."""
    for name in dict.fromkeys((served.root, served.name)):
        may_be_hub_id = not name.startswith((".", "/", "~")) and name.count("/") == 1
        if not (Path(name).is_dir() or may_be_hub_id):
            continue
        with suppress(ModelUnavailable):
            return TokenizerText.load(name, local_files_only=True)
        if may_be_hub_id and _is_on_hub(name):
            with suppress(ModelUnavailable):
                return TokenizerText.load(name)
    return None


def _is_on_hub(name: str) -> bool:
    """Asked once, without the patience of a download, as the name may as well be unknown there."""
    from huggingface_hub import HfApi

    try:
        HfApi().model_info(name, timeout=HUB_S)
    except Exception:  # unknown, gated, no network: whatever the transports of the Hub's client raise
        return False
    return True
