"""Choose the trajectories to train on: all, by Algorithm 1 of the paper, or at random; filters are there to be asked for.

    python -m training.subset z1-107k.jsonl --out data/longest --mode longest --budget 73996112
    python -m training.subset z1-107k.jsonl --out data/clean --filter all --against math500.jsonl livecodebench.jsonl

OUT/subset.jsonl   the chosen rows, byte for byte, in the order of the source
OUT/dropped.jsonl  every row that was left out before the choice, with the reason
OUT/report.json    the settings, the counts, and the hashes of what went in and came out

The same files, settings and seed give the same bytes. The texts stay on disk.
"""

from __future__ import annotations

import argparse
import sys
from array import array
from codecs import BOM_UTF8
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tqdm import tqdm

from training.decontaminate import Benchmarks, benchmark_path
from training.drafts import appearing
from training.duplicates import Questions
from training.loops import loop_in
from training.rows import TOKENS, TRAJECTORY, Row, Rows, add_max_bad, hash_file
from training.selection import MODES, Choice, select
from z1_core.errors import BadInput
from z1_core.jsonl import Lines, row_at, write_json
from z1_core.program import program

FILTERS = ("loop", "duplicate", "near_duplicate")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """All that decides what comes out. against: benchmarks, each "FILE" or "FILE:FIELD"; ngram: how many words in a row
    count. max_bad: the share of odd rows that is borne."""

    choice: Choice = field(default_factory=Choice)
    filters: tuple[str, ...] = ()
    against: tuple[str, ...] = ()
    ngram: int = 13
    max_bad: float = 0.01


@dataclass
class Pool:
    """The rows that are left: what choosing needs of each, and where it stands."""

    files: list[Path] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    tokens: list[int] = field(default_factory=list)
    begins: array = field(default_factory=lambda: array("q"))
    left_out: Counter[str] = field(default_factory=Counter)

    def add(self, row: Row) -> None:
        self.files.append(row.path)
        self.ids.append(row.id)
        self.tokens.append(row.tokens or 0)
        self.begins.append(row.begin)

    def question_at(self, place: int) -> str:
        return row_at(self.files[place], self.begins[place])["question"]

    def lines_at(self, places: Iterable[int]) -> Iterator[bytes]:
        """As they stand in their files, to the byte."""
        for place in places:
            with self.files[place].open("rb") as file:
                file.seek(self.begins[place])
                yield file.readline().removeprefix(BOM_UTF8).rstrip(b"\r\n") + b"\n"


def make_subset(sources: Sequence[Path], settings: Settings, out: Path) -> dict[str, Any]:
    """Make the folder `out`, whole or not at all, and return its report. Raises BadInput, Z1Error."""
    with appearing(out) as draft:
        with Lines(draft / "dropped.jsonl") as dropped:
            fields = (*TRAJECTORY, TOKENS) if settings.choice.needs_tokens else TRAJECTORY
            rows = Rows(
                sources,
                fields=fields,
                max_bad=settings.max_bad,
                tell=lambda where, fault: dropped.add({"row": where, "reason": "odd", "detail": fault}),
            )
            pool = sound_rows(tqdm(rows, unit="row", disable=None), settings, dropped.add)
        chosen = select(pool.ids, pool.tokens, settings.choice)
        if not chosen:
            raise BadInput(
                f"no row fits into {settings.choice.budget_tokens:,} tokens: the shortest of {len(pool.ids):,} has "
                f"{min(pool.tokens):,}; raise --budget"
            )
        with (draft / "subset.jsonl").open("wb") as file:
            file.writelines(pool.lines_at(sorted(chosen)))
        report = {
            "settings": asdict(settings),
            "source": rows.about(),
            "against": [
                {"file": path.name, "sha256": hash_file(path)} for path in map(benchmark_path, settings.against)
            ],
            "rows": {"read": rows.read, "sound": len(pool.ids), "selected": len(chosen)},
            "tokens": {"sound": sum(pool.tokens), "selected": sum(pool.tokens[place] for place in chosen)},
            "odd": dict(rows.bad),
            "left_out": dict(pool.left_out),
            "subset_sha256": hash_file(draft / "subset.jsonl"),
        }
        write_json(draft / "report.json", report)
    return report


def sound_rows(rows: Iterable[Row], settings: Settings, tell: Callable[[dict[str, str]], None]) -> Pool:
    """The rows that pass, each filter asked in its order. tell: called with each that does not. Raises BadInput where
    none is left."""
    pool = Pool()
    benchmarks = Benchmarks(settings.against, settings.ngram)
    questions = Questions(near="near_duplicate" in settings.filters, question_at=pool.question_at)
    for row in rows:
        if fault := _fault(row, settings, benchmarks, questions, pool):
            reason, detail = fault
            pool.left_out[reason] += 1
            tell({"row": row.where, "id": row.id, "reason": reason, "detail": detail})
        else:
            pool.add(row)
    if not pool.ids:
        raise BadInput(f"the filters left out every row ({_counts(pool.left_out)}); ask for fewer with --filter")
    return pool


def _fault(
    row: Row, settings: Settings, benchmarks: Benchmarks, questions: Questions, pool: Pool
) -> tuple[str, str] | None:
    """Reason and detail."""
    if "loop" in settings.filters and (loop := loop_in(row.response)):
        return "loop", loop
    if match := benchmarks.match(row.question):
        return "contaminated", match
    if not {"duplicate", "near_duplicate"} & set(settings.filters):
        return None
    repeat = questions.take(row.question, place=len(pool.ids))
    if repeat is None:
        return None
    reason = "duplicate" if repeat.similarity == 1 else "near_duplicate"
    return reason, f"{repeat.similarity:.0%} the question of {pool.ids[repeat.of]}"


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{reason} {count:,}" for reason, count in counts.items()) or "none"


def parser() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(prog="python -m training.subset", description="Choose trajectories to train on.")
    options.add_argument("sources", nargs="+", type=Path, metavar="IN.jsonl", help="rows {id, question, response, ...}")
    options.add_argument("--out", type=Path, required=True, metavar="DIR", help="the folder to make")
    options.add_argument("--mode", choices=MODES, default="all", help="the order of choice (default all)")
    options.add_argument("--budget", type=int, metavar="TOKENS", help=f"the most tokens, by {TOKENS}")
    options.add_argument("--rows", type=int, metavar="N", help="so many rows, instead of a budget")
    options.add_argument("--seed", type=int, default=42, help="of random (default 42)")
    options.add_argument("--filter", nargs="+", choices=(*FILTERS, "all"), default=[], help="what is left out")
    options.add_argument("--against", nargs="+", default=[], metavar="FILE", help="benchmarks: FILE or FILE:FIELD")
    options.add_argument("--ngram", type=int, default=13, help="words in common that count, 8 to 13 (default 13)")
    add_max_bad(options)
    return options


@program(stopped="stopped; nothing was written", needs="training/requirements.txt")
def main(argv: Sequence[str] | None = None) -> None:
    options = parser().parse_args(argv)
    settings = Settings(
        choice=Choice(mode=options.mode, budget_tokens=options.budget, rows=options.rows, seed=options.seed),
        filters=FILTERS if "all" in options.filter else tuple(options.filter),
        against=tuple(options.against),
        ngram=options.ngram,
        max_bad=options.max_bad,
    )
    report = make_subset(options.sources, settings, options.out)
    rows, tokens = report["rows"], report["tokens"]
    print(f"read {rows['read']:,} rows; odd: {_counts(report['odd'])}; left out: {_counts(report['left_out'])}")
    told = f", {tokens['selected']:,} tokens" if tokens["selected"] else ""
    print(f"chosen {rows['selected']:,} of {rows['sound']:,} sound rows{told}")
    print(f"{options.out}/subset.jsonl; what was left out: {options.out}/dropped.jsonl")


if __name__ == "__main__":
    sys.exit(main())
