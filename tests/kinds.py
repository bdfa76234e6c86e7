"""The kinds of models that reason, as tokenizers and templates without weights: how they mark thoughts, and how they split
text. Each as FakeEngine's text side, so that a script plays the model."""

from __future__ import annotations

from functools import cache

from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers

from z1_core.engines.fake import CHATML, small_text
from z1_core.engines.tokenizer_text import TokenizerText

QWEN3 = (
    "{% for message in messages %}"
    "{% if message.role == 'assistant' %}<|im_start|>assistant\n{{ message.content.split('</think>')[-1].lstrip('\n') }}"
    "{% else %}<|im_start|>{{ message.role }}\n{{ message.content }}{% endif %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
"""The model opens its thought by itself."""

R1 = QWEN3.replace(
    "{% if add_generation_prompt %}<|im_start|>assistant\n",
    "{% if add_generation_prompt %}<|im_start|>assistant\n<think>\n",
)
"""The template opens it."""

LLAMA2 = (
    "{% if messages[0].role == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}"
    "{% for message in messages %}{% if message.role == 'user' %}{{ bos_token + '[INST] ' + message.content + ' [/INST]' }}"
    "{% else %}{{ ' ' + message.content + ' ' + eos_token }}{% endif %}{% endfor %}"
)
"""No system role, a BOS in the template."""


@cache
def byte_level(template: str = QWEN3, *, special: bool = False) -> TokenizerText:
    """Byte-level BPE with tags. special: the tags are of the kind that decoders leave out."""
    tokenizer = Tokenizer.from_str(small_text().tokenizer.to_str())
    tokenizer.add_tokens([AddedToken(tag, special=special, normalized=False) for tag in ("<think>", "</think>")])
    return TokenizerText.of_config(tokenizer, template, {"eos_token": "<|im_end|>"})


@cache
def with_more_tokens(template: str | None = CHATML) -> TokenizerText:
    """As the tokenizers of today: tool and thinking tags, tokens inside and across other tokens, runs of blanks."""
    tokenizer = Tokenizer.from_str(small_text().tokenizer.to_str())
    tokenizer.add_special_tokens(["<|im_", "|im_", "end|>", "<think>", "</think>", "[INST]", "[[INST"])
    tokenizer.add_tokens(["<tool_call>", "</tool_call>", "    ", "\n\n"])
    return TokenizerText.of_config(tokenizer, template, {"eos_token": "<|im_end|>"})


@cache
def sentencepiece(*, legacy: bool = False, template: str = LLAMA2) -> TokenizerText:
    """As Llama 2 and Mistral: BPE over characters with bytes to fall back on, and a space before what it is given.

    legacy: a space before each text between control tokens, not before the first alone.
    """
    letters = [chr(code) for code in range(33, 127)]
    words = ["▁t", "he", "▁the", "ab", "abc", "▁abc", "▁ab"]
    pieces = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256)), "▁", *letters, *words]
    vocab = {piece: id_ for id_, piece in enumerate(dict.fromkeys(pieces))}
    merges = [("▁", "t"), ("h", "e"), ("▁t", "he"), ("a", "b"), ("ab", "c"), ("▁", "abc"), ("▁", "ab")]
    tokenizer = Tokenizer(models.BPE(vocab, merges, unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    if legacy:
        tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    else:
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first", split=False)
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    tokenizer.add_special_tokens(
        [AddedToken(text, special=True, normalized=False) for text in ("<unk>", "<s>", "</s>")]
    )
    return TokenizerText.of_config(tokenizer, template, {"eos_token": "</s>", "bos_token": "<s>"})


@cache
def unigram(*, template: str = LLAMA2) -> TokenizerText:
    """As T5 and XLNet: the control tokens are pieces of the vocabulary itself."""
    letters = [(chr(code), -5.0) for code in range(33, 127)]
    pieces = [("<unk>", 0.0), ("<s>", 0.0), ("</s>", 0.0), ("▁", -2.0), *letters, ("abc", -1.0), ("▁abc", -1.5)]
    tokenizer = Tokenizer(models.Unigram(pieces, unk_id=0))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first", split=False)
    tokenizer.decoder = decoders.Metaspace()
    tokenizer.add_special_tokens(
        [AddedToken(text, special=True, normalized=False) for text in ("<unk>", "<s>", "</s>")]
    )
    return TokenizerText.of_config(tokenizer, template, {"eos_token": "</s>", "bos_token": "<s>"})
