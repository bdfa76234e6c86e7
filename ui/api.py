"""For programs: the endpoint /think of the running page, for gradio_client and plain HTTP."""

from __future__ import annotations

import logging
from dataclasses import asdict
from typing import Any

import gradio as gr

from ui.conversation import Settings, prepare
from ui.settings_panel import whole_number
from z1_core.errors import Z1Error
from z1_core.host import EngineHost
from z1_core.prompt import SYSTEM_PROMPT, chat
from z1_core.thinking import collect
from z1_core.window import HINT, Completion

log = logging.getLogger(__name__)


def add_api(host: EngineHost, *, places: int) -> None:
    """Add the endpoints to the page that is being built."""

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
        """Think inside a window of thinking_tokens, then answer; window, hint and answer take at most total_tokens.

        Returns prompt_ids, trace, trace_ids, hint_ids, answer, answer_ids, end_reason and seconds.
        """
        try:
            settings = Settings(
                thinking_tokens=whole_number("window (thinking tokens)", thinking_tokens),
                total_tokens=whole_number("total tokens", total_tokens),
                temperature=temperature,
                top_p=top_p,
                hint=hint,
                system=system,
                seed=whole_number("seed", seed, at_least=0),
            )
            return asdict(await host.thread.submit(_run(host, prompt, settings)))
        except Z1Error as error:
            raise gr.Error(str(error), print_exception=False) from error
        except Exception as error:
            log.exception("a run through the API failed")
            raise gr.Error("the run failed because of a fault of this program", print_exception=False) from error

    gr.api(think, api_name="think", concurrency_limit=places)


async def _run(host: EngineHost, prompt: str, settings: Settings) -> Completion:
    engine = host.engine()
    turn = await prepare(engine, prompt, settings, chat(prompt, system=settings.system))
    return await collect(engine, turn.prompt_ids, turn.window, turn.sampling)
