"""The page on a scripted engine that says what it is told to, waits, dies and comes back on command.

python -m tests.browser.stage --pace 0.004
"""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from pathlib import Path

from ui.page import build_page, launch
from z1_core.engines.fake import FakeEngine
from z1_core.host import EngineHost
from z1_core.models import EMBEDDED_NAME, Report
from z1_core.window import HINT

TRAIN = "A train leaves at 9:40 and travels 150 km at 60 km/h. When does it arrive?"
GREETING = "Hello! Who are you?"
THOUGHT = r"""To find when the train arrives, I first need how long it travels. Time is distance divided by speed:

\[ t = \frac{150\ \text{km}}{60\ \text{km/h}} = 2.5\ \text{h} \]

2.5 hours is 2 hours and 30 minutes. Now add this to the departure time:

- 9:40 plus 2 hours is 11:40
- 11:40 plus 30 minutes is 12:10

Let me check the units again. Kilometres divided by kilometres per hour gives hours, so \(t\) is right. """
DOUBT = "Is it really? {}: 60 km/h is one kilometre a minute, and 150 minutes are two and a half hours. "
ANSWER = """The train travels for **2 h 30 min**, so it arrives at **{}**.

```python
departure + timedelta(minutes=150)
```
"""
REPEAT = "Say this: "
"""The model then writes what follows."""
THEN_ANSWER = "Say this, then answer: "
"""The same, but behind the hint it answers."""
LONG = "Think for long."
GREETED = "Hello! I am a small language model. Ask me something that needs a thought, and watch the window."


def script(prompt: str) -> str:
    """A right answer where the trace has come far enough, a greeting that ends by itself, and what it is told to say."""
    written, asked = prompt.rsplit("assistant\n", 1)[-1], prompt.rsplit("user\n", 1)[-1].split("<|im_end|>")[0]
    if asked.startswith(REPEAT):
        return asked.removeprefix(REPEAT)
    if asked.startswith(THEN_ANSWER) and HINT.strip() not in written:
        return asked.removeprefix(THEN_ANSWER)
    if asked.startswith(LONG):
        return "\n\n".join(f"## Try {number}\n\n{THOUGHT}\n\n{ANSWER.format(number)}" for number in range(400))
    if HINT.strip() in written:
        return ANSWER.format("12:10" if "12:10" in written else "11:40" if "2.5" in written else "10:10")
    if asked.startswith(GREETING):
        return GREETED
    return THOUGHT + "".join(DOUBT.format(number) for number in range(2, 400))


class Stage:
    """The page at `address`. The engine starts when `may_start` is set."""

    def __init__(self, results: Path, *, pace_s: float = 0.004, context_tokens: int = 8192) -> None:
        self.results, self.pace_s, self.context_tokens = results, pace_s, context_tokens
        self.may_start = threading.Event()
        self.engine: FakeEngine | None = None
        self.host = EngineHost(self._start)
        self._page = build_page(self.host, results=results)
        self.address = launch(self._page)
        self.host.start()

    def kill_engine(self) -> None:
        """As if its process had been killed; what starts next waits for may_start."""
        self.may_start.clear()
        self.engine.dead = True

    def close(self) -> None:
        self.may_start.set()
        self._page.close()
        self.host.close()

    def _start(self, report: Report) -> FakeEngine:
        report(f"loading {EMBEDDED_NAME}")
        self.may_start.wait()
        self.engine = FakeEngine(script, context_tokens=self.context_tokens, seconds_per_token=self.pace_s, places=1)
        self.engine.name = EMBEDDED_NAME
        return self.engine


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--pace", type=float, default=0.004, metavar="SECONDS", help="of each token")
    stage = Stage(Path("no-results"), pace_s=options.parse_args().pace, context_tokens=32_768)
    stage.may_start.set()
    print(f"The page is at {stage.address}", flush=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        threading.Event().wait()
    finally:
        stage.host.close()  # the page ends with the process, as in app.py


if __name__ == "__main__":
    main()
