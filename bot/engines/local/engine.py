"""The local engine: a model in this process behind the Engine protocol.

This side encodes, bounds and gives up in time. transformers generates for many callers
at once (`batching.py`); where the weights have a GGUF file and there is no GPU,
llama.cpp answers who is alone (`llamacpp.py`). torch is imported when the engine starts.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

import structlog

from bot.engines.delivery import Line, Piece
from bot.engines.weights.store import GGUF
from bot.errors import EngineUnavailable, ModelError, PromptTooLong
from storage.records import Sampling

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable
    from pathlib import Path

    from bot.engines import Chunk, CompletionRequest, Prompt
    from bot.engines.local.batching import Batching
    from bot.engines.local.llamacpp import LlamaCpp
    from bot.engines.local.loading import Loaded

log = structlog.get_logger(__name__)

WARM_UP = "A few words, so that the first member who writes need not wait for it. " * 4


class Generator(Protocol):
    """Continues token ids: transformers' batches, or llama.cpp."""

    def generate(
        self, ids: list[int], sampling: Sampling, *, seed: int
    ) -> AsyncGenerator[Piece, None]:
        """Closing the iterator frees the slot. Raises EngineUnavailable."""

    def close(self) -> None:
        """Wait for the step or the answers under way, then stop."""


class LocalEngine:
    """A model in this process.

    `fetch` returns the folder of its weights and may take long; it runs in a thread.
    `max_waiting` bounds how many completions may be under way or wait.
    `dtype` overrides the choice by hardware, as "float32" or "bfloat16"; `llama_cpp`
    False leaves all answers to transformers.
    """

    def __init__(
        self,
        *,
        source: str,
        fetch: Callable[[], Path],
        max_waiting: int = 64,
        dtype: str | None = None,
        llama_cpp: bool = True,
    ) -> None:
        self._source = source
        self._fetch = fetch
        self._line = Line(max_waiting)
        self._dtype = dtype
        self._llama_cpp = llama_cpp
        self._loaded: Loaded | None = None
        self._batching: Batching | None = None
        self._llama: LlamaCpp | None = None
        self._revision = source
        self._under_way = 0

    def __repr__(self) -> str:
        return f"LocalEngine({self._revision})"

    @property
    def revision(self) -> str:
        """The source, a hash of the weights and the dtype; the source alone before `start`."""
        return self._revision

    async def start(self) -> None:
        """Load in a thread, start generating and draw some tokens to warm up; raises ModelError."""
        if self._loaded is not None:
            return
        self._loaded = loaded = await asyncio.to_thread(self._load)
        try:
            await self._warm_up(loaded)
        except EngineUnavailable as error:
            await self.close()
            raise ModelError(
                f"{self._source} was loaded but does not generate: this kind of model may not be "
                "supported, or the memory is too small. The log says more."
            ) from error

    async def _warm_up(self, loaded: Loaded) -> None:
        for generator in self._generators:
            words = generator.generate(loaded.encode(WARM_UP), Sampling(max_tokens=4), seed=0)
            async for _ in words:
                pass

    def _load(self) -> Loaded:
        from bot.engines.local import batching, llamacpp, loading  # noqa: PLC0415 - torch, late

        folder = self._fetch()
        loaded = loading.load(folder, dtype=self._dtype)
        self._batching = batching.Batching(loaded.model, eos=loaded.eos, decoder=loaded.decoder)
        self._batching.start(name=f"generate {self._source}")
        if self._llama_cpp and loaded.on_processor:
            try:
                self._llama = llamacpp.load(folder / GGUF)
            except ModelError as error:
                log.warning("transformers answers alone", reason=error.user_message)
        way = f"{loaded.dtype}+gguf" if self._llama else loaded.dtype
        self._revision = f"{self._source}#{loading.folder_hash(folder)}:{way}"
        return loaded

    def render(self, prompt: Prompt) -> str:
        """Return a raw prompt as it is, byte for byte; a chat through the model's own template.

        Raises EngineError when the model has no chat template or has not started.
        """
        return prompt if isinstance(prompt, str) else self._ready().render(prompt)

    @property
    def room(self) -> int | None:
        """What the model and its cache can hold; None before `start`."""
        return self._loaded.room if self._loaded else None

    def count(self, prompt: Prompt) -> int:
        """Count with the model's own tokenizer; raises EngineError as `render` does."""
        return len(self._ready().ids(prompt))

    def stream(self, request: CompletionRequest) -> AsyncGenerator[Chunk, None]:
        """Generate; raises EngineError, EngineBusy, EngineTimeout, EngineUnavailable."""
        return self._line.deliver(self._answer(request), request)

    async def close(self) -> None:
        """Stop the thread after the step it is in; callers still waiting get EngineUnavailable."""
        self._line.close()
        self._loaded = None
        generators, self._batching, self._llama = self._generators, None, None
        for generator in generators:
            await asyncio.to_thread(generator.close)

    def _ready(self) -> Loaded:
        if self._loaded is None:
            raise EngineUnavailable("The model is not running. Try again in a moment.")
        return self._loaded

    async def _answer(self, request: CompletionRequest) -> AsyncGenerator[Piece, None]:
        loaded = self._ready()
        ids = loaded.ids(request.prompt, so_far=request.so_far)
        wanted = max(1, request.sampling.max_tokens)
        if not ids or len(ids) + wanted > loaded.room:
            raise PromptTooLong(
                f"The prompt has {len(ids)} tokens and the answer may have {wanted}; this model "
                f"takes 1 to {loaded.room} in all. Send a shorter message."
            )
        sampling = replace(request.sampling, max_tokens=wanted)
        self._under_way += 1
        try:
            await asyncio.sleep(0)  # whoever came at the same moment is counted now
            generator = self._generator(len(ids) + wanted)
            async with aclosing(generator.generate(ids, sampling, seed=request.seed)) as pieces:
                async for piece in pieces:
                    yield piece
        finally:
            self._under_way -= 1

    @property
    def _generators(self) -> tuple[Generator, ...]:
        return tuple(g for g in (self._batching, self._llama) if g is not None)

    def _generator(self, tokens: int) -> Generator:
        if self._llama is not None and self._under_way == 1 and self._llama.has_room(tokens):
            return self._llama
        if self._batching is None:
            raise EngineUnavailable("The model is not running. Try again in a moment.")
        return self._batching
