"""Another model on its way to a running host: how far it is, and giving it up."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Literal

from z1_core.models import Cancelled

State = Literal["downloading", "loading", "failed", "cancelled", "done"]


@dataclass(frozen=True, slots=True)
class Choice:
    """text: for people; share: of the download, 0 to 1, while there is one."""

    model: str
    state: State
    text: str
    share: float | None = None

    @property
    def is_on_its_way(self) -> bool:
        return self.state in ("downloading", "loading")


class Choosing:
    """Follows one choice until it ends. Every method may be called from any thread.

    report() and progress() are for z1_core.models.locate; in one that was cancelled they raise Cancelled, which ends the
    download.
    """

    def __init__(self, model: str) -> None:
        self._lock = threading.Lock()
        self._now = Choice(model, "loading", f"looking for {model}")

    def now(self) -> Choice:
        return self._now

    def report(self, stage: str) -> None:
        self._tell("loading", stage)

    def progress(self, so_far: int, total: int) -> None:
        text = self._now.text if so_far < total else f"checking what has arrived of {self._now.model}"
        self._tell("downloading", text, so_far / total)

    def cancel(self) -> None:
        """What has arrived of a download stays for the next time."""
        kept = f"; what has arrived of {self._now.model} is kept for the next time" if self._now.share else ""
        self.end("cancelled", f"cancelled{kept}")

    def end(self, state: State, text: str) -> bool:
        """False where it had ended already; it then stays as it was."""
        with self._lock:
            if self._now.is_on_its_way:
                self._now = Choice(self._now.model, state, text)
                return True
            return False

    def _tell(self, state: State, text: str, share: float | None = None) -> None:
        with self._lock:
            if not self._now.is_on_its_way:
                raise Cancelled
            self._now = Choice(self._now.model, state, text, share)
