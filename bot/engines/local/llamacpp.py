"""llama.cpp in this process, for who is alone: the answer comes nearly twice as soon.

It reads the GGUF file that the weights were converted from, so that both ways run the
same weights: this one on fewer bits at a time, transformers on whole batches. Prompts
come as token ids from the model's own tokenizer, and stops are found outside: text and
meaning are the same. xllamacpp is an extra; without it transformers answers alone.
"""

from __future__ import annotations

import asyncio
import importlib.util
import os
import secrets
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import structlog

from bot.engines.delivery import Piece
from bot.errors import EngineUnavailable, ModelError
from storage.records import FinishReason

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

    from storage.records import Sampling

log = structlog.get_logger(__name__)

ROOM = 2048
"""Tokens of prompt and answer together; longer ones go to transformers."""

PROMPT_CACHE_MIB = 128
"""Beginnings of prompts that are kept for when their channel is heard again."""


def load(gguf: Path) -> LlamaCpp | None:
    """None where there is no such file, or the extra is not installed. Raises ModelError."""
    if not gguf.is_file() or importlib.util.find_spec("xllamacpp") is None:
        return None
    return LlamaCpp(gguf)


class LlamaCpp:
    """A GGUF file in memory; the GIL is held for the second or two that loading takes.

    Raises ModelError where it cannot be read.
    """

    def __init__(self, gguf: Path) -> None:
        # As in loading.py: idle OpenMP threads that spin make everything else wait.
        os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
        import xllamacpp  # type: ignore[import-untyped]  # noqa: PLC0415 - an extra

        params = xllamacpp.CommonParams()
        params.model.path = str(gguf)
        params.n_parallel = 1
        params.n_ctx = ROOM
        params.n_gpu_layers = 0
        params.swa_full = True  # else nothing of a sliding layer's past could be used again
        params.cache_ram_mib = PROMPT_CACHE_MIB
        params.verbosity = -1
        # It listens on a free loopback port, which nobody here uses; nobody else shall.
        params.api_keys = [secrets.token_urlsafe(32)]
        try:
            self._server: Any = xllamacpp.Server(params)
        except RuntimeError as error:
            raise ModelError(f"llama.cpp cannot read {gguf.name}.") from error
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="llama.cpp")
        self._last: Future[None] | None = None  # one thread: when this is done, all are

    def has_room(self, tokens: int) -> bool:
        """Whether it is idle, and large enough for so many tokens."""
        return (self._last is None or self._last.done()) and tokens <= ROOM

    def close(self) -> None:
        """Wait for what runs, and free the model."""
        self._thread.shutdown()
        self._server = None

    async def generate(
        self, ids: list[int], sampling: Sampling, *, seed: int
    ) -> AsyncGenerator[Piece, None]:
        """Continue `ids`; closing the iterator frees the slot. Raises EngineUnavailable."""
        loop = asyncio.get_running_loop()
        events: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue()
        unwanted = threading.Event()

        def hear(event: dict[str, Any]) -> bool:
            loop.call_soon_threadsafe(events.put_nowait, event)
            return unwanted.is_set()

        def run() -> None:
            try:
                self._server.handle_completions(_body(ids, sampling, seed), hear)
            except Exception:
                log.exception("llama.cpp failed")
            finally:
                loop.call_soon_threadsafe(events.put_nowait, None)

        self._last = running = self._thread.submit(run)
        pieces = 0
        try:
            while (event := await events.get()) is not None:
                if "error" in event:
                    break
                choice, usage = event["choices"][0], event.get("usage", {})
                pieces += 1
                reason = choice["finish_reason"]
                if reason:  # whoever asks next shall find it idle
                    await asyncio.wrap_future(running)
                yield Piece(
                    text=choice["text"],
                    finish_reason=FinishReason(reason) if reason else None,
                    prompt_tokens=len(ids),
                    completion_tokens=usage.get("completion_tokens", pieces),
                    made_by="llama.cpp",
                )
                if reason:
                    return
            raise EngineUnavailable("The model failed while it answered. Try again.")
        finally:
            unwanted.set()


def _body(ids: list[int], sampling: Sampling, seed: int) -> dict[str, Any]:
    """The request, with the very chain of samplers that `sampling.draw` has."""
    return {
        "prompt": ids,
        "max_tokens": sampling.max_tokens,
        "temperature": sampling.temperature,
        "top_k": sampling.top_k,
        "top_p": sampling.top_p,
        "samplers": ["top_k", "temperature", "top_p"],
        "seed": seed,
        "stream": True,
        "stream_options": {"include_usage": True},
        "cache_prompt": True,
    }
