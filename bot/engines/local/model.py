"""A model in this process: one copy of its weights for all the engines that answer with them.

transformers generates for many callers at once (`batching.py`); where the weights have a GGUF
file and there is no GPU, llama.cpp answers who is alone and asks for no adapter (`llamacpp.py`).
torch is imported when the model is loaded.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import structlog

from bot.engines.adapters import read_adapter, require_base
from bot.engines.weights.store import GGUF
from bot.errors import EngineUnavailable, ModelError
from storage.records import Sampling

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable
    from concurrent.futures import Future
    from pathlib import Path

    from bot.engines.delivery import Piece
    from bot.engines.local.batching import Batching
    from bot.engines.local.llamacpp import LlamaCpp
    from bot.engines.local.loading import Loaded
    from bot.engines.local.lora import Lora

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


@dataclass(slots=True, kw_only=True)
class RunningModel:
    """Weights in memory that generate. `weights` is the hash of their folder."""

    source: str
    weights: str
    loaded: Loaded
    batching: Batching
    llama: LlamaCpp | None
    _under_way: int = field(default=0, init=False)

    def revision(self, adapter: Lora | None = None) -> str:
        """The source, a hash of the weights, the dtype, and what else makes the text."""
        way = f"+lora#{adapter.fingerprint[:12]}" if adapter else "+gguf" if self.llama else ""
        return f"{self.source}#{self.weights}:{self.loaded.dtype}{way}"

    async def warm_up(self) -> None:
        """Draw some tokens in each way; raises ModelError where none come."""
        for generator in self._generators:
            pieces = generator.generate(self._warm_up_ids, Sampling(max_tokens=4), seed=0)
            await _try(
                pieces,
                f"{self.source} was loaded but does not generate: this kind of model may "
                "not be supported, or the memory is too small. The log says more.",
            )

    async def attach(self, folder: Path) -> Lora:
        """Read the adapter in `folder` beside the weights, and try it; raises ModelError."""
        adapter = await asyncio.to_thread(self._read, folder)
        sampling = Sampling(max_tokens=4)
        await _try(
            self.batching.generate(self._warm_up_ids, sampling, seed=0, adapter=adapter),
            f"{self.source} does not generate with the adapter {folder.name}: the memory may be "
            "too small for both. Free some, or choose another adapter. The log says more.",
        )
        return adapter

    def detach(self, adapter: Lora) -> None:
        """End what runs under an adapter; nobody else notices."""
        self.batching.drop(adapter)

    async def generate(
        self, ids: list[int], sampling: Sampling, *, seed: int, adapter: Lora | None
    ) -> AsyncGenerator[Piece, None]:
        """Continue `ids`; closing the iterator frees the slot. Raises EngineUnavailable."""
        self._under_way += 1
        try:
            await asyncio.sleep(0)  # whoever came at the same moment is counted now
            tokens = len(ids) + sampling.max_tokens
            if self.llama and not adapter and self._under_way == 1 and self.llama.has_room(tokens):
                made = self.llama.generate(ids, sampling, seed=seed)
            else:
                made = self.batching.generate(ids, sampling, seed=seed, adapter=adapter)
            async with aclosing(made) as pieces:
                async for piece in pieces:
                    yield piece
        finally:
            self._under_way -= 1

    async def close(self) -> None:
        """Stop after the step under way; callers still waiting get EngineUnavailable."""
        await asyncio.to_thread(self.stop)

    def stop(self) -> None:
        """`close`, for a thread that may wait."""
        for generator in self._generators:
            generator.close()

    def _read(self, folder: Path) -> Lora:
        from bot.engines.local import lora  # noqa: PLC0415 - torch, late

        adapter = read_adapter(folder)
        require_base(adapter, source=self.source, weights=self.weights)
        return lora.load(adapter, self.loaded.model)

    @property
    def _generators(self) -> tuple[Generator, ...]:
        return (self.batching, self.llama) if self.llama else (self.batching,)

    @property
    def _warm_up_ids(self) -> list[int]:
        return self.loaded.encode(WARM_UP)


class LocalModel:
    """Weights that the first engine loads and the last one lets go.

    `fetch` returns the folder of the weights and may take long; it runs in a thread.
    `dtype` overrides the choice by hardware, as "float32" or "bfloat16"; `llama_cpp`
    False leaves all answers to transformers.
    """

    def __init__(
        self,
        *,
        source: str,
        fetch: Callable[[], Path],
        dtype: str | None = None,
        llama_cpp: bool = True,
    ) -> None:
        self.source = source
        self._fetch = fetch
        self._dtype = dtype
        self._llama_cpp = llama_cpp
        # A thread that ends takes OpenMP's with it, and the first steps are slow.
        self._loader = ThreadPoolExecutor(max_workers=1)
        self._turn = asyncio.Lock()
        self._users = 0
        self._running: RunningModel | None = None

    async def acquire(self) -> RunningModel:
        """Load in a thread, start generating and draw some tokens to warm up; raises ModelError.

        Whoever has it gives it back with `release`.
        """
        async with self._turn:
            if self._running is None:
                running = await self._loading()
                try:
                    await running.warm_up()
                except BaseException:
                    await running.close()
                    raise
                self._running = running
            self._users += 1
            return self._running

    async def release(self) -> None:
        """Give it back: the last one stops it."""
        async with self._turn:
            self._users -= 1
            if self._users == 0 and self._running is not None:
                running, self._running = self._running, None
                await running.close()

    async def _loading(self) -> RunningModel:
        """Load in a thread, which stops what it has loaded where nobody waits for it any more."""
        loading = self._loader.submit(self._load)
        try:
            return await asyncio.wrap_future(loading)
        except asyncio.CancelledError:
            loading.add_done_callback(_stop_loaded)
            raise

    def _load(self) -> RunningModel:
        from bot.engines.local import batching, llamacpp, loading  # noqa: PLC0415 - torch, late

        folder = self._fetch()
        loaded = loading.load(folder, dtype=self._dtype)
        running = batching.Batching(loaded.model, eos=loaded.eos, decoder=loaded.decoder)
        running.start(name=f"generate {self.source}")
        llama = None
        if self._llama_cpp and loaded.on_processor:
            try:
                llama = llamacpp.load(folder / GGUF)
            except ModelError as error:
                log.warning("transformers answers alone", reason=error.user_message)
        return RunningModel(
            source=self.source,
            weights=loading.folder_hash(folder),
            loaded=loaded,
            batching=running,
            llama=llama,
        )


def _stop_loaded(loading: Future[RunningModel]) -> None:
    if not loading.cancelled() and loading.exception() is None:
        loading.result().stop()


async def _try(pieces: AsyncGenerator[Piece, None], refusal: str) -> None:
    """Draw all; raises ModelError with the sentence `refusal` where the model fails."""
    try:
        async for _ in pieces:
            pass
    except EngineUnavailable as error:
        raise ModelError(refusal) from error
