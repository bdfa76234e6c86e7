"""From a trajectory row to the token ids it is trained on: prompt, response, end token.

The prompt is the one that inference renders, by the model's own chat template; the response follows it as the model is to
write it, whatever a template would make of an answer that lies in the past (Qwen3's and R1's drop its thought). Prompt
and response are encoded apart, just as they come about when the model is used, so where the loss begins is a matter of
counting. Control tokens typed into a question or written in a response stay text; only the tags around a thought are the
model's own tokens, where it has them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from training.libraries import refusing
from z1_core.engines.tokenizer_text import TokenizerText
from z1_core.errors import BadInput
from z1_core.plain_text import new_secret
from z1_core.prompt import inserted
from z1_core.thoughts import TAGS
from z1_core.window import HINT

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


@dataclass(frozen=True, slots=True)
class Encoded:
    """Ids of prompt + response + end token. prompt_tokens: how many of them carry no loss."""

    ids: list[int]
    prompt_tokens: int


class RowEncoder:
    """Encodes rows {question, response} under one system prompt ("" leaves the template's own)."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase, system: str) -> None:
        """Raises BadInput for a template that does not close an answer with a token of its own."""
        self.tokenizer = tokenizer
        self._system = [{"role": "system", "content": system}] if system.strip() else []
        self._text = TokenizerText.of_transformers(tokenizer)
        own = {token.content for token in tokenizer.added_tokens_decoder.values()}
        tags = [re.escape(tag) for pair in TAGS for tag in pair if tag in own]
        self._tags = re.compile(f"({'|'.join(tags) or '(?!)'})")
        self.end_token_id = self._find_end()

    def encode(self, rows: Sequence[Mapping[str, str]]) -> list[Encoded | None]:
        """One for each row; None where a thought is opened and never closed: it would teach not to answer."""
        seam = new_secret()
        asked = (self._text.controls.parted(row["question"], seam) for row in rows)
        questions = [[{"role": "user", "content": text}] for text in asked]
        prompts = self._render(questions, add_generation_prompt=True)
        responses = [_behind(prompt, row["response"]) for prompt, row in zip(prompts, rows, strict=True)]
        parts: list[list[str]] = []
        for prompt, response in zip(prompts, responses, strict=True):
            if response is not None:
                parts += [self._text.controls.split(prompt, seam), self._tags.split(response)]
        ids = iter(self._text.encode_parts(parts))
        return [None if response is None else self._joined(next(ids), next(ids)) for response in responses]

    def cut(self, whole: Encoded, *, draw: int, answer: str) -> Encoded:
        """The row as if a window had closed behind one of its tokens, which the draw names: hint and boxed answer follow,
        and they alone, without the hint, are learnt."""
        kept = whole.ids[: whole.prompt_tokens + 1 + draw % max(1, len(whole.ids) - whole.prompt_tokens - 2)]
        hint = inserted(self._text, HINT, is_text=False, before=kept).ids
        learnt = self._text.encode(f"\\boxed{{{answer}}}")
        return Encoded([*kept, *hint, *learnt, self.end_token_id], len(kept) + len(hint))

    def _render(self, conversations: list[list[dict[str, str]]], **options: bool) -> list[str]:
        whole = [[*self._system, *messages] for messages in conversations]
        with refusing("the chat template refuses a question and an answer", "take another one"):
            return self.tokenizer.apply_chat_template(whole, tokenize=False, **options)

    def _joined(self, prompt: list[int], response: list[int]) -> Encoded:
        return Encoded([*prompt, *response, self.end_token_id], len(prompt))

    def _find_end(self) -> int:
        """The token that the template puts behind an answer, and that the model must learn to write."""
        edge = new_secret()
        [text] = self._render([[{"role": "user", "content": "q"}, {"role": "assistant", "content": edge}]])
        [tail] = self._text.encode_parts([self._text.controls.split(text.rpartition(edge)[2])])
        if edge not in text or not tail or tail[0] not in self.tokenizer.added_tokens_decoder:
            raise BadInput(
                f"the chat template of {self.tokenizer.name_or_path} does not close an answer with a control token; "
                "a model trained on it would never stop: take another template"
            )
        return tail[0]


def _behind(prompt: str, response: str) -> str | None:
    """The response as it goes on behind the prompt, which may have opened its thought already; None where the thought is
    never closed."""
    for opens, closes in TAGS:
        is_open, opens_again = prompt.rstrip().endswith(opens), response.lstrip().startswith(opens)
        if (is_open or opens_again) and closes not in response:
            return None
        if is_open and opens_again:
            return response.lstrip().removeprefix(opens).removeprefix(prompt[len(prompt.rstrip()) :])
    return response
