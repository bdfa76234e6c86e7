"""The settings: presets, four sliders under their published meaning, and what is needed more rarely, folded away. The
browser remembers them, and a link carries them."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Awaitable, Callable
from html import escape
from typing import Any

import gradio as gr
from gradio.context import Context

from ui.choices import CHOICES, HINTS, MOST_TOKENS, OWN, link_sentence, of_model, read_choices
from ui.conversation import Settings
from ui.presets import PRESETS, fitted, preset_of
from ui.wiring import QUICK
from z1_core.errors import BadInput
from z1_core.trained import Trained
from z1_core.window import Window

CountTokens = Callable[[str], Awaitable[int]]
"""How many tokens a hint takes."""

ContextTokens = Callable[[], int | None]
"""The model's context; None while there is no model."""

DEFAULTS = {choice.name: choice.default for choice in CHOICES}
COPY_LINK, RESET = "Copy link", "Reset"
REMEMBERED = "z1-demo-settings"


class SettingsPanel:
    """Builds the panel where it is made. `inputs` go to read(), in this order."""

    def __init__(self) -> None:
        with gr.Column(elem_classes="z1-settings", scale=1, min_width=290):
            self.preset = gr.Radio([*PRESETS], value="Balanced", label="Window preset", elem_id="preset")
            self._build_sliders()
            with gr.Accordion("System prompt, hint, seed", open=False, elem_classes="z1-rarer"):
                self._build_rarer()
            with gr.Row(elem_classes="z1-settings-foot"):
                self.copy_link = gr.Button(COPY_LINK, size="sm", elem_id="copy-link", min_width=90)
                self.reset = gr.Button(RESET, size="sm", elem_id="reset", min_width=70)
            self.told = gr.HTML(elem_id="link-told")
        self.remembered = gr.BrowserState(None, storage_key=REMEMBERED, secret="remembered, not hidden")

    def _build_sliders(self) -> None:
        self.window = gr.Slider(
            minimum=1, maximum=MOST_TOKENS, value=DEFAULTS["window"], step=1, label="Shifted thinking window",
            info="The most tokens the model may think before it is asked for its answer.", elem_id="window", buttons=[],
        )  # fmt: skip
        self.total = gr.Slider(
            minimum=1, maximum=MOST_TOKENS, value=DEFAULTS["total"], step=1, label="Total tokens",
            info="Window, inserted hint and answer together.", elem_id="total", buttons=[],
        )  # fmt: skip
        self.leaves = gr.HTML()
        self.temperature = gr.Slider(
            minimum=0,
            maximum=2,
            value=0,
            step=0.1,
            label="Temperature",
            info="0 is repeatable.",
            elem_id="temp",
            buttons=[],
        )
        self.top_p = gr.Slider(
            minimum=0.01, maximum=1, value=1, step=0.01, label="Top-p",
            info="Counts only when the temperature is above 0.", elem_id="top-p", buttons=[],
        )  # fmt: skip

    def _build_rarer(self) -> None:
        self.system = gr.Textbox(
            DEFAULTS["system"], lines=2, label="System prompt", info="May be empty.", elem_id="system"
        )
        self.hint = gr.Radio(
            [*HINTS, OWN], value="Plain", label="Hint", info="What is inserted when the window closes.", elem_id="hint"
        )
        self.own_hint = gr.Textbox(DEFAULTS["own_hint"], lines=2, label="Your hint", visible=False, elem_id="own-hint")
        self.seed = gr.Textbox(
            "", label="Seed", info="A whole number repeats a draw above temperature 0. Empty draws a new one.",
            elem_id="seed",
        )  # fmt: skip

    def offer_presets(self, context_tokens: ContextTokens) -> None:
        """Let a preset set both sliders."""

        def choose(name: str) -> dict:
            preset = PRESETS[name].within(context_tokens() or MOST_TOKENS)
            return {self.window: preset.thinking_tokens, self.total: preset.total_tokens}

        chosen = self.preset.input(choose, self.preset, [self.window, self.total], **QUICK)
        self._remember_after(chosen.then)

    def remember(self, context_tokens: ContextTokens, trained: Callable[[], Trained]) -> None:
        """Keep what the visitor chooses in the browser, restore it with the page, and let a link go before it.

        Only the visitor's own input is kept: what a link sets is theirs when they change it.
        """

        def restore(kept: object, request: gr.Request) -> dict:
            usable, _ = read_choices(kept if isinstance(kept, dict) else {})
            linked, complaints = read_choices(dict(request.query_params))
            values = {**DEFAULTS, **of_model(trained()), **usable, **linked}
            fitting = fitted(values["window"], values["total"], context_tokens() or MOST_TOKENS)
            values |= {"window": fitting.thinking_tokens, "total": fitting.total_tokens}
            return {**self._values(values), self.told: _told_html(link_sentence(linked, complaints))}

        Context.root_block.load(restore, self.remembered, [*self.inputs, self.told], **QUICK)
        self._remember_after(
            lambda *wiring, **options: gr.on([field.input for field in self.inputs], *wiring, **options)
        )
        names = json.dumps(list(DEFAULTS.items()))
        self.copy_link.click(
            None, self.inputs, self.copy_link, js=f"async (...values) => [await window.z1.copyLink({names}, values)]"
        ).then(None, None, self.copy_link, js=f"() => window.z1.soon({json.dumps(COPY_LINK)})")
        reset = self.reset.click(
            lambda: {**self._values({**DEFAULTS, **of_model(trained())}), self.told: ""}, None,
            [*self.inputs, self.told], **QUICK,
        )  # fmt: skip
        self._remember_after(reset.then)

    def _remember_after(self, when: Callable) -> None:
        """Runs in the browser alone."""
        names = json.dumps(list(DEFAULTS))
        when(None, self.inputs, self.remembered, js=f"(...values) => [window.z1.named({names}, values)]")

    def _values(self, values: dict[str, Any]) -> dict[gr.components.Component, Any]:
        return {field: values[name] for name, field in zip(DEFAULTS, self.inputs, strict=True)}

    def show_what_follows(self, context_tokens: ContextTokens, count_tokens: CountTokens) -> None:
        """Keep in step with the settings: the preset they stand at, the box for an own hint, and a line that says how
        many tokens the total leaves for the answer.

        One handler for all three: where two of them answer to the same change and both keep the last one waiting, Gradio
        lets them start each other again for ever.
        """

        async def follow(preset: str | None, *settings: object) -> dict:
            named = dict(zip(DEFAULTS, settings, strict=True))
            return {
                self.preset: preset_of(named["window"], named["total"], context_tokens() or MOST_TOKENS, preset),
                self.own_hint: gr.update(visible=named["hint"] == OWN),
                self.leaves: await self._leaves(count_tokens, *settings),
            }

        gr.on(
            [field.change for field in (self.window, self.total, self.hint, self.own_hint)] + [Context.root_block.load],
            follow, [self.preset, *self.inputs], [self.preset, self.own_hint, self.leaves],
            trigger_mode="always_last", **QUICK,
        )  # fmt: skip

    async def _leaves(self, count_tokens: CountTokens, *settings: object) -> str:
        try:
            chosen = self.read(*settings)
            hint_tokens = await count_tokens(chosen.hint)
            window = Window.from_total(
                thinking_tokens=chosen.thinking_tokens, total_tokens=chosen.total_tokens, hint_tokens=hint_tokens
            )
        except BadInput as error:
            return f'<div class="z1-leaves z1-none">{escape(str(error))}</div>'
        if not hint_tokens:  # no model yet that could say how long the hint is
            return ""
        return f'<div class="z1-leaves">Leaves {window.answer_tokens:,} for the answer.</div>'

    @property
    def inputs(self) -> list[gr.components.Component]:
        return [
            self.window, self.total, self.temperature, self.top_p, self.system, self.hint, self.own_hint, self.seed,
        ]  # fmt: skip

    def fit(self, context_tokens: int | None, window: int, total: int) -> dict[gr.components.Component, Any]:
        """Bounds for the sliders: the model's context, once it is known. What stands beyond it is brought back."""
        most = context_tokens or MOST_TOKENS
        fitting = fitted(window, total, most)
        changed = (fitting.thinking_tokens, fitting.total_tokens) != (window, total)
        values = ({"value": fitting.thinking_tokens}, {"value": fitting.total_tokens}) if changed else ({}, {})
        return {self.window: gr.update(maximum=most, **values[0]), self.total: gr.update(maximum=most, **values[1])}

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
            temperature=filled("temperature", temperature),
            top_p=filled("top-p", top_p),
            hint=HINTS.get(hint) or f"\n\n{own.strip()}\n\n",
            system=system or "",
            seed=read_seed(seed),
        )


def whole_number(name: str, value: object, *, at_least: int = 1) -> int:
    """JSON has one kind of number: 256.0 is 256, but 256.5, NaN and "256" are no counts. Raises BadInput."""
    if isinstance(value, float) and math.isfinite(value) and value == int(value):
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool) and value >= at_least:
        return value
    shown = "empty" if value in (None, "") else f"{value!r:.40}"
    raise BadInput(f"{name} is {shown}; it must be a whole number of at least {at_least}")


def filled(name: str, value: float | None) -> float:
    """Raises BadInput for the value of a field that was emptied."""
    if value is None:
        raise BadInput(f"{name} is empty; enter a number")
    return value


def read_seed(text: str) -> int:
    """The seed in the field; a new one where it is empty. Raises BadInput."""
    text = str(text or "").strip()
    if not text:
        return random.randrange(10**6)  # noqa: S311 - a seed, not a secret
    if not (text.isascii() and text.isdigit()):
        raise BadInput(f"seed is {text[:40]!r}; it must be a whole number of at least 0, or empty")
    return int(text)


def _told_html(sentence: str) -> str:
    return f'<div class="z1-told" role="status">{escape(sentence)}</div>' if sentence else ""
