"""Choose the trajectories to train on: leave out what is unsound, then select by length, at random or in full.

    python -m training.subset z1-107k.jsonl --out data/all --against math500.jsonl livecodebench.jsonl
    python -m training.subset z1-107k.jsonl --mode longest --budget 73996112 --out data/longest --compare other.jsonl

OUT/subset.jsonl   the chosen rows, byte for byte, in the order of the source
OUT/dropped.jsonl  every row left out by a filter, with the reason
OUT/report.json    counts, lengths, trigrams and the settings; report.md, lengths.png and trigrams.png show it

The same files, settings and seed give the same bytes. Memory holds about 330 bytes a row and no texts.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from training.decontaminate import Benchmarks, read_benchmarks
from training.filters import MAX_TOKENS
from training.pool import FILTERS, Drop, Rules, scan
from training.rows import read_lines
from training.selection import MODES, RULES, Choice, select
from training.subset_report import Trigram50, report_of, write_report
from training.trigrams import top_trigrams
from z1_core.errors import BadInput, Z1Error
from z1_core.program import program


@dataclass(frozen=True, kw_only=True)
class Settings:
    """All that decides what comes out.

    against: benchmark files for decontamination, each "FILE" or "FILE:FIELD". ngram: how many words in a row count.
    without: filters that are turned off. compare: another set whose trigrams are shown beside the subset's.
    """

    sources: tuple[Path, ...]
    choice: Choice
    max_tokens: int = MAX_TOKENS
    against: tuple[str, ...] = ()
    ngram: int = 13
    without: tuple[str, ...] = ()
    compare: Path | None = None

    def __post_init__(self) -> None:
        for name in self.without:
            if name not in FILTERS:
                raise BadInput(f"--without is {name!r}; the filters are {', '.join(FILTERS)}, or all")


def make_subset(settings: Settings, out: Path, advance: Callable[[int], None] = lambda _: None) -> dict:
    """Make the folder `out` and return its report. It appears whole or not at all. Raises BadInput, Z1Error."""
    if out.exists():
        raise BadInput(f"{out} is there already; remove it or name another folder with --out")
    problems = Benchmarks(read_benchmarks(settings.against), settings.ngram) if settings.against else None
    rules = Rules(max_tokens=settings.max_tokens, off=frozenset(settings.without), benchmarks=problems)
    with _appearing(out) as draft:
        with (draft / "dropped.jsonl").open("w", encoding="utf-8") as file:
            pool = scan(settings.sources, rules, lambda drop: _write_drop(file.write, drop), advance)
        chosen = select(pool.ids, pool.tokens, settings.choice)
        if not chosen:
            raise BadInput(
                f"no row fits into {settings.choice.budget_tokens:,} tokens: the shortest of {len(pool.ids):,} has "
                f"{min(pool.tokens):,}; raise --budget"
            )
        subset = draft / "subset.jsonl"
        with subset.open("wb") as file:
            file.writelines(pool.lines_at(chosen))
        report = report_of(settings, pool, chosen, _trigrams(settings, subset), subset)
        write_report(draft, report)
    return report


@contextmanager
def _appearing(out: Path) -> Iterator[Path]:
    """A folder to fill that becomes `out` at the end, and vanishes where something fails."""
    draft = out.with_name(f".{out.name}.part")
    try:
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(parents=True)
        yield draft
        draft.rename(out)
    except OSError as error:
        raise Z1Error(f"{out} cannot be written: {error.strerror or error}; free some space and try again") from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _write_drop(write: Callable[[str], object], drop: Drop) -> None:
    write(json.dumps({"id": drop.id, "reason": drop.reason, "detail": drop.detail}, ensure_ascii=False) + "\n")


def _trigrams(settings: Settings, subset: Path) -> list[Trigram50]:
    sets = [("this subset", subset)] + ([(settings.compare.name, settings.compare)] if settings.compare else [])
    return [Trigram50(name, top_trigrams(lambda path=path: _responses(path))) for name, path in sets]


def _responses(path: Path) -> Iterator[str]:
    return (line.row["response"] for line in read_lines(path))


def parser() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(prog="python -m training.subset", description="Choose trajectories to train on.")
    options.add_argument("sources", nargs="+", type=Path, metavar="IN.jsonl", help="rows {id, question, response, ...}")
    options.add_argument("--out", type=Path, required=True, metavar="DIR", help="the folder to make")
    options.add_argument("--mode", default="all", help=f"{', '.join(MODES)} (default all)")
    options.add_argument("--budget", type=int, metavar="TOKENS", help="the most tokens, by token_num_qwen")
    options.add_argument("--rows", type=int, metavar="N", help="so many rows, instead of a budget")
    options.add_argument("--rule", default="algorithm1", help=f"at the budget: {', '.join(RULES)} (default algorithm1)")
    options.add_argument("--seed", type=int, default=42, help="of random and stratified (default 42)")
    options.add_argument("--max-tokens", type=int, default=MAX_TOKENS, help="longer rows are left out (default 8192)")
    options.add_argument("--against", nargs="+", default=[], metavar="FILE", help="benchmarks: FILE or FILE:FIELD")
    options.add_argument("--ngram", type=int, default=13, help="words in common that count, 8 to 13 (default 13)")
    options.add_argument(
        "--without", nargs="+", default=[], metavar="FILTER", help=f"turn off: {', '.join(FILTERS)}; all"
    )
    options.add_argument("--compare", type=Path, metavar="OTHER.jsonl", help="set to compare trigrams with")
    return options


def settings_of(options: argparse.Namespace) -> Settings:
    choice = Choice(
        mode=options.mode, budget_tokens=options.budget, rows=options.rows, rule=options.rule, seed=options.seed
    )
    return Settings(
        sources=tuple(options.sources),
        choice=choice,
        max_tokens=options.max_tokens,
        against=tuple(options.against),
        ngram=options.ngram,
        without=FILTERS if options.without == ["all"] else tuple(options.without),
        compare=options.compare,
    )


@program(stopped="stopped; nothing was written", needs="training/requirements.txt")
def main(argv: Sequence[str] | None = None) -> None:
    options = parser().parse_args(argv)
    settings = settings_of(options)
    size = sum(path.stat().st_size for path in settings.sources if path.exists())
    with tqdm(total=size, unit="B", unit_scale=True, desc="reading", disable=None) as bar:
        report = make_subset(settings, options.out, bar.update)
    print(summary(report))
    print(f"{options.out}/subset.jsonl; what it holds: {options.out}/report.md")


def summary(report: dict) -> str:
    rows, tokens = report["rows"], report["tokens"]
    dropped = ", ".join(f"{reason} {count:,}" for reason, count in report["dropped"].items() if count) or "none"
    return (
        f"read {rows['read']:,} rows, {tokens['read']:,} tokens; left out: {dropped}\n"
        f"chosen {rows['selected']:,} of {rows['sound']:,} sound rows, {tokens['selected']:,} tokens"
    )


if __name__ == "__main__":
    sys.exit(main())
