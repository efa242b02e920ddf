"""The roster: contenders, which two meet, and the coin for the sides."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

from bot.prompting import Chat
from storage.records import Contender, Kind, Side

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from random import Random

    from bot.config import ContenderConfig
    from bot.engines import Engine

EngineKey = tuple[str, str | None]
"""A model and its base URL: contenders that agree in both share an engine."""


class Roster:
    """The configured contenders with their engines."""

    def __init__(
        self,
        contenders: Iterable[ContenderConfig],
        *,
        engines: Mapping[EngineKey, Engine],
        rng: Random,
    ) -> None:
        self._engines = {c.slug: engines[c.model, c.base_url] for c in contenders}
        self.contenders = tuple(
            _contender(c, revision=self._engines[c.slug].revision) for c in contenders
        )
        self._rng = rng

    def engine(self, contender: Contender) -> Engine:
        """The engine that answers for a contender."""
        return self._engines[contender.slug]

    def draw(self) -> dict[Side, Contender]:
        """One base contender and one other, on sides thrown by coin."""
        pair = [
            self._rng.choice([c for c in self.contenders if (c.kind is Kind.BASE) is base])
            for base in (True, False)
        ]
        self._rng.shuffle(pair)
        return dict(zip(Side, pair, strict=True))


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
