"""The page: python app.py [--model ID_OR_FOLDER] [--port 7860]. It opens at once; the model loads behind it."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
from functools import partial
from importlib.util import find_spec
from pathlib import Path

from z1_core.engines import start_engine
from z1_core.errors import BadInput
from z1_core.options import add_engine_options, take_variables
from z1_core.program import program

READING_PACE_S = 0.02
"""The scripted engine writes at a pace that can be watched."""

LOOK_AGAIN_S = 3.0
"""How often a server that is away is looked for."""


def parser() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(
        description=__doc__, epilog="Each option with a value can be a variable instead: Z1_MODEL for --model."
    )
    options.add_argument("--host", help="address to listen on; 0.0.0.0 lets other machines in (default: 127.0.0.1)")
    options.add_argument("--port", type=int, help="port (default: the first free one from 7860 on)")
    options.add_argument("--share", action="store_true", help="also make a public link through Gradio's tunnel")
    options.add_argument("--places", type=int, default=32, help="runs that share the engine; others queue (default 32)")
    options.add_argument(
        "--results", type=Path, default=Path("results"), metavar="DIR", help="reports to show (default results)"
    )
    add_engine_options(options)
    take_variables(options)
    return options


@program()
def main() -> None:
    options = parser().parse_args()
    if options.places < 1:
        raise BadInput(f"--places is {options.places}; it must be at least 1")
    if options.port is not None and not 0 < options.port < 65536:
        raise BadInput(f"--port is {options.port}; it must be from 1 to 65535")
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")

    from ui.page import build_page, launch
    from z1_core.host import EngineHost

    host = EngineHost(
        partial(start_engine, options, beside_a_browser=True, fake_seconds_per_token=READING_PACE_S),
        look_again_s=LOOK_AGAIN_S if options.server_url else None,
    )
    page = build_page(host, places=options.places, results=options.results)
    try:
        address = launch(
            page,
            host=options.host,
            port=options.port,
            share=options.share,
            mcp_server=find_spec("mcp") is not None,
        )
        print(f"The page is at {address}  (Ctrl+C ends it)", flush=True)
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # so that the engine's processes end with this one
        host.start()
        page.block_thread()
    finally:
        host.close()


if __name__ == "__main__":
    sys.exit(main())
