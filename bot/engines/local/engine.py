"""The local engine: a model in this process, or an adapter on it, behind the Engine protocol.

This side encodes, bounds and gives up in time; the model generates for all its engines
(`model.py`).
"""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import replace
from typing import TYPE_CHECKING

from bot.engines.delivery import Line
from bot.errors import EngineUnavailable, PromptTooLong

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

    from bot.engines import Chunk, CompletionRequest, Prompt
    from bot.engines.delivery import Piece
    from bot.engines.local.loading import Loaded
    from bot.engines.local.lora import Lora
    from bot.engines.local.model import LocalModel, RunningModel


class LocalEngine:
    """A model in this process, which other engines may share; `adapter` is a folder on top of it.

    `max_waiting` bounds how many completions may be under way or wait.
    """

    def __init__(
        self, model: LocalModel, *, adapter: Path | None = None, max_waiting: int = 64
    ) -> None:
        self._model = model
        self._folder = adapter
        self._line = Line(max_waiting)
        self._running: RunningModel | None = None
        self._adapter: Lora | None = None
        self._revision = model.source

    def __repr__(self) -> str:
        return f"LocalEngine({self._revision})"

    @property
    def revision(self) -> str:
        """The source, a hash of the weights, the dtype and a hash of the adapter, if there is one.

        The source alone before `start`.
        """
        return self._revision

    async def start(self) -> None:
        """Load what no other engine has loaded, and warm up; raises ModelError."""
        if self._running is not None:
            return
        running = await self._model.acquire()
        try:
            if self._folder is not None:
                self._adapter = await running.attach(self._folder)
        except BaseException:
            await self._model.release()
            raise
        self._running = running
        self._revision = running.revision(self._adapter)

    def render(self, prompt: Prompt) -> str:
        """Return a raw prompt as it is, byte for byte; a chat through the model's own template.

        Raises EngineError when the model has no chat template or has not started.
        """
        return prompt if isinstance(prompt, str) else self._loaded.render(prompt)

    @property
    def room(self) -> int | None:
        """What the model and its cache can hold; None before `start`."""
        return self._running.loaded.room if self._running else None

    def count(self, prompt: Prompt) -> int:
        """Count with the model's own tokenizer; raises EngineError as `render` does."""
        return len(self._loaded.ids(prompt))

    def stream(self, request: CompletionRequest) -> AsyncGenerator[Chunk, None]:
        """Generate; raises EngineError, EngineBusy, EngineTimeout, EngineUnavailable."""
        return self._line.deliver(self._answer(request), request)

    async def close(self) -> None:
        """Fail who waits; the model itself stops where no other engine uses it."""
        self._line.close()
        running, self._running = self._running, None
        adapter, self._adapter = self._adapter, None
        if running is None:
            return
        if adapter is not None:
            running.detach(adapter)
        await self._model.release()

    @property
    def _loaded(self) -> Loaded:
        return self._ready().loaded

    def _ready(self) -> RunningModel:
        if self._running is None:
            raise EngineUnavailable("The model is not running. Try again in a moment.")
        return self._running

    async def _answer(self, request: CompletionRequest) -> AsyncGenerator[Piece, None]:
        running, adapter = self._ready(), self._adapter
        ids = running.loaded.ids(request.prompt, so_far=request.so_far)
        wanted, room = max(1, request.sampling.max_tokens), running.loaded.room
        if not ids or len(ids) + wanted > room:
            raise PromptTooLong(
                f"The prompt has {len(ids)} tokens and the answer may have {wanted}; this model "
                f"takes 1 to {room} in all. Send a shorter message."
            )
        sampling = replace(request.sampling, max_tokens=wanted)
        making = running.generate(ids, sampling, seed=request.seed, adapter=adapter)
        async with aclosing(making) as pieces:
            async for piece in pieces:
                yield piece
