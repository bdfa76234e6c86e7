"""What a turn looks like, as pure functions from its state to short pieces of HTML. Model text never passes here; the
question and the hint do, escaped."""

from __future__ import annotations

from html import escape

from ui.conversation import Turn

STARTS_BY_ITSELF = "It starts by itself as soon as one is free; Stop gives it up."


def sentence(text: str) -> str:
    """Begins with a capital and ends with one full stop: errors of the library are parts of sentences."""
    return f"{text[:1].upper()}{text[1:].rstrip('.')}."


def error_html(text: str) -> str:
    return f'<div class="z1-error" role="alert">{escape(sentence(text))}</div>'


def live_html(text: str) -> str:
    """A line that screen readers speak when it changes."""
    return f'<div role="status" aria-live="polite">{escape(text)}</div>'


def waits(queue: int) -> str:
    return f"Waits for a place: {'first' if queue == 1 else f'{queue:,}'} in the queue"


def question_html(turn: Turn) -> str:
    return f'<div class="z1-question">{escape(turn.question)}</div>'


def headline(turn: Turn) -> str:
    """What happened in the window, in a few words."""
    spent = f"{turn.tokens['trace']:,}"
    if turn.error:
        return "Interrupted"
    if turn.end_reason == "inside":
        return "Answered inside the window"
    if turn.end_reason == "context_full" and not turn.tokens["hint"]:
        return "Context full"
    if turn.tokens["hint"]:
        closed_early = turn.tokens["trace"] < turn.window.thinking_tokens
        return f"Thinking closed by you after {spent} tokens" if closed_early else f"Thinking cut after {spent} tokens"
    if turn.end_reason:
        return "Stopped while thinking"
    if turn.queue:
        return waits(turn.queue)
    return "Thinking" if turn.tokens["trace"] else "Waiting for the first token"


def meter_html(turn: Turn) -> str:
    """Headline, live numbers, and the budget bar: thinking, inserted hint, answer, and what is left of the total."""
    trace, hint, answer = turn.tokens["trace"], turn.tokens["hint"], turn.tokens["answer"]
    total, window = turn.settings.total_tokens, turn.window
    rate = (trace + answer) / turn.seconds if turn.seconds > 0.2 else 0
    numbers = [f"{trace:,} of {window.thinking_tokens:,} tokens", f"{turn.seconds:.1f} s"]
    numbers += [f"{rate:.0f} tokens/s"] if rate else []
    parts = [("thinking", trace), ("hint", hint), ("answer", answer)]
    bar = "".join(f'<i class="z1-{name}" style="width:{100 * count / total:.2f}%"></i>' for name, count in parts)
    key = [f'<span><s class="z1-thinking"></s>thinking {trace:,}</span>']
    if hint:
        key.append(f'<span><s class="z1-hint"></s>inserted {hint}</span>')
        key.append(f'<span><s class="z1-answer"></s>answer {answer:,} of {window.answer_tokens:,}</span>')
    key.append(f"<span>total {trace + hint + answer:,} of {total:,}</span>")
    if turn.queue:
        numbers, key = [], [f'<span class="z1-waits">{STARTS_BY_ITSELF}</span>']
    busy = "" if turn.end_reason else " z1-busy"
    return (
        f'<div class="z1-meter{busy}"><div class="z1-head"><b>{headline(turn)}</b><span>{" · ".join(numbers)}</span></div>'
        f'<div class="z1-bar" role="img" aria-label="{trace + hint + answer:,} of {total:,} tokens used">{bar}'
        f'<u style="left:{min(100 * window.thinking_tokens / total, 100):.2f}%" title="the window ends here"></u></div>'
        f'<div class="z1-key">{"".join(key)}</div></div>'
    )


def cut_html(turn: Turn) -> str:
    """The line where the window closed, and the hint, labelled as inserted."""
    if not turn.tokens["hint"]:
        return ""
    by_you = " by you" if turn.tokens["trace"] < turn.window.thinking_tokens else ""
    return (
        f'<div class="z1-cut"><span><span aria-hidden="true">✂</span> window closed{by_you} at '
        f"{turn.tokens['trace']:,} tokens</span></div>"
        f'<div class="z1-inserted"><em>Inserted</em><span>{escape(turn.texts["hint"].strip())}</span></div>'
    )


def end_sentence(turn: Turn) -> str:
    """How the turn ended, in words."""
    spent, window = turn.tokens["trace"], turn.window
    match turn.end_reason:
        case None:
            return ""
        case "inside":
            return f"Answered inside the window: {spent:,} of {window.thinking_tokens:,} tokens."
        case "cut":
            return "Answered after the cut."
        case "answer_now":
            return f"You closed the window at {spent:,} of {window.thinking_tokens:,} tokens; the model answered."
        case "answer_length":
            return (
                f"The answer ran into its limit of {window.answer_tokens:,} tokens; raise the total for a longer one."
            )
        case "context_full":
            return "The model's context is full; start a new conversation or lower the window."
        case "user_stop":
            return "Stopped by you. What was written is kept."
        case "error":
            return sentence(turn.error)


def footer_html(turn: Turn) -> str:
    """End reason, time, and the settings the turn was run with."""
    if turn.end_reason is None:
        return ""
    if turn.end_reason == "error":
        return error_html(turn.error)
    settings = turn.settings
    facts = [f"imported, ran on {escape(turn.origin.model)}"] if turn.origin.is_imported else []
    facts += [f"{turn.seconds:.1f} s", f"window {settings.thinking_tokens:,}", f"total {settings.total_tokens:,}"]
    facts.append(f"temperature {settings.temperature:g}")
    if settings.temperature > 0:
        facts += [f"top-p {settings.top_p:g}", f"seed {settings.seed}"]
    return (
        f'<div class="z1-foot" data-end="{turn.end_reason}"><span>{escape(end_sentence(turn))}</span>'
        f"<span>{' · '.join(facts)}</span></div>"
    )


def status_sentence(turn: Turn | None) -> str:
    """For screen readers: changes with the phase, not with every token."""
    if turn is None:
        return "Ready."
    if turn.end_reason:
        return f"Imported. {end_sentence(turn)}" if turn.origin.is_imported else end_sentence(turn)
    if turn.tokens["hint"]:
        return f"The window closed at {turn.tokens['trace']:,} tokens. The model answers."
    if turn.queue:
        return f"{waits(turn.queue)}. {STARTS_BY_ITSELF}"
    return "The model thinks." if turn.phase else "Waiting for the model."
