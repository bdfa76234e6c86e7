"""One trace, answered at many windows: the whole scaling curve for little more than the price of its largest window.

async for piece in sweep(engine, prompt_ids, [Window(thinking_tokens=w, answer_tokens=64) for w in (32, 128, 512)]):
    print(piece.index, piece.chunk.phase, piece.chunk.text)
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass

from z1_core.engine import Engine
from z1_core.errors import BadInput
from z1_core.prompt import check_fits
from z1_core.thinking import GREEDY, Job, Transcript, answer_from, ended_with_it, think_in
from z1_core.window import Chunk, Completion, Sampling, Window


@dataclass(frozen=True, slots=True)
class Piece:
    """A chunk of the run with windows[index]. The chunks of one index, taken alone, are a run of think()."""

    index: int
    chunk: Chunk


async def sweep(
    engine: Engine, prompt_ids: Sequence[int], windows: Sequence[Window], sampling: Sampling = GREEDY
) -> AsyncGenerator[Piece, None]:
    """Think once, inside the largest window; at each smaller one that the trace outgrows, answer from that prefix at
    once: beside it in the same continuous batch, or, where only its place has the prefix (llama.cpp), in that place
    before the trace goes on. A trace that ends by itself is the answer of all windows it fits in.

    windows: in growing order of thinking_tokens; equal ones differ in their hint or answer. The trace streams under the
    last index; a smaller window gets its part of the trace in one piece when it is passed (or when the trace ends
    inside it), then its own hint and answer.
    Each window's tokens are those of think() with that window: the same prefix, the same requests. Where an engine's
    arithmetic depends on what else is in its batch, greedy runs are equal up to that (evaluation/README.md).
    Closing the generator, or the failure of one run, aborts all of them.
    Raises BadInput for windows that do not grow, ContextOverflow before anything is generated, EngineDead.
    """
    check_windows(windows)
    tokens = await asyncio.to_thread(lambda: [check_fits(engine, prompt_ids, window) for window in windows])
    last, unfinished = len(windows) - 1, len(windows)
    made: asyncio.Queue[Piece | BaseException] = asyncio.Queue()
    thought, inside = Transcript(prompt_ids), list(range(last))
    async with AsyncExitStack() as place, ended_with_it() as runs:
        session = await place.enter_async_context(engine.session(max(tokens)))
        runs.append(_start(made, last, think_in(session, engine, Job(prompt_ids, windows[last], sampling))))
        while unfinished:
            piece = await made.get()
            if isinstance(piece, BaseException):
                raise piece
            chunk = piece.chunk
            if piece.index == last:
                thought.add(chunk)
                trace_ids = thought.ids["trace"]
                reached = len(trace_ids) - (chunk.phase == "trace")  # a trace may stop with its last token
                while inside and windows[inside[0]].thinking_tokens <= reached:
                    index = inside.pop(0)
                    prefix = tuple(trace_ids[: windows[index].thinking_tokens])
                    answering = answer_from(engine, prompt_ids, prefix, windows[index], sampling, beside=session)
                    runs.append(_start(made, index, answering))
                    yield Piece(index, Chunk("trace", engine.text.decode(prefix), prefix))
            unfinished -= chunk.end_reason is not None
            if piece.index == last and chunk.end_reason:
                await place.aclose()  # the answers of smaller windows may wait for it
            yield piece
            if chunk.phase == "trace" and chunk.end_reason:
                for index in inside:
                    unfinished -= 1
                    whole = Chunk("trace", thought.texts["trace"], tuple(trace_ids), end_reason=chunk.end_reason)
                    yield Piece(index, whole)


async def collect_sweep(
    engine: Engine, prompt_ids: Sequence[int], windows: Sequence[Window], sampling: Sampling = GREEDY
) -> list[Completion]:
    """Run sweep() to its end: a completion for each window, in their order."""
    transcripts = [Transcript(prompt_ids) for _ in windows]
    async with aclosing(sweep(engine, prompt_ids, windows, sampling)) as pieces:
        async for piece in pieces:
            transcripts[piece.index].add(piece.chunk)
    return [transcript.completion() for transcript in transcripts]


def check_windows(windows: Sequence[Window]) -> None:
    sizes = [window.thinking_tokens for window in windows]
    if not sizes:
        raise BadInput("no windows; name at least one")
    if sizes != sorted(sizes) or len(set(windows)) < len(windows):
        shown = " ".join(map(str, sizes))
        raise BadInput(f"the windows {shown} do not grow; name each once, the smallest first")


def _start(made: asyncio.Queue[Piece | BaseException], index: int, run: AsyncGenerator[Chunk, None]) -> asyncio.Task:
    """Put what the run yields, or what it fails with, into the queue."""

    async def pump() -> None:
        try:
            async with aclosing(run) as chunks:
                async for chunk in chunks:
                    made.put_nowait(Piece(index, chunk))
        except Exception as error:
            made.put_nowait(error)

    return asyncio.ensure_future(pump())
