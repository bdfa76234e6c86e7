"""What an engine is: token ids in, deltas out, and a place that is free again as soon as it is left."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

from z1_core.errors import BadInput, Busy
from z1_core.trained import UNKNOWN, Trained

if TYPE_CHECKING:
    from z1_core.thoughts import Thoughts
    from z1_core.window import Sampling

FinishReason = Literal["stop", "length"]


@dataclass(frozen=True, slots=True)
class Delta:
    """What was generated since the last delta. The last one of a stream, and only that one, has a finish_reason.

    ids include the end-of-turn token where the model wrote one; text does not show it.
    text may lag behind ids where a character is spread over several tokens.
    cached_tokens: how many of the prompt's tokens came from the prefix cache. The last delta knows it; before that it may
    be 0, as a server tells it at the end.
    """

    text: str
    ids: tuple[int, ...]
    finish_reason: FinishReason | None = None
    cached_tokens: int = 0


class Text(Protocol):
    """The model's tokenizer and chat template. Calls may be made from any thread."""

    eos_id: int
    """The token that ends a turn; a model may know others, too."""

    def render(self, messages: Sequence[Mapping[str, str]]) -> list[int]:
        """Token ids of a conversation, ending where the model is to write. Control tokens come from the template alone:
        in contents, their strings stay text. Of an answer of the model's, what stands behind its thought goes in.
        Raises BadInput where the template refuses the messages."""
        ...

    thoughts: Thoughts | None
    """How the model marks its thoughts; None where it does not."""

    def encode(self, text: str, *, control: bool = False) -> list[int]:
        """Token ids of text that stands behind other text (a hint). No token is added.

        control: the strings of control tokens are these tokens; else they stay text, as what people type must.
        """
        ...

    def parse(self, prompt: str) -> list[int]:
        """Token ids of a ready-made prompt, in which the strings of control tokens are these tokens. It begins with the
        token that the tokenizer puts first, if it has such a one, once."""
        ...

    def decode(self, ids: Sequence[int], *, control: bool = False) -> str:
        """Text of ids, whatever part of a character is left at the end included. control: show control tokens, too."""
        ...

    def decoder(self) -> Callable[[int], str]:
        """A function that takes a stream's ids one by one and tells the text that has become whole with each."""
        ...


class Session(Protocol):
    """A place in the engine for one run: its phases follow each other there, with nothing to wait for between them."""

    def stream(self, prompt_ids: Sequence[int], sampling: Sampling) -> AsyncGenerator[Delta, None]:
        """Generate at most sampling.max_tokens behind prompt_ids. Closing the generator (aclose) aborts the request
        at once. Raises EngineDead, or BadInput for what the engine refuses."""
        ...


class Engine:
    """A model that generates, and who may use it now: one place is one run, whoever asks, first come, first served.

    Used from one event loop; read from anywhere. Errors are those of z1_core.errors.
    """

    name: str
    """The model's name for people, e.g. "Z1-7B"."""

    context_tokens: int
    """The model's context: prompt and everything generated must fit into it."""

    text: Text

    trained: Trained = UNKNOWN
    """The system prompt and hint that the model was trained for: the defaults of who asks it."""

    def __init__(self, places: float, *, cells: float = math.inf) -> None:
        """places: how many runs it takes at once; more wait. math.inf where a server queues by itself. cells: tokens that
        all runs can hold together.

        waiting: how many wait for a place now; most_waiting: how many may, None for any number. active: how many requests
        run now: between its phases a run has a place, but no request.
        """
        self.places = places
        self.waiting = self.active = 0
        self.most_waiting: int | None = None
        self._free_places, self._free_cells = places, cells
        self._first = asyncio.Lock()  # held by the first in the line; the others follow in the order of asking
        self._left = asyncio.Event()

    @asynccontextmanager
    async def session(self, tokens: int, *, beside: Session | None = None) -> AsyncIterator[Session]:
        """Wait for a place. tokens: the most that prompt, trace, hint and answer can come to together.

        beside: a session whose prompt this one shares, so that both go where it is cached; it may end before this begins.
        Raises Busy where most_waiting wait already, unless the session is beside another: a run that is in is never
        refused what belongs to it, and so lost in the middle.
        """
        waits = self.waiting > 0 or not self._has_room(tokens)
        if waits and beside is None and self.most_waiting is not None and self.waiting >= self.most_waiting:
            raise Busy(f"too many are waiting ({self.waiting:,}); try again in a minute")
        self.waiting += waits
        try:
            async with self._first:
                while not self._has_room(tokens):
                    self._left.clear()
                    await self._left.wait()
                self._free_places -= 1
                self._free_cells -= tokens
        finally:
            self.waiting -= waits
        try:
            yield self
        finally:
            self._free_places += 1
            self._free_cells += tokens
            self._left.set()

    async def check_health(self) -> None:
        """Raise EngineDead if the engine cannot generate any more."""
        raise NotImplementedError

    async def close(self) -> None:
        """Stop the engine and free its memory; harmless when repeated."""
        raise NotImplementedError

    def room(self, prompt_ids: Sequence[int], sampling: Sampling) -> int:
        """How many tokens may be generated behind the prompt. Raises BadInput where it is none."""
        left = self.context_tokens - len(prompt_ids)
        if not prompt_ids:
            raise BadInput("the prompt has no token")
        if left < 1:
            raise BadInput(
                f"the prompt has {len(prompt_ids):,} tokens, but the model holds {self.context_tokens:,}; shorten it"
            )
        return min(sampling.max_tokens or left, left)

    def _has_room(self, tokens: int) -> bool:
        return self._free_places > 0 and self._free_cells >= tokens
