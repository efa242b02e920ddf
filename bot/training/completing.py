"""Many prompts through one engine, each finished as the arena finishes answers."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, NamedTuple

from bot.answers import finish
from bot.engines import CompletionRequest
from bot.engines.completion import complete
from storage.records import FinishReason

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bot.answers import Finished
    from bot.engines import Engine
    from bot.prompting import PromptTemplate, Rendering
    from storage.records import Sampling

AT_ONCE = 16


class Answered(NamedTuple):
    """A completion as it was made, what of it is shown, and whether the model ended it."""

    raw: str
    finished: Finished
    ended: bool


async def answers(
    engine: Engine,
    prompts: Sequence[Rendering],
    *,
    template: PromptTemplate,
    sampling: Sampling,
    deadline: float,
    heard: Callable[[], None] = lambda: None,
) -> list[Answered]:
    """What an engine answers to each prompt; the same seeds each time.

    `deadline` is in seconds, for one answer; `heard` is called for each. Raises EngineError as
    the engine does.
    """
    limit = asyncio.Semaphore(AT_ONCE)

    async def answer(seed: int, rendering: Rendering) -> Answered:
        request = CompletionRequest(
            prompt=rendering.prompt,
            sampling=sampling,
            stops=rendering.stops,
            seed=seed,
            deadline=deadline,
        )
        async with limit:
            made = await complete(engine, request)
        parsed = template.parse(made.raw)
        heard()
        finished = finish(
            parsed.text,
            finish_reason=made.finish_reason,
            ran_on=parsed.ran_on or made.stop is not None,
            speakers=rendering.speakers,
        )
        ended = made.finish_reason is FinishReason.STOP and made.stop is None
        return Answered(made.raw, finished, ended)

    return list(await asyncio.gather(*(answer(*each) for each in enumerate(prompts))))
