"""The text side of a model that runs elsewhere: its own tokenizer where it can be had here, else the one in the server."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import cached_property, lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from openai import APIError, OpenAI

from z1_core.chat_template import chat_template
from z1_core.engine import Text
from z1_core.engines.server_errors import in_words
from z1_core.engines.tokenizer_text import TokenizerText
from z1_core.errors import ModelUnavailable
from z1_core.plain_text import ControlStrings, behind_text
from z1_core.prompt import check_text
from z1_core.thoughts import Thoughts, answers_only, find_thoughts, hidden

if TYPE_CHECKING:
    from z1_core.engines.server_check import Served

SAMPLE = "Hello, wörld! 🙂\n\n  def f(x):\n\treturn x ** 2  # 你好\n"
"""Text that few tokenizers agree on."""

HUB_S = 5.0


def find_text(client: OpenAI, root: str, served: Served, *, named: str | None) -> Text:
    """The text side of the served model. root: the server's address without /v1; named: --tokenizer, which wins.

    Raises ModelUnavailable where there is none, or it is another model's.
    """
    text = TokenizerText.load(named) if named else _one_at_hand(served)
    if text is None:
        return ServerText.of(client, root, served.name)
    with suppress(APIError):  # a server that cannot split a text is trusted
        theirs = behind_text(partial(_tokenize, client, root, served.name))
        if theirs(SAMPLE) != text.encode(SAMPLE):
            raise ModelUnavailable(
                f"the tokenizer {named or served.root} is not that of the served model {served.name}: they split a text "
                "differently; name the right one with --tokenizer"
            )
    return text


class ServerText:
    """As z1_core.engine.Text, asked over HTTP. Each call is a request that the caller waits for, so a tokenizer at hand
    is better. All added tokens count as control tokens, as the server does not tell them apart.
    """

    decodes_here = False

    def __init__(self, client: OpenAI, root: str, model: str, config: Mapping[str, Any]) -> None:
        self._client = client
        self._root = root
        self._model = model
        added = {int(id_): text for id_, text in config["added_tokens_decoder"].items()}
        special = {name: config[name] for name in ("bos_token", "eos_token") if config.get(name)}
        self._added = frozenset(added)
        self._controls = ControlStrings(added.values())
        self._template = chat_template(config["chat_template"], **special)
        self.eos_id = next((id_ for id_, text in added.items() if text == special.get("eos_token")), None)
        self._bos_id = next((id_ for id_, text in added.items() if text == special.get("bos_token")), None)
        self._encoded = lru_cache(maxsize=256)(self._encode)
        self._behind = behind_text(lambda text: list(self._encoded(text)))

    @classmethod
    def of(cls, client: OpenAI, root: str, model: str) -> ServerText:
        """Raises ModelUnavailable where the server does not tell enough to keep control tokens out of people's text."""
        try:
            config = client.get(f"{root}/tokenizer_info", cast_to=object)
            _tokenize(client, root, model, SAMPLE)
        except APIError:
            config = {}
        if not isinstance(config, dict) or not config.get("chat_template") or not config.get("added_tokens_decoder"):
            raise ModelUnavailable(
                f"the tokenizer of {model} cannot be had here, nor from the server: name it with --tokenizer HUB_ID_OR_"
                "FOLDER, or start the server with --enable-tokenizer-info-endpoint (python -m z1_core.serve does)"
            )
        return cls(client, root, model, config)

    @cached_property
    def thoughts(self) -> Thoughts | None:
        return find_thoughts(self)

    def render(self, messages: Sequence[Mapping[str, str]]) -> list[int]:
        head, *parts = self._controls.render(self._template, answers_only(messages, self))
        ids = self._plain("", head)
        for control, text in zip(parts[::2], parts[1::2], strict=True):
            ids += self._plain(control, text)
        return ids

    def encode(self, text: str, *, control: bool = False) -> list[int]:
        check_text("hint", text)
        if control:
            return self._behind(text)
        return [id_ for piece in self._controls.pieces(text) for id_ in self._behind(piece)]

    def parse(self, prompt: str) -> list[int]:
        ids = list(self._encoded(prompt))
        return ids if ids[:1] == self._begin else [*self._begin, *ids]

    @cached_property
    def _begin(self) -> list[int]:
        """What the tokenizer puts before a prompt."""
        begin = list(self._encode("", add_special_tokens=True))[:1]
        return begin if begin == [self._bos_id] else []

    def decode(self, ids: Sequence[int], *, control: bool = False) -> str:
        shown = [id_ for id_ in ids if control or id_ not in self._hidden]
        if not shown:
            return ""
        body = {"model": self._model, "tokens": shown}
        try:
            answer = self._client.post(f"{self._root}/detokenize", body=body, cast_to=object)
        except APIError as error:
            raise in_words(error, self._root) from error
        return answer["prompt"]

    def decoder(self) -> Callable[[int], str]:
        held: list[int] = []

        def step(id_: int) -> str:
            held.append(id_)
            text = self.decode(held)
            if text.endswith("\ufffd"):  # the rest of the character is still to come
                return ""
            held.clear()
            return text

        return step

    @cached_property
    def _hidden(self) -> frozenset[int]:
        return hidden(self._added, self.thoughts)

    def _plain(self, control: str, text: str) -> list[int]:
        """A control token and the text behind it. The server takes the string of a control token for the token: of such a
        text, each piece is asked for alone."""
        first, *others = self._controls.pieces(text)
        return [id_ for ids in (self._encoded(control + first), *map(self._behind, others)) for id_ in ids]

    def _encode(self, text: str, *, add_special_tokens: bool = False) -> tuple[int, ...]:
        try:
            return tuple(_tokenize(self._client, self._root, self._model, text, add_special_tokens=add_special_tokens))
        except APIError as error:
            raise in_words(error, self._root) from error


def _tokenize(client: OpenAI, root: str, model: str, text: str, *, add_special_tokens: bool = False) -> list[int]:
    body = {"model": model, "prompt": text, "add_special_tokens": add_special_tokens}
    return client.post(f"{root}/tokenize", body=body, cast_to=object)["tokens"]


def _one_at_hand(served: Served) -> TokenizerText | None:
    """From where the server loaded the model, or by its name: a folder of this machine, or a hub id."""
    for name in dict.fromkeys((served.root, served.name)):
        may_be_hub_id = not name.startswith((".", "/", "~")) and name.count("/") == 1
        if not (Path(name).is_dir() or may_be_hub_id):
            continue
        with suppress(ModelUnavailable):
            return TokenizerText.load(name, local_files_only=True)
        if may_be_hub_id and _is_on_hub(name):
            with suppress(ModelUnavailable):
                return TokenizerText.load(name)
    return None


def _is_on_hub(name: str) -> bool:
    """Asked once, without the patience of a download, as the name may as well be unknown there."""
    from huggingface_hub import HfApi

    try:
        HfApi().model_info(name, timeout=HUB_S)
    except Exception:  # unknown, gated, no network: whatever the transports of the Hub's client raise
        return False
    return True
