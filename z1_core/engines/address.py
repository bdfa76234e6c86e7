"""Where a model server is, and its key."""

from __future__ import annotations

import os
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

import httpx

from z1_core.errors import BadInput

KEYS = ("Z1_API_KEY", "OPENAI_API_KEY")


@dataclass(frozen=True, slots=True)
class Address:
    """root: the address without the /v1 of its OpenAI-compatible calls. login: "name:password", for a proxy that asks for
    one. It stands in the address a user gives, and in no message."""

    root: str
    login: str | None = None

    @classmethod
    def of(cls, url: str) -> Address:
        """Raises BadInput for what is no address."""
        try:
            parts = urlsplit(url.strip())
            usable = parts.scheme in ("http", "https") and httpx.URL(url.strip()).host and parts.port != 0
        except (ValueError, httpx.InvalidURL):  # a port that is none, a control character
            usable = False
        if not usable:
            raise BadInput(f"--server-url is {url!r}; write it like http://127.0.0.1:8000")
        login, _, place = parts.netloc.rpartition("@")
        root = f"{parts.scheme}://{place}{parts.path}".rstrip("/").removesuffix("/v1")
        return cls(root, unquote(login) or None)


def key() -> str:
    """The server's key. Never an option: a command line can be read by others.

    Raises BadInput for what no header can carry.
    """
    name = next((name for name in KEYS if os.environ.get(name, "").strip()), None)
    found = os.environ[name].strip() if name else "none"
    if not found.isascii() or not found.isprintable():
        raise BadInput(
            f"{name} holds signs that no key has (line breaks, letters with accents); copy the key once more"
        )
    return found
