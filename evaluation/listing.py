"""What can be run here and what it would cost, before anything is run: --list and --dry-run."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from evaluation.data import in_cache
from evaluation.plan import Plan
from evaluation.problem import Benchmark
from evaluation.sandbox.bubblewrap import Sandbox
from z1_core.engine import Text
from z1_core.errors import Z1Error

NEEDS = {
    "gpqa": "access granted on the Hub, or a CSV",
    "livecodebench": "bubblewrap; 4.3 GB of data",
    "bigcodebench": "bubblewrap; --python with its libraries when judging (36 of 148 tasks need none)",
    "humaneval": "bubblewrap",
}


def listing(benchmarks: Iterable[Benchmark]) -> str:
    """A line a benchmark: its data, whether they are on this disk, and what else it needs."""
    rows = [
        {
            "benchmark": each.name,
            "data": each.source.repo,
            "on this disk": "yes" if in_cache(each.source) else "no",
            "needs": NEEDS.get(each.name, "nothing else"),
        }
        for each in benchmarks
    ]
    return f"{pd.DataFrame(rows).to_string(index=False)}\n\nsandbox: {_sandbox()}"


def _sandbox() -> str:
    try:
        return f"{Sandbox().kind} works here"
    except Z1Error as error:
        return str(error)


def preview(plan: Plan, text: Text, *, prompts: int) -> str:
    """The first prompts of each benchmark as the model would see them, and the most tokens the run can take."""
    parts, count = [], 0
    for each in plan.benchmarks:
        for number, problem in enumerate(plan.problems(each, lambda complaint: parts.append(f"left out: {complaint}"))):
            count += 1
            if number < prompts:
                ids = text.render(problem.messages)
                ids += text.encode(problem.prefill) if problem.prefill else []
                parts.append(f"--- {each.name}, {problem.id}: {len(ids)} tokens\n{text.decode(ids, control=True)}")
    return "\n\n".join([*parts, cost(plan, problems=count)])


def cost(plan: Plan, *, problems: int) -> str:
    traces = problems * plan.samples
    answers = len(plan.sizes) * len(plan.arms) * plan.answer_tokens
    swept = traces * (plan.sizes[-1] + answers)
    separate = traces * len(plan.arms) * sum(size + plan.answer_tokens for size in plan.sizes)
    return (
        f"{traces:,} traces of at most {plan.sizes[-1]:,} tokens, {problems * plan.answers_each:,} answers of at most "
        f"{plan.answer_tokens:,}: at most {swept:,} tokens in one pass. Run window by window it would be at most "
        f"{separate:,}. Traces that end by themselves cost less."
    )
