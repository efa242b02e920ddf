"""Two contenders answer one conversation: both at once, both through the same code."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from bot import answers
from bot.engines import CompletionRequest, estimated_tokens
from bot.engines.completion import complete
from bot.errors import (
    BattleError,
    EngineBusy,
    EngineError,
    EngineRefused,
    EngineTimeout,
    EngineUnavailable,
    EngineUnreachable,
    PromptTooLong,
)
from bot.guilds import Moderation
from bot.moderation import HIDDEN, concealed, judged, moderated, spoiler
from bot.roster import edition, template_of
from storage.records import Answer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from random import Random

    from bot.budgets import BudgetService
    from bot.engines.completion import Completion
    from bot.growth import Growth
    from bot.languages import Languages
    from bot.moderation import Moderator
    from bot.prompting import PromptTemplate
    from bot.roster import Roster
    from bot.telemetry.instruments import Instruments
    from storage.records import Battle, Contender, Conversation, Side

ATTEMPTS = 3
"""Samples per side: one that failed, is empty or loops is drawn again at most twice."""

_NOT_BEGUN = (EngineBusy, EngineRefused, EngineUnreachable, PromptTooLong)
"""What nobody charges for."""

WHOLE = 10**6
"""No answer is longer, in UTF-16 units."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """One side's part of a battle; `earlier` is the answer that it goes on with."""

    conversation: Conversation
    side: Side
    contender: Contender
    template: PromptTemplate
    growth: Growth
    earlier: Answer | None

    @property
    def so_far(self) -> str:
        return self.earlier.raw if self.earlier else ""


class Answering:
    """Prompts contenders and finishes what they say.

    `deadline` is in seconds, for each side, all its attempts together; `budgets` count what
    answers cost; `timer` is what they are timed by.
    """

    def __init__(  # noqa: PLR0913 - collaborators, all by keyword
        self,
        *,
        roster: Roster,
        templates: Mapping[str, PromptTemplate],
        languages: Languages,
        rng: Random,
        deadline: float,
        instruments: Instruments,
        moderator: Moderator | None = None,
        budgets: BudgetService | None = None,
        timer: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._roster = roster
        self._templates = templates
        self._languages = languages
        self._budgets = budgets
        self._rng = rng
        self._deadline = deadline
        self._moderator = moderator
        self._timer = timer
        self._instruments = instruments

    async def answer(
        self,
        conversation: Conversation,
        sides: Mapping[Side, Contender],
        *,
        template: str,
        growth: Growth,
        earlier: Mapping[Side, Answer],
        moderation: Moderation = Moderation.OFF,
    ) -> tuple[Answer, ...]:
        """One answer for each side. `template` is for contenders that have none of their own.

        `growth` gets the text as it is made, before any `moderation`. A side that has an
        `earlier` answer goes on with it where it was cut short, and keeps it as it is where
        not. Raises EngineError as soon as one side cannot answer; the other is stopped then.
        """
        parts = [
            _Part(
                conversation=conversation,
                side=side,
                contender=contender,
                template=self._template(contender, earlier.get(side), default=template),
                growth=growth,
                earlier=earlier.get(side),
            )
            for side, contender in sides.items()
        ]
        # Traces tell who began first: that must not be A each time.
        order = self._rng.sample(parts, len(parts))
        tasks = {part.side: asyncio.ensure_future(self._answer(part)) for part in order}
        try:
            answered = tuple(await asyncio.gather(*(tasks[side] for side in sides)))
        finally:
            for task in tasks.values():
                task.cancel()
            await asyncio.wait(tasks.values())
        if moderation is Moderation.OFF:
            return answered
        return await self._moderated(conversation, answered, moderation)

    def contenders_of(self, battle: Battle) -> dict[Side, Contender]:
        """Who gave its answers; raises BattleError where one is not here as it was then."""
        here = {contender.slug: contender for contender in self._roster.contenders}
        sides = {}
        for answer in battle.answers:
            contender, template = here.get(answer.contender), self._templates.get(answer.template)
            if (
                contender is None
                or template is None
                or self._fingerprint(contender, template) != answer.fingerprint
            ):
                raise BattleError(
                    "One of the two models is not here any more as it was then, so it cannot go on."
                )
            sides[answer.side] = contender
        return sides

    def full_text(self, conversation: Conversation, answer: Answer) -> str:
        """All that an answer says, tidied, masked and moderated as what is shown of it.

        What is shown, where the template that it was made with is not there any more.
        """
        template = self._templates.get(answer.template)
        hidden = moderated(answer) and answer.shown == HIDDEN
        if template is None or answers.TRUNCATED not in answer.tags or hidden:
            return answer.shown
        whole = answers.finish(
            template.parse(answer.raw).text,
            finish_reason=answer.finish_reason,
            ran_on=answers.RUN_ON in answer.tags,
            heard=heard_in(conversation),
            speakers=template.render(conversation).speakers,
            limit=WHOLE,
        ).shown
        return spoiler(whole) if moderated(answer) else whole

    def _template(
        self, contender: Contender, earlier: Answer | None, *, default: str
    ) -> PromptTemplate:
        name = earlier.template if earlier else template_of(contender, default=default)
        return self._templates[name]

    def _fingerprint(self, contender: Contender, template: PromptTemplate) -> str:
        return self._roster.fingerprint(contender, template=edition(template))

    async def _moderated(
        self, conversation: Conversation, answered: tuple[Answer, ...], how: Moderation
    ) -> tuple[Answer, ...]:
        """The answers as they may be shown; one that was moderated in an earlier battle stays."""
        whole = [self.full_text(conversation, answer) for answer in answered]
        reasons = await judged(self._moderator, whole)
        return tuple(
            concealed(answer, why, whole=text, how=how) if why and not moderated(answer) else answer
            for answer, text, why in zip(answered, whole, reasons, strict=True)
        )

    async def _answer(self, part: _Part) -> Answer:
        if part.earlier and answers.CUT_SHORT not in part.earlier.tags:
            part.growth.begin(
                part.side,
                part.template.parse,
                speakers=part.template.render(part.conversation).speakers,
                so_far=part.so_far,
            )
            return replace(part.earlier, id=0)
        try:
            answer = await self._with_language(await self._usable(part), part.conversation)
        except (EngineBusy, PromptTooLong):
            raise  # neither is the contender's fault
        except EngineError as error:
            self._roster.failed(part.contender, error)
            self._instruments.gave_up(part.contender)
            raise
        self._roster.answered(part.contender)
        return answer

    async def _usable(self, part: _Part) -> Answer:
        """The first sample that can be shown and does not loop, else the last that loops."""
        until = time.monotonic() + self._deadline
        usable: Answer | None = None
        earlier: EngineError | None = None
        for attempt in range(ATTEMPTS):
            if attempt:
                self._instruments.redrawn(part.contender)
            try:
                answer = await self._sample(part, max(0.0, until - time.monotonic()))
            except EngineError as error:
                if usable:
                    break
                if earlier and isinstance(error, EngineTimeout):
                    raise earlier from None  # what took the time is the reason
                # Of those who cannot be reached, the engine has tried more than once already.
                again = isinstance(error, EngineUnavailable)
                if not again or isinstance(error, EngineUnreachable) or attempt + 1 == ATTEMPTS:
                    raise
                earlier = error
                continue
            if answer.shown:
                usable = replace(answer, retries=answer.retries + attempt)
                # A text that is on show already must not be seen to be replaced.
                if answers.LOOP not in answer.tags or part.growth.shown:
                    return usable
        if usable:
            return usable
        raise EngineError("One of the two models had nothing to say, three times in a row.")

    async def _with_language(self, answer: Answer, conversation: Conversation) -> Answer:
        """The answer, tagged where it is in a language that nobody spoke before it."""
        language = await self._languages.unlike(answer.shown, conversation)
        return replace(answer, tags=(*answer.tags, f"language:{language}")) if language else answer

    async def _sample(self, part: _Part, deadline: float) -> Answer:
        """One answer with a new seed; its `shown` is empty where nothing visible came."""
        contender, template = part.contender, part.template
        rendering = template.render(part.conversation)
        engine = self._roster.engine(contender)
        request = CompletionRequest(
            prompt=rendering.prompt,
            so_far=part.so_far,
            sampling=contender.sampling,
            stops=rendering.stops,
            seed=self._rng.getrandbits(31),
            deadline=deadline,
        )
        heard = part.growth.begin(
            part.side, template.parse, speakers=rendering.speakers, so_far=part.so_far
        )
        completion = await self._complete(contender, request, heard)
        raw = part.so_far + completion.raw
        parsed = template.parse(raw)
        finished = answers.finish(
            parsed.text,
            finish_reason=completion.finish_reason,
            ran_on=parsed.ran_on or completion.stop is not None,
            heard=heard_in(part.conversation),
            speakers=rendering.speakers,
        )
        answer = Answer(
            side=part.side,
            contender=contender.slug,
            kind=contender.kind,
            fingerprint=self._fingerprint(contender, template),
            template=template.name,
            rendered=engine.render(rendering.prompt),
            raw=raw,
            shown=finished.shown,
            finish_reason=completion.finish_reason,
            tags=(*finished.tags, *_way(completion)),
            prompt_tokens=completion.prompt_tokens,
            completion_tokens=completion.completion_tokens,
            seconds_to_first_token=completion.seconds_to_first_token,
            seconds=completion.seconds,
            seed=request.seed,
        )
        return _all_in_all(answer, part.earlier) if part.earlier else answer

    async def _complete(
        self, contender: Contender, request: CompletionRequest, heard: Callable[[str], None]
    ) -> Completion:
        """Run a request and count what it took, up to where it was given up if it was."""
        said: list[str] = []

        def hear(piece: str) -> None:
            said.append(piece)
            heard(piece)

        engine = self._roster.engine(contender)
        try:
            with self._instruments.sampling(contender) as completed:
                completion = await complete(engine, request, heard=hear, timer=self._timer)
                completed(completion)
        except _NOT_BEGUN:
            raise
        except BaseException:  # who is cancelled is paid too
            await self._count(contender, request, completion=estimated_tokens("".join(said)))
            raise
        await self._count(
            contender,
            request,
            prompt=completion.prompt_tokens,
            completion=completion.completion_tokens,
        )
        return completion

    async def _count(
        self, contender: Contender, request: CompletionRequest, *, prompt: int = 0, completion: int
    ) -> None:
        """Have the budgets count; a server tells the `prompt`'s tokens at the end, or never."""
        if self._budgets:
            read = estimated_tokens(request.prompt) + estimated_tokens(request.so_far)
            await self._budgets.count(
                contender.slug, prompt_tokens=prompt or read, completion_tokens=completion
            )


def heard_in(conversation: Conversation) -> str:
    """All that was said: names in it give nothing away."""
    return " ".join(turn.text for turn in conversation.turns)


def _way(completion: Completion) -> tuple[str, ...]:
    """`by:…` where the engine has more than one way to generate: they round differently."""
    return (f"by:{completion.made_by}",) if completion.made_by else ()


def _all_in_all(answer: Answer, earlier: Answer) -> Answer:
    """An answer that went on with an earlier one, with the figures of both together."""
    return replace(
        answer,
        prompt_tokens=earlier.prompt_tokens,
        completion_tokens=earlier.completion_tokens + answer.completion_tokens,
        seconds_to_first_token=earlier.seconds_to_first_token,
        seconds=earlier.seconds + answer.seconds,
        retries=earlier.retries,
    )
