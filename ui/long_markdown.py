"""Model text as Markdown in pieces: what is finished is drawn once, and only the newest piece again at every update.

One Markdown of 8,000 tokens takes a browser most of a second to draw; a piece of it takes some twenty milliseconds.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import zip_longest

import gradio as gr

MOST_PIECES = 8
PIECE_CHARACTERS = 3000
CHARACTERS_PER_TOKEN = 4

LATEX = [
    {"left": "$$", "right": "$$", "display": True},
    {"left": "\\[", "right": "\\]", "display": True},
    {"left": "\\(", "right": "\\)", "display": False},
]
"""A single $ is left out: it eats prices."""

LINES = re.compile(r"[^\n]*\n|[^\n]+")
FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")


class LongMarkdown:
    """Builds its components where it is made. shown: the pieces of a finished text; None leaves room for any text."""

    def __init__(self, shown: Sequence[str] | None, *, elem_classes: str) -> None:
        with gr.Column(elem_classes=elem_classes), gr.Column(elem_classes="z1-pieces"):
            self.components = [_piece(text) for text in ([""] * MOST_PIECES if shown is None else shown)]

    def values(self, shown: Sequence[str]) -> dict[gr.blocks.Block, str]:
        """What each component shows of a text as it grows: all but the last that has any stay as they are."""
        return dict(zip_longest(self.components, shown, fillvalue=""))


def _piece(text: str) -> gr.Markdown:
    made = gr.Markdown(latex_delimiters=LATEX, elem_classes="z1-piece", line_breaks=True)
    made.value = text  # as it was written, see wiring.AS_WRITTEN
    return made


def pieces(text: str, most_tokens: int) -> list[str]:
    """The text in at most MOST_PIECES pieces, each to be rendered by itself; joined they are the text again.

    most_tokens: how many it may become; a longer text has longer pieces.
    A piece ends behind a blank line and before text at the margin, outside of code and display formulas. Where it ends
    depends only on what stands before, so that it does not move while more is written.
    """
    least = max(PIECE_CHARACTERS, CHARACTERS_PER_TOKEN * most_tokens // MOST_PIECES)
    made, start, end, fence, blank = [], 0, 0, "", False
    for line in LINES.findall(text):
        long_enough = blank and not fence and end - start >= least
        if long_enough and not line[0].isspace() and len(made) < MOST_PIECES - 1 and not _open(text[start:end], least):
            made.append(text[start:end])
            start = end
        fence = _fence_after(line, fence)
        blank = not line.strip()
        end += len(line)
    return [*made, text[start:]] if text else []


def _open(piece: str, least: int) -> bool:
    """Whether a display formula begins in it and does not end. One that never ends holds nothing up for long."""
    begun = piece.count("$$") % 2 or piece.count("\\[") > piece.count("\\]")
    return bool(begun) and len(piece) < 2 * least


def _fence_after(line: str, fence: str) -> str:
    """The mark that is to close the code block in which the next line stands; empty outside of one."""
    found = FENCE.match(line)
    if not found:
        return fence
    if not fence:
        return found[1]
    closes = found[1].startswith(fence) and not line.strip().strip(fence[0])
    return "" if closes else fence
