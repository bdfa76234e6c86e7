"""Fields of a JSON object from outside, each read as what it must be. Every complaint names the field."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from z1_core.errors import BadInput

MOST_CHARACTERS = 1_000_000
MOST_ID = 2**31 - 1


class Fields:
    """One object of the file. path: where it stands in the file, for the complaints. Raises BadInput throughout."""

    def __init__(self, path: str, value: object) -> None:
        if not isinstance(value, dict):
            raise BadInput(f"{path or 'the whole'} is {_shown(value)}; it must be an object with named fields")
        self._path = path
        self._value: dict[str, Any] = value

    def has(self, name: str, *, missing: bool | None = None) -> bool:
        """False also for null. missing: what to say of a field that older files have not; else it must be there."""
        return missing if missing is not None and name not in self._value else self._get(name) is not None

    def be(self, expected: str | int, name: str) -> None:
        found = self._get(name)
        if type(found) is not type(expected) or found != expected:
            raise BadInput(f"{self._name(name)} is {_shown(found)}; this page reads {expected!r}")

    def text(self, name: str, *, most: int = MOST_CHARACTERS) -> str:
        return _text(self._name(name), self._get(name), most)

    def count(self, name: str, *, least: int = 1, most: int) -> int:
        return _count(self._name(name), self._get(name), least, most)

    def number(self, name: str, *, most: float = math.inf) -> float:
        found = self._get(name)
        if isinstance(found, bool) or not isinstance(found, int | float) or not 0 <= found <= most:
            raise BadInput(f"{self._name(name)} is {_shown(found)}; it must be a number of at least 0")
        return found

    def ids(self, name: str) -> list[int]:
        return [_count(f"{self._name(name)}[{n}]", id_, 0, MOST_ID) for n, id_ in enumerate(self._list(name))]

    def one_of(self, name: str, choices: Sequence[str]) -> str:
        found = self._get(name)
        if not isinstance(found, str) or found not in choices:
            raise BadInput(f"{self._name(name)} is {_shown(found)}; it must be one of {', '.join(choices)}")
        return found

    def part(self, name: str) -> Fields:
        return Fields(self._name(name), self._get(name))

    def parts(self, name: str) -> list[Fields]:
        return [Fields(f"{self._name(name)}[{n}]", value) for n, value in enumerate(self._list(name))]

    def names(self, *, most: int) -> list[str]:
        if len(self._value) > most:
            raise BadInput(f"{self._path} has {len(self._value):,} fields; it must have at most {most}")
        return [_text(f"a name in {self._path}", name, 100) for name in self._value]

    def _list(self, name: str) -> list[object]:
        found = self._get(name)
        if not isinstance(found, list):
            raise BadInput(f"{self._name(name)} is {_shown(found)}; it must be a list")
        return found

    def _get(self, name: str) -> object:
        if name not in self._value:
            raise BadInput(f"{self._name(name)} is missing")
        return self._value[name]

    def _name(self, name: str) -> str:
        return f"{self._path}.{name}" if self._path else name


def _text(name: str, value: object, most: int) -> str:
    if not isinstance(value, str):
        raise BadInput(f"{name} is {_shown(value)}; it must be a text")
    if len(value) > most:
        raise BadInput(f"{name} has {len(value):,} characters; it must have at most {most:,}")
    try:
        value.encode("utf-8")
    except UnicodeEncodeError as error:
        raise BadInput(f"{name} holds half a character at position {error.start}") from error
    return value


def _count(name: str, value: object, least: int, most: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise BadInput(f"{name} is {_shown(value)}; it must be a whole number from {least:,} to {most:,}")
    return value


def _shown(value: object) -> str:
    """Short, and in characters that are safe to show: a field may hold anything."""
    text = (
        ascii(value) if not isinstance(value, list | dict) else ("a list" if isinstance(value, list) else "an object")
    )
    return text if len(text) <= 60 else text[:57] + "..."
