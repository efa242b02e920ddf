"""Tuned contenders come and go while the bot runs, as the database says."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict
from pathlib import PurePath
from typing import TYPE_CHECKING

import structlog

from bot.background import meanwhile
from bot.contenders import ContenderConfig
from bot.errors import ConfigError, ModelError, StorageError, TwofoldError
from bot.roster import contender_of
from bot.training.parents import misnamed
from bot.training.record import template_of
from storage.records import Kind, Standing

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Container, Iterable, Mapping
    from datetime import datetime

    from bot.budgets import BudgetService
    from bot.engines import Engine
    from bot.prompting import Framed
    from bot.roster import Roster
    from bot.telemetry.instruments import Instruments
    from bot.training.record import TrainingRecord
    from storage.contenders import ContenderStore
    from storage.records import Contender, Tuning
    from storage.tunings import TuningStore

    Make = Callable[[ContenderConfig], Engine]

log = structlog.get_logger(__name__)

EVERY = 30.0
"""Seconds between two looks."""

UNEXPECTED = "something unexpected happened. The log says what"


class NewcomerService:
    """Has the roster hold the tuned contenders that have entered, and no others.

    `learnt` reads what is known of an adapter. `make` makes an engine, not started; without it
    nobody comes. `is_busy` tells whether a contender is in a battle that is being answered: only
    then is the engine kept of one that has left. `kept_out` says of those that should be there
    why they are not; every look tries again.
    """

    def __init__(  # noqa: PLR0913 - collaborators, all by keyword
        self,
        *,
        tunings: TuningStore,
        contenders: ContenderStore,
        configured: Iterable[ContenderConfig],
        templates: Mapping[str, Framed],
        learnt: Callable[[str], TrainingRecord],
        roster: Roster,
        budgets: BudgetService,
        make: Make | None,
        is_busy: Callable[[str], bool],
        instruments: Instruments,
        clock: Callable[[], datetime],
    ) -> None:
        self._tunings = tunings
        self._contenders = contenders
        self._configured = {config.slug: config for config in configured}
        self._templates = templates
        self._learnt = learnt
        self._roster = roster
        self._budgets = budgets
        self._make = make
        self._is_busy = is_busy
        self._instruments = instruments
        self._clock = clock
        self._engines: dict[str, Engine] = {}
        self.kept_out: dict[str, str] = {}

    @asynccontextmanager
    async def watching(self) -> AsyncIterator[None]:
        """Look, and go on to in the background; at the end the engines of all are closed.

        Raises StorageError, and ConfigError for a configured one that has another name than it
        was trained by.
        """
        await self._require_names()
        try:
            await self.look()
            async with meanwhile(self._watch()):
                yield
        finally:
            for engine in self._engines.values():
                await engine.close()

    async def look(self) -> None:
        """Have those enter that should, and those leave that should not. Raises StorageError."""
        if self._make is None:
            return
        tunings = {one.contender.slug: one for one in await self._tunings.all()}
        wanted = {
            slug: tuning
            for slug, tuning in tunings.items()
            if tuning.standing is Standing.ENTERED and slug not in self._configured
        }
        for slug in self.kept_out.keys() - wanted.keys():
            del self.kept_out[slug]
        here = {contender.slug for contender in self._roster.contenders}
        for slug in self._engines.keys() - wanted.keys():
            await self._let_go(slug, left=slug in here)
        for slug in wanted:
            if slug not in here:
                await self._admit(slug, tunings, self._make)

    async def _require_names(self) -> None:
        trained = {one.contender.slug for one in await self._tunings.all()}
        for slug, config in self._configured.items():
            name = PurePath(config.adapter or "").name
            if name != slug and name in trained:
                raise ConfigError(misnamed(slug, name))

    async def _let_go(self, slug: str, *, left: bool) -> None:
        """Take it off the roster; a later look closes its engine, once nobody can ask it."""
        if left:
            self._roster.leave(slug)
            log.info("a tuned contender rests", contender=slug)
        elif not self._is_busy(slug):
            self._roster.forget(slug)
            await self._engines.pop(slug).close()

    async def _admit(self, slug: str, tunings: Mapping[str, Tuning], make: Make) -> None:
        try:
            config = served_as(tunings[slug], tunings=tunings, configured=self._configured)
            self._require_template(config)
            await self._enter(config, make)
        except TwofoldError as error:
            self._keep_out(slug, error.user_message)
        except Exception:
            log.exception("a tuned contender cannot enter", contender=slug)
            self.kept_out[slug] = UNEXPECTED
        else:
            self.kept_out.pop(slug, None)
            log.info("a tuned contender enters", contender=slug)

    async def _enter(self, config: ContenderConfig, make: Make) -> None:
        slug = config.slug
        engine = self._engines.get(slug)
        if engine is None:
            engine = make(config)
            try:
                await engine.start()
            except BaseException:
                await engine.close()
                raise
            self._engines[slug] = engine
        contender = contender_of(config, revision=engine.revision)
        await self._contenders.register([contender], at=self._clock())
        if config.price is not None:
            self._budgets.price(slug, config.price)
        self._instruments.expect(contender)
        self._roster.enter(config, engine)

    def _require_template(self, config: ContenderConfig) -> None:
        if config.template is not None and config.template not in self._templates:
            raise ModelError(
                f"its prompt template {config.template} is not there. Put it back into the settings"
            )
        with suppress(ModelError):  # on a server, or its engine says what is wrong with it
            template_of(self._learnt(config.adapter or ""), self._templates)

    def _keep_out(self, slug: str, why: str) -> None:
        if self.kept_out.get(slug) != why:
            log.warning("a tuned contender cannot enter", contender=slug, why=why)
        self.kept_out[slug] = why

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(EVERY)
            try:
                await self.look()
            except StorageError as error:
                log.warning("tuned contenders could not be looked up", why=error.user_message)
            except Exception:
                log.exception("tuned contenders could not be looked up")


def served_as(
    tuning: Tuning,
    *,
    tunings: Mapping[str, Tuning],
    configured: Mapping[str, ContenderConfig],
) -> ContenderConfig:
    """A tuned contender with the settings of the configured one that it descends from.

    Those are its sampling, its weight, its price and its server. Its model, and the prompt
    template where it has one, are those that it was trained with. Where nobody that it descends
    from is configured, or with another model, all is as it was then. Raises ModelError where it
    has no adapter.
    """
    contender = tuning.contender
    if contender.adapter is None:
        raise ModelError("it has no adapter. Train it anew")
    own = {"slug": contender.slug, "kind": Kind.TUNED} | {
        name: getattr(contender, name) for name in ("adapter", "parent")
    }
    base = configured.get(_ancestor(contender, tunings, configured))
    if base is not None and base.model == contender.model:
        return base.model_copy(update=own | {"template": contender.template or base.template})
    then = {name: getattr(contender, name) for name in ("model", "template", "base_url")}
    return ContenderConfig(**own | then | asdict(contender.sampling))


def _ancestor(
    contender: Contender, tunings: Mapping[str, Tuning], configured: Container[str]
) -> str:
    """The nearest one that is configured, else the last that is known."""
    seen = {contender.slug}
    slug = contender.parent or ""
    while slug in tunings and slug not in configured and slug not in seen:
        seen.add(slug)
        slug = tunings[slug].contender.parent or ""
    return slug
