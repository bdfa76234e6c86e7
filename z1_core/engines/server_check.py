"""What a model server can do, asked once when the engine starts: whatever is missing is one sentence with its remedy."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from openai import APIConnectionError, APIError, APIStatusError, NotFoundError, OpenAI, Stream

from z1_core.engines.address import Address
from z1_core.engines.completions import IDS_BY_FIELD, IDS_BY_LOGPROBS, ids_of, request
from z1_core.engines.server_errors import cut_off, in_words, no_api
from z1_core.errors import BadInput, ModelUnavailable
from z1_core.window import Sampling

PROBE_TOKENS = 32
AT_ONCE_S_PER_TOKEN = 0.00025
"""Faster than any model writes: tokens that come at this pace were kept back and then sent together."""

ENGINE_LABEL = re.compile(r'^vllm:num_requests_running\{[^}]*engine="(\d+)"', re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Served:
    """A model as the server tells of it. root: the folder or hub id it was loaded from, or its name once more."""

    name: str
    root: str
    context_tokens: int


def find_model(client: OpenAI, address: Address, *, model: str | None, max_model_len: int | None) -> Served:
    """The model to use there. Raises ModelUnavailable or BadInput, naming what is served; EngineDead without a server."""
    if max_model_len is not None and max_model_len < 1:
        raise BadInput(f"--max-model-len is {max_model_len}; it must be at least 1")
    entries = _model_list(client, address)
    names = [entry["id"] for entry in entries]
    if model is None and len(names) != 1:
        raise BadInput(f"{address.api} serves {', '.join(names) or 'no model'}; name one of them with --model")
    wanted = names[0] if model is None else model
    if wanted not in names:
        raise ModelUnavailable(
            f"{address.api} serves no model {wanted}, but {', '.join(names)}; name that with --model"
        )
    entry = entries[names.index(wanted)]
    context = entry.get("max_model_len")
    if context is None and max_model_len is None:
        raise BadInput(f"{address.api} does not tell the context of {wanted}; give it with --max-model-len")
    if context and max_model_len and max_model_len > context:
        raise BadInput(
            f"--max-model-len is {max_model_len:,}, but the server holds {context:,} tokens; lower it, or start the "
            f"server with --max-model-len {max_model_len}"
        )
    return Served(name=wanted, root=entry.get("root") or wanted, context_tokens=max_model_len or context)


def probe(client: OpenAI, address: Address, model: str, prompt_ids: Sequence[int]) -> Mapping[str, Any]:
    """Generate a few tokens and return the request fields that make this server tell their ids.

    Raises ModelUnavailable for a server without prompts or answers of token ids, or behind a proxy that holds streams
    back; EngineDead where the stream breaks off.
    """
    refusal = None
    for ids_by in (IDS_BY_FIELD, IDS_BY_LOGPROBS):
        try:
            events, arrived_s = _generate(client, model, prompt_ids, ids_by)
        except APIError as error:
            refusal = _cannot(error, address)
            if not isinstance(refusal, ModelUnavailable):
                raise refusal from error
            continue
        _check_prompt_was_taken(events, address, prompt_ids)
        choices = [choice for event in events for choice in event.get("choices", ())]
        if not any(choice.get("finish_reason") for choice in choices):
            raise cut_off(address.api)
        ids = [ids_of(choice) for choice in choices]
        if None not in ids and any(ids):
            _check_pace(address, arrived_s, tokens=sum(map(len, ids)))
            return ids_by
    raise refusal or ModelUnavailable(
        f"{address.api} does not tell the token ids of its answers, which the second phase continues from; use vLLM "
        "0.29 or newer, SGLang with return_token_ids, or llama.cpp's server at its own address"
    )


def count_ranks(client: OpenAI, address: Address) -> int:
    """How many data-parallel replicas a vLLM server has behind this one address; 1 for servers that do not tell."""
    try:
        labels = set(ENGINE_LABEL.findall(client.get(f"{address.root}/metrics", cast_to=str)))
    except APIError:
        return 1
    return len(labels) if labels == {str(rank) for rank in range(len(labels))} and labels else 1


def _model_list(client: OpenAI, address: Address) -> list[dict[str, Any]]:
    try:
        answer = client.get("/models", cast_to=object)
        return list(answer["data"])
    except NotFoundError as error:
        raise no_api(address.api) from error
    except APIError as error:
        raise in_words(error, address.api) from error
    except (TypeError, KeyError, ValueError) as error:  # a page for people, or another JSON
        raise no_api(address.api) from error


def _generate(
    client: OpenAI, model: str, prompt_ids: Sequence[int], ids_by: Mapping[str, Any]
) -> tuple[list[dict[str, Any]], list[float]]:
    """The events of one short stream, and when each with a token came."""
    sampling = Sampling(extra=(("ignore_eos", True),))
    body = request(model, prompt_ids, sampling, ids_by, max_tokens=PROBE_TOKENS)
    events, arrived_s = [], [time.monotonic()]
    with client.post("/completions", body=body, cast_to=object, stream=True, stream_cls=Stream[object]) as stream:
        for event in stream:
            events.append(event)
            if event.get("choices"):
                arrived_s.append(time.monotonic())
    return events, arrived_s


def _cannot(error: APIError, address: Address) -> Exception:
    """Why the probe failed: ModelUnavailable for what this server cannot do at all."""
    if isinstance(error, NotFoundError):
        return ModelUnavailable(
            f"{address.api} has no /completions for this model, only perhaps a chat; the window continues from token "
            "ids, so use a server with completions (vllm serve)"
        )
    words = in_words(error, address.api, streaming=not isinstance(error, (APIStatusError, APIConnectionError)))
    if isinstance(words, BadInput):
        return ModelUnavailable(
            f"{address.api} takes no prompt of token ids ({words}); use a server that does, such as vllm serve"
        )
    return words


def _check_prompt_was_taken(events: Sequence[Mapping[str, Any]], address: Address, prompt_ids: Sequence[int]) -> None:
    """A server that makes a text of the ids counts other tokens than it was given."""
    counts = [event["usage"]["prompt_tokens"] for event in events if event.get("usage")]
    if counts and counts[-1] != len(prompt_ids):
        raise ModelUnavailable(
            f"{address.api} counts {counts[-1]} tokens in a prompt of {len(prompt_ids)} token ids, so it does not take "
            "them as they are; use a server that does, such as vllm serve"
        )


def _check_pace(address: Address, arrived_s: Sequence[float], *, tokens: int) -> None:
    """Raise ModelUnavailable where all tokens came together though they took a while."""
    if tokens < PROBE_TOKENS:
        return
    waited_s, spread_s = arrived_s[1] - arrived_s[0], arrived_s[-1] - arrived_s[1]
    limit_s = tokens * AT_ONCE_S_PER_TOKEN
    if spread_s < limit_s < waited_s:
        raise ModelUnavailable(
            f"the answers of {address.api} come all at once, not token by token: a proxy before the server holds them "
            "back; switch its buffering off (nginx: proxy_buffering off) or give the server's own address"
        )
