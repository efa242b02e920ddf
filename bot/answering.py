"""Two contenders answer one conversation: both at once, both through the same code."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from bot import answers
from bot.engines import CompletionRequest
from bot.engines.completion import complete
from bot.errors import EngineBusy, EngineError, EngineUnavailable, PromptTooLong
from bot.roster import fingerprint, template_of
from storage.records import Answer

if TYPE_CHECKING:
    from collections.abc import Mapping
    from random import Random

    from bot.prompting import PromptTemplate
    from bot.roster import Roster
    from storage.records import Contender, Conversation, Side

ATTEMPTS = 3
"""Samples per side: one that failed, is empty or loops is drawn again at most twice."""


class Answering:
    """Prompts contenders and finishes what they say.

    `deadline` is in seconds, for each side, all its attempts together.
    """

    def __init__(
        self,
        *,
        roster: Roster,
        templates: Mapping[str, PromptTemplate],
        rng: Random,
        deadline: float,
    ) -> None:
        self._roster = roster
        self._templates = templates
        self._rng = rng
        self._deadline = deadline

    async def answer(
        self, conversation: Conversation, sides: Mapping[Side, Contender], *, template: str
    ) -> tuple[Answer, ...]:
        """One answer for each side. `template` is for contenders that have none of their own.

        Raises EngineError as soon as one side cannot answer; the other is stopped then.
        """
        tasks = [
            asyncio.ensure_future(self._answer(conversation, side, contender, template))
            for side, contender in sides.items()
        ]
        try:
            return tuple(await asyncio.gather(*tasks))
        finally:
            for task in tasks:
                task.cancel()

    async def _answer(
        self, conversation: Conversation, side: Side, contender: Contender, default: str
    ) -> Answer:
        try:
            answer = await self._usable(conversation, side, contender, default)
        except (EngineBusy, PromptTooLong):
            raise  # neither is the contender's fault
        except EngineError:
            self._roster.failed(contender)
            raise
        self._roster.answered(contender)
        return answer

    async def _usable(
        self, conversation: Conversation, side: Side, contender: Contender, default: str
    ) -> Answer:
        """The first sample that can be shown and does not loop, else the last that loops."""
        template = self._templates[template_of(contender, default=default)]
        until = time.monotonic() + self._deadline
        usable = None
        for attempt in range(ATTEMPTS):
            deadline = max(0.0, until - time.monotonic())
            try:
                answer = await self._sample(conversation, side, contender, template, deadline)
            except EngineError as error:
                if usable:
                    break
                if not isinstance(error, EngineUnavailable) or attempt + 1 == ATTEMPTS:
                    raise
                continue
            if answer.shown:
                usable = replace(answer, retries=attempt)
                if answers.LOOP not in answer.tags:
                    return usable
        if usable:
            return usable
        raise EngineError("One of the two models had nothing to say, three times in a row.")

    async def _sample(
        self,
        conversation: Conversation,
        side: Side,
        contender: Contender,
        template: PromptTemplate,
        deadline: float,
    ) -> Answer:
        """One answer with a new seed; its `shown` is empty where nothing visible came."""
        rendering = template.render(conversation)
        engine = self._roster.engine(contender)
        request = CompletionRequest(
            prompt=rendering.prompt,
            sampling=contender.sampling,
            stops=rendering.stops,
            seed=self._rng.getrandbits(31),
            deadline=deadline,
        )
        completion = await complete(engine, request)
        parsed = template.parse(completion.raw)
        finished = answers.finish(
            parsed.text,
            finish_reason=completion.finish_reason,
            ran_on=parsed.ran_on or completion.stop is not None,
            heard=" ".join(turn.text for turn in conversation.turns),
        )
        return Answer(
            side=side,
            contender=contender.slug,
            kind=contender.kind,
            fingerprint=fingerprint(contender, template=f"{template.name}@{template.digest}"),
            template=template.name,
            rendered=engine.render(rendering.prompt),
            raw=completion.raw,
            shown=finished.shown,
            finish_reason=completion.finish_reason,
            tags=finished.tags,
            prompt_tokens=completion.prompt_tokens,
            completion_tokens=completion.completion_tokens,
            seconds_to_first_token=completion.seconds_to_first_token,
            seconds=completion.seconds,
            seed=request.seed,
        )
