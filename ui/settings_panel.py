"""The settings beside the conversation: one component that draws a control for each field of z1_core.settings. The browser
remembers what is chosen, and a link carries it; both may hold anything, so all of it is read here."""

from __future__ import annotations

import random
from typing import Any
from urllib.parse import parse_qsl

import gradio as gr
from annotated_types import Ge
from pydantic.fields import FieldInfo

from ui.html import macros, sentence
from ui.presets import PRESETS, fitted, preset_of, with_numbers
from ui.wiring import QUICK, component, told
from z1_core.errors import BadInput
from z1_core.host import EngineHost
from z1_core.settings import FIELDS, MOST_ON_OFFER, NAMES, Settings, read_settings, usable_settings
from z1_core.window import Window


class SettingsPanel:
    """Builds the panel where it is made. What it holds comes with the events of the tabs: see chosen()."""

    def __init__(self, host: EngineHost) -> None:
        self.host = host
        self.view = component(panel_html(), "settings", ["changed"], elem_classes="z1-settings")
        # Not "always_last": what Gradio (6.31) then sends behind a call is that call once more.
        self.view.changed(self._follow, None, self.view, trigger_mode="multiple", **QUICK)

    async def _follow(self, asked: gr.EventData) -> dict[str, Any]:
        """What follows from the values in the boxes. values: those to write there, of all fields when the page opens; edits:
        the number of changes that they come from."""
        context_tokens, usual = self.host.context_tokens(), self.host.usual()
        kept, complaints = usable_settings(told(asked, "values", dict))
        linked, unusable = usable_settings(
            dict(parse_qsl(told(asked, "link", str).lstrip("?"), keep_blank_values=True))
        )
        settings = read_settings({**usual.model_dump(by_alias=True), **kept, **linked})
        opens, preset, shown = told(asked, "opens", bool), told(asked, "preset", str), told(asked, "shown", str)
        before = words(settings)
        settings = with_numbers(settings, *PRESETS[preset]) if preset in PRESETS else settings
        settings = fitted(settings, context_tokens, also_beyond=True)
        values = words(settings)
        if not opens:
            values = {name: word for name, word in values.items() if word != before[name]}
        return {
            "edits": told(asked, "edits", int),
            "values": values,
            "defaults": words(usual),
            "most": context_tokens or MOST_ON_OFFER,
            "preset": preset_of(settings, context_tokens, preset or shown),
            "told": link_sentence(linked, unusable),
            **await self._leaves(settings, [] if opens else complaints),
        }

    async def _leaves(self, settings: Settings, complaints: list[str]) -> dict[str, Any]:
        """A line that says how many tokens the total leaves for the answer, or what does not go."""
        try:
            if complaints:
                raise BadInput(complaints[0])
            hint_tokens = await self.host.count_tokens(settings.hint)
            sizes = {"thinking_tokens": settings.thinking_tokens, "total_tokens": settings.total_tokens}
            window = Window.from_total(**sizes, hint_tokens=hint_tokens)
        except BadInput as error:
            return {"leaves": sentence(str(error)), "wrong": True}
        # Without a model nobody can say how long the hint is.
        return {"leaves": f"Leaves {window.answer_tokens:,} for the answer." if hint_tokens else "", "wrong": False}


def chosen(asked: gr.EventData) -> Settings:
    """What the panel held when the event was sent; a new seed where there was none. Raises BadInput."""
    settings = read_settings(told(asked, "settings", dict))
    drawn = random.randrange(10**6) if settings.seed is None else settings.seed  # noqa: S311 - a seed, not a secret
    return settings.model_copy(update={"seed": drawn})


def words(settings: Settings) -> dict[str, str]:
    """The values as they stand in the boxes, by the fields' short names: read_settings() makes the same of them."""
    bare = settings.hint.strip()
    hint = NAMES.get(settings.hint, bare if Settings(hint=bare).hint == settings.hint else settings.hint)
    values = settings.model_dump(by_alias=True) | {"hint": hint}
    return {
        name: "" if value is None else f"{value:g}" if isinstance(value, float) else str(value)
        for name, value in values.items()
    }


def link_sentence(usable: dict[str, Any], complaints: list[str]) -> str:
    """What a link has set and what of it was passed over; empty for a plain address."""
    parts = [f"Set by the link: {', '.join(usable)}."] if usable else []
    return " ".join([*parts, *(f"Not taken from the link: {complaint}." for complaint in complaints)])


def panel_html() -> str:
    """A slider with its exact number for each field that has a step, and behind a fold the others."""
    return macros("tabs").settings({name: name for name in PRESETS}, [_control(*each) for each in FIELDS.items()])


def _control(name: str, field: FieldInfo) -> dict[str, Any]:
    extras = field.json_schema_extra or {}
    step, names = extras.get("step"), {each: each.capitalize() for each in extras.get("names", ())}
    return {
        "name": field.alias or name,
        "field": field,
        "step": step,
        "most": extras.get("most"),
        "least": next((each.ge for each in field.metadata if isinstance(each, Ge)), step),
        "names": names and {**names, "": "Own text"},
    }
