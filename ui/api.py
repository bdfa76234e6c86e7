"""For programs: the endpoints /think and /sweep of the running page, for gradio_client, plain HTTP and, where the package
mcp is installed, as MCP tools."""

from __future__ import annotations

import logging
from collections.abc import Coroutine
from dataclasses import asdict
from typing import Any, TypeVar

import gradio as gr

from ui.conversation import Settings, prepare
from ui.settings_panel import whole_number
from z1_core.errors import BadInput, Z1Error
from z1_core.host import EngineHost
from z1_core.prompt import SYSTEM_PROMPT, chat
from z1_core.sweep import collect_sweep
from z1_core.thinking import collect
from z1_core.window import HINT, Completion, Sampling, Window

log = logging.getLogger(__name__)

MOST_WINDOWS = 16


T = TypeVar("T")


def add_api(host: EngineHost, *, places: int) -> None:
    """Add the endpoints to the page that is being built. Their docstrings are what an MCP client shows its model."""

    async def think(
        prompt: str,
        thinking_tokens: int = 512,
        total_tokens: int = 1024,
        temperature: float = 0.0,
        top_p: float = 1.0,
        seed: int = 0,
        system: str = SYSTEM_PROMPT,
        hint: str = HINT,
    ) -> dict[str, Any]:
        """Think inside a window of thinking_tokens, then answer.

        Returns prompt_ids, trace, trace_ids, hint_ids, answer, answer_ids, end_reason and seconds. Where end_reason is
        "inside" the model stopped by itself, and the trace holds the answer.

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

        async def run() -> dict[str, Any]:
            settings = _settings(thinking_tokens, total_tokens, temperature, top_p, seed, system, hint)
            return asdict(await host.thread.submit(_think(host, prompt, settings)))

        return await _answered(run())

    async def sweep(
        prompt: str,
        windows: list[int],
        answer_tokens: int = 256,
        temperature: float = 0.0,
        top_p: float = 1.0,
        seed: int = 0,
        system: str = SYSTEM_PROMPT,
        hint: str = HINT,
    ) -> list[dict[str, Any]]:
        """Think once, inside the largest window, and answer at every window that the trace passes: what would a smaller
        window have answered?

        Returns one entry for each window, in their order: thinking_tokens, and the fields that think returns.

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

        async def run() -> list[dict[str, Any]]:
            sizes = _sizes(windows)
            answer = whole_number("answer tokens", answer_tokens)
            settings = _settings(sizes[-1], sizes[-1], temperature, top_p, seed, system, hint)
            runs = await host.thread.submit(_sweep(host, prompt, settings, sizes, answer))
            return [{"thinking_tokens": size, **asdict(made)} for size, made in zip(sizes, runs, strict=True)]

        return await _answered(run())

    for endpoint in (think, sweep):
        gr.api(endpoint, api_name=endpoint.__name__, concurrency_limit=places)


async def _answered(run: Coroutine[Any, Any, T]) -> T:
    """What the run gives; what goes wrong is said in one sentence."""
    try:
        return await run
    except Z1Error as error:
        raise gr.Error(str(error), print_exception=False) from error
    except Exception as error:
        log.exception("a run through the API failed")
        raise gr.Error("the run failed because of a fault of this program", print_exception=False) from error


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


async def _think(host: EngineHost, prompt: str, settings: Settings) -> Completion:
    engine = host.engine()
    turn = await prepare(engine, prompt, settings, chat(prompt, system=settings.system))
    return await collect(engine, turn.prompt_ids, turn.window, turn.sampling)


async def _sweep(
    host: EngineHost, prompt: str, settings: Settings, sizes: list[int], answer_tokens: int
) -> list[Completion]:
    engine = host.engine()
    prompt_ids = engine.text.render(chat(prompt, system=settings.system))
    windows = [Window(thinking_tokens=size, answer_tokens=answer_tokens, hint=settings.hint) for size in sizes]
    sampling = Sampling(temperature=settings.temperature, top_p=settings.top_p, seed=settings.seed)
    return await collect_sweep(engine, prompt_ids, windows, sampling)
