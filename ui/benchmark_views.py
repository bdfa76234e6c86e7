"""What the Benchmarks tab looks like, as pure functions to HTML. Every text from a file goes through here escaped."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from ui.benchmark_data import PAPER_MODEL, Found, Line, Point, Task, paper
from ui.benchmark_problems import UNJUDGED, Shown

STATUSES = {
    "right": "✓ right",
    "wrong": "✕ wrong",
    "no_answer": "no answer found",
    "timeout": "timed out",
    "harness_error": "judging failed",
    "not_judged": "could not be judged",
    UNJUDGED: "not judged yet",
}
GROUPS = {
    "api_only": "API only",
    "open_weights": "Open weights",
    "non_reasoning": "Without long reasoning",
    "open_weights_and_data": "Open weights and open data",
}
ENDS = {
    "inside": "stopped by itself inside the window",
    "cut": "answered after the cut",
    "answer_length": "the answer ran into its limit",
    "context_full": "the context was full",
}
MOST_SKIPPED = 5
GPQA_NOTE = "The authors of GPQA ask not to publish its questions in plain text: keep a page that shows them private."
INTRO = """<div class="z1-empty z1-bench-intro"><h2>What does a token of thinking buy?</h2>
<p>Accuracy against average thinking tokens: the paper's curves, and beside them your own runs.</p></div>"""
NO_REPORT = """<div class="z1-bench-none"><p><b>No report of your own yet.</b> These two commands make one; then press
Refresh.</p><pre tabindex="0" role="region" aria-label="Commands">{commands}</pre></div>"""
COMMANDS = """python -m evaluation.run math500 --model efficientscaling/Z1-7B \\
    --windows 256 512 1024 2048 4096 --out {out}
python -m evaluation.judge {out}"""
NOTHING_SHOWN = '<p class="z1-card-line">There is no answer of this kind.</p>'


def head_html(title: str, line: str) -> str:
    return f'<div class="z1-card-head"><h2>{escape(title)}</h2><span class="z1-card-line">{escape(line)}</span></div>'


def status_text(status: str) -> str:
    return STATUSES.get(status, status)


def found_html(found: Found, folder: str) -> str:
    """What was found in the results folder, what was not readable, or how to make a first report."""
    notes = "".join(f"<li>{escape(_sentence(text))}</li>" for text in found.skipped[:MOST_SKIPPED])
    if more := len(found.skipped) - MOST_SKIPPED:
        notes += f"<li>And {more} more like these.</li>" if more > 0 else ""
    skipped = f'<ul class="z1-bench-skipped">{notes}</ul>' if notes else ""
    if not found.reports:
        return NO_REPORT.format(commands=escape(COMMANDS.format(out=f"{folder}/z1"))) + skipped
    reports = len(found.reports)
    said = f"{reports} report{'s' * (reports > 1)} in the results folder"
    return f'<div class="z1-bench-found" role="status">{said}</div>{skipped}'


def lines_html(lines: Sequence[Line]) -> str:
    """The figures of the plot, for those who read tables."""
    if not lines:
        return '<p class="z1-card-line">Neither the paper nor a judged report has a curve for this benchmark.</p>'
    body = "".join(_curve_rows(line) for line in lines)
    head = "".join(f'<th scope="col">{name}</th>' for name in ("Window", "Avg. tokens", "Accuracy", "95 %", "Cut"))
    return _scrolling(f"<table><thead><tr>{head}</tr></thead>{body}</table>", "The figures of the plot")


def _curve_rows(line: Line) -> str:
    rows = "".join(_row(_point_cells(point)) for point in line.points)
    title = f'<tr><th scope="rowgroup" colspan="5">{escape(line.label)}</th></tr>'
    return f'<tbody class="{"z1-of-paper" if line.from_paper else ""}">{title}{rows}</tbody>'


def _point_cells(point: Point) -> list[str]:
    window = f"{point.thinking_tokens:,}" if point.thinking_tokens else "–"
    interval = f"{100 * point.low:.1f}–{100 * point.high:.1f}" if point.low is not None else "–"
    cut = f"{100 * point.cut_rate:.0f} %" if point.cut_rate is not None else "–"
    return [window, f"{point.avg_thinking_tokens:,.0f}", f"{100 * point.accuracy:.1f} %", interval, cut]


def table1_html(benchmark: str) -> str:
    """The paper's Table 1 with the chosen benchmark's column marked."""
    names = list(paper()["benchmarks"])
    heads = ["Model", "Data", *(about["title"] for about in paper()["benchmarks"].values()), "Average"]
    marked = names.index(benchmark) + 2 if benchmark in names else None
    head = "".join(f'<th scope="col"{_mark(place, marked)}>{escape(text)}</th>' for place, text in enumerate(heads))
    groups: dict[str, list[str]] = {}
    for model, row in paper()["table1"].items():
        values = [row["data"] or "–", *(_percent(row[name]) for name in names), _percent(row["avg_printed"])]
        own = ' class="z1-own"' if model == PAPER_MODEL else ""
        cells = "".join(f"<td{_mark(place, marked)}>{escape(text)}</td>" for place, text in enumerate(values, start=1))
        groups.setdefault(row["group"], []).append(f'<tr{own}><th scope="row">{escape(model)}</th>{cells}</tr>')
    body = "".join(
        f'<tbody><tr><th scope="rowgroup" colspan="{len(heads)}">{escape(GROUPS.get(group, group))}</th></tr>'
        f"{''.join(rows)}</tbody>"
        for group, rows in groups.items()
    )
    note = f'<p class="z1-card-line">Accuracy in percent. {escape(paper()["table1_note"])} {escape(paper()["source"])}.</p>'
    return _scrolling(f'<table class="z1-table1"><thead><tr>{head}</tr></thead>{body}</table>', "Table 1") + note


def _mark(place: int, marked: int | None) -> str:
    return ' class="z1-marked"' if place == marked else ""


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{value:.1f}"


def task_note_html(task: Task, unreadable: int) -> str:
    """What the reader should know before reading this run's answers."""
    notes = [
        f"{task.missing:,} answers are still missing." if task.missing else "",
        f"{task.without_verdict:,} answers are not judged yet." if task.without_verdict else "",
        f"{unreadable:,} lines of its files cannot be read and are left out." if unreadable else "",
        GPQA_NOTE if task.benchmark == "gpqa" else "",
    ]
    return f'<p class="z1-card-line">{escape(" ".join(note for note in notes if note))}</p>' if any(notes) else ""


def shown_html(shown: Shown) -> str:
    """One answer from question to verdict."""
    facts = [f"{name} {value}" for name, value in shown.labels.items()]
    facts += [f"sample {shown.sample}"] if shown.sample else []
    return (
        f'<div class="z1-turn z1-bench-item"><div class="z1-meter"><div class="z1-head"><b>{escape(shown.problem_id)}</b>'
        f"<span>{escape(' · '.join(facts))}</span></div>{_windows(shown)}</div>"
        f"{_asked(shown)}{_written(shown)}{_verdict(shown)}</div>"
    )


def _windows(shown: Shown) -> str:
    """How the same trace fared at every window."""
    chips = "".join(
        f'<span class="z1-status z1-is-{_safe(status)}"{" data-here" if window == shown.thinking_tokens else ""}>'
        f"{window:,}: {escape(status_text(status))}</span>"
        for window, status in shown.statuses.items()
    )
    return f'<div class="z1-bench-windows"><span>At each window</span>{chips}</div>'


def _asked(shown: Shown) -> str:
    parts = [_part(role.capitalize(), text, "asked") for role, text in shown.messages]
    parts += [_part("Start of the answer, given", shown.prefill, "asked")] if shown.prefill else []
    return "".join(parts)


def _written(shown: Shown) -> str:
    """The trace, and behind a cut the hint and the answer."""
    spent = f"{shown.trace_tokens:,} of {shown.thinking_tokens:,} tokens"
    parts = [_part(f"Trace, {spent}", shown.trace, "thought")]
    if shown.is_cut:
        parts.append(
            f'<div class="z1-cut"><span><span aria-hidden="true">✂</span> window closed at {shown.trace_tokens:,} tokens'
            "</span></div>"
        )
    if shown.hint:
        parts.append(f'<div class="z1-inserted"><em>Inserted</em><span>{escape(shown.hint.strip())}</span></div>')
    if shown.answer or shown.is_cut:
        text = shown.answer or "(it wrote nothing)"
        parts.append(_part(f"Answer, {shown.answer_tokens:,} tokens", text, "answered"))
    return "".join(parts)


def _verdict(shown: Shown) -> str:
    verdict = shown.verdict
    facts = [f"read as {verdict.extracted}" if verdict.extracted else "", verdict.detail]
    facts += [f"read from the {verdict.judged}" if verdict.judged else ""]
    said = " · ".join(fact for fact in facts if fact)
    end = ENDS.get(shown.end_reason, shown.end_reason)
    return (
        f'<div class="z1-foot z1-bench-verdict"><span><b class="z1-status z1-is-{_safe(verdict.status)}">'
        f"{escape(status_text(verdict.status))}</b> {escape(said)}</span><span>{escape(end)}</span></div>"
    )


def _part(title: str, text: str, kind: str) -> str:
    return (
        f'<section class="z1-part"><h3>{escape(title)}</h3><div class="z1-part-text z1-{kind}" tabindex="0" role="region" '
        f'aria-label="{escape(title)}">{escape(text)}</div></section>'
    )


def _row(cells: Iterable[str]) -> str:
    return f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in cells)}</tr>"


def _scrolling(table: str, name: str) -> str:
    return f'<div class="z1-table" tabindex="0" role="region" aria-label="{name}">{table}</div>'


def _safe(status: str) -> str:
    """As a class: only the statuses that are known."""
    return status if status in STATUSES else "unknown"


def _sentence(text: str) -> str:
    return f"{text.rstrip('.')}."
