"""The published synchronous call, on top of the same think():

llm = ThinkingLLM(model="efficientscaling/Z1-7B")
avg_thinking_tokens, outputs = llm.thinking_generate(prompts, SamplingParams(max_tokens=5000), 4096)
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from z1_core.engines.vllm import VllmEngine
from z1_core.errors import BadInput
from z1_core.loop_thread import LoopThread
from z1_core.models import locate
from z1_core.prompt import most_hint_tokens
from z1_core.thinking import Job, collect_all
from z1_core.window import HINT, Completion, Sampling, Window, avg_thinking_tokens

if TYPE_CHECKING:
    from vllm import RequestOutput, SamplingParams

_OWN_FIELDS = ("temperature", "top_p", "max_tokens", "seed", "n", "output_kind")


class ThinkingLLM:
    """A model with a window, for scripts. Use it in a `with` block or call close() at the end.

    model: hub id or folder; None chooses by the machine (see z1_core.models).
    engine_args: further fields of vLLM's AsyncEngineArgs.
    Raises ModelUnavailable.
    """

    def __init__(
        self,
        model: str | None = None,
        *,
        tensor_parallel_size: int = 1,
        gpu_memory_utilization: float = 0.96,
        **engine_args: Any,
    ) -> None:
        found = locate(model, engine="vllm")
        self.engine = VllmEngine.start(
            found.path,
            name=found.name,
            tensor_parallel_size=tensor_parallel_size,
            gpu_memory_utilization=gpu_memory_utilization,
            **engine_args,
        )
        self._thread = LoopThread()

    def thinking_generate(
        self, prompts: str | Sequence[str], sampling_params: SamplingParams, max_tokens_for_thinking: int
    ) -> tuple[float, list[RequestOutput]]:
        """Think inside the window on every prompt, all in one continuous batch, and answer those that were cut.

        prompts: ready-made prompts (one, or a list), chat template included.
        sampling_params: as for vLLM, and left as they are. max_tokens is the total: window, hint and answer together
        (None: what the context has left). n > 1 gives n independent samples with seeds derived from seed.
        Returns the average thinking tokens over all samples, and per prompt a RequestOutput with n outputs. As in the
        published code the output of a cut row is its answer; `.completions[k]` holds prompt, trace, hint and answer.
        Raises BadInput, before anything is generated, where the budgets do not fit.
        """
        if sampling_params is None:
            raise BadInput("sampling_params is None; give vllm.SamplingParams(max_tokens=...)")
        rows = [prompts] if isinstance(prompts, str) else list(prompts)
        if not rows or not all(isinstance(row, str) and row for row in rows):
            raise BadInput("prompts must be a text or a list of texts, none of them empty")
        ids = [tuple(self.engine.text.parse(row)) for row in rows]
        windows = [self._window(sampling_params.max_tokens, max_tokens_for_thinking, len(row)) for row in ids]
        samples = self._thread.run(self._generate(ids, windows, _sampling(sampling_params), sampling_params.n))
        average = avg_thinking_tokens(completion for row in samples for completion in row)
        return average, [_request_output(*row) for row in zip(range(len(rows)), rows, samples, strict=True)]

    def close(self) -> None:
        """Stop the engine and free its memory."""
        self._thread.run(self.engine.close())
        self._thread.close()

    def __enter__(self) -> ThinkingLLM:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _window(self, max_tokens: int | None, thinking_tokens: int, prompt_tokens: int) -> Window:
        total = self.engine.context_tokens - prompt_tokens if max_tokens is None else max_tokens
        hint_tokens = most_hint_tokens(self.engine, HINT, is_text=False)
        return Window.from_total(thinking_tokens=thinking_tokens, total_tokens=total, hint_tokens=hint_tokens)

    async def _generate(
        self, ids: list[tuple[int, ...]], windows: list[Window], sampling: Sampling, n: int
    ) -> list[list[Completion]]:
        jobs = [
            Job(row, window, sampling.sample(k)) for row, window in zip(ids, windows, strict=True) for k in range(n)
        ]
        async with aclosing(collect_all(self.engine, jobs)) as completions:
            done = [completion async for completion in completions]
        return [done[start : start + n] for start in range(0, len(done), n)]


def _sampling(params: SamplingParams) -> Sampling:
    """The same settings as a frozen value; what Sampling has no field for goes through as it is."""
    default = type(params)()
    fields = [name for name in params.__struct_fields__ if not name.startswith("_") and name not in _OWN_FIELDS]
    extra = tuple((name, getattr(params, name)) for name in fields if getattr(params, name) != getattr(default, name))
    return Sampling(temperature=params.temperature, top_p=params.top_p, seed=params.seed, extra=extra)


def _request_output(index: int, prompt: str, completions: list[Completion]) -> RequestOutput:
    from vllm.outputs import CompletionOutput, RequestOutput

    def output(k: int, completion: Completion) -> CompletionOutput:
        cut = bool(completion.hint_ids)
        return CompletionOutput(
            index=k,
            text=completion.answer if cut else completion.trace,
            token_ids=list(completion.answer_ids if cut else completion.trace_ids),
            cumulative_logprob=None,
            logprobs=None,
            finish_reason="length" if completion.end_reason in ("answer_length", "context_full") else "stop",
        )

    result = RequestOutput(
        request_id=str(index),
        prompt=prompt,
        prompt_token_ids=list(completions[0].prompt_ids),
        prompt_logprobs=None,
        outputs=[output(k, completion) for k, completion in enumerate(completions)],
        finished=True,
    )
    result.completions = completions
    return result
