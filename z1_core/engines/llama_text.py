"""The text side of a model in llama.cpp's server: the model's own tokenizer and chat template, from the server."""

from __future__ import annotations

import codecs
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property, lru_cache
from itertools import groupby

import httpx

from z1_core.errors import BadInput, ModelUnavailable
from z1_core.plain_text import ControlStrings, Encode, behind_text
from z1_core.prompt import check_text
from z1_core.thoughts import Thoughts, answers_only, find_thoughts, hidden

Ask = Callable[..., httpx.Response]
"""ask(method, path, json=...): a call that waits, and raises the errors of z1_core.errors."""


class LlamaText:
    """As z1_core.engine.Text. The vocabulary is read once, so that decoding needs no call."""

    def __init__(self, ask: Ask, *, has_template: bool = True) -> None:
        """Raises ModelUnavailable for a server that does not tell enough."""
        self._ask = ask
        self._has_template = has_template
        props, models = ask("GET", "/props").json(), ask("GET", "/v1/models").json()
        count = (models.get("data") or [{}])[0].get("meta", {}).get("n_vocab")
        if not count:
            raise ModelUnavailable("the server does not tell its vocabulary; use a newer llama.cpp")
        tokens = ask("POST", "/tokenize", json={"content": list(range(count)), "with_pieces": True}).json()["tokens"]
        pieces = [token["piece"] for token in tokens]
        as_bytes = (piece.encode() if isinstance(piece, str) else bytes(piece) for piece in pieces)
        self._bytes = defaultdict(bytes, enumerate(as_bytes))  # of other ids: none
        names = {props.get("bos_token"), props.get("eos_token")}
        texts = {id_: piece for id_, piece in enumerate(pieces) if isinstance(piece, str)}
        marks = {id_: text for id_, text in texts.items() if text in names or is_mark(text)}
        self._marks = marks
        self._ids = {text: id_ for id_, text in marks.items()}
        self._controls = ControlStrings(self._ids)
        self.eos_id = self._ids.get(props.get("eos_token"))
        self._control = self._control_ids(marks)
        self._begin = self._tokenize([""], add_special=True)
        self._behind = behind_text(self._alone)
        self._encoded = lru_cache(maxsize=256)(self._encode)

    @cached_property
    def thoughts(self) -> Thoughts | None:
        return find_thoughts(self)

    @cached_property
    def _hidden(self) -> frozenset[int]:
        return hidden(self._control, self.thoughts)

    def render(self, messages: Sequence[Mapping[str, str]]) -> list[int]:
        if not self._has_template:
            raise BadInput("this model has no chat template; choose an instruction-tuned model")
        return self._begun(self._joined(self._controls.render(self._by_template, answers_only(messages, self))))

    def encode(self, text: str, *, control: bool = False) -> list[int]:
        check_text("hint", text)
        return list(self._encoded(text, control))

    def parse(self, prompt: str) -> list[int]:
        return self._begun(self._joined(self._controls.split(prompt)))

    def decode(self, ids: Sequence[int], *, control: bool = False) -> str:
        return b"".join(map(self._shown if not control else self._bytes.__getitem__, ids)).decode(errors="replace")

    def decoder(self) -> Callable[[int], str]:
        step = codecs.getincrementaldecoder("utf-8")(errors="replace").decode
        return lambda id_: step(self._shown(id_))

    def _shown(self, id_: int) -> bytes:
        return b"" if id_ in self._hidden else self._bytes[id_]

    def _by_template(self, messages: Sequence[Mapping[str, str]]) -> str:
        return self._ask("POST", "/apply-template", json={"messages": list(messages)}).json()["prompt"]

    def _encode(self, text: str, control: bool) -> tuple[int, ...]:
        head, *others = self._controls.split(text) if control else [text]
        return (*self._plain(head, self._behind), *self._joined(["", *others]))

    def _begun(self, ids: list[int]) -> list[int]:
        """With what the tokenizer puts before a prompt: the server leaves it out of what the template makes."""
        return ids if ids[: len(self._begin)] == self._begin else [*self._begin, *ids]

    def _joined(self, parts: Sequence[str]) -> list[int]:
        """Ids of text and control tokens by turns."""
        content = [self._ids[part] if odd % 2 else part for odd, part in enumerate(parts) if part]
        ids = self._tokenize(content)
        if sum(id_ in self._marks for id_ in ids) > len(parts) // 2:  # some text has made one
            return [id_ for part in content for id_ in ([part] if isinstance(part, int) else self._plain(part))]
        return ids

    def _plain(self, text: str, encode: Encode | None = None) -> list[int]:
        """The server keeps most control tokens out of a text by itself; a text that holds others is taken in pieces."""
        encode = encode or self._alone
        ids = encode(text)
        if self._marks.keys().isdisjoint(ids):
            return ids
        first, *others = self._controls.pieces(text)
        return [id_ for piece in (encode(first), *map(self._behind, others)) for id_ in piece]

    def _alone(self, text: str) -> list[int]:
        return self._tokenize([text])

    def _tokenize(self, content: Sequence[str | int], *, add_special: bool = False) -> list[int]:
        """Texts are split each by itself, and hold no control token, whatever their strings; ids stay what they are."""
        body = {"content": list(content), "add_special": add_special, "parse_special": False}
        return self._ask("POST", "/tokenize", json=body).json()["tokens"] if content else []

    def _control_ids(self, marks: Mapping[int, str]) -> frozenset[int]:
        """Those that no text can make. The others (<think>, as a rule) are part of the text."""
        between = self.eos_id or 0
        split = self._tokenize([part for text in marks.values() for part in (text, between)])
        made = [list(ids) for is_between, ids in groupby(split, key=between.__eq__) if not is_between]
        return frozenset(id_ for id_, ids in zip(marks, made, strict=True) if ids != [id_])


def is_mark(text: str) -> bool:
    """Whether a token looks like one that steers: a name between signs, as in <|im_end|>, [INST] or <think>.

    The server tells no kinds of tokens, but keeps those of the kind "control" out of any text by itself. This finds the
    added ones that it would not, and the ones that a template writes. A plain token of that look is merely split.
    """
    text = text.strip(" ▁")
    return len(text) > 2 and not (text[0].isalnum() or text[-1].isalnum()) and any(map(str.isalnum, text))
