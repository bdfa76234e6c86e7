"""The page: python app.py [--model MODEL] [--port 7860]. It opens at once; the model loads behind it."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
from functools import partial
from importlib.util import find_spec
from pathlib import Path

from z1_core.program import needed, program

with needed():
    from z1_core.engines import Kind, choose, start_engine
    from z1_core.errors import BadInput
    from z1_core.options import add_engine_options, check_counts, take_variables
    from z1_core.settings import add_setting_options

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
    options.add_argument(
        "--places", type=int, help="streams that share the engine; others wait (default: 8 with llama.cpp, else 32)"
    )
    options.add_argument(
        "--queue", type=int, help="how many may wait for a place; more are refused (default: 4 for each place)"
    )
    options.add_argument(
        "--choose-model",
        choices=("yes", "no"),
        help="may whoever opens the page choose another model (default: yes with llama.cpp on a page that only this machine "
        "reaches; say no behind a proxy)",
    )
    options.add_argument(
        "--results", type=Path, default=Path("results"), metavar="DIR", help="reports to show (default results)"
    )
    add_setting_options(options)
    add_engine_options(options)
    take_variables(options)
    return options


@program()
def main() -> None:
    options = parser().parse_args()
    os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")  # before Gradio is imported
    kind = choose(options)
    check(options, kind)
    places = places_for(options, kind)
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")

    from z1_core.host import EngineHost

    host = EngineHost(
        partial(start_engine, options, places=places, fake_seconds_per_token=READING_PACE_S),
        model=options.model,
        restarts=kind == "llama",
        look_again_s=LOOK_AGAIN_S if kind == "server" else None,
        most_waiting=4 * places if options.queue is None else options.queue,
        usual=vars(options),
    )
    page = None
    try:
        if kind == "llama":  # it loads in a process of its own, while Gradio is imported here
            host.start()
        from ui.page import build_page, launch

        page = build_page(host, results=options.results, may_choose=lets_choose(options, kind))
        mcp_server = find_spec("mcp") is not None
        address = launch(page, host=options.host, port=options.port, share=options.share, mcp_server=mcp_server)
        print(f"The page is at {address}  (Ctrl+C ends it)", flush=True)
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # so that the engine's processes end with this one
        if kind != "llama":
            host.start()
        page.block_thread()
    finally:
        host.close()  # ends the runs, and the page then tells whoever watches one
        if page is not None:
            page.close(verbose=False)


def check(options: argparse.Namespace, kind: Kind) -> None:
    """Raises BadInput for what argparse lets through."""
    check_counts(options, places=(1, 10**6), queue=(0, 10**6), port=(1, 65_535))
    if kind != "llama" and options.choose_model == "yes":
        raise BadInput("--choose-model yes goes with llama.cpp; give --engine llama, or leave it out")


def places_for(options: argparse.Namespace, kind: Kind) -> int:
    if options.places is not None or kind != "llama":
        return options.places or 32
    from z1_core.engines.llama import PLACES

    return PLACES


def lets_choose(options: argparse.Namespace, kind: Kind) -> bool:
    """Strangers cannot make a machine download and load what they like, unless its owner says so."""
    from ui.page import listens_here_alone

    if kind != "llama":
        return False
    is_private = listens_here_alone(options.host) and not options.share and not os.environ.get("SPACE_ID")
    return options.choose_model == "yes" or (options.choose_model is None and is_private)


if __name__ == "__main__":
    sys.exit(main())
