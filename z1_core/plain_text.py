"""Text from people and models stays text: a control token's string in it never becomes the control token.

Such a string is parted by a seam before it goes through a chat template, and the pieces are encoded one by one: what a
seam has parted cannot grow together again.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise

from z1_core.errors import BadInput, EngineDead, ModelUnavailable

Template = Callable[[Sequence[Mapping[str, str]]], str]
"""A conversation -> its text by the model's chat template, ending where the model is to write."""


def control_pattern(strings: Iterable[str]) -> re.Pattern[str]:
    """Matches (at zero width) wherever one of the strings starts, also inside another one. Runs of blanks, which some
    tokenizers add as tokens, control nothing and stay whole."""
    longest_first = sorted((string for string in strings if string.strip()), key=len, reverse=True)
    return re.compile(f"(?=({'|'.join(map(re.escape, longest_first))}))" if longest_first else r"(?!)")


def pieces(pattern: re.Pattern[str], text: str) -> list[str]:
    """The text, parted behind the first character of every control-token string, so that none is whole."""
    cuts = [0, *(match.start() + 1 for match in pattern.finditer(text)), len(text)]
    return [text[start:end] for start, end in pairwise(cuts)]


def parted(pattern: re.Pattern[str], seam: str, text: str) -> str:
    """The same as one text, with a seam between the pieces."""
    return seam.join(pieces(pattern, text))


def rendered(pattern: re.Pattern[str], template: Template, messages: Sequence[Mapping[str, str]]) -> list[str]:
    """The conversation by the template, in pieces that are to be encoded one by one, control tokens and all.

    Raises BadInput if the template refuses the messages.
    """
    seam = new_seam()
    safe = [{**message, "content": parted(pattern, seam, message["content"])} for message in messages]
    try:
        text = template(safe)
    except (BadInput, EngineDead, ModelUnavailable):
        raise
    except Exception as error:  # Jinja templates raise their own kinds for roles they do not know
        raise BadInput(f"the model's chat template refuses these messages: {error}") from error
    return [piece for piece in text.split(seam) if piece]


def new_seam() -> str:
    """A mark that no text holds: drawn anew each time, between characters of the private use area."""
    return f"\ue000{secrets.token_hex(8)}\ue000"
