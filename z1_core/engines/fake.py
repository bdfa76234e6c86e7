"""A scripted engine: real token ids from a small real tokenizer, no model. For tests, and to look at the page.

FakeEngine(lambda prompt: "42." if HINT in prompt else "Let me think. " * 100)
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass
from functools import cache

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from z1_core.engine import Delta, Engine, Text
from z1_core.engines.tokenizer_text import TokenizerText
from z1_core.errors import EngineDead
from z1_core.plain_text import chat_template
from z1_core.window import HINT, Sampling

PLACES = 32

Script = Callable[[str], str]
"""Prompt text as the model sees it (control tokens included) -> what it writes before it stops by itself."""

CHATML = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


@dataclass(frozen=True)
class Request:
    """What the engine was asked for."""

    prompt_ids: tuple[int, ...]
    sampling: Sampling


def demo_script(prompt: str) -> str:
    """A long thought on everything but greetings, and an answer after a hint."""
    if HINT.strip() in prompt.rsplit("assistant\n", 1)[-1]:
        return "The train travels for **2 h 30 min**, so it arrives at **12:10**.\n\n```python\nprint(150 / 60)\n```\n"
    if prompt.rsplit("user\n", 1)[-1].lower().startswith(("hi", "hello")):
        return "Hello! Ask me something that needs a thought."
    step = "Step {}: time is distance divided by speed, so \\(150 / 60 = 2.5\\) hours. Let me check the units again. "
    return "To find the arrival time we first need how long the train travels.\n\n" + "".join(
        step.format(n) for n in range(1, 400)
    )


class FakeEngine(Engine):
    """An engine that writes what its script says, one token at a time.

    text: the model's tokenizer and template; small_text() by default.
    seconds_per_token: pace of each stream; 0 is as fast as the event loop turns.
    requests: every request so far.
    """

    name = "scripted engine"

    def __init__(
        self,
        script: Script = demo_script,
        *,
        context_tokens: int = 32_768,
        seconds_per_token: float = 0.0,
        text: Text | None = None,
        places: int = PLACES,
    ) -> None:
        super().__init__(places)
        self.script = script
        self.context_tokens = context_tokens
        self.seconds_per_token = seconds_per_token
        self.text = text or small_text()
        self.requests: list[Request] = []
        self.dead = False

    async def stream(self, prompt_ids: Sequence[int], sampling: Sampling) -> AsyncGenerator[Delta, None]:
        """As Session.stream; the script's text ends with the end-of-turn token, as a model's does."""
        budget = self.room(prompt_ids, sampling)
        self.requests.append(Request(tuple(prompt_ids), sampling))
        written = self._write(prompt_ids)
        step = self.text.decoder()
        self.active += 1
        try:
            for position, id_ in enumerate(written[:budget], start=1):
                await asyncio.sleep(self.seconds_per_token)
                await self.check_health()
                stops = position == len(written)
                finish_reason = "stop" if stops else "length" if position == budget else None
                yield Delta(step(id_), (id_,), finish_reason)
        finally:
            self.active -= 1

    async def check_health(self) -> None:
        if self.dead:
            raise EngineDead("the engine has stopped; start it again")

    async def close(self) -> None:
        self.dead = True

    def _write(self, prompt_ids: Sequence[int]) -> list[int]:
        prompt = self.text.decode(prompt_ids, control=True)
        return [*self.text.encode(self.script(prompt), control=True), self.text.eos_id]


@cache
def small_text() -> TokenizerText:
    """A byte-level BPE tokenizer with ChatML, trained in milliseconds on the demo script: words are mostly one token,
    and anything it has not seen, an emoji for instance, is spread over several."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=600,
        show_progress=False,
        special_tokens=["<|endoftext|>", "<|im_start|>", "<|im_end|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )
    tokenizer.train_from_iterator([demo_script(""), demo_script(HINT), HINT], trainer)
    return TokenizerText(tokenizer, chat_template(CHATML), eos="<|im_end|>")
