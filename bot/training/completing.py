"""Many prompts through one engine, each finished as the arena finishes answers."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from bot.answers import finish
from bot.engines import CompletionRequest
from bot.engines.completion import complete

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bot.answers import Finished
    from bot.engines import Engine
    from bot.prompting import PromptTemplate, Rendering
    from storage.records import Sampling

AT_ONCE = 16


async def answers(
    engine: Engine,
    prompts: Sequence[Rendering],
    *,
    template: PromptTemplate,
    sampling: Sampling,
    deadline: float,
    progress: Callable[[int], None] = lambda _: None,
) -> list[Finished]:
    """What an engine answers to each prompt; the same seeds each time.

    `deadline` is in seconds, for one answer. Raises EngineError as the engine does.
    """
    limit, done = asyncio.Semaphore(AT_ONCE), 0

    async def answer(seed: int, rendering: Rendering) -> Finished:
        nonlocal done
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
        done += 1
        progress(done)
        return finish(
            parsed.text,
            finish_reason=made.finish_reason,
            ran_on=parsed.ran_on or made.stop is not None,
            speakers=rendering.speakers,
        )

    return list(await asyncio.gather(*(answer(*each) for each in enumerate(prompts))))
