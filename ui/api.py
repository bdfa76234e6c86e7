"""For programs: the endpoints /think and /sweep of the running page, for gradio_client, plain HTTP and, where the package
mcp is installed, as MCP tools."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import gradio as gr

from ui.comparison import Place, prepare_comparison
from ui.conversation import Settings, Turn, prepare
from ui.settings_panel import whole_number
from z1_core.errors import BadInput, Z1Error
from z1_core.host import EngineHost
from z1_core.prompt import SYSTEM_PROMPT, chat
from z1_core.window import HINT

log = logging.getLogger(__name__)

MOST_WINDOWS = 16

Given, Piece = ParamSpec("Given"), TypeVar("Piece")


def in_words(
    endpoint: Callable[Given, AsyncGenerator[Piece, None]],
) -> Callable[Given, AsyncGenerator[Piece, None]]:
    """Decorator: what goes wrong is said in one sentence."""

    @wraps(endpoint)
    async def streamed(*given: Given.args, **named: Given.kwargs) -> AsyncGenerator[Piece, None]:
        try:
            async with aclosing(endpoint(*given, **named)) as pieces:
                async for piece in pieces:
                    yield piece
        except Z1Error as error:
            raise gr.Error(str(error), print_exception=False) from error
        except Exception as error:
            log.exception("a run through the API failed")
            raise gr.Error("the run failed because of a fault of this program", print_exception=False) from error

    return streamed


def add_api(host: EngineHost) -> None:
    """Add the endpoints to the page that is being built. Their docstrings are what an MCP client shows its model. They
    stream, so that Gradio notices between two pieces that nobody reads any more, and the engine is free."""

    @in_words
    async def think(
        prompt: str,
        thinking_tokens: int = 512,
        total_tokens: int = 1024,
        temperature: float = 0.0,
        top_p: float = 1.0,
        seed: int = 0,
        system: str = SYSTEM_PROMPT,
        hint: str = HINT,
    ) -> AsyncGenerator[dict[str, Any], None]:
        """Think inside a window of thinking_tokens, then answer.

        Returns prompt_ids, trace, trace_ids, hint_ids, answer, answer_ids, end_reason and seconds. Where end_reason is
        "inside" the model stopped by itself, and the trace holds the answer. Streams trace and answer as they are
        written, with end_reason null, and waiting: how many wait for a place, this run among them.

        Args:
            prompt: The question.
            thinking_tokens: The window: the most tokens the model may think before the hint is inserted.
            total_tokens: Window, hint and answer together.
            temperature: 0 is greedy and repeatable; at most 2.
            top_p: Above 0, at most 1; counts only at temperatures above 0.
            seed: Repeats a draw at temperatures above 0.
            system: The system prompt; may be empty.
            hint: The phrase that is inserted when the window closes.
        """

        started_s = time.monotonic()
        settings = _settings(thinking_tokens, total_tokens, temperature, top_p, seed, system, hint)
        turn = await asyncio.to_thread(prepare, host.engine(), prompt, settings, chat(prompt, system=system))
        async with aclosing(turn.follow(host)) as ticks:
            async for _ in ticks:
                yield _record(turn, turn.prompt_ids, started_s)

    @in_words
    async def sweep(
        prompt: str,
        windows: list[int],
        answer_tokens: int = 256,
        temperature: float = 0.0,
        top_p: float = 1.0,
        seed: int = 0,
        system: str = SYSTEM_PROMPT,
        hint: str = HINT,
    ) -> AsyncGenerator[list[dict[str, Any]], None]:
        """Think once, inside the largest window, and answer at every window that the trace passes: what would a smaller
        window have answered?

        Returns one entry for each window, in their order: thinking_tokens, and the fields that think returns. Streams
        as think does.

        Args:
            prompt: The question.
            windows: Thinking tokens, in growing order, at most 16 of them, such as [128, 512, 2048].
            answer_tokens: The most tokens of each answer.
            temperature: 0 is greedy and repeatable; at most 2.
            top_p: Above 0, at most 1; counts only at temperatures above 0.
            seed: Repeats a draw at temperatures above 0.
            system: The system prompt; may be empty.
            hint: The phrase that is inserted when a window closes.
        """

        started_s = time.monotonic()
        sizes, answer = _sizes(windows), whole_number("answer tokens", answer_tokens)
        settings = _settings(sizes[-1], sizes[-1], temperature, top_p, seed, system, hint)
        comparison = await asyncio.to_thread(prepare_comparison, host.engine(), prompt, settings, sizes, answer)
        async with aclosing(comparison.follow(host)) as ticks:
            async for _ in ticks:
                yield [
                    {
                        "thinking_tokens": place.window.thinking_tokens,
                        **_record(place, comparison.prompt_ids, started_s),
                    }
                    for place in comparison.places
                ]

    for endpoint in (think, sweep):
        gr.api(endpoint, api_name=endpoint.__name__)


def _record(run: Turn | Place, prompt_ids: Sequence[int], started_s: float) -> dict[str, Any]:
    """Token ids come with the end of a run: sent with each piece, those of a long one would be more work than writing
    it."""
    ids = {f"{phase}_ids": ids for phase, ids in run.ids.items()} | {"prompt_ids": list(prompt_ids)}
    return {
        "trace": run.texts["trace"],
        "answer": run.texts["answer"],
        "end_reason": run.end_reason,
        "seconds": time.monotonic() - started_s,
        **(ids if run.end_reason else {"waiting": run.queue}),
    }


def _settings(
    thinking_tokens: object,
    total_tokens: object,
    temperature: float,
    top_p: float,
    seed: object,
    system: str,
    hint: str,
) -> Settings:
    return Settings(
        thinking_tokens=whole_number("window (thinking tokens)", thinking_tokens),
        total_tokens=whole_number("total tokens", total_tokens),
        temperature=temperature,
        top_p=top_p,
        hint=hint,
        system=system,
        seed=whole_number("seed", seed, at_least=0),
    )


def _sizes(windows: object) -> list[int]:
    if not isinstance(windows, list) or not 1 <= len(windows) <= MOST_WINDOWS:
        raise BadInput(f"windows is {windows!r:.60}; it must be a list of 1 to {MOST_WINDOWS} whole numbers")
    return [whole_number("window (thinking tokens)", size) for size in windows]
