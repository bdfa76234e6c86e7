"""The text side of a model whose tokenizer lies here: one of the package `tokenizers`, and a chat template."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tokenizers import Tokenizer, decoders

from z1_core.errors import BadInput, ModelUnavailable, first_sentence
from z1_core.plain_text import ControlStrings, Template, behind_text, chat_template, new_secret
from z1_core.prompt import check_text
from z1_core.thoughts import Thoughts, answers_only, find_thoughts, hidden

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

FILES = ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja")


class TokenizerText:
    """As z1_core.engine.Text. controls: how the control tokens are written.

    Texts are encoded by a twin of the tokenizer in which every control token has a secret name, so that their pieces join
    as the tokenizer joins them, and none of them can be written.
    """

    def __init__(
        self, tokenizer: Tokenizer, template: Template | None, *, eos: str | None, bos: str | None = None
    ) -> None:
        """template: None where the model has none, and cannot chat."""
        self.tokenizer = tokenizer
        self.eos_id = tokenizer.token_to_id(eos) if eos else None
        self._bos_id = tokenizer.token_to_id(bos) if bos else None
        self._template = template
        added = tokenizer.get_added_tokens_decoder()
        self._names = {token.content: new_secret() for token in added.values() if token.content.strip()}
        self.controls = ControlStrings(self._names)
        self._special = frozenset(id_ for id_, token in added.items() if token.special)
        self._twin = _renamed(tokenizer, self._names)
        self._behind = behind_text(self._plain)

    @classmethod
    def of_transformers(cls, tokenizer: PreTrainedTokenizerBase) -> TokenizerText:
        def template(messages: Sequence[Mapping[str, str]]) -> str:
            return tokenizer.apply_chat_template(list(messages), add_generation_prompt=True, tokenize=False)

        has_one, names = bool(tokenizer.chat_template), (tokenizer.eos_token, tokenizer.bos_token)
        return cls(tokenizer.backend_tokenizer, template if has_one else None, eos=names[0], bos=names[1])

    @classmethod
    def load(cls, name: str) -> TokenizerText:
        """From a folder, or a hub id. Raises ModelUnavailable."""
        from huggingface_hub import snapshot_download

        try:
            folder = name if Path(name).is_dir() else snapshot_download(name, allow_patterns=[*FILES])
            file, settings, template = (Path(folder, each) for each in FILES)
            tokenizer = Tokenizer.from_file(str(file))
            config = json.loads(settings.read_text(encoding="utf-8")) if settings.is_file() else {}
        except Exception as error:  # of the Hub's transports, of JSON, of the Rust behind tokenizers
            raise ModelUnavailable(
                f"{name} has no tokenizer.json that can be had here: {first_sentence(error)}"
            ) from error
        source = template.read_text(encoding="utf-8") if template.is_file() else config.get("chat_template")
        if isinstance(source, list):  # several by name
            source = next((each["template"] for each in source if each["name"] == "default"), None)
        return cls.of_config(tokenizer, source, config)

    @classmethod
    def of_config(cls, tokenizer: Tokenizer, source: str | None, config: Mapping[str, Any]) -> TokenizerText:
        """source: the chat template; config: where tokenizer_config.json names the special tokens."""
        special = {name: _content(config[name]) for name in ("bos_token", "eos_token") if config.get(name)}
        template = chat_template(source, **special) if source else None
        return cls(tokenizer, template, eos=special.get("eos_token"), bos=special.get("bos_token"))

    @cached_property
    def thoughts(self) -> Thoughts | None:
        return find_thoughts(self)

    def render(self, messages: Sequence[Mapping[str, str]]) -> list[int]:
        if self._template is None:
            raise BadInput("this model has no chat template; choose an instruction-tuned model")
        [ids] = self.encode_parts([self.controls.render(self._template, answers_only(messages, self))])
        return ids

    def encode(self, text: str, *, control: bool = False) -> list[int]:
        check_text("hint", text)
        return self._behind(self._named(self.controls.split(text)) if control else text)

    def encode_parts(self, texts: Sequence[Sequence[str]]) -> list[list[int]]:
        """Ids of several texts, each given as text and control tokens by turns (ControlStrings.split)."""
        named = [self._named(parts) for parts in texts]
        return [encoding.ids for encoding in self._twin.encode_batch_fast(named, add_special_tokens=False)]

    def parse(self, prompt: str) -> list[int]:
        ids = self.tokenizer.encode(prompt, add_special_tokens=False).ids
        begin = self.tokenizer.encode("", add_special_tokens=True).ids[:1]
        return ids if begin != [self._bos_id] or ids[:1] == begin else begin + ids

    def decode(self, ids: Sequence[int], *, control: bool = False) -> str:
        shown = ids if control else [id_ for id_ in ids if id_ not in self._hidden]
        return self.tokenizer.decode(list(shown), skip_special_tokens=False)

    def decoder(self) -> Callable[[int], str]:
        stream = decoders.DecodeStream(skip_special_tokens=False)
        return lambda id_: "" if id_ in self._hidden else stream.step(self.tokenizer, id_) or ""

    @cached_property
    def _hidden(self) -> frozenset[int]:
        return hidden(self._special, self.thoughts)

    def _named(self, parts: Sequence[str]) -> str:
        return "".join(self._names[part] if odd % 2 else part for odd, part in enumerate(parts))

    def _plain(self, text: str) -> list[int]:
        return self._twin.encode(text, add_special_tokens=False).ids


def _renamed(tokenizer: Tokenizer, names: Mapping[str, str]) -> Tokenizer:
    """The same tokenizer, with other names for its control tokens, wherever it has them."""
    said = json.loads(tokenizer.to_str())
    said["post_processor"] = said["truncation"] = said["padding"] = None
    model = said["model"]
    for token in said["added_tokens"]:
        token["content"] = names.get(token["content"], token["content"])
    vocab = model["vocab"]
    if isinstance(vocab, dict):
        model["vocab"] = {names.get(piece, piece): id_ for piece, id_ in vocab.items()}
    else:  # Unigram: pieces with their scores
        model["vocab"] = [[names.get(piece, piece), score] for piece, score in vocab]
    if model.get("unk_token"):
        model["unk_token"] = names.get(model["unk_token"], model["unk_token"])
    if "merges" in model:
        model["merges"] = [pair for pair in model["merges"] if not _makes(pair, names)]
    return Tokenizer.from_str(json.dumps(said))


def _makes(pair: str | list[str], names: Mapping[str, str]) -> bool:
    """Whether a merge makes a control token, or begins with one."""
    one, other = pair.split(" ") if isinstance(pair, str) else pair
    return one + other in names or one in names or other in names


def _content(token: str | Mapping[str, Any]) -> str:
    return token if isinstance(token, str) else token["content"]
