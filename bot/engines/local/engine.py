"""The local engine: transformers' continuous batching behind the Engine protocol.

One manager thread per model generates for all callers at once; this side only
encodes, waits on asyncio queues, decodes and gives up in time. torch is imported
when the engine starts, not before.
"""
# ruff: noqa: ANN401 - transformers' models, tokenizers and managers have no usable types

from __future__ import annotations

import asyncio
import itertools
import queue
import threading
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from bot.engines.delivery import Line, Piece
from bot.errors import EngineUnavailable, ModelError, PromptTooLong
from storage.records import FinishReason

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable
    from pathlib import Path

    from bot.engines import Chunk, CompletionRequest, Prompt
    from bot.engines.local.loading import Loaded

_LIVENESS = 1.0
"""Seconds between two looks at whether the generation thread still lives, while it is silent."""


class LocalEngine:
    """A model in this process.

    `fetch` returns the folder of its weights and may take long; it runs in a thread.
    `max_waiting` bounds how many completions may be under way or wait.
    `dtype` overrides the choice by hardware, as "float32" or "bfloat16".
    """

    def __init__(
        self,
        *,
        source: str,
        fetch: Callable[[], Path],
        max_waiting: int = 64,
        dtype: str | None = None,
    ) -> None:
        self._source = source
        self._fetch = fetch
        self._line = Line(max_waiting)
        self._dtype = dtype
        self._loaded: Loaded | None = None
        self._revision = source
        self._ids = itertools.count()

    def __repr__(self) -> str:
        return f"LocalEngine({self._revision})"

    @property
    def revision(self) -> str:
        """The source, a hash of the weights and the dtype; the source alone before `start`."""
        return self._revision

    async def start(self) -> None:
        """Load in a thread, start generating and draw one token to warm up; raises ModelError."""
        if self._loaded is not None:
            return
        loaded, digest = await asyncio.to_thread(self._load)
        self._revision = f"{self._source}#{digest}:{loaded.dtype}"
        self._loaded = loaded
        _start_thread(loaded.manager, name=f"generate {self._source}")
        try:
            warm_up = self._pieces(loaded, loaded.encode("Hello"), max_tokens=2, kwargs={})
            async for _ in warm_up:
                pass
        except EngineUnavailable as error:
            await self.close()
            raise ModelError(
                f"{self._source} was loaded but does not generate: this kind of model may not be "
                "supported, or the memory is too small. The log says more."
            ) from error

    def _load(self) -> tuple[Loaded, str]:
        from bot.engines.local import loading  # noqa: PLC0415 - torch is imported here, late

        folder = self._fetch()
        return loading.load(folder, dtype=self._dtype), loading.folder_hash(folder)

    def render(self, prompt: Prompt) -> str:
        """Return a raw prompt as it is, byte for byte; a chat through the model's own template.

        Raises EngineError when the model has no chat template or has not started.
        """
        return prompt if isinstance(prompt, str) else self._ready().render(prompt)

    def stream(self, request: CompletionRequest) -> AsyncGenerator[Chunk, None]:
        """Generate; raises EngineError, EngineBusy, EngineTimeout, EngineUnavailable."""
        return self._line.deliver(self._answer(request), request)

    async def close(self) -> None:
        """Stop the thread after the step it is in; callers still waiting get EngineUnavailable."""
        self._line.close()
        loaded, self._loaded = self._loaded, None
        if loaded is None:
            return
        await asyncio.to_thread(loaded.manager.stop, block=True, timeout=10, hard_stop=True)

    def _ready(self) -> Loaded:
        if self._loaded is None:
            raise EngineUnavailable("The model is not running. Try again in a moment.")
        return self._loaded

    async def _answer(self, request: CompletionRequest) -> AsyncGenerator[Piece, None]:
        loaded = self._ready()
        if isinstance(request.prompt, str):
            ids = loaded.encode(request.prompt)
        else:
            ids = loaded.encode_chat(loaded.render(request.prompt))
        wanted = max(1, request.sampling.max_tokens)
        if not ids or len(ids) + wanted > loaded.room:
            raise PromptTooLong(
                f"The prompt has {len(ids)} tokens and the answer may have {wanted}; this model "
                f"takes 1 to {loaded.room} in all. Send a shorter message."
            )
        kwargs = {
            "temperature": float(request.sampling.temperature),
            "top_k": int(request.sampling.top_k),
            "top_p": float(request.sampling.top_p),
            "seed": int(request.seed),
        }
        async with aclosing(self._pieces(loaded, ids, max_tokens=wanted, kwargs=kwargs)) as pieces:
            async for piece in pieces:
                yield piece

    async def _pieces(
        self, loaded: Loaded, ids: list[int], *, max_tokens: int, kwargs: dict[str, Any]
    ) -> AsyncGenerator[Piece, None]:
        manager, name = loaded.manager, f"r{next(self._ids)}"
        outputs: asyncio.Queue[Any] = asyncio.Queue()
        manager.register_result_handler(name, outputs.put_nowait)
        finished = False
        try:
            added = manager.add_request(
                ids,
                name,
                max_new_tokens=max_tokens,
                streaming=True,
                eos_token_id=loaded.eos,
                **kwargs,
            )
            if added is None:  # refused: the library only logs it
                raise EngineUnavailable(
                    "The model has stopped. Ask the operator to restart Twofold."
                )
            decode, seen = loaded.decoder(ids), 0
            while not finished:
                output = await _latest(outputs, manager)
                if output.error is not None:
                    raise EngineUnavailable("The model failed while it answered. Try again.")
                tokens, finished = output.generated_tokens, output.is_finished()
                text = decode(tokens[seen:])
                seen = len(tokens)
                yield Piece(
                    text=text,
                    finish_reason=_reason(tokens, loaded.eos) if finished else None,
                    prompt_tokens=len(ids),
                    completion_tokens=seen,
                )
        finally:
            self._forget(manager, name, finished=finished)

    def _forget(self, manager: Any, name: str, *, finished: bool) -> None:
        """Free the slot. The library drops a handler only when its request ends by itself."""
        router = manager.output_router
        with router._lock:  # noqa: SLF001
            router.result_handlers.pop(name, None)
        if not finished:
            manager.cancel_request(name)


class _Discard(queue.Queue[Any]):
    """Takes outputs that no handler wants any more: the library would keep them for ever."""

    def put(self, item: Any, block: bool = True, timeout: float | None = None) -> None:  # noqa: FBT001, FBT002
        """Drop it."""


def _start_thread(manager: Any, *, name: str) -> None:
    """`manager.start()`, as a daemon: a crash elsewhere must not keep the process alive."""
    manager.output_router.output_queue = _Discard()
    manager.background_thread_status.clear()
    loop = manager._run_generation_loop  # noqa: SLF001
    thread = threading.Thread(target=loop, name=name, daemon=True)
    manager._generation_thread = thread  # noqa: SLF001
    thread.start()


async def _latest(outputs: asyncio.Queue[Any], manager: Any) -> Any:
    """Return the newest output (each has all tokens so far); raises EngineUnavailable."""
    output = None
    while output is None:
        try:
            async with asyncio.timeout(_LIVENESS):
                output = await outputs.get()
        except TimeoutError:
            if not manager.is_running():
                raise EngineUnavailable(
                    "The model has stopped. Ask the operator to restart Twofold."
                ) from None
    while output.error is None and not outputs.empty():
        output = outputs.get_nowait()
    return output


def _reason(tokens: list[int], eos: list[int]) -> FinishReason:
    return FinishReason.STOP if tokens and tokens[-1] in eos else FinishReason.LENGTH
