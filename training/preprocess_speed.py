"""How fast preprocess is against the published way of doing it, on the same rows, alternating on this machine.

    python -m training.preprocess_speed trajectories.jsonl --repeat 3 --copies 1 10

The published loop (train/preprocess.py of efficientscaling/Z1) tokenises each prompt alone and each row whole, one at a
time, into lists of tensors, and pickles them with torch.save. Ours is `training.preprocess` as it is run, with reading,
checks, hashes and writing. Each measurement is a process of its own, whose start and imports are not counted, so that
its peak memory is its own. --copies repeats the rows under new ids: the peak must not grow with them.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path

METHODS = ("published", "ours")


def published(source: Path, tokenizer_name: str, out: Path) -> int:
    """The published steps; only the length is the one that we keep to, where it cut at 512. Returns the tokens."""
    import torch

    from training.preprocess import Settings
    from training.pretrained import load_tokenizer

    tokenizer = load_tokenizer(tokenizer_name)
    with source.open(encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    sources = [_prompt(tokenizer, row["question"].strip()) for row in rows]
    texts = [prompt + row["response"] + "<|im_end|>" for prompt, row in zip(sources, rows, strict=True)]
    whole, prompts = ([_tokenise(tokenizer, text, Settings.max_length) for text in part] for part in (texts, sources))
    labels = [ids.clone() for ids in whole]
    for label, prompt in zip(labels, prompts, strict=True):
        label[: prompt.ne(tokenizer.pad_token_id).sum().item()] = -100
    out.mkdir()
    torch.save(whole, out / "input_ids.pt")
    torch.save(labels, out / "labels.pt")
    return sum(len(ids) for ids in whole)


def ours(source: Path, tokenizer_name: str, out: Path, workers: int) -> int:
    from training.preprocess import Settings, preprocess

    made = preprocess([str(source)], out, Settings(tokenizer=tokenizer_name, held_out=0), workers=workers)
    return made.tokens["all"]


def _prompt(tokenizer, question: str) -> str:
    messages = [{"role": "user", "content": question}, {"role": "assistant", "content": "-[[]]-splitter-[[]]-"}]
    return tokenizer.apply_chat_template(messages, tokenize=False).split("-[[]]-splitter-[[]]-")[0]


def _tokenise(tokenizer, text: str, max_length: int):
    return tokenizer(text, return_tensors="pt", padding="longest", max_length=max_length, truncation=True).input_ids[0]


def measure(method: str, source: Path, tokenizer: str, workers: int) -> dict[str, float]:
    """Seconds, CPU seconds, tokens and peak memory (MB above what the imports take) of one method, in this process."""
    import datasets  # noqa: F401 - imported before the clock starts, with all that a tokenizer imports when it is loaded
    import torch  # noqa: F401

    from training.pretrained import load_tokenizer

    load_tokenizer(tokenizer)
    with tempfile.TemporaryDirectory() as folder, PeakMemory() as memory:
        started, cpu_s = time.perf_counter(), _cpu_s()
        if method == "ours":
            tokens = ours(source, tokenizer, Path(folder, "out"), workers)
        else:
            tokens = published(source, tokenizer, Path(folder, "out"))
        seconds = time.perf_counter() - started
    return {"seconds": seconds, "cpu_s": _cpu_s() - cpu_s, "tokens": tokens, "peak_mb": memory.peak_mb}


class PeakMemory:
    """The most memory that this process and its children have taken since it began, looked at ten times a second. Pages of
    mapped files do not count: the system drops them when it needs the room."""

    def __init__(self) -> None:
        self._before = _own_mb()
        self._peak = self._before
        self._over = threading.Event()
        self._watch = threading.Thread(target=self._look, daemon=True)

    @property
    def peak_mb(self) -> float:
        return self._peak - self._before

    def __enter__(self) -> PeakMemory:
        self._watch.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._watch.join()

    def _look(self) -> None:
        while not self._over.wait(0.1):
            self._peak = max(self._peak, _own_mb())


def _own_mb() -> float:
    """Memory that is no file's, each page once: what a child shares with the process that it was forked from is no more."""
    import psutil

    me, kilobytes = psutil.Process(), 0
    for process in [me, *me.children(recursive=True)]:
        with contextlib.suppress(psutil.NoSuchProcess, FileNotFoundError, ProcessLookupError):
            told = Path("/proc", str(process.pid), "smaps_rollup").read_text()
            kilobytes += int(told.split("Pss_Anon:")[1].split()[0])
    return kilobytes / 1e3


def _cpu_s() -> float:
    spent = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in spent)


def in_child(method: str, source: Path, options: argparse.Namespace) -> dict[str, float]:
    command = [sys.executable, "-m", "training.preprocess_speed", str(source), "--measure", method]
    command += ["--tokenizer", options.tokenizer, "--workers", str(options.workers)]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True)  # noqa: S603 - our own module
    return json.loads(done.stdout.splitlines()[-1])


def copied(source: Path, copies: int, folder: Path) -> Path:
    target = folder / f"rows-{copies}.jsonl"
    with target.open("w", encoding="utf-8") as out:
        for number in range(copies):
            with source.open(encoding="utf-8") as file:
                for line in file:
                    row = json.loads(line)
                    out.write(json.dumps({**row, "id": f"{row['id']}-{number}"}) + "\n")
    return target


def compare(options: argparse.Namespace) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for copies in options.copies:
            source = copied(options.source, copies, Path(folder))
            results = {method: [] for method in METHODS}
            for _ in range(options.repeat):
                for method in METHODS:
                    results[method].append(in_child(method, source, options))
            median = {m: statistics.median(r["seconds"] for r in results[m]) for m in METHODS}
            for method in METHODS:
                tokens, peak = results[method][0]["tokens"], max(run["peak_mb"] for run in results[method])
                print(
                    f"{copies:3} x rows, {method:9}: {median[method]:7.2f} s, {tokens / median[method]:10,.0f} tokens/s, "
                    f"{statistics.median(run['cpu_s'] for run in results[method]):7.2f} s of CPU, {peak:7,.0f} MB"
                )
            print(f"{copies:3} x rows: {median['published'] / median['ours']:.2f} times faster", flush=True)


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m training.preprocess_speed", description=__doc__.split("\n\n")[0])
    parser.add_argument("source", type=Path)
    parser.add_argument("--tokenizer", default="embedded")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--copies", type=int, nargs="+", default=[1])
    parser.add_argument("--workers", type=int, default=0)
    parser.add_argument("--measure", choices=METHODS, help=argparse.SUPPRESS)
    options = parser.parse_args(argv)
    if options.measure:
        print(json.dumps(measure(options.measure, options.source, options.tokenizer, options.workers)))
    else:
        compare(options)


if __name__ == "__main__":
    main()
