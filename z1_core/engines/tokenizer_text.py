"""The text side of a model whose tokenizer lies here: one of the package `tokenizers`, and a chat template."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tokenizers import Tokenizer, decoders

from z1_core.chat_template import chat_template
from z1_core.errors import BadInput, ModelUnavailable
from z1_core.plain_text import Template, control_pattern, pieces, rendered
from z1_core.prompt import check_text

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

FILES = ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja")


class TokenizerText:
    """As z1_core.engine.Text."""

    def __init__(self, tokenizer: Tokenizer, template: Template | None, *, eos: str | None) -> None:
        """template: None where the model has none, and cannot chat."""
        self.tokenizer = tokenizer
        self.eos_id = tokenizer.token_to_id(eos) if eos else None
        self._template = template
        self._pattern = control_pattern(token.content for token in tokenizer.get_added_tokens_decoder().values())

    @classmethod
    def of_transformers(cls, tokenizer: PreTrainedTokenizerBase) -> TokenizerText:
        def template(messages: Sequence[Mapping[str, str]]) -> str:
            return tokenizer.apply_chat_template(list(messages), add_generation_prompt=True, tokenize=False)

        has_one = bool(tokenizer.chat_template)
        return cls(tokenizer.backend_tokenizer, template if has_one else None, eos=tokenizer.eos_token)

    @classmethod
    def load(cls, name: str, *, local_files_only: bool = False) -> TokenizerText:
        """From a folder, or a hub id. Raises ModelUnavailable."""
        try:
            files = [_file(name, file, local_files_only=local_files_only) for file in FILES]
            tokenizer = Tokenizer.from_file(str(files[0]))
            config = json.loads(files[1].read_text(encoding="utf-8")) if files[1] else {}
        except Exception as error:  # of the Hub's transports, of JSON, of the Rust behind tokenizers
            reason = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise ModelUnavailable(f"{name} has no tokenizer.json that can be had here: {reason}") from error
        source = files[2].read_text(encoding="utf-8") if files[2] else config.get("chat_template")
        if isinstance(source, list):  # several by name
            source = next((each["template"] for each in source if each["name"] == "default"), None)
        return cls.of_config(tokenizer, source, config)

    @classmethod
    def of_config(cls, tokenizer: Tokenizer, source: str | None, config: Mapping[str, Any]) -> TokenizerText:
        """source: the chat template; config: where tokenizer_config.json names the special tokens."""
        special = {name: _content(config[name]) for name in ("bos_token", "eos_token") if config.get(name)}
        template = chat_template(source, **special) if source else None
        return cls(tokenizer, template, eos=special.get("eos_token"))

    def render(self, messages: Sequence[Mapping[str, str]]) -> list[int]:
        if self._template is None:
            raise BadInput("this model has no chat template; choose an instruction-tuned model")
        return self._joined(rendered(self._pattern, self._template, messages))

    def encode(self, text: str) -> list[int]:
        check_text("hint", text)
        return self._joined(pieces(self._pattern, text))

    def parse(self, prompt: str) -> list[int]:
        return self._joined([prompt])

    def decode(self, ids: Sequence[int], *, control: bool = False) -> str:
        return self.tokenizer.decode(list(ids), skip_special_tokens=not control)

    def decoder(self) -> Callable[[int], str]:
        stream = decoders.DecodeStream(skip_special_tokens=True)
        return lambda id_: stream.step(self.tokenizer, id_) or ""

    def _joined(self, parts: Sequence[str]) -> list[int]:
        """Each part is encoded alone: what a seam has parted can not grow together again."""
        return [id_ for part in parts if part for id_ in self.tokenizer.encode(part, add_special_tokens=False).ids]


def _content(token: str | Mapping[str, Any]) -> str:
    return token if isinstance(token, str) else token["content"]


def _file(name: str, file: str, *, local_files_only: bool) -> Path | None:
    """None for one that need not be there."""
    if Path(name).is_dir():
        path = Path(name, file)
        return path if path.exists() or file == FILES[0] else None
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError

    try:
        return Path(hf_hub_download(name, file, local_files_only=local_files_only))
    except (EntryNotFoundError, LocalEntryNotFoundError):
        if file == FILES[0]:
            raise
        return None
