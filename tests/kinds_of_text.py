"""Text sides of the kinds of models that the page is for, as tokenizers alone: trained in milliseconds, no weights."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from tokenizers import Tokenizer

from tests.hostile_texts import CONTROL
from tests.kinds import QWEN3, sentencepiece, unigram, with_more_tokens
from z1_core.engines.fake import CHATML, small_text
from z1_core.engines.tokenizer_text import TokenizerText

THINKS_AT_ONCE = """{{- bos_token }}
{%- for message in messages %}
    {%- if message.role == 'system' %}{{- message.content }}
    {%- elif message.role == 'user' %}{{- '<｜User｜>' + message.content }}
    {%- else %}{{- '<｜Assistant｜>' + message.content.split('</think>')[-1] + '<｜end▁of▁sentence｜>' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}{{- '<｜Assistant｜><think>\\n' }}{%- endif %}"""
"""As R1's: the template itself begins the thought."""

INST = """{%- if messages[0].role == 'system' %}
    {%- set system = messages[0].content + '\\n\\n' %}{%- set rest = messages[1:] %}
{%- else %}{%- set system = '' %}{%- set rest = messages %}{%- endif %}
{{- bos_token }}
{%- for message in rest %}
    {%- if message.role == 'user' %}{{- '[INST] ' + (system if loop.first else '') + message.content + ' [/INST]' }}
    {%- else %}{{- ' ' + message.content + eos_token }}
    {%- endif %}
{%- endfor %}"""
"""As Llama 2's and Mistral's."""


def with_tokens(strings: Sequence[str], template: str, **special: str) -> TokenizerText:
    """A byte-level BPE tokenizer that knows these strings as control tokens."""
    tokenizer = Tokenizer.from_str(small_text().tokenizer.to_str())
    tokenizer.add_special_tokens([string for string in strings if string not in ("<think>", "</think>")])
    tokenizer.add_tokens([string for string in strings if string in ("<think>", "</think>")])  # as Qwen3 has them
    return TokenizerText.of_config(tokenizer, template, special)


@cache
def kinds() -> dict[str, TokenizerText]:
    chatml, deepseek = CONTROL["chatml"], CONTROL["deepseek"]
    bos, eos = deepseek[:2]
    every = sorted({string for family in CONTROL.values() for string in family})
    return {
        "byte-level": small_text(),
        "qwen 3": with_tokens([*chatml, *CONTROL["qwen 3"]], QWEN3, eos_token="<|im_end|>"),
        "r1": with_tokens([*deepseek, "<think>", "</think>"], THINKS_AT_ONCE, bos_token=bos, eos_token=eos),
        "sentencepiece": sentencepiece(template=INST),
        "sentencepiece, legacy": sentencepiece(legacy=True, template=INST),
        "unigram": unigram(template=INST),
        "tokens inside tokens": with_more_tokens(),
        "every family": with_tokens(every, CHATML, eos_token="<|im_end|>"),
    }


def controls_in(text: TokenizerText, ids: Sequence[int]) -> list[int]:
    """Those of the ids that steer: added tokens other than runs of blanks, and than what stands for unknown characters."""
    added = text.tokenizer.get_added_tokens_decoder()
    return [id_ for id_ in ids if id_ in added and added[id_].content.strip() not in ("", "<unk>")]
