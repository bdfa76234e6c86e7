"""Tokenise trajectories once, for every run that follows: masked, counted, memory-mapped, with a manifest.

    python -m training.preprocess z1-107k.jsonl --tokenizer Qwen/Qwen2.5-Coder-7B-Instruct --out data/z1 --show 3
    python -m training.preprocess --show 3 --out data/z1          # look at what is there

A row becomes prompt + response + end token, with the loss on the response and its end token only. Rows longer than
--max-length are dropped and counted, never cut: a row that is cut teaches not to stop. The memory this takes does not
grow with the number of rows. The defaults are those of the paper's run.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cache
from importlib.metadata import version
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from training import manifest
from training.drafts import appearing
from training.encoding import RowEncoder
from training.pretrained import load_tokenizer
from training.rows import ANSWERED, TRAJECTORY, Rows, add_max_bad, digest, share
from training.workers import failures_said
from z1_core.errors import BadInput
from z1_core.program import program

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from datasets import Dataset

TEXTS = ("id", *ANSWERED)
REASONS = ("kept", "too_long", "open_thought")
BATCH_ROWS = 256
PARTS = 10_000
WORKER_ROWS = 4000
"""Fewer rows than this do not pay for the start of another process."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Everything that decides which ids come out.

    system: the system text of every prompt; use the same one at inference. Empty: the template's own, as in the paper.
    max_length: the most tokens of a row, prompt and end token included; none of the paper's has more.
    held_out: exactly so many rows are kept for evaluation, with all rows of a question on one side. The paper's 107,173
    make 418 whole batches of 256, with 160 of them held out, too.
    max_bad: the share of odd rows that is borne.
    cut: of the rows that have an answer, the share whose working breaks off, as at the end of a window, so that hint and
    answer follow.
    """

    tokenizer: str
    system: str = ""
    max_length: int = 10_240
    held_out: int = 160
    seed: int = 42
    max_bad: float = 0.01
    cut: float = 0.0

    def __post_init__(self) -> None:
        for name, least in (("max_length", 1), ("held_out", 0)):
            if getattr(self, name) < least:
                raise BadInput(f"--{name.replace('_', '-')} is {getattr(self, name)}; it must be at least {least}")


def preprocess(source: Sequence[str], out: Path, settings: Settings, *, workers: int = 0) -> manifest.Manifest:
    """Make the folder `out`: train/, held_out/ and manifest.json. It appears whole or not at all. Raises BadInput.

    workers: processes that tokenise; 0: as many as there are cores and the rows keep busy. One alone uses all cores, too,
    but only while it tokenises.
    """
    encoder = _encoder(settings.tokenizer, settings.system)  # first, so that a bad template costs nothing
    with appearing(out) as draft:
        rows = Rows(source, fields=ANSWERED if settings.cut else TRAJECTORY, max_bad=settings.max_bad)
        tokenised = _tokenised(rows, settings, draft / "work", workers)
        made = _save(tokenised, draft, settings.held_out)
        odd = {f"dropped_{fault.replace(' ', '_')}": count for fault, count in rows.bad.items()}
        made["counts"] |= {"read": rows.read, **odd}
        record = manifest.Manifest(
            settings={**asdict(settings), "end_token_id": encoder.end_token_id},
            source=rows.about(),
            tokenizer=manifest.identify(encoder.tokenizer),
            **made,
            files=manifest.hash_files(draft),
            versions={name: version(name) for name in ("datasets", "transformers", "tokenizers")},
        )
        shutil.rmtree(draft / "work")
        manifest.write(draft, record)
    return record


def _tokenised(rows: Rows, settings: Settings, work: Path, workers: int) -> Dataset:
    """All rows as ids, on disk. Those to be dropped are empty and carry their reason."""
    from datasets import Dataset, Features, List, Value, disable_progress_bars
    from datasets.exceptions import DatasetGenerationError

    if not sys.stderr.isatty():
        disable_progress_bars()
    try:
        raw = Dataset.from_generator(
            lambda: ({name: getattr(row, name) for name in TEXTS} for row in rows),
            features=Features({name: Value("string") for name in TEXTS}),
            cache_dir=str(work),
            writer_batch_size=BATCH_ROWS,
            fingerprint=digest(str(work)).hex(),
        )
    except DatasetGenerationError as error:  # what the rows or the disk said, wrapped by datasets
        raise error.__cause__ or error from None
    if settings.cut and raw.unique("answer") == [""]:
        raise BadInput('--cut puts a row\'s "answer" behind the hint, and none has one; leave --cut out')
    workers = workers or min(os.cpu_count() or 1, 1 + len(raw) // WORKER_ROWS)
    ids = List(Value("int32"))
    numbers = {"length": Value("int32"), "labelled": Value("int32"), "draw": Value("uint64"), "reason": Value("int8")}
    with failures_said():
        return raw.with_format("arrow").map(
            _encode_batch,
            batched=True,
            batch_size=BATCH_ROWS,
            writer_batch_size=BATCH_ROWS,
            num_proc=workers if workers > 1 else None,
            fn_kwargs={"settings": settings},
            features=Features({"id": Value("string"), "input_ids": ids, "labels": ids, **numbers}),
            remove_columns=[*ANSWERED],
            new_fingerprint=digest(str(work), "encoded").hex(),
            desc="tokenising",
        )


@cache
def _encoder(tokenizer: str, system: str) -> RowEncoder:
    """Loaded once in each process."""
    loaded = load_tokenizer(tokenizer)
    manifest.check_usable(loaded)
    return RowEncoder(loaded, system)


def _encode_batch(table: pa.Table, *, settings: Settings) -> pa.Table:
    import multiprocess
    import numpy as np
    import pyarrow as pa

    if multiprocess.parent_process():
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C is said once, by the program itself
    rows = table.to_pylist()
    reasons, ids, prompt_tokens = [], [], []
    encoder = _encoder(settings.tokenizer, settings.system)
    for row, encoded in zip(rows, encoder.encode(rows), strict=True):
        if encoded and settings.cut and row["answer"]:
            place, part = divmod(_draw(f"{settings.seed}:cut:{row['id']}"), PARTS)
            if part < settings.cut * PARTS:
                encoded = encoder.cut(encoded, draw=place, answer=row["answer"])
        reason = 2 if encoded is None else int(len(encoded.ids) > settings.max_length)
        reasons.append(reason)
        ids.append([] if reason else encoded.ids)
        prompt_tokens.append(0 if reason else encoded.prompt_tokens)
    lengths = np.array([len(row) for row in ids], dtype=np.int32)
    offsets = np.concatenate(([0], np.cumsum(lengths, dtype=np.int32))).astype(np.int32)
    flat = np.fromiter(chain.from_iterable(ids), dtype=np.int32, count=int(offsets[-1]))
    labels = flat.copy()
    for start, masked in zip(offsets, prompt_tokens, strict=False):
        labels[start : start + masked] = -100
    draws = [_draw(f"{settings.seed}:{row['question']}") for row in rows]
    return pa.table(
        {
            "id": table["id"],
            "input_ids": pa.ListArray.from_arrays(offsets, flat),
            "labels": pa.ListArray.from_arrays(offsets, labels),
            "length": lengths,
            "labelled": lengths - np.array(prompt_tokens, dtype=np.int32),
            "draw": pa.array(draws, pa.uint64()),
            "reason": pa.array(reasons, pa.int8()),
        }
    )


def _draw(text: str) -> int:
    return int.from_bytes(digest(text), "big")


def _save(rows: Dataset, draft: Path, held_out_rows: int) -> dict[str, Any]:
    """Write both sides of the split. Returns what the manifest says of the rows. Raises BadInput where none is left."""
    import numpy as np

    numbers = ["length", "labelled", "draw", "reason"]
    columns = rows.select_columns(numbers).with_format("arrow")[:]
    length, labelled, draw, reason = (columns[name].to_numpy() for name in numbers)
    dropped = {f"dropped_{name}": int((reason == code).sum()) for code, name in enumerate(REASONS) if code}
    kept = np.flatnonzero(reason == 0)
    if not kept.size:
        counts = ", ".join(f"{name} {count:,}" for name, count in dropped.items() if count)
        raise BadInput(
            f"none of the {len(rows):,} rows can be used ({counts}); raise --max-length, or close the thoughts"
        )
    is_held_out = _held_out(draw[kept], held_out_rows)
    train, held_out = kept[~is_held_out], kept[is_held_out]
    for name, chosen in (("train", train), ("held_out", held_out)):
        rows.select(chosen).remove_columns(["draw", "reason"]).with_format(None).save_to_disk(draft / name)
    return {
        "counts": {"train": len(train), "held_out": len(held_out), **dropped},
        "tokens": {
            "all": int(length[train].sum()),
            "labelled": int(labelled[train].sum()),
            "longest": int(length[kept].max()),
        },
    }


def _held_out(draws: np.ndarray, rows: int) -> np.ndarray:
    """Which rows are held out: exactly so many. A question is taken with all its rows, by its draw, or passed over where
    it has more than are missing."""
    import numpy as np

    if rows >= len(draws):
        raise BadInput(f"--held-out {rows} leaves no row of {len(draws):,} to train on; lower it")
    taken, missing = [], rows
    for draw, count in zip(*np.unique(draws, return_counts=True), strict=True):
        if count <= missing:
            taken.append(draw)
            missing -= count
    if missing:
        raise BadInput(f"--held-out {rows} tears the rows of a question apart; {rows - missing} does not")
    return np.isin(draws, np.array(taken, np.uint64))


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
    parser.add_argument("--system", default=Settings.system, help="system prompt; default: the template's own")
    for name, text in (
        ("max_length", "the most tokens of a row"),
        ("held_out", "rows kept for evaluation"),
        ("seed", "decides which rows are held out"),
    ):
        option = "--" + name.replace("_", "-")
        parser.add_argument(option, type=int, default=getattr(Settings, name), help=f"{text}; default %(default)s")
    add_max_bad(parser)
    parser.add_argument(
        "--cut",
        type=share,
        default="0%",
        metavar="PERCENT",
        help="of the rows with an 'answer': cut short, answered by it",
    )
    parser.add_argument("--workers", type=int, default=0, help="processes; default: as many as pay")
    parser.add_argument("--show", type=int, default=0, metavar="N", help="print N rows, decoded")
    options = parser.parse_args(argv)
    if options.source:
        settings = Settings(**{name: getattr(options, name) for name in Settings.__dataclass_fields__})
        made = preprocess(options.source, options.out, settings, workers=options.workers)
        print(", ".join(f"{name} {count:,}" for name, count in {**made.counts, **made.tokens}.items()))
    if options.show:
        print(show(options.out, options.show))


if __name__ == "__main__":
    sys.exit(main())
