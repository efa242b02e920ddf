"""The composition root: opens everything, passes it by keyword, closes in reverse."""

from __future__ import annotations

import random
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from bot.answering import Answering
from bot.battles import BattleService
from bot.engines.factory import make_engine
from bot.guilds import GuildService
from bot.prompting import Chat, library
from bot.roster import Roster
from bot.voting import VotingService
from storage.database import Database, database_url

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

    from bot.config import Config
    from bot.engines import Engine
    from bot.prompting import PromptTemplate
    from bot.roster import EngineKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """What the cogs work with."""

    config: Config
    store: Database
    roster: Roster
    templates: Mapping[str, PromptTemplate]
    guilds: GuildService
    battles: BattleService
    voting: VotingService


def now() -> datetime:
    """The time, in UTC."""
    return datetime.now(UTC)


def engines_for(config: Config) -> dict[EngineKey, Engine]:
    """One engine for each model in the roster, not started. Raises ModelNameError."""
    key = config.openai_api_key
    return {
        (c.model, c.base_url): make_engine(
            c.model,
            cache=config.models_folder,
            base_url=c.base_url or config.openai_base_url,
            api_key=key.get_secret_value() if key else None,
        )
        for c in config.contenders
    }


@asynccontextmanager
async def open_services(
    config: Config,
    *,
    engines: dict[EngineKey, Engine] | None = None,
    clock: Callable[[], datetime] = now,
    rng: random.Random | None = None,
) -> AsyncIterator[Services]:
    """Open the database, start the engines, build the services; close all at the end.

    `engines`, `clock` and `rng` are given by those who need their own. The sides'
    coin is cryptographic by default. Raises TwofoldError if anything cannot open.
    """
    rng = rng or random.SystemRandom()
    engines = engines if engines is not None else engines_for(config)
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(
            Database.open(database_url(config.database_location))
        )
        for engine in engines.values():
            stack.push_async_callback(engine.close)
            await engine.start()
        roster = Roster(config.contenders, engines=engines, clock=clock, rng=rng)
        templates = library(config.templates)
        chat = Chat(system=config.system_prompt)
        answering = Answering(
            roster=roster,
            templates={**templates, chat.name: chat},
            rng=rng,
            deadline=config.deadline_seconds,
        )
        guilds = GuildService(store=store.guilds, templates=templates, clock=clock)
        battles = BattleService(
            battles=store.battles,
            votes=store.votes,
            contenders=store.contenders,
            roster=roster,
            answering=answering,
            guilds=guilds,
            default_template=config.template,
            clock=clock,
        )
        await battles.start()
        yield Services(
            config=config,
            store=store,
            roster=roster,
            templates=templates,
            guilds=guilds,
            battles=battles,
            voting=VotingService(battles=store.battles, votes=store.votes, clock=clock),
        )
