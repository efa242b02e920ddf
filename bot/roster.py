"""The roster: contenders, which two meet, and the coin for the sides."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import asdict, replace
from datetime import timedelta
from itertools import combinations
from typing import TYPE_CHECKING

import structlog

from bot.contenders import may_meet
from bot.errors import BattleError, BudgetUsedUp, EngineAstray, EngineUnreachable
from bot.prompting import Chat
from storage.records import Contender, Kind, Side

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
    from datetime import datetime
    from random import Random

    from bot.contenders import ContenderConfig, EngineKey
    from bot.engines import Engine
    from bot.errors import EngineError
    from bot.prompting import PromptTemplate

log = structlog.get_logger(__name__)

FAILURES = 3
"""So many in a row mean a rest; one is enough of who is not there at all."""

FIRST_REST, REST = timedelta(seconds=30), timedelta(minutes=5)
"""Each rest that no answer follows is twice as long as the one before, up to the longest."""


class Roster:
    """The contenders that may be drawn, with their engines: those configured, and newcomers."""

    def __init__(
        self,
        contenders: Iterable[ContenderConfig],
        *,
        engines: Mapping[EngineKey, Engine],
        clock: Callable[[], datetime],
        rng: Random,
    ) -> None:
        self._engines = {c.slug: engines[c.engine] for c in contenders}
        self.contenders = tuple(
            contender_of(c, revision=self._engines[c.slug].revision) for c in contenders
        )
        self._weights = {c.slug: c.weight for c in contenders}
        self._failures: Counter[str] = Counter()
        self._rests_until: dict[str, datetime] = {}
        self._rests_in_a_row: Counter[str] = Counter()
        self._clock = clock
        self._rng = rng

    def enter(self, config: ContenderConfig, engine: Engine) -> None:
        """Have one more contender drawn from now on, by an engine that was started."""
        self._engines[config.slug] = engine
        self._weights[config.slug] = config.weight
        self.contenders += (contender_of(config, revision=engine.revision),)

    def leave(self, slug: str) -> None:
        """Have a contender not drawn any more; battles under way still find its engine."""
        self.contenders = tuple(c for c in self.contenders if c.slug != slug)

    def forget(self, slug: str) -> None:
        """Let go of the engine of a contender that has left."""
        self._engines.pop(slug, None)

    def fingerprint(self, contender: Contender, *, template: str) -> str:
        """As `fingerprint`, with what the engine has learnt of its server since it started."""
        revision = self._engines[contender.slug].revision
        return fingerprint(replace(contender, revision=revision), template=template)

    def engine(self, contender: Contender) -> Engine:
        """The engine that answers for a contender."""
        return self._engines[contender.slug]

    def draw(
        self,
        allowed: Collection[str] = (),
        *,
        without: Collection[str] = (),
        control_share: float = 0,
    ) -> dict[Side, Contender]:
        """Two contenders that may meet, on sides thrown by coin.

        Of all such pairs, see `may_meet`, each is as likely as the product of its two weights
        says; where no tuned contender is there, that is one base model by weight and one other
        by weight. `allowed` are the slugs to which a guild keeps, as `permitted` reads them.
        Who rests is not drawn, unless there is no pair without. In `control_share` percent
        of the draws one of the two has both sides. Nobody `without` is drawn: raises
        BudgetUsedUp where that leaves no pair.
        """
        field = permitted(self.contenders, allowed)
        pairs = list(_pairs([c for c in field if c.slug not in without]))
        if not pairs:
            raise BudgetUsedUp
        pair = self._by_weight(self._least_resting(pairs))
        self._rng.shuffle(pair)
        if control_share and self._rng.random() * 100 < control_share:
            pair[1] = pair[0]
        return dict(zip(Side, pair, strict=True))

    def check_permitted(
        self,
        contenders: Collection[Contender],
        allowed: Collection[str],
        *,
        without: Collection[str] = (),
    ) -> None:
        """Raise BattleError unless a guild that keeps to `allowed` lets all of them meet.

        BudgetUsedUp where one of them is among those `without`.
        """
        if any(contender.slug in without for contender in contenders):
            raise BudgetUsedUp
        if not set(contenders) <= set(permitted(self.contenders, allowed)):
            raise BattleError("One of the two models does not answer here any more. Ask again.")

    @property
    def resting(self) -> frozenset[str]:
        """The slugs of those who rest now."""
        return frozenset(c.slug for c in self.contenders if self._rests(c))

    def failed(self, contender: Contender, error: EngineError) -> None:
        """Note a failure; after three in a row the contender rests for a while.

        One that cannot be reached rests at once, for as long as its server said, if it did;
        so does one that fails again when it is tried after its rest.
        """
        slug = contender.slug
        self._failures[slug] += 1
        in_a_row = self._failures[slug]
        log.warning("a contender failed", contender=slug, in_a_row=in_a_row, why=error.user_message)
        away = isinstance(error, EngineUnreachable) and not isinstance(error, EngineAstray)
        if self._rests(contender) or not (away or in_a_row >= FAILURES):
            return
        rest = min(REST, FIRST_REST * 2 ** self._rests_in_a_row[slug])
        if isinstance(error, EngineUnreachable) and error.after is not None:
            rest = timedelta(seconds=error.after)
        self._rests_in_a_row[slug] += 1
        self._rests_until[slug] = self._clock() + rest
        log.warning("a contender rests", contender=slug, seconds=rest.total_seconds())

    def answered(self, contender: Contender) -> None:
        """Note that all is well: the failures before do not count any more."""
        self._failures.pop(contender.slug, None)
        self._rests_in_a_row.pop(contender.slug, None)

    def _least_resting(self, pairs: Sequence[_Pair]) -> list[_Pair]:
        """The pairs of which the fewest rest."""
        asleep = [sum(map(self._rests, pair)) for pair in pairs]
        return [pair for pair, number in zip(pairs, asleep, strict=True) if number == min(asleep)]

    def _by_weight(self, pairs: Sequence[_Pair]) -> list[Contender]:
        """First the one, by all pairs that it has, then whom it meets."""
        whom: dict[Contender, list[Contender]] = {}
        for first, second in pairs:
            whom.setdefault(first, []).append(second)
        weight = {c.slug: self._weights[c.slug] for pair in pairs for c in pair}
        chances = [
            weight[first.slug] * sum(weight[second.slug] for second in others)
            for first, others in whom.items()
        ]
        [first] = self._rng.choices(list(whom), chances)
        others = whom[first]
        return [first, *self._rng.choices(others, [weight[second.slug] for second in others])]

    def _rests(self, contender: Contender) -> bool:
        until = self._rests_until.get(contender.slug)
        return until is not None and self._clock() < until


def permitted(contenders: Sequence[Contender], slugs: Collection[str]) -> tuple[Contender, ...]:
    """Those of `contenders` that have these slugs; all of them where that makes no pair.

    So no slugs mean no restriction, and slugs that left the roster are passed over.
    """
    chosen = tuple(c for c in contenders if c.slug in slugs)
    return chosen if any(_pairs(chosen)) else tuple(contenders)


_Pair = tuple[Contender, Contender]


def _pairs(contenders: Sequence[Contender]) -> Iterator[_Pair]:
    """All who may meet, in the order of the contenders; the rawer one of two comes first."""
    rawest_first = sorted(contenders, key=lambda c: -c.kind.rawness)
    return (two for two in combinations(rawest_first, 2) if may_meet(*two))


def template_of(contender: Contender, *, default: str) -> str:
    """The prompt template in force: its own, else chat for instruct models, else the default."""
    return contender.template or (Chat.name if contender.kind is Kind.INSTRUCT else default)


def edition(template: PromptTemplate) -> str:
    """A prompt template's name and digest: what the fingerprint of an answer has of it."""
    return f"{template.name}@{template.digest}"


def fingerprint(contender: Contender, *, template: str) -> str:
    """Sixteen hex digits that identify model, revision, template and sampling together."""
    identity = {
        "model": contender.model,
        "base_url": contender.base_url,
        "revision": contender.revision,
        "template": template,
        "sampling": asdict(contender.sampling),
    }
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:16]


def contender_of(config: ContenderConfig, *, revision: str) -> Contender:
    """What is stored of a contender whose engine tells `revision` of its weights."""
    contender = Contender(
        slug=config.slug,
        kind=config.kind,
        model=config.model,
        template=config.template,
        sampling=config.sampling,
        base_url=config.base_url,
        adapter=config.adapter,
        parent=config.parent,
        revision=revision,
    )
    return replace(contender, fingerprint=fingerprint(contender, template=config.template or ""))
