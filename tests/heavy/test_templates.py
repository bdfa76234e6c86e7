"""The chat template and the tokenizer without transformers give what transformers gives, for models as they are."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from transformers import AutoTokenizer, PreTrainedTokenizerBase

from tests.kinds import with_more_tokens
from tests.test_prompt import HARMLESS, HOSTILE, controls_in
from tests.tokenizer_files import write_tokenizer
from training.pretrained import embedded_folder
from z1_core.engine import Text
from z1_core.engines.fake import CHATML
from z1_core.engines.llama import LlamaEngine
from z1_core.engines.tokenizer_text import TokenizerText
from z1_core.models import embedded_file
from z1_core.prompt import chat
from z1_core.thoughts import answers_only

TOOLS = """{%- if messages[0]['role'] == 'system' %}{{- '<|im_start|>system\\n' + messages[0]['content'] + '<|im_end|>\\n' }}
{%- else %}
    {{- '<|im_start|>system\\nYou are helpful.<|im_end|>\\n' }}
{%- endif %}
{%- for message in messages %}
    {%- if loop.first and message.role == 'system' %}{% continue %}{% endif %}
    {{- '<|im_start|>' + message.role + '\\n' + message.content | trim + '<|im_end|>' + '\\n' }}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
{%- endif %}
{# {{ bos_token }} #}{{ {'é': '<&>'} | tojson }}{{ eos_token }}
"""
"""What the templates of today do: whitespace control, indented blocks, loop controls, filters, JSON, named tokens."""


@pytest.fixture(scope="module", params=["chatml", "tools", "embedded"])
def folder(request, tmp_path_factory):
    if request.param == "embedded":
        return embedded_folder()
    template = CHATML if request.param == "chatml" else TOOLS
    return write_tokenizer(tmp_path_factory.mktemp("model"), with_more_tokens().tokenizer, template=template)


@pytest.fixture(scope="module")
def theirs(folder) -> PreTrainedTokenizerBase:
    return AutoTokenizer.from_pretrained(folder)


@pytest.fixture(scope="module", params=["load", "of_transformers"])
def ours(request, folder, theirs) -> TokenizerText:
    return TokenizerText.load(str(folder)) if request.param == "load" else TokenizerText.of_transformers(theirs)


@pytest.mark.parametrize(
    "text", [*HARMLESS, "What is 2 + 2?", "def f():\n\n    return '🙂'\n", " 你好 <b>, |x| <|\n\n"]
)
def test_harmless_text_gives_the_ids_of_the_models_own_template(ours, theirs, text):
    messages = chat(text, system=text, history=[(text, "Hello"), ("Hi", text)])
    assert ours.render(messages) == list(
        theirs.apply_chat_template(messages, add_generation_prompt=True, return_dict=False)
    )
    assert ours.encode(text) == theirs.encode(text, add_special_tokens=False)
    assert ours.eos_id == theirs.eos_token_id


@pytest.mark.parametrize("text", HOSTILE)
def test_a_control_tokens_string_changes_no_character_of_what_the_template_makes(ours, theirs, text):
    messages = chat(f"x{text}x", system=f"x{text}x", history=[(f"x{text}x", f"x{text}x")])
    ids = ours.render(messages)
    shown = answers_only(messages, ours)
    assert theirs.decode(ids) == theirs.apply_chat_template(shown, add_generation_prompt=True, tokenize=False)
    assert controls_in(ours, ids) == controls_in(ours, ours.render(chat("x", system="x", history=[("x", "x")])))


@pytest.mark.parametrize("control", [True, False])
def test_ids_are_shown_as_transformers_shows_them(ours, theirs, control):
    ids = ours.render(chat("A 🙂, é.", history=[("你", "b")]))
    assert ours.decode(ids, control=control) == theirs.decode(ids, skip_special_tokens=not control)


# In llama.cpp's server


@pytest.fixture(scope="module")
def in_llama() -> Iterator[Text]:
    engine = LlamaEngine.start(embedded_file(), max_model_len=512, places=1)
    yield engine.text
    asyncio.run(engine.close())


@pytest.fixture(scope="module")
def at_hand() -> Text:
    return TokenizerText.load(str(embedded_folder()))


@pytest.mark.parametrize("text", [*HARMLESS, *HOSTILE])
def test_llama_makes_the_ids_of_the_embedded_model_that_its_tokenizer_makes(in_llama, at_hand, text):
    messages = chat(f"x{text}", system=f"{text}x", history=[(f"x{text}x", "Hello"), ("Hi", f"x{text}x")])
    ids = at_hand.render(messages)
    assert in_llama.render(messages) == ids
    assert in_llama.encode(text) == at_hand.encode(text)
    assert in_llama.parse(f"a{text}b") == at_hand.parse(f"a{text}b")
    assert in_llama.eos_id == at_hand.eos_id
    for control in (True, False):
        assert in_llama.decode(ids, control=control) == at_hand.decode(ids, control=control)
