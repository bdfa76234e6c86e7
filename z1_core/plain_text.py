"""Text from people and models stays text: a control token's string in it never becomes the control token."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from itertools import pairwise
from typing import Any, NoReturn

from z1_core.errors import BadInput, EngineDead, ModelUnavailable

Template = Callable[[Sequence[Mapping[str, str]]], str]
"""A conversation -> its text by the model's chat template, ending where the model is to write."""

Encode = Callable[[str], list[int]]

EDGE = "\x01"
"""A character that grows together with no other one."""


class ControlStrings:
    """How a model's control tokens are written. Runs of blanks, which some tokenizers add as tokens, control nothing."""

    def __init__(self, strings: Iterable[str]) -> None:
        longest_first = sorted((string for string in strings if string.strip()), key=len, reverse=True)
        any_of = "|".join(map(re.escape, longest_first)) or r"(?!)"
        self._whole = re.compile(f"({any_of})")
        self._start = re.compile(f"(?={any_of})")

    def split(self, text: str, seam: str | None = None) -> list[str]:
        """Text and control tokens by turns: those at odd places are control tokens. seam: what to take out of the text."""
        parts = self._whole.split(text)
        return [part.replace(seam, "") for part in parts] if seam else parts

    def pieces(self, text: str) -> list[str]:
        """The text, parted behind the first character of every control token's string, also of one inside another, so
        that none is whole."""
        cuts = [0, *(match.start() + 1 for match in self._start.finditer(text)), len(text)]
        return [text[start:end] for start, end in pairwise(cuts)]

    def render(self, template: Template, messages: Sequence[Mapping[str, str]]) -> list[str]:
        """The conversation by the template, split. What stands in the messages is no control token, whatever it says.

        Raises BadInput if the template refuses the messages.
        """
        seam = new_secret()
        safe = [{**message, "content": self.parted(message["content"], seam)} for message in messages]
        try:
            text = template(safe)
        except (BadInput, EngineDead, ModelUnavailable):
            raise
        except Exception as error:  # Jinja templates raise their own kinds for roles they do not know
            without = "; leave the system prompt empty" if messages[0]["role"] == "system" else ""
            raise BadInput(f"the model's chat template refuses these messages: {error}{without}") from error
        return self.split(text, seam)

    def parted(self, text: str, seam: str) -> str:
        """The text with a seam in every control token's string, so that split() takes none for the token."""
        return seam.join(self.pieces(text))


def behind_text(encode: Encode) -> Encode:
    """encode, for text that stands behind other text: without the space that SentencePiece puts before what it is given."""
    edge = encode(EDGE)
    if encode(f"{EDGE}a") == [*edge, *encode("a")]:
        return encode

    def behind(text: str) -> list[int]:
        if not text:
            return []
        ids = encode(EDGE + text)
        return ids[len(edge) :] if ids[: len(edge)] == edge else encode(text)

    return behind


def new_secret() -> str:
    """A string that no text holds: drawn anew each time, between characters of the private use area."""
    return f"\ue000{secrets.token_hex(8)}\ue000"


def chat_template(source: str, **variables: str) -> Template:
    """A template as a function, in the environment that they are written for: that of transformers, whose import takes five
    to nine seconds on two cores. variables: what else it may name, such as bos_token."""
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"]
    )
    environment.filters["tojson"] = _tojson
    environment.globals.update(raise_exception=_refuse, strftime_now=lambda form: datetime.now().strftime(form))
    compiled = environment.from_string(source)

    def render(messages: Sequence[Mapping[str, str]]) -> str:
        return compiled.render(messages=list(messages), add_generation_prompt=True, **variables)

    return render


def _tojson(value: Any, indent: int | None = None) -> str:
    """Jinja's own escapes HTML, which no model was trained on."""
    return json.dumps(value, ensure_ascii=False, indent=indent)


def _refuse(message: str) -> NoReturn:
    raise ValueError(message)
