"""The roster: contenders, which two meet, and the coin for the sides."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import asdict, replace
from datetime import timedelta
from typing import TYPE_CHECKING

import structlog

from bot.errors import BattleError
from bot.prompting import Chat
from storage.records import Contender, Kind, Side

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
    from datetime import datetime
    from random import Random

    from bot.contenders import ContenderConfig
    from bot.engines import Engine

log = structlog.get_logger(__name__)

FAILURES = 3
REST = timedelta(minutes=5)

EngineKey = tuple[str, str | None, str | None]
"""A model, its base URL and the variable with its key: who agrees in all shares an engine."""


class Roster:
    """The configured contenders with their engines."""

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
            _contender(c, revision=self._engines[c.slug].revision) for c in contenders
        )
        self._weights = {c.slug: c.weight for c in contenders}
        self._failures: Counter[str] = Counter()
        self._rests_until: dict[str, datetime] = {}
        self._clock = clock
        self._rng = rng

    def fingerprint(self, contender: Contender, *, template: str) -> str:
        """As `fingerprint`, with what the engine has learnt of its server since it started."""
        revision = self._engines[contender.slug].revision
        return fingerprint(replace(contender, revision=revision), template=template)

    def engine(self, contender: Contender) -> Engine:
        """The engine that answers for a contender."""
        return self._engines[contender.slug]

    def draw(
        self, allowed: Collection[str] = (), *, control_share: float = 0
    ) -> dict[Side, Contender]:
        """One base contender and one other by weight, on sides thrown by coin.

        `allowed` are the slugs to which a guild keeps, as `permitted` reads them. Who
        rests is not drawn, unless nobody else of the kind is there. In `control_share`
        percent of the draws one of the two has both sides.
        """
        field = permitted(self.contenders, allowed)
        pair = []
        for base in (True, False):
            able = [c for c in field if (c.kind is Kind.BASE) is base]
            awake = [c for c in able if not self._rests(c)] or able
            pair += self._rng.choices(awake, [self._weights[c.slug] for c in awake])
        self._rng.shuffle(pair)
        if control_share and self._rng.random() * 100 < control_share:
            pair[1] = pair[0]
        return dict(zip(Side, pair, strict=True))

    def check_permitted(self, contenders: Iterable[Contender], allowed: Collection[str]) -> None:
        """Raise BattleError unless a guild that keeps to `allowed` lets all of them meet."""
        if not set(contenders) <= set(permitted(self.contenders, allowed)):
            raise BattleError("One of the two models does not answer here any more. Ask again.")

    def failed(self, contender: Contender, why: str) -> None:
        """Note a failure; after three in a row the contender rests for a while.

        One that fails again when it is tried after its rest goes back to rest at once.
        `why` is for the operator's log.
        """
        slug = contender.slug
        self._failures[slug] += 1
        log.warning("a contender failed", contender=slug, in_a_row=self._failures[slug], why=why)
        if self._failures[slug] >= FAILURES and not self._rests(contender):
            self._rests_until[slug] = self._clock() + REST
            log.warning("a contender rests", contender=slug, minutes=REST.total_seconds() / 60)

    def answered(self, contender: Contender) -> None:
        """Note that all is well: the failures before do not count any more."""
        self._failures.pop(contender.slug, None)

    def _rests(self, contender: Contender) -> bool:
        until = self._rests_until.get(contender.slug)
        return until is not None and self._clock() < until


def permitted(contenders: Sequence[Contender], slugs: Collection[str]) -> tuple[Contender, ...]:
    """Those of `contenders` that have these slugs; all of them where that makes no pair.

    So no slugs mean no restriction, and slugs that left the roster are passed over.
    """
    chosen = tuple(c for c in contenders if c.slug in slugs)
    both = {c.kind is Kind.BASE for c in chosen} == {True, False}
    return chosen if both else tuple(contenders)


def template_of(contender: Contender, *, default: str) -> str:
    """The prompt template in force: its own, else chat for instruct models, else the default."""
    return contender.template or (Chat.name if contender.kind is Kind.INSTRUCT else default)


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


def _contender(config: ContenderConfig, *, revision: str) -> Contender:
    contender = Contender(
        slug=config.slug,
        kind=config.kind,
        model=config.model,
        template=config.template,
        sampling=config.sampling,
        base_url=config.base_url,
        revision=revision,
    )
    return replace(contender, fingerprint=fingerprint(contender, template=config.template or ""))
