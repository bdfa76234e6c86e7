"""From a trajectory row to the token ids it is trained on: prompt, response, end token.

The text is rendered by the model's own chat template and every character is tokenised once. The prompt and the response
are encoded apart, just as they come about when the model is used: so the prompt's ids are exactly those of
z1_core.prompt.render, and where the loss begins is a matter of counting. Control tokens typed into a question or written
in a response stay text, as everywhere in this project.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from z1_core.engines.tokenizer_text import TokenizerText
from z1_core.errors import BadInput
from z1_core.plain_text import new_secret

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
        self.end_token_id = self._find_end()

    def encode(self, rows: Sequence[Mapping[str, str]]) -> list[Encoded | None]:
        """One for each row; None where the template writes the prompt otherwise once an answer follows it."""
        edge, seam = new_secret(), new_secret()
        texts: list[list[str]] = []
        is_usable: list[bool] = []
        for prompt, whole in zip(*self._render(rows, edge, seam), strict=True):
            head, response, _ = whole.split(edge)
            is_usable.append(head == prompt)
            if head == prompt:
                texts += [self._text.controls.split(head, seam), self._text.controls.split(response, seam)]
        ids = iter(self._text.encode_parts(texts))
        return [self._joined(next(ids), next(ids)) if usable else None for usable in is_usable]

    def _render(self, rows: Sequence[Mapping[str, str]], edge: str, seam: str) -> tuple[list[str], list[str]]:
        """Every row as a prompt alone, and with its response between two edges."""
        prompts, conversations, parted = [], [], self._text.controls.parted
        for row in rows:
            question = {"role": "user", "content": parted(row["question"], seam)}
            answer = f"{edge}{parted(row['response'], seam)}{edge}"
            prompts.append([*self._system, question])
            conversations.append([*self._system, question, {"role": "assistant", "content": answer}])
        render = self.tokenizer.apply_chat_template
        try:
            return render(prompts, tokenize=False, add_generation_prompt=True), render(conversations, tokenize=False)
        except Exception as error:  # Jinja templates raise their own kinds for roles they do not know
            raise BadInput(f"the chat template refuses a question and an answer: {error}") from error

    def _joined(self, prompt: list[int], response: list[int]) -> Encoded:
        return Encoded([*prompt, *response, self.end_token_id], len(prompt))

    def _find_end(self) -> int:
        """The token that the template puts behind an answer, and that the model must learn to write."""
        edge = new_secret()
        _, wholes = self._render([{"question": "q", "response": "r"}], edge, new_secret())
        parts = wholes[0].split(edge)
        [tail] = self._text.encode_parts([self._text.controls.split(parts[-1])])
        if len(parts) != 3 or not tail or tail[0] not in self.tokenizer.added_tokens_decoder:
            raise BadInput(
                f"the chat template of {self.tokenizer.name_or_path} does not close an answer with a control token; "
                "a model trained on it would never stop: take another template"
            )
        return tail[0]
