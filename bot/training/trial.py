"""A tuned model beside its parent on prompts that it was not trained on."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from bot.contenders import EngineKey
from bot.engines.factory import EngineFactory
from bot.errors import EngineError, ModelError
from bot.terminal import err
from bot.training import completing, rows
from bot.training.behaviour import behaviour
from bot.training.judging import Compared, judge
from bot.training.parents import base_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from bot.config import Config
    from bot.engines import Engine
    from bot.prompting import Framed
    from bot.training.behaviour import Behaviour
    from bot.training.completing import Answered
    from bot.training.judging import Judged
    from bot.training.recipe import Method
    from bot.training.record import TrainingRecord

MOST = 64
"""Prompts that are tried by default: the shares that gates compare are known to a tenth then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What both answered to each prompt, what each is like, and what a judge said, if one did.

    `asked` is the turn in each prompt that is answered.
    """

    prompts: tuple[str, ...]
    asked: tuple[str, ...]
    tuned: tuple[Answered, ...]
    parent: tuple[Answered, ...]
    judged: Judged | None = None

    @property
    def behaviours(self) -> tuple[Behaviour, Behaviour]:
        """That of the tuned model, and that of its parent."""
        tuned, parent = ([a.finished for a in one] for one in (self.tuned, self.parent))
        return behaviour(tuned), behaviour(parent)


def held_out(
    folder: Path, method: Method, *, own: Path | None = None, most: int = MOST
) -> tuple[str, ...]:
    """Prompts that a dataset holds out and the model was not trained on. Raises ConfigError.

    `own` is the dataset that it was trained on with `method`, where `folder` may be another one.
    """
    splits = rows.read(folder, method).splits
    learnt = rows.read(own, method).splits.get(rows.TRAIN, ()) if own else ()
    seen = {row.prompt for row in learnt}
    kept = (row.prompt for name in (rows.TEST, rows.VALIDATION) for row in splits.get(name, ()))
    return tuple(prompt for prompt in dict.fromkeys(kept) if prompt not in seen)[:most]


async def trial(
    record: TrainingRecord,
    adapter: Path,
    prompts: Sequence[str],
    *,
    config: Config,
    template: Framed,
    parent: Path | None,
    progress: Callable[[int, int], None] = lambda *_: None,
) -> Trial:
    """Have the model in `adapter` and its parent answer the same rendered prompts.

    `parent` is the adapter of a parent that was tuned itself. A judge compares them where the
    settings have one and it can. Raises EngineError, ModelError and ConfigError.
    """
    factory = EngineFactory(cache=config.models_folder, llama_cpp=False)
    base = base_of(record, config.contenders, adapters=config.adapters_folder)
    key = EngineKey(base.model)
    async with AsyncExitStack() as stack:

        async def opened(adapter: Path | None) -> Engine:
            engine = factory.make(key._replace(adapter=str(adapter) if adapter else None))
            stack.push_async_callback(engine.close)
            await engine.start()
            return engine

        both = [await opened(adapter), await opened(parent)]
        renderings = [template.rendered(prompt) for prompt in prompts]
        done = 0

        def advance() -> None:
            nonlocal done
            done += 1
            progress(done, 2 * len(prompts))

        ask = partial(
            completing.answers,
            prompts=renderings,
            template=template,
            sampling=base.sampling,
            deadline=DEADLINE,
            heard=advance,
        )
        tuned, before = await asyncio.gather(*map(ask, both))
    turns = tuple(map(template.last_turn, prompts))
    return Trial(
        prompts=tuple(prompts),
        asked=turns,
        tuned=tuple(tuned),
        parent=tuple(before),
        judged=await _judged(config, turns, tuned, before),
    )


DEADLINE = 600.0
"""Seconds for an answer: nobody waits for it, and other processes may be at work."""


async def _judged(
    config: Config, asked: Sequence[str], tuned: Sequence[Answered], parent: Sequence[Answered]
) -> Judged | None:
    if config.judge is None:
        return None
    factory = EngineFactory(cache=config.models_folder)
    engine = factory.make(config.judge.engine, api_key=config.key_of(config.judge))
    pairs = [
        Compared(turn, one.finished.shown, other.finished.shown)
        for turn, one, other in zip(asked, tuned, parent, strict=True)
    ]
    try:
        await engine.start()
        return await judge(engine, pairs)
    except (EngineError, ModelError) as error:
        err.print(f"The judge could not compare them: {error.user_message}", soft_wrap=True)
        return None
    finally:
        await engine.close()
