"""Another model on its way to a running host: how far it is, and giving it up."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Literal

from z1_core.models import Cancelled

State = Literal["downloading", "loading", "failed", "cancelled", "done"]


@dataclass(slots=True)
class Choice:
    """Every method may be called from any thread. text: for people; share: of the download, 0 to 1, while there is one.

    report() and progress() are for z1_core.models.locate; in one that was cancelled they raise Cancelled, which ends the
    download.
    """

    model: str
    state: State = "loading"
    text: str = ""
    share: float | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)

    @property
    def is_on_its_way(self) -> bool:
        return self.state in ("downloading", "loading")

    def report(self, stage: str) -> None:
        if not self.become("loading", stage):
            raise Cancelled

    def progress(self, so_far: int, total: int) -> None:
        text = self.text if so_far < total else f"checking what has arrived of {self.model}"
        if not self.become("downloading", text, so_far / total):
            raise Cancelled

    def cancel(self) -> None:
        """What has arrived of a download stays for the next time."""
        kept = f"; what has arrived of {self.model} is kept for the next time" if self.share else ""
        self.become("cancelled", f"cancelled{kept}")

    def become(self, state: State, text: str, share: float | None = None) -> bool:
        """False where it had ended already; it then stays as it was."""
        with self._lock:
            if was_on_its_way := self.is_on_its_way:
                self.state, self.text, self.share = state, text, share
            return was_on_its_way
