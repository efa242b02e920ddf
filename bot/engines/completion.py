"""One request, run to its end."""

from __future__ import annotations

import time
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bot.errors import EngineUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable

    from bot.engines import CompletionRequest, Engine
    from storage.records import FinishReason


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """What an engine made of one request; `stop` is the stop text that ended it, if one did."""

    raw: str
    finish_reason: FinishReason
    stop: str | None
    prompt_tokens: int
    completion_tokens: int
    seconds_to_first_token: float
    seconds: float
    made_by: str


async def complete(
    engine: Engine,
    request: CompletionRequest,
    *,
    heard: Callable[[str], None] | None = None,
    timer: Callable[[], float] = time.perf_counter,
) -> Completion:
    """Run one request to its end; `heard` gets each piece of text as it comes.

    `timer` tells seconds. Raises EngineError as the engine does.
    """
    started = timer()
    first = last = None
    pieces: list[str] = []
    async with aclosing(engine.stream(request)) as chunks:
        async for last in chunks:
            if first is None and last.text:
                first = timer()
            pieces.append(last.text)
            if heard is not None:
                heard(last.text)
    if last is None or last.finish_reason is None:
        raise EngineUnavailable("One of the two models stopped in the middle of its answer.")
    ended = timer()
    return Completion(
        raw="".join(pieces),
        finish_reason=last.finish_reason,
        stop=last.stop,
        prompt_tokens=last.prompt_tokens,
        completion_tokens=last.completion_tokens,
        seconds_to_first_token=(first or ended) - started,
        seconds=ended - started,
        made_by=last.made_by,
    )
