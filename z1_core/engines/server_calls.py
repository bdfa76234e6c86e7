"""The calls of a model server that speaks OpenAI's completions: what goes into a request, what an event of a stream says,
and what the server can do, asked once when the engine starts: whatever is missing is one sentence with its remedy."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from z1_core.engine import Delta, FinishReason
from z1_core.engines.calls import Server, cut_off, reading, refusal
from z1_core.engines.tokenizer_text import TokenizerText
from z1_core.errors import BadInput, EngineDead, ModelUnavailable, Z1Error
from z1_core.plain_text import behind_text
from z1_core.window import Sampling

PLAIN: Mapping[str, Any] = {
    "top_k": -1,
    "min_p": 0.0,
    "repetition_penalty": 1.0,
    "presence_penalty": 0.0,
    "frequency_penalty": 0.0,
}
"""Said in each request: a server fills what is missing from the model's own defaults, and a greedy run with a hidden
penalty is another method."""

FINISH_REASONS: Mapping[str, FinishReason] = {"stop": "stop", "length": "length", "repetition": "stop"}
"""repetition: vLLM's, where the caller's own rule ended it."""

STRICT = ConfigDict(strict=True)
Id = Annotated[int, Field(ge=0, lt=2**31)]

ENGINE_LABEL = re.compile(r'^vllm:num_requests_running\{[^}]*engine="(\d+)"', re.MULTILINE)

SAMPLE = "Hello, wörld! 🙂\n\n  def f(x):\n\treturn x ** 2  # 你好\n"
"""Text that few tokenizers agree on."""


def request(
    model: str, prompt_ids: Sequence[int], sampling: Sampling, *, max_tokens: int, tokens_per_event: int = 1
) -> dict[str, Any]:
    """The body of a streaming request. sampling.extra wins over the plain defaults, sampling's own fields over it.

    tokens_per_event: the first token and the end come at once in any case (vLLM 0.29; others send each token).
    """
    drawn = {"temperature": sampling.temperature, "top_p": sampling.top_p if sampling.temperature else 1.0}
    if sampling.seed is not None:
        drawn["seed"] = sampling.seed_at(len(prompt_ids))
    bundled = {"stream_interval": tokens_per_event} if tokens_per_event > 1 else {}
    return {
        **PLAIN,
        **bundled,
        **dict(sampling.extra),
        **drawn,
        "return_token_ids": True,
        "model": model,
        "prompt": list(prompt_ids),
        "max_tokens": max_tokens,
        "add_special_tokens": False,
        "stream": True,
        "stream_options": {"include_usage": True},
    }


class Written(BaseModel):
    """A piece of an answer."""

    model_config = STRICT
    text: str | None = None
    token_ids: list[Id] | None = None
    finish_reason: str | None = None

    @property
    def delta(self) -> Delta:
        """Raises EngineDead where the server gave up."""
        if self.finish_reason and self.finish_reason not in FINISH_REASONS:
            raise EngineDead(f"the server ended the answer itself (finish reason {self.finish_reason}); try again")
        return Delta(self.text or "", tuple(self.token_ids or ()), FINISH_REASONS.get(self.finish_reason))


class Usage(BaseModel):
    """None for what the server does not tell."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    prompt_tokens_details: dict[str, Any] | None = None

    @property
    def cached_tokens(self) -> int:
        return (self.prompt_tokens_details or {}).get("cached_tokens") or 0


class Event(BaseModel):
    """What an event of a stream tells, in fields as OpenAI names them."""

    choices: list[Written] | None = None
    usage: Usage | None = None
    error: Any = None

    @classmethod
    def read(cls, line: bytes, url: str) -> Event | None:
        """None for a line that is no event. For reading(). Raises what an error in it means."""
        if line.startswith(b"{") and b'"choices"' in line:
            raise TypeError("an answer in one piece: it ignores that a stream was asked for")
        if not line.startswith(b"data:") or line[5:].strip() in (b"", b"[DONE]"):
            return None
        event = cls.model_validate_json(line[5:])
        if event.error:
            code = event.error.get("code") if isinstance(event.error, dict) else None
            raise refusal(code if isinstance(code, int) else 500, line[5:], url)
        return event


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
    choices = [choice for event in events for choice in event.choices or ()]
    counts = [event.usage.prompt_tokens for event in events if event.usage and event.usage.prompt_tokens is not None]
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
        if Path(name).is_dir() or "/" in name:  # any other is a name that the server's owner made up
            with suppress(ModelUnavailable):
                return TokenizerText.load(name)
    return None
