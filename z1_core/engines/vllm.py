"""vLLM in this process: an AsyncLLM whose requests of all users share one continuous batch.

vLLM is imported when an engine starts, not with this module: it takes ten seconds and reads its environment then.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import uuid
from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from typing import Any

from z1_core.engine import Delta, Engine
from z1_core.engines.tokenizer_text import TokenizerText
from z1_core.errors import BadInput, EngineDead, ModelUnavailable, Z1Error, first_sentence
from z1_core.window import Sampling

WAIT_FOR_THE_END_OF_THE_PIPE = 'read _; kill "$@" 2>/dev/null; sleep 5; kill -9 "$@" 2>/dev/null'
DEAD = "the engine's process has ended (killed, or out of memory); start it again"


class VllmEngine(Engine):
    """An Engine on vLLM. Make it with VllmEngine.start, from any thread; use it from one event loop for all its life.

    name, context_tokens, text: as in Engine. llm: the AsyncLLM itself. dtype: what it computes in, "bfloat16".
    """

    def __init__(self, llm: Any, name: str, *, places: int | None = None) -> None:
        """places: None for as many as vLLM computes at once. No more are let in, so that an answer never waits in vLLM's own
        queue behind the thoughts of others."""
        at_once: int = llm.vllm_config.scheduler_config.max_num_seqs
        super().__init__(min(places or at_once, at_once))
        self.llm = llm
        self.name = name
        self.context_tokens: int = llm.model_config.max_model_len
        self.dtype = str(llm.model_config.dtype).removeprefix("torch.")
        self.text = TokenizerText.of_transformers(llm.get_tokenizer())
        self._loop: asyncio.AbstractEventLoop | None = None
        self._guard = end_together(process.pid for process in llm.engine_core.resources.engine_manager.processes)

    @classmethod
    def start(
        cls,
        folder: str | Path,
        *,
        name: str | None = None,
        max_model_len: int | None = None,
        places: int | None = None,
        **engine_args: Any,
    ) -> VllmEngine:
        """Load the model in a folder (see models.locate). Blocks for the time of loading.

        engine_args: further fields of vLLM's AsyncEngineArgs, tensor_parallel_size for instance.
        Raises ModelUnavailable, with vLLM's reason and a remedy, where it does not start.
        """
        _set_environment()
        from vllm import AsyncEngineArgs
        from vllm.v1.engine.async_llm import AsyncLLM

        try:
            args = AsyncEngineArgs(
                model=str(folder),
                max_model_len=max_model_len,
                disable_log_stats=True,
                **{"gpu_memory_utilization": 0.9, **engine_args},
            )
            llm = AsyncLLM.from_engine_args(args)
        except Exception as error:  # vLLM raises many kinds here, and its child has already logged the trace
            raise ModelUnavailable(f"{name or folder} does not start: {_reason(error)}") from error
        return cls(llm, name or Path(folder).name, places=places)

    async def stream(self, prompt_ids: Sequence[int], sampling: Sampling) -> AsyncGenerator[Delta, None]:
        """As Session.stream. Several streams run side by side in vLLM's continuous batch."""
        from vllm.exceptions import VLLMClientError
        from vllm.inputs.engine import tokens_input
        from vllm.v1.engine.exceptions import EngineDeadError, EngineGenerateError

        self._check_loop()
        request_id = uuid.uuid4().hex
        self.active += 1
        try:
            params = _vllm_params(replace(sampling, seed=sampling.seed_at(len(prompt_ids))))
            async with aclosing(self.llm.generate(tokens_input(list(prompt_ids)), params, request_id)) as outputs:
                async for output in outputs:
                    completion = output.outputs[0]
                    reason = completion.finish_reason
                    yield Delta(
                        completion.text,
                        tuple(completion.token_ids),
                        "stop" if reason == "repetition" else reason,  # the caller's own rule ended it
                        output.num_cached_tokens or 0,
                    )
        except EngineDeadError as error:
            raise EngineDead(DEAD) from error
        except EngineGenerateError as error:
            reason = first_sentence(error.__cause__ or error)
            raise Z1Error(f"the engine failed on this request, try it again: {reason}") from error
        except VLLMClientError as error:
            raise BadInput(f"the engine refuses the request: {first_sentence(error)}") from error
        finally:
            self.active -= 1
            if not self.llm.errored:  # a cancel while the request is being added leaves it behind (vLLM #57061)
                await self.llm.abort(request_id)

    async def check_health(self) -> None:
        """Raise EngineDead if the engine's process is gone."""
        if self.llm.errored:
            raise EngineDead(DEAD)

    async def close(self) -> None:
        """Stop the engine. On its own loop, while that runs: vLLM's sockets are closed there or never, and a process
        with an open one hangs when it ends."""
        self._check_loop()
        self._guard.kill()
        self._guard.wait()
        self.llm.shutdown()

    def _check_loop(self) -> None:
        loop = asyncio.get_running_loop()
        self._loop = self._loop or loop
        if self._loop is not loop:
            raise RuntimeError("a VllmEngine belongs to the event loop of its first request; keep one loop for it")


def end_together(pids: Iterable[int]) -> subprocess.Popen[bytes]:
    """Start a guard that ends these processes once this one is gone, however it went: the kernel closes the pipe that
    the guard reads from. vLLM's own processes would stay, and hold their memory, a GPU's too.

    To call the guard off, kill it.
    """
    command = ["/bin/sh", "-c", WAIT_FOR_THE_END_OF_THE_PIPE, "guard", *map(str, pids)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True)  # noqa: S603 - numbers only


def _vllm_params(sampling: Sampling) -> Any:
    from vllm import SamplingParams
    from vllm.sampling_params import RequestOutputKind

    fields = {
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "max_tokens": sampling.max_tokens,
        "seed": sampling.seed,
        "output_kind": RequestOutputKind.DELTA,
    }
    return SamplingParams(**{**dict(sampling.extra), **fields})


def _set_environment() -> None:
    """Read by vLLM when it is imported: quiet, no usage statistics, and no fork of a process that has threads."""
    os.environ.setdefault("VLLM_LOGGING_LEVEL", "ERROR")
    os.environ.setdefault("VLLM_NO_USAGE_STATS", "1")
    os.environ.setdefault("VLLM_WORKER_MULTIPROC_METHOD", "spawn")


def _reason(error: Exception) -> str:
    """Why vLLM did not start, and what to do, in one sentence."""
    if isinstance(error, RuntimeError):  # a child failed; it has logged its own trace
        return (
            "its process ended while it loaded (the lines above say why); if memory was short, lower --max-model-len "
            "or close other programs"
        )
    details = getattr(error, "errors", list)()  # pydantic keeps vLLM's sentence inside its own
    return first_sentence(details[0]["msg"].removeprefix("Value error, ") if details else error)
