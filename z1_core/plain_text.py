"""Text from people and models stays text: a control token's string in it never becomes the control token.

Such a string is parted by a seam before it goes through a chat template, and the pieces are encoded one by one: what a
seam has parted cannot grow together again.
"""

from __future__ import annotations

import re
import secrets
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def control_pattern(tokenizer: PreTrainedTokenizerBase) -> re.Pattern[str]:
    """Matches (at zero width) wherever the string of an added token starts, also inside another one. Runs of blanks,
    which some tokenizers add as tokens, control nothing and stay whole."""
    contents = {token.content for token in tokenizer.added_tokens_decoder.values()}
    strings = sorted((content for content in contents if content.strip()), key=len, reverse=True)
    return re.compile(f"(?=({'|'.join(map(re.escape, strings))}))" if strings else r"(?!)")


def parted(pattern: re.Pattern[str], seam: str, text: str) -> str:
    """The text with a seam behind the first character of every control-token string, so that none is whole."""
    cuts = [0, *(match.start() + 1 for match in pattern.finditer(text)), len(text)]
    return seam.join(text[start:end] for start, end in pairwise(cuts))


def new_seam() -> str:
    """A mark that no text holds: drawn anew each time, between characters of the private use area."""
    return f"\ue000{secrets.token_hex(8)}\ue000"
