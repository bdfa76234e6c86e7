"""Choose the trajectories to train on: all, by Algorithm 1 of the paper, or at random; filters are there to be asked for.

    python -m training.subset z1-107k.jsonl --out data/longest --mode longest --budget 73996112
    python -m training.subset z1-107k.jsonl --out data/clean --filter all --against math500.jsonl livecodebench.jsonl

OUT/subset.jsonl   the chosen rows, byte for byte, in the order of the source
OUT/dropped.jsonl  every row that was left out before the choice, with the reason
OUT/report.json    the settings, the counts, and the hashes of what went in and came out

The same files, settings and seed give the same bytes. The texts stay on disk, but for questions where repeated ones are
looked for.
"""

from __future__ import annotations

import argparse
import sys
from codecs import BOM_UTF8
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from tqdm import tqdm

from training.filters import FILTERS, Filters, benchmark_path
from training.libraries import appearing
from training.rows import TOKENS, TRAJECTORY, Row, Rows, add_max_bad, draw_of, hash_file
from z1_core.errors import BadInput
from z1_core.jsonl import Lines, write_json
from z1_core.options import at_least
from z1_core.program import program

MODES = ("all", "longest", "shortest", "random")


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
        "random": lambda place: (draw_of(f"{seed}:{ids[place]}"), ids[place]),
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


def make_subset(options: argparse.Namespace) -> dict[str, Any]:
    """Make the folder --out, whole or not at all, and return its report. Raises BadInput, Z1Error."""
    _check(options)
    filters, left_out = Filters(options.filters, options.against, options.ngram), Counter()
    with appearing(options.out) as draft:
        rows, sound = _read(options, filters, left_out, draft / "dropped.jsonl")
        tokens = [row.tokens or 0 for row in sound]
        order = {name: getattr(options, name) for name in ("mode", "budget", "rows", "seed")}
        chosen = select([row.id for row in sound], tokens, **order)
        if not chosen:
            raise BadInput(
                f"no row fits into {options.budget:,} tokens: the shortest of {len(tokens):,} has {min(tokens):,}; raise "
                "--budget"
            )
        with (draft / "subset.jsonl").open("wb") as file:
            file.writelines(line_of(sound[place]) for place in sorted(chosen))
        benchmarks = map(benchmark_path, options.against)
        report = {
            "settings": {name: value for name, value in vars(options).items() if name not in ("sources", "out")},
            "source": rows.about(),
            "against": [{"file": path.name, "sha256": hash_file(path)} for path in benchmarks],
            "rows": {"read": rows.read, "sound": len(tokens), "selected": len(chosen)},
            "tokens": {"sound": sum(tokens), "selected": sum(tokens[place] for place in chosen)},
            "odd": dict(rows.bad),
            "left_out": dict(left_out),
            "subset_sha256": hash_file(draft / "subset.jsonl"),
        }
        write_json(draft / "report.json", report)
    return report


def _check(options: argparse.Namespace) -> None:
    at_least(1, budget=options.budget, rows=options.rows)
    limits = (options.budget is not None) + (options.rows is not None)
    if options.mode == "all" and limits:
        raise BadInput("--mode all takes every row; leave out --budget and --rows, or name another --mode")
    if options.mode != "all" and limits != 1:
        raise BadInput(f"--mode {options.mode} needs either --budget TOKENS or --rows N, and not both")


def _read(
    options: argparse.Namespace, filters: Filters, left_out: Counter[str], dropped: Path
) -> tuple[Rows, list[Row]]:
    """What was read, and the rows that stay, without their texts. Fills a file with the others, which are counted."""
    needs_tokens = options.mode in ("longest", "shortest") or options.budget is not None
    fields, sound = (*TRAJECTORY, TOKENS) if needs_tokens else TRAJECTORY, []
    with Lines(dropped) as file:

        def tell(where: str, fault: str) -> None:
            file.add({"row": where, "reason": "odd", "detail": fault})

        rows = Rows(options.sources, fields=fields, max_bad=options.max_bad, tell=tell)
        for row in tqdm(rows, unit="row", disable=None):
            if fault := filters.fault(row):
                reason, detail = fault
                left_out[reason] += 1
                file.add({"row": row.where, "id": row.id, "reason": reason, "detail": detail})
            else:
                sound.append(replace(row, question="", response="", answer=""))
    if not sound:
        raise BadInput(
            f"the filters left out every row ({_counts(left_out)}); ask for fewer with --filter or --against"
        )
    return rows, sound


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
    report = make_subset(options)
    rows, tokens = report["rows"], report["tokens"]
    print(f"read {rows['read']:,} rows; odd: {_counts(report['odd'])}; left out: {_counts(report['left_out'])}")
    told = f", {tokens['selected']:,} tokens" if tokens["selected"] else ""
    print(f"chosen {rows['selected']:,} of {rows['sound']:,} sound rows{told}")
    print(f"{options.out}/subset.jsonl; what was left out: {options.out}/dropped.jsonl")


if __name__ == "__main__":
    sys.exit(main())
