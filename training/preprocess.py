"""Tokenise trajectories once, for every run that follows: masked, counted, memory-mapped, with a manifest.

    python -m training.preprocess subset/subset.jsonl --tokenizer Qwen/Qwen2.5-Coder-7B-Instruct --out data/z1 --show 3
    python -m training.preprocess --show 3 --out data/z1          # look at what is there

A row becomes prompt + response + end token, with the loss on the response and its end token only. Rows longer than
--max-length are dropped and counted, never cut: a row that is cut teaches not to stop. The memory this takes does not
grow with the number of rows.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import cache
from importlib.metadata import version
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from training import manifest
from training.encoding import RowEncoder
from training.pretrained import load_tokenizer
from training.rows import read_rows
from z1_core.errors import BadInput, Z1Error
from z1_core.program import program
from z1_core.prompt import SYSTEM_PROMPT

if TYPE_CHECKING:
    import pyarrow as pa
    from datasets import Dataset

REASONS = ("kept", "too_long", "prompt_no_prefix")
BATCH_ROWS = 256
WORKER_ROWS = 4000
"""Fewer rows than this do not pay for the start of another process."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Everything that decides which ids come out."""

    tokenizer: str
    system: str = SYSTEM_PROMPT
    """System text of every prompt; use the same one at inference. Empty: the template's own, as in the paper."""
    max_length: int = 8192
    """The most tokens of a row, prompt and end token included."""
    held_out: int = 512
    """So many rows are kept for evaluation. Rows with the same question stay on one side."""
    seed: int = 42
    limit: int = 0
    """Only the first so many rows of the source; 0: all."""

    def __post_init__(self) -> None:
        for name, least in (("max_length", 1), ("held_out", 0), ("limit", 0)):
            if getattr(self, name) < least:
                raise BadInput(f"--{name.replace('_', '-')} is {getattr(self, name)}; it must be at least {least}")


def preprocess(source: Sequence[str], out: Path, settings: Settings, *, workers: int = 0) -> manifest.Manifest:
    """Make the folder `out`: train/, held_out/ and manifest.json. It appears whole or not at all. Raises BadInput.

    workers: processes that tokenise; 0: as many as there are cores and the rows keep busy. One alone uses all cores, too,
    but only while it tokenises.
    """
    from datasets.exceptions import DatasetGenerationError

    if out.exists():
        raise BadInput(f"{out} is there already; remove it or name another folder with --out")
    encoder = _encoder(settings.tokenizer, settings.system)  # first, so that a bad template costs nothing
    identity = manifest.identify(encoder.tokenizer)
    draft = out.with_name(f".{out.name}.part")
    shutil.rmtree(draft, ignore_errors=True)
    try:
        draft.mkdir(parents=True)
        rows = _tokenised(source, settings, draft / "work", workers)
        made = manifest.Manifest(
            settings={**asdict(settings), "end_token_id": encoder.end_token_id},
            source=_describe(source),
            tokenizer=identity,
            **_save(rows, draft, settings.held_out),
            files=manifest.hash_files(draft),
            versions={name: version(name) for name in ("datasets", "transformers", "tokenizers")},
        )
        shutil.rmtree(draft / "work")
        manifest.write_json(draft / manifest.FILE, asdict(made))
        draft.rename(out)
    except (OSError, DatasetGenerationError) as error:
        if isinstance(error.__cause__, Z1Error):  # what read_rows said, wrapped by datasets
            raise error.__cause__ from None
        reason = str(error.__cause__ or error).splitlines()[0]
        raise Z1Error(f"{out} cannot be written: {reason}; check --out and free some space") from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return made


def _tokenised(source: Sequence[str], settings: Settings, work: Path, workers: int) -> Dataset:
    """All rows of the source as ids, on disk. Those to be dropped are empty and carry their reason."""
    from datasets import Dataset, Features, List, Value, disable_progress_bars

    if not sys.stderr.isatty():
        disable_progress_bars()
    texts = {name: Value("string") for name in ("id", "question", "response")}
    raw = Dataset.from_generator(
        _texts,
        gen_kwargs={"source": tuple(source), "limit": settings.limit},
        features=Features(texts),
        cache_dir=str(work),
        writer_batch_size=BATCH_ROWS,
        fingerprint=hashlib.sha256(str(work).encode()).hexdigest()[:16],
    )
    workers = workers or min(os.cpu_count() or 1, 1 + len(raw) // WORKER_ROWS)
    ids = List(Value("int32"))
    numbers = {"length": Value("int32"), "labelled": Value("int32"), "place": Value("uint64"), "reason": Value("int8")}
    with _worker_failures_said():
        return raw.with_format("arrow").map(
            _encode_batch,
            batched=True,
            batch_size=BATCH_ROWS,
            writer_batch_size=BATCH_ROWS,
            num_proc=workers if workers > 1 else None,
            fn_kwargs=asdict(settings),
            features=Features({"id": Value("string"), "input_ids": ids, "labels": ids, **numbers}),
            remove_columns=["question", "response"],
            new_fingerprint=raw._fingerprint[:8] + "encoded1",
            desc="tokenising",
        )


@contextmanager
def _worker_failures_said() -> Iterator[None]:
    """Behind Ctrl+C, or when a worker is killed, datasets still asks its workers for results: that error hides the first."""
    from multiprocess import TimeoutError as NoResult

    try:
        yield
    except (NoResult, EOFError, ConnectionError, RuntimeError) as error:
        if isinstance(error.__context__, KeyboardInterrupt):
            raise KeyboardInterrupt from None
        if isinstance(error, RuntimeError) and "abruptly died" not in str(error):
            raise
        raise Z1Error("a worker was ended from outside, perhaps for want of memory; lower --workers") from error


def _texts(source: Sequence[str], limit: int) -> Iterator[dict[str, str]]:
    for count, row in enumerate(read_rows(source), start=1):
        yield {"id": row["id"], "question": row["question"], "response": row["response"]}
        if count == limit:
            return


@cache
def _encoder(tokenizer: str, system: str) -> RowEncoder:
    """Loaded once in each process."""
    loaded = load_tokenizer(tokenizer)
    manifest.check_usable(loaded)
    return RowEncoder(loaded, system)


def _encode_batch(table: pa.Table, *, tokenizer: str, system: str, max_length: int, seed: int, **_: object) -> pa.Table:
    import multiprocess
    import numpy as np
    import pyarrow as pa

    if multiprocess.parent_process():
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C is said once, by the program itself
    rows = table.to_pylist()
    reasons, ids, prompt_tokens = [], [], []
    for encoded in _encoder(tokenizer, system).encode(rows):
        reason = 2 if encoded is None else int(len(encoded.ids) > max_length)
        reasons.append(reason)
        ids.append([] if reason else encoded.ids)
        prompt_tokens.append(0 if reason else encoded.prompt_tokens)
    lengths = np.array([len(row) for row in ids], dtype=np.int32)
    offsets = np.concatenate(([0], np.cumsum(lengths, dtype=np.int32))).astype(np.int32)
    flat = np.fromiter(chain.from_iterable(ids), dtype=np.int32, count=int(offsets[-1]))
    labels = flat.copy()
    for start, masked in zip(offsets, prompt_tokens, strict=False):
        labels[start : start + masked] = -100
    return pa.table(
        {
            "id": table["id"],
            "input_ids": pa.ListArray.from_arrays(offsets, flat),
            "labels": pa.ListArray.from_arrays(offsets, labels),
            "length": lengths,
            "labelled": lengths - np.array(prompt_tokens, dtype=np.int32),
            "place": pa.array([_place(row["question"], seed) for row in rows], pa.uint64()),
            "reason": pa.array(reasons, pa.int8()),
        }
    )


def _place(question: str, seed: int) -> int:
    """A number that decides on which side of the split a question falls, wherever it stands in the source."""
    return int.from_bytes(hashlib.blake2b(f"{seed}:{question}".encode(), digest_size=8).digest(), "big")


def _save(rows: Dataset, draft: Path, held_out_rows: int) -> dict[str, Any]:
    """Write both sides of the split. Returns what the manifest says of the rows. Raises BadInput where none is left."""
    import numpy as np

    numbers = ["length", "labelled", "place", "reason"]
    columns = rows.select_columns(numbers).with_format("arrow")[:]
    length, labelled, place, reason = (columns[name].to_numpy() for name in numbers)
    kept = reason == 0
    if not kept.any():
        counts = ", ".join(f"{name} {count:,}" for name, count in _drops(reason).items() if count)
        raise BadInput(f"none of the {len(kept):,} rows can be used ({counts}); raise --max-length")
    held_out = kept & (place <= _threshold(place[kept], held_out_rows))
    train = kept & ~held_out
    if not train.any():
        raise BadInput(f"--held-out {held_out_rows} leaves no row of {int(kept.sum()):,} to train on; lower it")
    for name, chosen in (("train", train), ("held_out", held_out)):
        part = rows.select(np.flatnonzero(chosen)).remove_columns(["place", "reason"]).with_format(None)
        part.save_to_disk(draft / name)
    lengths = length[train].astype(np.int64)
    return {
        "counts": {"read": len(kept), "train": int(train.sum()), "held_out": int(held_out.sum()), **_drops(reason)},
        "tokens": {
            "all": int(lengths.sum()),
            "labelled": int(labelled[train].sum()),
            "squares": int((lengths**2).sum()),
            "longest": int(length[kept].max()),
        },
        "lengths": _histogram(lengths),
    }


def _threshold(places: Any, held_out: int) -> int:
    import numpy as np

    last = min(held_out, len(places)) - 1
    return int(np.partition(places, last)[last]) if last >= 0 else -1


def _drops(reason: Any) -> dict[str, int]:
    return {f"dropped_{name}": int((reason == code).sum()) for code, name in enumerate(REASONS) if code}


def _histogram(lengths: Any) -> list[dict[str, int]]:
    """Rows by length, in twenty to forty steps of a power of two."""
    import numpy as np

    step = max(16, 2 ** (int(lengths.max()) // 40).bit_length())
    counts = np.bincount((lengths - 1) // step)
    return [{"from": step * n + 1, "to": step * (n + 1), "rows": int(count)} for n, count in enumerate(counts) if count]


def _describe(source: Sequence[str]) -> list[dict[str, Any]]:
    return [
        {"file": Path(name).name, "sha256": manifest.hash_file(Path(name))} if Path(name).is_file() else {"hub": name}
        for name in source
    ]


def show(folder: Path, rows: int) -> str:
    """The first rows as the model sees them: what is given, what is learnt."""
    from datasets import load_from_disk

    made = manifest.read(folder)
    tokenizer = load_tokenizer(made.settings["tokenizer"])
    shown = []
    for row in load_from_disk(folder / "train").select(range(min(rows, made.counts["train"]))):
        masked = row["length"] - row["labelled"]
        shown.append(
            f"--- {row['id']}: {row['length']} tokens, {row['labelled']} with loss\n"
            f"[prompt]\n{tokenizer.decode(row['input_ids'][:masked])}\n"
            f"[target]\n{tokenizer.decode(row['labels'][masked:])}\n"
        )
    return "\n".join(shown)


@program(stopped="stopped; nothing was written", needs="training/requirements.txt")
def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m training.preprocess", description=__doc__.split("\n\n")[0])
    parser.add_argument("source", nargs="*", help="JSONL files or a hub id; none: only --show what --out holds")
    parser.add_argument("--out", type=Path, required=True, help="the folder to make")
    parser.add_argument("--tokenizer", default="embedded", help="model folder or hub id; default: the embedded model")
    parser.add_argument("--system", default=Settings.system, help=f"system prompt; default {SYSTEM_PROMPT!r}")
    for name, text in (
        ("max_length", "the most tokens of a row"),
        ("held_out", "rows kept for evaluation"),
        ("seed", "decides which rows are held out"),
        ("limit", "only the first so many rows; 0: all"),
    ):
        option = "--" + name.replace("_", "-")
        parser.add_argument(option, type=int, default=getattr(Settings, name), help=f"{text}; default %(default)s")
    parser.add_argument("--workers", type=int, default=0, help="processes; default: as many as pay")
    parser.add_argument("--show", type=int, default=0, metavar="N", help="print N rows, decoded")
    options = parser.parse_args(argv)
    if options.source:
        names = Settings.__dataclass_fields__
        made = preprocess(
            options.source,
            options.out,
            Settings(**{name: getattr(options, name) for name in names}),
            workers=options.workers,
        )
        print(" ".join(f"{name} {count:,}" for name, count in {**made.counts, **made.tokens}.items()))
    if options.show:
        print(show(options.out, options.show))


if __name__ == "__main__":
    sys.exit(main())
