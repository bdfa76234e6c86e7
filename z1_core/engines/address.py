"""Where a model server is, which kind it is, and its key."""

from __future__ import annotations

import base64
import os
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

import httpx

from z1_core.errors import BadInput

KEYS = ("Z1_API_KEY", "OPENAI_API_KEY")
LOOK_S = 10.0


@dataclass(frozen=True, slots=True)
class Address:
    """Where a server is. api: the address of its OpenAI-compatible calls, ending in /v1; root: the one before it.

    login: "name:password", for a proxy that asks for one. It stands in the address a user gives, and in no message.
    """

    api: str
    root: str
    login: str | None = None

    @classmethod
    def of(cls, url: str) -> Address:
        """Raises BadInput for what is no address."""
        try:
            parts = urlsplit(url.strip())
            usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
        except ValueError:  # a port that is none
            usable = False
        if not usable:
            raise BadInput(f"--server-url is {url!r}; write it like http://127.0.0.1:8000")
        login, _, place = parts.netloc.rpartition("@")
        root = f"{parts.scheme}://{place}{parts.path}".rstrip("/").removesuffix("/v1")
        return cls(api=f"{root}/v1", root=root, login=unquote(login) or None)

    @property
    def headers(self) -> Mapping[str, str]:
        """Who asks: the login where the address has one, else the key."""
        if self.login:
            return {"Authorization": f"Basic {base64.b64encode(self.login.encode()).decode()}"}
        return {"Authorization": f"Bearer {key()}"}

    def is_llama(self) -> bool:
        """Whether llama.cpp's server answers there. One that does not answer at all is none; who asks it next says why."""
        try:
            props = httpx.get(f"{self.root}/props", headers=self.headers, timeout=LOOK_S).json()
        except (httpx.HTTPError, ValueError):
            return False
        return isinstance(props, dict) and "total_slots" in props


def key() -> str:
    """The server's key. Never an option: a command line can be read by others. The client wants one in any case.

    Raises BadInput for what no header can carry.
    """
    name = next((name for name in KEYS if os.environ.get(name, "").strip()), None)
    found = os.environ[name].strip() if name else "none"
    if not found.isascii() or not found.isprintable():
        raise BadInput(
            f"{name} holds signs that no key has (line breaks, letters with accents); copy the key once more"
        )
    return found
