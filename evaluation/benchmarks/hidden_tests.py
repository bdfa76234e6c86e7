"""The packed tests of LiveCodeBench: JSON, or base64 of zlib of a pickle of a JSON text. No pickled code is ever run."""

from __future__ import annotations

import base64
import io
import json
import pickle
import zlib
from typing import Any, NoReturn

from z1_core.errors import BadInput


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
    content = zlib.decompress(base64.b64decode(packed, validate=True))
    try:
        text = _PlainUnpickler(io.BytesIO(content)).load()
    except BadInput:
        raise
    except Exception as error:  # a damaged pickle raises errors of any kind
        raise BadInput(f"the tests' pickle is damaged: {error}") from error
    if not isinstance(text, str):
        raise BadInput(f"the tests' pickle holds no text but {type(text).__name__}")
    return text


class _PlainUnpickler(pickle.Unpickler):
    """Refuses every name of a class or function, and so everything a pickle could call."""

    def find_class(self, module: str, name: str) -> NoReturn:
        raise BadInput(f"the tests' pickle names {module}.{name}, and tests need no code")

    def persistent_load(self, pid: Any) -> NoReturn:
        raise BadInput("the tests' pickle refers to something outside it")


def _is_test(test: Any) -> bool:
    return isinstance(test, dict) and all(isinstance(test.get(name), str) for name in ("input", "output"))
