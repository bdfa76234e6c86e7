"""What a person chooses for a run, declared once: the page's panel, links, the browser's memory, the API, exported runs and
the terminal all take names, bounds, defaults and help from here. Another setting is another field."""

from __future__ import annotations

import argparse
from collections.abc import Collection, Mapping
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StrictStr, TypeAdapter, ValidationError

from z1_core.errors import BadInput
from z1_core.prompt import SYSTEM_PROMPT
from z1_core.window import BOXED_HINT, HINT, Sampling

HINTS = {"plain": HINT, "boxed": BOXED_HINT}
NAMES = {text: name for name, text in HINTS.items()}
MOST_CHARACTERS = 1_000_000
KINDS = {list: "a list", dict: "an object"}
MOST_ON_OFFER = 32_768
"""Tokens: the upper end of the published sliders."""


def _no_truth(value: object) -> object:
    """True is no number here."""
    if isinstance(value, bool):
        raise ValueError("it is a truth value")
    return value


def _whole_hint(value: str) -> str:
    """The name of a published one stands for it. A phrase without white space around it becomes a paragraph, as those are;
    any other goes in as it is."""
    if not value.strip():
        raise ValueError("the hint is empty")
    value = HINTS.get(value.casefold(), value)
    return f"\n\n{value}\n\n" if value == value.strip() else value


def _or_none(value: object) -> object:
    return None if isinstance(value, str) and not value.strip() else value


Count = Annotated[int, BeforeValidator(_no_truth)]
Number = Annotated[float, BeforeValidator(_no_truth)]
Text = Annotated[StrictStr, Field(max_length=MOST_CHARACTERS)]
Hint = Annotated[Text, BeforeValidator(lambda value: _whole_hint(value) if isinstance(value, str) else value)]
Seed = Annotated[Count | None, BeforeValidator(_or_none)]


class Settings(BaseModel):
    """total_tokens: window, hint and answer together, in tokens. seed: None draws a new one.

    The alias is the name in links and on the page; step and most: of its slider, as long as no model sets an end; names:
    what stands for a text.
    """

    model_config = ConfigDict(frozen=True, allow_inf_nan=False, populate_by_name=True, loc_by_alias=False)

    thinking_tokens: Count = Field(
        1024, ge=1, le=10_000_000, alias="window", title="Shifted thinking window",
        description="The most tokens the model may think before it is asked for its answer.",
        json_schema_extra={"step": 1, "most": MOST_ON_OFFER},
    )  # fmt: skip
    total_tokens: Count = Field(
        2048, ge=1, le=10_000_000, alias="total", title="Total tokens",
        description="Window, inserted hint and answer together.", json_schema_extra={"step": 1, "most": MOST_ON_OFFER},
    )  # fmt: skip
    temperature: Number = Field(
        0.0, ge=0, le=2, title="Temperature", description="0 is repeatable.", json_schema_extra={"step": 0.1, "most": 2}
    )
    top_p: Number = Field(
        1.0, gt=0, le=1, title="Top-p", description="Counts only when the temperature is above 0.",
        json_schema_extra={"step": 0.01, "most": 1},
    )  # fmt: skip
    seed: Seed = Field(
        None, ge=0, le=2**63 - 1, title="Seed",
        description="A whole number repeats a draw above temperature 0; without one each draw is new.",
    )  # fmt: skip
    system: Text = Field(SYSTEM_PROMPT, title="System prompt", description="May be empty.")
    hint: Hint = Field(
        HINT, min_length=1, title="Hint",
        description="What is inserted when the window closes: plain, boxed, or a phrase of your own.",
        json_schema_extra={"names": HINTS},
    )  # fmt: skip

    @property
    def sampling(self) -> Sampling:
        return Sampling(temperature=self.temperature, top_p=self.top_p, seed=self.seed)


FIELDS = Settings.model_fields
SHORT = {field.alias or name: name for name, field in FIELDS.items()}
"""The names in links and on the page, in the order of the fields."""


def read_settings(values: Mapping[str, Any]) -> Settings:
    """Settings of values from anywhere, by short or long names; numbers may be texts. Raises BadInput, naming the first
    value that is none, as it was given."""
    usable, complaints = usable_settings(values)
    if complaints:
        raise BadInput(complaints[0])
    return Settings(**usable)


def usable_settings(values: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """The values that are settings, by short name, and a sentence about each that is none. Other names are passed over."""
    given = {short: name for short, long in SHORT.items() for name in (long, short) if name in values}
    known = {short: values[name] for short, name in given.items()}
    try:
        Settings(**known)
    except ValidationError as error:
        longs = {fault["loc"][0] for fault in error.errors(include_url=False)}
        wrong = [short for short in known if SHORT[short] in longs]
        usable = {short: value for short, value in known.items() if short not in wrong}
        return usable, [f"{given[short]} is {shown(known[short])}; it must be {_wanted(short)}" for short in wrong]
    return known, []


def whole_number(name: str, value: object, *, at_least: int = 1) -> int:
    """A count that is no setting, such as a place in a trace: 256, 256.0 or "256". Raises BadInput."""
    try:
        return TypeAdapter(Annotated[Count, Field(ge=at_least)]).validate_python(value)
    except ValidationError:
        raise BadInput(f"{name} is {shown(value)}; it must be a whole number of at least {at_least}") from None


def add_setting_options(options: argparse.ArgumentParser, *, without: Collection[str] = ()) -> None:
    """An option of the command line for each field. Their values are for read_settings() to check."""
    options = options.add_argument_group("settings")
    for name, field in FIELDS.items():
        if name not in without:
            usual = "" if field.default is None else f" (default {NAMES.get(field.default, field.default)})"
            options.add_argument(
                f"--{name.replace('_', '-')}",
                default=argparse.SUPPRESS,
                help=f"{field.title}. {field.description}{usual}",
            )


def shown(value: object) -> str:
    """Short, and in characters that are safe to show: it may come from anyone."""
    if value is None or value == "":
        return "empty"
    if isinstance(value, int) and value.bit_length() > 200:
        return "a number beyond all bounds"
    text = ascii(value) if isinstance(value, str | int | float) else KINDS.get(type(value), "of another kind")
    return text if len(text) <= 40 else text[:37] + "..."


def _wanted(short: str) -> str:
    """What the field takes, in words, from its own bounds."""
    field = FIELDS[SHORT[short]]
    bounds = {type(each).__name__: each for each in field.metadata}
    if "MaxLen" in bounds:
        return f"a text of {'1 to' if 'MinLen' in bounds else 'at most'} {bounds['MaxLen'].max_length:,} characters"
    low = f"above {bounds['Gt'].gt} and at most" if "Gt" in bounds else f"from {bounds['Ge'].ge} to"
    kind = "a number" if field.annotation is float else "a whole number"
    return f"{kind} {low} {bounds['Le'].le:,}{', or empty' if field.default is None else ''}"
