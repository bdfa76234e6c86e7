"""The scripted engine's tokenizer as a folder, as a model's on the hub lies there."""

from __future__ import annotations

import json
from pathlib import Path

from tokenizers import Tokenizer

from z1_core.engines.fake import CHATML, small_text


def write_tokenizer(folder: Path, tokenizer: Tokenizer | None = None, *, template: str = CHATML) -> Path:
    """tokenizer: another than the small one."""
    (tokenizer or small_text().tokenizer).save(str(folder / "tokenizer.json"))
    config = {"eos_token": "<|im_end|>", "pad_token": "<|endoftext|>", "tokenizer_class": "PreTrainedTokenizerFast"}
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    (folder / "chat_template.jinja").write_text(template)
    return folder
