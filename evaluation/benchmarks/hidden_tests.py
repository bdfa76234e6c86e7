"""The packed tests of LiveCodeBench: JSON, or base64 of zlib of a pickle of a JSON text. No pickled code is ever run."""

from __future__ import annotations

import base64
import json
import pickletools
import zlib
from typing import Any

from z1_core.errors import BadInput

FRAME = ("PROTO", "FRAME", "MEMOIZE", "BINPUT", "LONG_BINPUT", "PUT", "STOP")
"""What stands around the text in its pickle."""


def decode_tests(packed: str) -> list[dict[str, str]]:
    """The tests as {"input", "output", ...}. Raises BadInput, saying what is wrong with them."""
    if not packed:
        return []
    try:
        tests = json.loads(packed if packed.lstrip().startswith("[") else _unpack(packed))
    except BadInput:
        raise
    except (ValueError, TypeError, zlib.error, RecursionError) as error:
        raise BadInput(f"the tests are neither JSON nor packed JSON: {error}") from error
    if not isinstance(tests, list) or not all(_is_test(test) for test in tests):
        raise BadInput("the tests are no list of inputs and outputs")
    return tests


def _unpack(packed: str) -> str:
    """The one text of a pickle, which is read as a list of instructions and never run."""
    content = zlib.decompress(base64.b64decode(packed, validate=True))
    texts = []
    for instruction, text, _ in pickletools.genops(content):
        if instruction.name.endswith("UNICODE"):
            texts.append(text)
        elif instruction.name not in FRAME:
            raise BadInput(f"the tests' pickle holds more than a text: {instruction.name}")
    if len(texts) != 1:
        raise BadInput(f"the tests' pickle holds {len(texts)} texts")
    return texts[0]


def _is_test(test: Any) -> bool:
    return isinstance(test, dict) and all(isinstance(test.get(name), str) for name in ("input", "output"))
