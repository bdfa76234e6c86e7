"""What can be run here and what it would cost, before anything is run: --list and --dry-run."""

from __future__ import annotations

from collections.abc import Iterable

from evaluation.data import in_cache
from evaluation.plan import Plan
from evaluation.problem import Benchmark
from evaluation.sandbox.bubblewrap import Sandbox
from z1_core.engine import Text
from z1_core.errors import Z1Error


def listing(benchmarks: Iterable[Benchmark]) -> str:
    """A line a benchmark: its data, whether they are on this disk, and what else it needs."""
    said = []
    for each in benchmarks:
        needs = ["access granted on the Hub"] if each.source.gated else []
        needs += ["bubblewrap"] if each.gold_field is None else []
        here = "on this disk" if in_cache(each.source) else "to be downloaded"
        said.append(f"{each.name:14} {each.source.repo:38} {here:17} needs {' and '.join(needs) or 'nothing else'}")
    try:
        sandbox = f"{Sandbox().kind} works here"
    except Z1Error as error:
        sandbox = str(error)
    return "\n".join([*said, "", f"sandbox: {sandbox}"])


def preview(plan: Plan, text: Text, *, prompts: int) -> str:
    """The first prompts of each benchmark as the model would see them, and the most tokens the run can take."""
    parts, problems = [], 0
    for each in plan.benchmarks:
        for number, problem in enumerate(plan.problems(each, lambda complaint: parts.append(f"left out: {complaint}"))):
            problems += 1
            if number < prompts:
                ids = problem.prompt_ids(text)
                parts.append(f"--- {each.name}, {problem.id}: {len(ids)} tokens\n{text.decode(ids, control=True)}")
    return "\n\n".join([*parts, cost(plan, problems)])


def cost(plan: Plan, problems: int) -> str:
    traces, sizes, arms = problems * plan.samples, plan.sizes, len(plan.arms)
    swept = traces * (sizes[-1] + len(sizes) * arms * plan.answer_tokens)
    separate = traces * arms * sum(size + plan.answer_tokens for size in sizes)
    return (
        f"{traces:,} traces of at most {sizes[-1]:,} tokens, {problems * plan.answers_each:,} answers of at most "
        f"{plan.answer_tokens:,}: at most {swept:,} tokens in one pass. Run window by window it would be at most "
        f"{separate:,}. Traces that end by themselves cost less."
    )
