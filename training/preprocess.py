"""Tokenise trajectories once, for every run that follows: masked, counted, memory-mapped, with a manifest.

    python -m training.preprocess z1-107k.jsonl --tokenizer Qwen/Qwen2.5-Coder-7B-Instruct --out data/z1 --show 3
    python -m training.preprocess --show 3 --out data/z1          # look at what is there

A row becomes prompt + response + end token, with the loss on the response and its end token only. Rows longer than
--max-length are dropped and counted, never cut: a row that is cut teaches not to stop. The memory this takes does not
grow with the number of rows. The defaults are those of the paper's run.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from training import manifest
from training.encoding import RowEncoder
from training.libraries import appearing
from training.pretrained import load_tokenizer
from training.rows import ANSWERED, TRAJECTORY, Rows, add_max_bad, draw_of, share
from z1_core.errors import BadInput
from z1_core.jsonl import write_json
from z1_core.options import at_least
from z1_core.program import program
from z1_core.prompt import check_text
from z1_core.provenance import versions

if TYPE_CHECKING:
    from datasets import Dataset

BATCH_ROWS = 256
PARTS = 10_000


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
        at_least(1, max_length=self.max_length)
        at_least(0, held_out=self.held_out)
        check_text("system prompt", self.system)


def preprocess(source: Sequence[str], out: Path, settings: Settings) -> manifest.Manifest:
    """Make the folder `out`: train/, held_out/ and manifest.json. It appears whole or not at all. Raises BadInput."""
    tokenizer = load_tokenizer(settings.tokenizer)
    about = manifest.identify(tokenizer)
    encoder = RowEncoder(tokenizer, settings.system)  # first, so that a bad template costs nothing
    with appearing(out) as draft:
        rows = Rows(source, fields=ANSWERED if settings.cut else TRAJECTORY, max_bad=settings.max_bad)
        dropped, draws = Counter(too_long=0, open_thought=0), []
        encoded = _on_disk(lambda: _encoded(rows, encoder, settings, dropped, draws), draft / "work")
        made = _save(encoded, draft, _held_out(np.array(draws, np.uint64), settings.held_out))
        odd = {f"dropped_{fault.replace(' ', '_')}": count for fault, count in {**dropped, **rows.bad}.items()}
        made["counts"] |= {"read": rows.read, **odd}
        shutil.rmtree(draft / "work")
        record = manifest.Manifest(
            settings={**asdict(settings), "end_token_id": encoder.end_token_id},
            source=rows.about(),
            tokenizer=about,
            **made,
            versions=versions(("datasets", "transformers", "tokenizers")),
        )
        write_json(draft / manifest.FILE, record.model_dump())
    return record


def _encoded(
    rows: Rows, encoder: RowEncoder, settings: Settings, dropped: Counter[str], draws: list[int]
) -> Iterator[dict[str, Any]]:
    """dropped: counts by reason; draws: gets a number for the question of each row that is kept, the same for the same
    question. Raises BadInput where no row is left."""
    answered, every = 0, iter(rows)
    while batch := list(islice(every, BATCH_ROWS)):  # the tokenizer has all cores work on one
        texts = [{"question": row.question, "response": row.response} for row in batch]
        for row, encoded in zip(batch, encoder.encode(texts), strict=True):
            if encoded and settings.cut and row.answer:
                answered += 1
                place, part = divmod(draw_of(f"{settings.seed}:cut:{row.id}"), PARTS)
                if part < settings.cut * PARTS:
                    encoded = encoder.cut(encoded, draw=place, answer=row.answer)
            if encoded is None or len(encoded.ids) > settings.max_length:
                dropped["too_long" if encoded else "open_thought"] += 1
                continue
            draws.append(draw_of(f"{settings.seed}:{row.question}"))
            ids = np.array(encoded.ids, np.int32)
            labels, labelled = ids.copy(), len(ids) - encoded.prompt_tokens
            labels[: encoded.prompt_tokens] = -100
            yield {"id": row.id, "input_ids": ids, "labels": labels, "length": len(ids), "labelled": labelled}
    if not draws:
        counts = ", ".join(f"dropped_{name} {count:,}" for name, count in dropped.items() if count)
        raise BadInput(
            f"none of the {rows.read:,} rows can be used ({counts}); raise --max-length, or close the thoughts"
        )
    if settings.cut and not answered:
        raise BadInput('--cut puts a row\'s "answer" behind the hint, and none has one; leave --cut out')


def _on_disk(rows: Callable[[], Iterator[dict[str, Any]]], work: Path) -> Dataset:
    from datasets import Dataset, disable_progress_bars
    from datasets.exceptions import DatasetGenerationError

    if not sys.stderr.isatty():
        disable_progress_bars()
    try:
        name = f"{draw_of(str(work)):x}"  # or datasets would go through all that the function holds for one
        return Dataset.from_generator(rows, cache_dir=str(work), writer_batch_size=BATCH_ROWS, fingerprint=name)
    except DatasetGenerationError as error:  # what the rows or the disk said, wrapped by datasets
        raise error.__cause__ or error from None


def _save(rows: Dataset, draft: Path, is_held_out: np.ndarray) -> dict[str, Any]:
    """Write both sides of the split. Returns what the manifest says of the rows."""
    sides = {"train": np.flatnonzero(~is_held_out), "held_out": np.flatnonzero(is_held_out)}
    for name, chosen in sides.items():
        rows.select(chosen).save_to_disk(draft / name)
    length, labelled = (np.array(rows[name]) for name in ("length", "labelled"))
    return {
        "counts": {name: len(chosen) for name, chosen in sides.items()},
        "tokens": {
            "all": int(length[sides["train"]].sum()),
            "labelled": int(labelled[sides["train"]].sum()),
            "longest": int(length.max()),
        },
    }


def _held_out(draws: np.ndarray, rows: int) -> np.ndarray:
    """Which rows are held out: exactly so many. A question is taken with all its rows, by its draw, or passed over where
    it has more than are missing."""
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
    made = manifest.read(folder)
    tokenizer = load_tokenizer(made.settings.get("tokenizer", ""))
    shown = []
    for row in manifest.rows(folder, "train").take(rows):
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
    for name, default, about in (
        ("--max-length", Settings.max_length, "tokens of a row"),
        ("--held-out", Settings.held_out, "rows for evaluation"),
        ("--seed", Settings.seed, "of what is held out and cut"),
    ):
        parser.add_argument(name, type=int, default=default, metavar="N", help=f"{about} (default {default})")
    add_max_bad(parser)
    parser.add_argument(
        "--cut", type=share, default="0%", metavar="PERCENT", help="of rows with an 'answer': cut short"
    )
    parser.add_argument("--show", type=int, default=0, metavar="N", help="print N rows, decoded")
    options = parser.parse_args(argv)
    if options.show < (0 if options.source else 1):
        raise BadInput(
            f"--show is {options.show}; name JSONL files to tokenise, or with --show N how many rows to look at"
        )
    if options.source:
        settings = Settings(**{name: getattr(options, name) for name in Settings.__dataclass_fields__})
        made = preprocess(options.source, options.out, settings)
        print(", ".join(f"{name} {count:,}" for name, count in {**made.counts, **made.tokens}.items()))
    if options.show:
        print(show(options.out, options.show))


if __name__ == "__main__":
    sys.exit(main())
