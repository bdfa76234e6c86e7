"""The page: python app.py [--model ID_OR_FOLDER] [--port 7860]. It opens at once; the model loads behind it."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
from collections.abc import Callable

from z1_core.engine import Engine
from z1_core.models import Report, locate


def parser() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    options.add_argument("--model", help="hub id or folder; default: Z1-7B on a GPU, the embedded model without one")
    options.add_argument("--max-model-len", type=int, help="context to reserve memory for; default: the model's own")
    options.add_argument("--tensor-parallel-size", type=int, default=1, help="GPUs to split the model over")
    options.add_argument("--gpu-memory-utilization", type=float, default=0.9, help="share of the GPU's memory to use")
    options.add_argument("--host", help="address to listen on; 0.0.0.0 lets other machines in (default: 127.0.0.1)")
    options.add_argument("--port", type=int, help="port (default: the first free one from 7860 on)")
    options.add_argument("--share", action="store_true", help="also make a public link through Gradio's tunnel")
    options.add_argument("--places", type=int, default=32, help="runs that share the engine at once; others queue")
    options.add_argument("--fake", action="store_true", help="run the page on a scripted engine, without a model")
    return options


def engine_starter(options: argparse.Namespace) -> Callable[[Report], Engine]:
    """What starts the chosen engine, in the background and again after it died."""

    def start_fake(report: Report) -> Engine:
        from z1_core.fake_engine import FakeEngine

        return FakeEngine(seconds_per_token=0.02)

    def start_vllm(report: Report) -> Engine:
        from z1_core.vllm_engine import VllmEngine

        model = locate(options.model, report=report)
        report(f"loading {model.name}")
        return VllmEngine.start(
            model.folder,
            name=model.name,
            max_model_len=options.max_model_len,
            tensor_parallel_size=options.tensor_parallel_size,
            gpu_memory_utilization=options.gpu_memory_utilization,
        )

    return start_fake if options.fake else start_vllm


def main() -> None:
    options = parser().parse_args()
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")

    from ui.page import LAUNCH, build_page
    from z1_core.host import EngineHost

    host = EngineHost(engine_starter(options))
    page = build_page(host, places=options.places)
    try:
        _, address, _ = page.launch(
            server_name=options.host,
            server_port=options.port,
            share=options.share,
            prevent_thread_lock=True,
            quiet=True,
            **LAUNCH,
        )
    except OSError:
        host.close()
        sys.exit(f"error: port {options.port or 'range 7860-7959'} is in use; choose another with --port")
    print(f"The page is at {address}  (Ctrl+C ends it)", flush=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # so that the engine's processes end with this one
    host.start()
    try:
        page.block_thread()
    finally:
        host.close()


if __name__ == "__main__":
    main()
