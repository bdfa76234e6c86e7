"""For programs: the endpoints /think and /sweep of the running page, for gradio_client, plain HTTP and, where the package
mcp is installed, as MCP tools."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Callable, Collection, Mapping
from contextlib import aclosing
from functools import wraps
from inspect import Parameter, Signature, signature
from typing import Any, get_type_hints

import gradio as gr

from ui.comparison import Place, prepare_comparison
from ui.conversation import Turn, prepare
from ui.presets import fitted
from z1_core.errors import BadInput, Z1Error
from z1_core.host import EngineHost
from z1_core.prompt import chat
from z1_core.settings import FIELDS, Settings, read_settings, whole_number

log = logging.getLogger(__name__)

MOST_WINDOWS = 16
TEXTS = ("system", "hint")
KEYWORD = Parameter.POSITIONAL_OR_KEYWORD


def add_api(host: EngineHost) -> None:
    """Add the endpoints to the page that is being built. Their docstrings are what an MCP client shows its model. They
    stream, so that Gradio notices between two pieces that nobody reads any more, and the engine is free."""

    async def think(prompt: str, settings: Settings) -> AsyncGenerator[dict[str, Any], None]:
        """Think inside a window of thinking_tokens, then answer.

        Returns prompt_ids, trace, trace_ids, hint_ids, answer, answer_ids, end_reason and seconds. Where end_reason is
        "inside" the model stopped by itself, and the trace holds the answer. Streams trace and answer as they are
        written, with end_reason null, and waiting: how many wait for a place, this run among them.

        Args:
            prompt: The question.
        """
        turn = await asyncio.to_thread(prepare, host, prompt, settings, chat(prompt, system=settings.system))
        async with aclosing(turn.follow(host)) as ticks:
            async for _ in ticks:
                yield _record(turn)

    async def sweep(
        prompt: str, windows: list[int], settings: Settings, answer_tokens: int = 256
    ) -> AsyncGenerator[list[dict[str, Any]], None]:
        """Think once, inside the largest window, and answer at every window that the trace passes: what would a smaller
        window have answered?

        Returns one entry for each window, in their order: thinking_tokens, and the fields that think returns. Streams
        as think does.

        Args:
            prompt: The question.
            windows: Thinking tokens, in growing order, at most 16 of them, such as [128, 512, 2048].
            answer_tokens: The most tokens of each answer.
        """
        sizes, answer = _sizes(windows), whole_number("answer_tokens", answer_tokens)
        comparison = await asyncio.to_thread(prepare_comparison, host, prompt, settings, sizes, answer)
        async with aclosing(comparison.follow(host)) as ticks:
            async for _ in ticks:
                yield [{"thinking_tokens": each.window.thinking_tokens, **_record(each)} for each in comparison.places]

    gr.api(with_settings(host, think), api_name="think")
    gr.api(with_settings(host, sweep, without=("thinking_tokens", "total_tokens")), api_name="sweep")


def with_settings(host: EngineHost, endpoint: Callable, *, without: Collection[str] = ()) -> Callable:
    """The endpoint, but instead of its parameter `settings` one for each field, behind the others, with its default and its
    help. Texts have no default of their own, as the usual ones hang on the model. What goes wrong, a value that is no
    setting among it, is said in one sentence."""
    fields = {name: field for name, field in FIELDS.items() if name not in without}
    kinds = {**get_type_hints(endpoint), **{name: field.annotation for name, field in fields.items()}}
    kinds |= dict.fromkeys(TEXTS, str | None)
    defaults = {name: None if name in TEXTS else getattr(host.usual(), name) for name in fields}
    own = [each for each in signature(endpoint).parameters.values() if each.name != "settings"]
    more = [Parameter(name, KEYWORD, default=value, annotation=kinds[name]) for name, value in defaults.items()]
    shape = Signature([*own, *more], return_annotation=kinds["return"])

    @wraps(endpoint)
    async def called(*given: Any, **named: Any) -> AsyncGenerator[Any, None]:
        values = shape.bind(*given, **named).arguments
        chosen = {name: values.pop(name) for name in fields if name in values}
        try:
            settings = _settings(host, chosen)
            async with aclosing(endpoint(**values, settings=settings)) as pieces:
                async for piece in pieces:
                    yield piece
        except Z1Error as error:
            raise gr.Error(str(error), print_exception=False) from error
        except Exception as error:
            log.exception("a run through the API failed")
            raise gr.Error("the run failed because of a fault of this program", print_exception=False) from error

    lines = (f"            {name}: {field.description}\n" for name, field in fields.items())
    called.__doc__ = f"{endpoint.__doc__.rstrip()}\n{''.join(lines)}"
    called.__signature__ = shape
    called.__annotations__ = {name: kind for name, kind in kinds.items() if name != "settings"}
    return called


def _settings(host: EngineHost, chosen: Mapping[str, Any]) -> Settings:
    usual = {name: getattr(host.usual(), name) for name in TEXTS if chosen.get(name) is None}
    return fitted(read_settings({**chosen, **usual}), host.context_tokens())


def _record(run: Turn | Place) -> dict[str, Any]:
    """Token ids come with the end of a run: sent with each piece, those of a long one would be more work than writing
    it."""
    ids = {f"{phase}_ids": ids for phase, ids in run.ids.items()} | {"prompt_ids": list(run.prompt_ids)}
    return {
        "trace": run.texts["trace"],
        "answer": run.texts["answer"],
        "end_reason": run.end_reason,
        "seconds": time.monotonic() - run.started_s,
        **(ids if run.end_reason else {"waiting": run.queue}),
    }


def _sizes(windows: object) -> list[int]:
    if not isinstance(windows, list) or not 1 <= len(windows) <= MOST_WINDOWS:
        raise BadInput(f"windows is {windows!r:.60}; it must be a list of 1 to {MOST_WINDOWS} whole numbers")
    return [whole_number("window", size) for size in windows]
