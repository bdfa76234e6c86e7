"""Let a teacher model write trajectories for new questions.

    python -m training.generate questions.jsonl --model Qwen/QwQ-32B-Preview --out data/qwq
    python -m training.generate questions.jsonl --server-url http://node1:8000 --concurrency 512 --out data/qwq

questions.jsonl holds {"id": ..., "question": ...}, one a line. What comes out is what training.subset reads:

OUT/trajectories.jsonl   {id, question, response, token_num_qwen}, in the order in which they were finished
OUT/left_out.jsonl       the same with a "reason": the budget ran out ("truncated"), nothing was written ("empty"), the
                         question does not fit ("prompt_too_long"); these would teach a model not to stop
OUT/run.json             what they were made with

Every finished row is on disk at once: after a crash the same command goes on where it stopped, and a server that goes
away is waited for. token_num_qwen counts the teacher's own tokens; those of a teacher outside the Qwen family are not
Qwen's.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, aclosing
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from tqdm import tqdm

from evaluation.pool import pooled
from training import run_folder
from training.rows import QUESTION, TOKENS, Row, Rows, add_max_bad, draw_of
from z1_core import thinking
from z1_core.engine import Engine
from z1_core.engines import start_engine
from z1_core.errors import BadInput
from z1_core.folder import held
from z1_core.jsonl import Lines, own_lines
from z1_core.options import add_engine_options, add_wait_option, at_least, server_wait_s
from z1_core.patience import Patience
from z1_core.program import program, say
from z1_core.prompt import SYSTEM_PROMPT, chat
from z1_core.provenance import versions
from z1_core.window import Sampling

FAKE_SECONDS_PER_TOKEN = 0.001
LIBRARIES = ("tokenizers", "jinja2")
FILES = ("trajectories.jsonl", "left_out.jsonl")


def sampling_of(question: Row, sampling: Sampling, budget_tokens: int) -> Sampling:
    """The draw depends on the seed and the question's id alone, so a continued run writes what it would have."""
    seed = draw_of(f"{sampling.seed}:{question.id}") >> 8 if sampling.temperature else None
    return replace(sampling, max_tokens=budget_tokens, seed=seed)


async def write_trajectory(engine: Engine, question: Row, sampling: Sampling, system: str) -> dict[str, Any]:
    """The row of one question, with the "reason" to leave it out where there is one. Raises EngineDead."""
    row = {"id": question.id, "question": question.question, "response": "", TOKENS: 0}
    prompt_ids = engine.text.render(chat(question.question, system=system))
    budget = min(sampling.max_tokens, engine.context_tokens - len(prompt_ids))
    if budget < 1:
        return row | {"reason": "prompt_too_long"}
    finish_reason = None
    async with aclosing(thinking.generate(engine, prompt_ids, sampling_of(question, sampling, budget))) as deltas:
        async for delta in deltas:
            row["response"] += delta.text
            finish_reason = delta.finish_reason
    row[TOKENS] = len(engine.text.encode(row["response"]))
    if finish_reason != "stop":
        return row | {"reason": "truncated"}
    return row if row["response"].strip() else row | {"reason": "empty"}


async def generate(
    engine: Engine,
    questions: Sequence[Row],
    sampling: Sampling,
    out: Path,
    *,
    system: str = SYSTEM_PROMPT,
    concurrency: int = 64,
    wait_s: float = 0,
) -> Counter[str]:
    """Write the trajectories that `out` does not hold yet, `concurrency` at a time, and return the counts of all.

    sampling: its max_tokens is the most that the teacher may write; a trajectory that needs more is left out.
    wait_s: how long to wait for a server that goes away in mid-run.
    Raises BadInput before anything is generated; EngineDead or Z1Error in mid-run, with what is finished on disk.
    """
    patience = Patience(engine, wait_s, say)
    with held(out), ExitStack() as stack:
        asked = {name: getattr(sampling, name) for name in ("max_tokens", "temperature", "seed")}
        made_with = {"settings": {"model": engine.name, "system": system, **asked}, "versions": versions(LIBRARIES)}
        done = {str(row.get("id")): row.get("question") for row in finished(out)}
        run_folder.claim(out, made_with, is_begun=bool(done))
        all_, waiting = len(questions), [question for question in questions if _is_new(question, done)]
        kept, left_out = (stack.enter_context(Lines(out / name)) for name in FILES)
        bar = stack.enter_context(tqdm(total=all_, initial=all_ - len(waiting), unit="row", disable=None))

        async def teach(question: Row) -> None:
            row = await write_trajectory(engine, question, sampling, system)
            (left_out if "reason" in row else kept).add(row)
            bar.update()

        await pooled(lambda question: patience.insist(partial(teach, question)), waiting, concurrency)
        return Counter(str(row.get("reason", "trajectories")) for row in finished(out))


def finished(out: Path) -> Iterator[dict[str, Any]]:
    """Rows that somebody else has added are let be."""
    return (line.row for name in FILES for line in own_lines(out / name))


def _is_new(question: Row, done: Mapping[str, str]) -> bool:
    """Raises BadInput where the id was another question's when the run began."""
    if done.get(question.id, question.question) != question.question:
        raise BadInput(
            f'the question "{question.id}" is not the one that was answered under this id; give the same questions '
            "or name another folder with --out"
        )
    return question.id not in done


def parser() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(prog="python -m training.generate", description=__doc__.split("\n\n")[0])
    options.add_argument("questions", metavar="QUESTIONS.jsonl", help='rows {"id", "question"}, or a set on the Hub')
    options.add_argument("--out", type=Path, required=True, metavar="DIR", help="new, or of the run to continue")
    options.add_argument("--max-tokens", type=int, default=8192, help="the most of one (default %(default)s)")
    options.add_argument("--temperature", type=float, default=0.0, help="0 is greedy (default 0)")
    options.add_argument("--seed", type=int, default=42, help="counts only above temperature 0 (default 42)")
    options.add_argument("--system", default=SYSTEM_PROMPT, help=f"system prompt (default {SYSTEM_PROMPT!r})")
    options.add_argument("--concurrency", type=int, default=64, metavar="N", help="at a time (default 64)")
    add_max_bad(options)
    add_wait_option(options)
    add_engine_options(options)
    return options


@program(
    stopped="stopped; what is finished is kept: give the same command again to go on", needs="training/requirements.txt"
)
def main(argv: Sequence[str] | None = None) -> None:
    options = parser().parse_args(argv)
    at_least(1, max_tokens=options.max_tokens, concurrency=options.concurrency)
    sampling = Sampling(temperature=options.temperature, max_tokens=options.max_tokens, seed=options.seed)
    more = {"system": options.system, "concurrency": options.concurrency, "wait_s": server_wait_s(options)}
    questions = list(Rows([options.questions], fields=QUESTION, max_bad=options.max_bad, tell=_passed_over))
    engine = start_engine(options, say, fake_seconds_per_token=FAKE_SECONDS_PER_TOKEN)

    async def run() -> Counter[str]:
        try:
            return await generate(engine, questions, sampling, options.out, **more)
        finally:
            await engine.close()

    counts = asyncio.run(run())
    print(f"{counts.pop('trajectories', 0):,} trajectories are in {options.out / 'trajectories.jsonl'}")
    print(f"left out: {', '.join(f'{reason} {count:,}' for reason, count in counts.items()) or 'none'}")


def _passed_over(where: str, fault: str) -> None:
    say(f"passed over: {where}: {fault}")


if __name__ == "__main__":
    sys.exit(main())
