"""The settings: four sliders under their published meaning, and what is needed more rarely, folded away."""

from __future__ import annotations

import math
import random
from collections.abc import Awaitable, Callable
from html import escape
from typing import Any

import gradio as gr

from ui.conversation import Settings
from z1_core.errors import BadInput
from z1_core.prompt import SYSTEM_PROMPT
from z1_core.window import BOXED_HINT, HINT, Window

CountTokens = Callable[[str], Awaitable[int]]
"""How many tokens a hint takes."""

PUBLISHED_MAX_TOKENS = 32_768
HINTS = {"Plain": HINT, "Boxed": BOXED_HINT}
OWN = "Own text"


class SettingsPanel:
    """Builds the panel where it is made. `inputs` go to read(), in this order."""

    def __init__(self, *, thinking_tokens: int = 512, total_tokens: int = 1024) -> None:
        with gr.Column(elem_classes="z1-settings", scale=1, min_width=290):
            self.window = gr.Slider(
                minimum=1,
                maximum=PUBLISHED_MAX_TOKENS,
                value=thinking_tokens,
                step=1,
                label="Shifted thinking window",
                info="The most tokens the model may think before it is asked for its answer.",
                elem_id="window",
            )
            self.total = gr.Slider(
                minimum=1,
                maximum=PUBLISHED_MAX_TOKENS,
                value=total_tokens,
                step=1,
                label="Total tokens",
                info="Window, inserted hint and answer together.",
                elem_id="total",
            )
            self.leaves = gr.HTML()
            self.temperature = gr.Slider(
                minimum=0, maximum=2, value=0, step=0.1, label="Temperature", info="0 is repeatable.", elem_id="temp"
            )
            self.top_p = gr.Slider(
                minimum=0.01,
                maximum=1,
                value=1,
                step=0.01,
                label="Top-p",
                info="Counts only when the temperature is above 0.",
                elem_id="top-p",
            )
            with gr.Accordion("System prompt, hint, seed", open=False):
                self.system = gr.Textbox(SYSTEM_PROMPT, lines=2, label="System prompt", info="May be empty.")
                self.hint = gr.Radio(
                    [*HINTS, OWN], value="Plain", label="Hint", info="What is inserted when the window closes."
                )
                self.own_hint = gr.Textbox(HINT.strip(), lines=2, label="Your hint", visible=False, elem_id="own-hint")
                self.seed = gr.Textbox(
                    "", label="Seed", info="A whole number repeats a draw above temperature 0. Empty draws a new one."
                )
        self.hint.change(
            lambda kind: gr.update(visible=kind == OWN), self.hint, self.own_hint, queue=False, api_visibility="private"
        )

    def tell_what_is_left(self, count_tokens: CountTokens) -> None:
        """Keep a line under the sliders that says how many tokens the total leaves for the answer."""

        async def left(*settings: object) -> str:
            try:
                chosen = self.read(*settings)
                hint_tokens = await count_tokens(chosen.hint)
                window = Window.from_total(
                    thinking_tokens=chosen.thinking_tokens, total_tokens=chosen.total_tokens, hint_tokens=hint_tokens
                )
            except BadInput as error:
                return f'<div class="z1-leaves z1-none">{escape(str(error))}</div>'
            return f'<div class="z1-leaves">Leaves {window.answer_tokens:,} for the answer.</div>'

        gr.on(
            [field.change for field in (self.window, self.total, self.hint, self.own_hint)],
            left,
            self.inputs,
            self.leaves,
            queue=False,
            show_progress="hidden",
            trigger_mode="always_last",
            api_visibility="private",
        )

    @property
    def inputs(self) -> list[gr.components.Component]:
        return [
            self.window, self.total, self.temperature, self.top_p, self.system, self.hint, self.own_hint, self.seed,
        ]  # fmt: skip

    def fit(self, context_tokens: int | None) -> dict[gr.components.Component, Any]:
        """Bounds for the sliders: the model's context, once it is known."""
        return {
            slider: gr.update(maximum=context_tokens or PUBLISHED_MAX_TOKENS) for slider in (self.window, self.total)
        }

    @staticmethod
    def read(
        window: object, total: object, temperature: float, top_p: float, system: str, hint: str, own: str, seed: str
    ) -> Settings:
        """The settings as values. Raises BadInput, naming the value and the remedy."""
        if hint == OWN and not own.strip():
            raise BadInput("your own hint is empty; type the phrase to insert, or choose Plain")
        return Settings(
            thinking_tokens=whole_number("window (thinking tokens)", window),
            total_tokens=whole_number("total tokens", total),
            temperature=temperature,
            top_p=top_p,
            hint=HINTS.get(hint) or f"\n\n{own.strip()}\n\n",
            system=system or "",
            seed=_seed(seed),
        )


def whole_number(name: str, value: object, *, at_least: int = 1) -> int:
    """JSON has one kind of number: 256.0 is 256, but 256.5, NaN and "256" are no counts. Raises BadInput."""
    if isinstance(value, float) and math.isfinite(value) and value == int(value):
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool) and value >= at_least:
        return value
    raise BadInput(f"{name} is {value!r:.40}; it must be a whole number of at least {at_least}")


def _seed(text: str) -> int:
    text = str(text or "").strip()
    if not text:
        return random.randrange(10**6)  # noqa: S311 - a seed, not a secret
    if not (text.isascii() and text.isdigit()):
        raise BadInput(f"seed is {text[:40]!r}; it must be a whole number of at least 0, or empty")
    return int(text)
