"""The roster: contenders, which two meet, and the coin for the sides."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import asdict, replace
from datetime import timedelta
from typing import TYPE_CHECKING

import structlog

from bot.prompting import Chat
from storage.records import Contender, Kind, Side

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from datetime import datetime
    from random import Random

    from bot.config import ContenderConfig
    from bot.engines import Engine

log = structlog.get_logger(__name__)

FAILURES = 3
REST = timedelta(minutes=5)

EngineKey = tuple[str, str | None]
"""A model and its base URL: contenders that agree in both share an engine."""


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
        self._engines = {c.slug: engines[c.model, c.base_url] for c in contenders}
        self.contenders = tuple(
            _contender(c, revision=self._engines[c.slug].revision) for c in contenders
        )
        self._weights = {c.slug: c.weight for c in contenders}
        self._failures: Counter[str] = Counter()
        self._rests_until: dict[str, datetime] = {}
        self._clock = clock
        self._rng = rng

    def engine(self, contender: Contender) -> Engine:
        """The engine that answers for a contender."""
        return self._engines[contender.slug]

    def draw(self) -> dict[Side, Contender]:
        """One base contender and one other by weight, on sides thrown by coin.

        Who rests is not drawn, unless nobody else of the kind is there.
        """
        pair = []
        for base in (True, False):
            able = [c for c in self.contenders if (c.kind is Kind.BASE) is base]
            awake = [c for c in able if not self._rests(c)] or able
            pair += self._rng.choices(awake, [self._weights[c.slug] for c in awake])
        self._rng.shuffle(pair)
        return dict(zip(Side, pair, strict=True))

    def failed(self, contender: Contender) -> None:
        """Note a failure; after three in a row the contender rests for a while."""
        slug = contender.slug
        self._failures[slug] += 1
        if self._failures[slug] >= FAILURES:
            self._rests_until[slug] = self._clock() + REST
            log.warning("a contender rests", contender=slug, minutes=REST.total_seconds() / 60)
            del self._failures[slug]

    def answered(self, contender: Contender) -> None:
        """Note that all is well: the failures before do not count any more."""
        self._failures.pop(contender.slug, None)

    def _rests(self, contender: Contender) -> bool:
        until = self._rests_until.get(contender.slug)
        return until is not None and self._clock() < until


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
