"""transformers' continuous batching: one thread generates for all callers at once."""
# ruff: noqa: ANN401 - transformers' models, tokenizers and managers have no usable types

from __future__ import annotations

import asyncio
import queue
import threading
import time
from contextlib import nullcontext
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import structlog
import torch
from transformers.generation.configuration_utils import ContinuousBatchingConfig

from bot.engines.delivery import Piece
from bot.engines.local import attention, linear
from bot.engines.local.lora import Adapting, Lora
from bot.engines.local.prefixes import keep_apart, request_name
from bot.engines.local.sampling import Sampler
from bot.errors import EngineUnavailable, NoRoom
from storage.records import FinishReason

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from storage.records import Sampling

PAGE = 64
BLOCKS = 256
MAX_RUNNING = 32

log = structlog.get_logger(__name__)

_STUCK, _LONGER = 60.0, 10.0
"""A step that takes more than so many seconds, and so many times the longest before it, will
not end."""

_CLOSING = 3.0
"""Seconds for a step to end when the program does."""

_LIVENESS = 1.0
"""Seconds between two looks at whether the generation thread still lives, while it is silent."""


class Batching:
    """A model's batch manager and its thread; `close` ends both.

    `decoder` makes, from a prompt's ids, a function from new ids to new text.
    """

    def __init__(
        self,
        model: Any,
        *,
        eos: list[int],
        decoder: Callable[[list[int]], Callable[[list[int]], str]],
    ) -> None:
        self._model = model
        self._eos = eos
        self._decoder = decoder
        self._adapting = Adapting(model)
        self.manager = self._build()
        self.stuck_after = _STUCK
        self._running: dict[str, Lora | None] = {}
        self._name: str | None = None
        self._steps = _Steps()

    def start(self, *, name: str) -> None:
        """Begin to generate in a thread of its own."""
        self._name = name
        self._steps = _start_thread(self.manager, name=name)

    def close(self) -> None:
        """Stop the thread after the step it is in; who still waits gets EngineUnavailable."""
        self._name = None
        self.manager.stop(block=True, timeout=_CLOSING, hard_stop=True)

    def _revive(self) -> None:
        """Start the thread again where it died, and another one where it does not move any more.

        Of a thread that hangs nothing can be had back, not even its cache.
        """
        if self._name is None:
            return
        status, thread = self.manager.background_thread_status, self.manager._generation_thread  # noqa: SLF001
        if status.can_accept_new_requests() is not None or not thread.is_alive():
            thread.join(_LIVENESS)  # it has nothing left to do but to end
            why = str(status.fatal_error)
            log.error("the model's thread died and is started again", model=self._name, why=why)
            if torch.cuda.is_available():
                torch.cuda.empty_cache()
            self._steps = _start_thread(self.manager, name=self._name)
        elif self._steps.seconds > max(self.stuck_after, _LONGER * self._steps.longest):
            log.error("the model's thread hangs and is replaced", model=self._name)
            left = self.manager
            left.stop(block=False, hard_stop=True)
            self._model.set_attn_implementation("sdpa")
            self.manager = self._build()
            self._steps = _start_thread(self.manager, name=self._name)

    def _build(self) -> Any:
        manager = build_manager(self._model, eos=self._eos)
        processor = manager.batch_processor
        keep_apart(processor.cache)
        step = processor._generation_step  # noqa: SLF001

        def adapted(model: Any) -> None:
            requests = processor.inputs_and_outputs.requests_in_batch
            spans = (
                (r.state.logit_processor_kwargs.get("adapter"), r.query_length) for r in requests
            )
            with self._adapting.step(spans):
                step(model)

        processor._generation_step = adapted  # noqa: SLF001
        return manager

    def drop(self, adapter: Lora) -> None:
        """End what runs under an adapter, before the next step, which lets go of it."""
        self._adapting.drop(adapter)
        for name, used in self._running.items():
            if used is adapter:
                self.manager.cancel_request(name)

    async def generate(
        self, ids: list[int], sampling: Sampling, *, seed: int, adapter: Lora | None = None
    ) -> AsyncGenerator[Piece, None]:
        """Continue `ids`; closing the iterator frees the slot. Raises EngineUnavailable."""
        self._revive()
        manager, name = self.manager, request_name(adapter.fingerprint if adapter else "")
        outputs: asyncio.Queue[Any] = asyncio.Queue()
        self._running[name] = adapter
        manager.register_result_handler(name, outputs.put_nowait)
        finished = False
        draw: dict[str, Any] = asdict(sampling) | ({"adapter": adapter} if adapter else {})
        try:
            added = manager.add_request(
                ids,
                name,
                max_new_tokens=draw.pop("max_tokens"),
                streaming=True,
                eos_token_id=self._eos,
                seed=seed,
                **draw,
            )
            if added is None:  # refused: the library only logs it
                raise EngineUnavailable("The model has stopped. Try again in a moment.")
            decode, seen = self._decoder(ids), 0
            while not finished:
                output = await _latest(outputs, manager)
                if output.error is not None:
                    raise EngineUnavailable("The model failed while it answered. Try again.")
                tokens, finished = output.generated_tokens, output.is_finished()
                text = decode(tokens[seen:])
                seen = len(tokens)
                yield Piece(
                    text=text,
                    finish_reason=self._reason(tokens) if finished else None,
                    prompt_tokens=len(ids),
                    completion_tokens=seen,
                    made_by="transformers",
                )
        finally:
            del self._running[name]
            _forget(manager, name, finished=finished)

    def _reason(self, tokens: list[int]) -> FinishReason:
        return FinishReason.STOP if tokens and tokens[-1] in self._eos else FinishReason.LENGTH


def _forget(manager: Any, name: str, *, finished: bool) -> None:
    """Free the slot. The library drops a handler only when its request ends by itself."""
    router = manager.output_router
    with router._lock:  # noqa: SLF001
        router.result_handlers.pop(name, None)
    if not finished:
        manager.cancel_request(name)


def build_manager(model: Any, *, eos: list[int]) -> Any:
    """The library's manager with our draw and, on a processor, our attention and layers.

    Raises NoRoom where its cache does not fit into the memory.
    """
    settings = model.generation_config
    settings.do_sample = False  # our Sampler draws; the manager's arg max then picks its token
    settings.temperature = settings.top_p = settings.top_k = None
    settings.eos_token_id = settings.eos_token_id or eos
    on_processor = model.device.type == "cpu"
    if on_processor:
        linear.pack(model)
    manager = model.init_continuous_batching(
        generation_config=settings,
        continuous_batching_config=ContinuousBatchingConfig(
            page_size=PAGE,
            num_blocks=BLOCKS,
            max_batch_tokens=512,
            max_requests_per_batch=MAX_RUNNING,
            # Both would prepare a step before the last one's tokens are known, and the noise
            # is a function of the position.
            use_async_batching=False,
            use_cuda_graph=False,
        ),
    )
    manager.logit_processor = Sampler(model.get_output_embeddings())
    if on_processor:
        model.set_attn_implementation(attention.NAME)
        # The manager turns its block tables off where there are no flash kernels.
        manager.continuous_batching_config.max_blocks_per_request = BLOCKS
    past = attention.whole_past(model.config.get_text_config()) if on_processor else nullcontext()
    try:
        with past:
            manager.batch_processor = manager._create_batch_processor()  # noqa: SLF001
    except (MemoryError, torch.OutOfMemoryError) as error:
        raise NoRoom(
            "The memory has room for the model and not for its work. Choose a smaller model."
        ) from error
    if on_processor:
        step = manager.batch_processor._generation_step  # noqa: SLF001
        manager.batch_processor._generation_step = torch.inference_mode()(step)  # noqa: SLF001
    return manager


class _Discard(queue.Queue[Any]):
    """Takes outputs that no handler wants any more: the library would keep them for ever."""

    def put(self, item: Any, block: bool = True, timeout: float | None = None) -> None:  # noqa: FBT001, FBT002
        """Drop it."""


class _Steps:
    """How long the steps of a thread take, in seconds."""

    def __init__(self) -> None:
        self.longest = 0.0
        self._began: float | None = None

    @property
    def seconds(self) -> float:
        """Of the step that it is in; 0 between two."""
        began = self._began
        return 0.0 if began is None else time.monotonic() - began

    def timed(self, step: Callable[[], None]) -> Callable[[], None]:
        """The same step, timed."""

        def run() -> None:
            self._began = time.monotonic()
            try:
                step()
            finally:
                self.longest = max(self.longest, self.seconds)
                self._began = None

        return run


def _start_thread(manager: Any, *, name: str) -> _Steps:
    """`manager.start()`, as a daemon: a crash elsewhere must not keep the process alive."""
    steps = _Steps()
    manager._generation_step = steps.timed(type(manager)._generation_step.__get__(manager))  # noqa: SLF001
    manager.output_router.output_queue = _Discard()
    manager.background_thread_status.clear()
    loop = manager._run_generation_loop  # noqa: SLF001
    thread = threading.Thread(target=loop, name=name, daemon=True)
    manager._generation_thread = thread  # noqa: SLF001
    thread.start()
    return steps


async def _latest(outputs: asyncio.Queue[Any], manager: Any) -> Any:
    """Return the newest output (each has all tokens so far); raises EngineUnavailable."""
    output = None
    while output is None:
        try:
            async with asyncio.timeout(_LIVENESS):
                output = await outputs.get()
        except TimeoutError:
            if not manager.is_running():
                raise EngineUnavailable("The model has stopped. Try again in a moment.") from None
    while output.error is None and not outputs.empty():
        output = outputs.get_nowait()
    return output
