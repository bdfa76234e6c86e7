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
from codecs import BOM_UTF8
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from tqdm import tqdm

from training.decontaminate import Benchmarks, benchmark_path
from training.drafts import appearing
from training.duplicates import Questions
from training.loops import loop_in
from training.rows import TOKENS, TRAJECTORY, Row, Rows, add_max_bad, digest, hash_file
from z1_core.errors import BadInput
from z1_core.jsonl import Lines, row_at, write_json
from z1_core.program import program

MODES = ("all", "longest", "shortest", "random")
FILTERS = ("loop", "duplicate", "near_duplicate")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """All that decides what comes out, by the names of the options. Raises BadInput."""

    mode: str
    budget: int | None
    rows: int | None
    seed: int
    filters: Sequence[str]
    against: Sequence[str]
    ngram: int
    max_bad: float

    def __post_init__(self) -> None:
        for name, value in (("--budget", self.budget), ("--rows", self.rows)):
            if value is not None and value < 1:
                raise BadInput(f"{name} is {value}; it must be at least 1")
        limits = (self.budget is not None) + (self.rows is not None)
        if self.mode == "all" and limits:
            raise BadInput("--mode all takes every row; leave out --budget and --rows, or name another --mode")
        if self.mode != "all" and limits != 1:
            raise BadInput(f"--mode {self.mode} needs either --budget TOKENS or --rows N, and not both")


class Pool:
    """The rows that pass the filters, without their texts, which stay on disk."""

    def __init__(self, settings: Settings) -> None:
        self.rows: list[Row] = []
        self.left_out: Counter[str] = Counter()
        self._filters = {*FILTERS} if "all" in settings.filters else {*settings.filters}
        self._benchmarks = Benchmarks(settings.against, settings.ngram)
        self._questions = Questions(
            near="near_duplicate" in self._filters,
            question_at=lambda place: row_at(self.rows[place].source, self.rows[place].begin)["question"],
        )

    def take(self, row: Row) -> tuple[str, str] | None:
        """Keep the row, or return why not: reason and detail."""
        fault = self._fault(row)
        if fault:
            self.left_out[fault[0]] += 1
        else:
            self.rows.append(replace(row, question="", response="", answer=""))
        return fault

    def _fault(self, row: Row) -> tuple[str, str] | None:
        """Each filter is asked in its order."""
        if "loop" in self._filters and (loop := loop_in(row.response)):
            return "loop", loop
        if match := self._benchmarks.match(row.question):
            return "contaminated", match
        if not {"duplicate", "near_duplicate"} & self._filters:
            return None
        repeat = self._questions.take(row.question, place=len(self.rows))
        if repeat is None:
            return None
        reason = "duplicate" if repeat.similarity == 1 else "near_duplicate"
        return reason, f"{repeat.similarity:.0%} the question of {self.rows[repeat.of].id}"


def select(
    ids: Sequence[str],
    tokens: Sequence[int],
    *,
    mode: str,
    budget: int | None = None,
    rows: int | None = None,
    seed: int = 42,
) -> list[int]:
    """Places of the chosen rows, in the order in which they were taken, on token counts and ids alone.

    Algorithm 1 of the paper: while rows remain and T < B, take the longest (shortest) row; add it if T + its count stays
    within B; remove it either way. So the sum never exceeds the budget, and in the longest mode smaller rows still fill the
    rest. Ties go to the smaller id, so the order of the file does not matter.

    mode: one of MODES, the order. budget, of tokens, or rows: where to stop.
    A row's place in the random order depends on the seed and its id alone: a smaller subset lies in a larger one, and rows
    added to the file leave the order of the others as it is.
    """
    keys = {
        "all": lambda place: place,
        "longest": lambda place: (-tokens[place], ids[place]),
        "shortest": lambda place: (tokens[place], ids[place]),
        "random": lambda place: (digest(f"{seed}:{ids[place]}"), ids[place]),
    }
    order = sorted(range(len(ids)), key=keys[mode])
    if budget is None:
        return order[:rows]
    total, chosen = 0, []
    for place in order:
        if total + tokens[place] <= budget:
            chosen.append(place)
            total += tokens[place]
    return chosen


def line_of(row: Row) -> bytes:
    """As it stands in its file, to the byte."""
    with row.source.open("rb") as file:
        file.seek(row.begin)
        return file.readline().removeprefix(BOM_UTF8).rstrip(b"\r\n") + b"\n"


def make_subset(sources: Sequence[Path], settings: Settings, out: Path) -> dict[str, Any]:
    """Make the folder `out`, whole or not at all, and return its report. Raises BadInput, Z1Error."""
    pool = Pool(settings)
    with appearing(out) as draft:
        rows = _read(sources, settings, pool, draft / "dropped.jsonl")
        order = {name: getattr(settings, name) for name in ("mode", "budget", "rows", "seed")}
        tokens = [row.tokens or 0 for row in pool.rows]
        chosen = select([row.id for row in pool.rows], tokens, **order)
        if not chosen:
            raise BadInput(
                f"no row fits into {settings.budget:,} tokens: the shortest of {len(tokens):,} has {min(tokens):,}; raise "
                "--budget"
            )
        with (draft / "subset.jsonl").open("wb") as file:
            file.writelines(line_of(pool.rows[place]) for place in sorted(chosen))
        report = {
            "settings": asdict(settings),
            "source": rows.about(),
            "against": [
                {"file": path.name, "sha256": hash_file(path)} for path in map(benchmark_path, settings.against)
            ],
            "rows": {"read": rows.read, "sound": len(tokens), "selected": len(chosen)},
            "tokens": {"sound": sum(tokens), "selected": sum(tokens[place] for place in chosen)},
            "odd": dict(rows.bad),
            "left_out": dict(pool.left_out),
            "subset_sha256": hash_file(draft / "subset.jsonl"),
        }
        write_json(draft / "report.json", report)
    return report


def _read(sources: Sequence[Path], settings: Settings, pool: Pool, dropped: Path) -> Rows:
    """Fill the pool, and a file with what is left out."""
    needs_tokens = settings.mode in ("longest", "shortest") or settings.budget is not None
    with Lines(dropped) as file:
        rows = Rows(
            sources,
            fields=(*TRAJECTORY, TOKENS) if needs_tokens else TRAJECTORY,
            max_bad=settings.max_bad,
            tell=lambda where, fault: file.add({"row": where, "reason": "odd", "detail": fault}),
        )
        for row in tqdm(rows, unit="row", disable=None):
            if fault := pool.take(row):
                file.add({"row": row.where, "id": row.id, "reason": fault[0], "detail": fault[1]})
    if not pool.rows:
        raise BadInput(f"the filters left out every row ({_counts(pool.left_out)}); ask for fewer with --filter")
    return rows


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
    options.add_argument(
        "--filter", nargs="+", dest="filters", choices=(*FILTERS, "all"), default=[], help="what is left out"
    )
    options.add_argument("--against", nargs="+", default=[], metavar="FILE", help="benchmarks: FILE or FILE:FIELD")
    options.add_argument("--ngram", type=int, default=13, help="words in common that count, 8 to 13 (default 13)")
    add_max_bad(options)
    return options


@program(stopped="stopped; nothing was written", needs="training/requirements.txt")
def main(argv: Sequence[str] | None = None) -> None:
    options = parser().parse_args(argv)
    settings = Settings(**{name: getattr(options, name) for name in Settings.__dataclass_fields__})
    report = make_subset(options.sources, settings, options.out)
    rows, tokens = report["rows"], report["tokens"]
    print(f"read {rows['read']:,} rows; odd: {_counts(report['odd'])}; left out: {_counts(report['left_out'])}")
    told = f", {tokens['selected']:,} tokens" if tokens["selected"] else ""
    print(f"chosen {rows['selected']:,} of {rows['sound']:,} sound rows{told}")
    print(f"{options.out}/subset.jsonl; what was left out: {options.out}/dropped.jsonl")


if __name__ == "__main__":
    sys.exit(main())
