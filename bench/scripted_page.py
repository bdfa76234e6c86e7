"""The page on a scripted engine that repeats the visitor's tag for ever: python -m bench.scripted_page --places 64"""

from __future__ import annotations

import argparse
import signal
import sys
from pathlib import Path

from bench.visitors import TAG
from ui.page import build_page, launch
from z1_core.engines.fake import FakeEngine
from z1_core.host import EngineHost

TOKENS_PER_S = 30


def script(prompt: str) -> str:
    found = TAG.search(prompt)
    tag = found[0] if found else "nobody"
    return "".join(f"{number}: {tag} thinks. " for number in range(40))


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--places", type=int, default=64)
    places = options.parse_args().places
    host = EngineHost(lambda report: FakeEngine(script, seconds_per_token=1 / TOKENS_PER_S, places=places))
    host.start()
    page = build_page(host, results=Path("no-results"))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        print(f"The page is at {launch(page)}", flush=True)
        page.block_thread()
    finally:
        host.close()
        page.close(verbose=False)


if __name__ == "__main__":
    main()
