"""The composition root: opens everything, passes it by keyword, closes in reverse."""

from __future__ import annotations

import asyncio
import random
import time
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING

import structlog

from bot.admission import Admission
from bot.alone import alone
from bot.answering import Answering
from bot.battles import BattleService
from bot.budgets import Budget, BudgetService
from bot.catching_up import CatchingUpService
from bot.closing import ClosingService
from bot.consent import ConsentService
from bot.contenders import OPENAI
from bot.context import ContextService
from bot.dataset.gate import TRAINING_NEEDS
from bot.dataset.serving import ServingService
from bot.dataset.splits import prompt_key
from bot.digest import DigestService
from bot.engines.factory import EngineFactory
from bot.engines.moderation import RemoteModerator
from bot.errors import ConfigError
from bot.governing import GuildService
from bot.health import HealthService, grows_in
from bot.insight.pictures import Pictures
from bot.insight.service import InsightService
from bot.keeping.erased import Erased
from bot.languages import Languages
from bot.limits import BattleLimits
from bot.moderation import WordModerator, read_words
from bot.mydata import MyDataService
from bot.newcomers import NewcomerService
from bot.patience import simply
from bot.prompting import Chat, library
from bot.rating import RatingService
from bot.recalling import RecallService
from bot.redaction import Redactor
from bot.redaction.presidio import presidio
from bot.retention import RetentionService
from bot.roster import Roster
from bot.shards import Identifying, require_shared
from bot.telemetry.gateway import Gateway
from bot.telemetry.instruments import Instruments
from bot.telemetry.lag import LoopLag
from bot.training import record
from bot.voting import VotingService
from storage.database import Database, database_url, was_cut_off
from storage.identifying import identify_turn
from storage.shards import EVERY

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Collection, Mapping

    from bot.config import Config
    from bot.contenders import ContenderConfig, EngineKey
    from bot.engines import Engine
    from bot.moderation import Moderator
    from bot.patience import Patiently
    from bot.prompting import PromptTemplate
    from storage.shards import Shards

    MakeEngine = Callable[[ContenderConfig], Engine]

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """What the cogs work with."""

    config: Config
    store: Database
    roster: Roster
    newcomers: NewcomerService
    templates: Mapping[str, PromptTemplate]
    guilds: GuildService
    battles: BattleService
    catching_up: CatchingUpService
    voting: VotingService
    closing: ClosingService
    rating: RatingService
    consent: ConsentService
    retention: RetentionService
    mydata: MyDataService
    serving: ServingService
    insight: InsightService
    pictures: Pictures
    recalling: RecallService
    digests: DigestService
    shards: Shards
    identifying: Identifying
    patiently: Patiently
    instruments: Instruments
    gateway: Gateway
    health: HealthService


def now() -> datetime:
    """The time, in UTC."""
    return datetime.now(UTC)


def engine_maker(config: Config) -> MakeEngine:
    """What makes contenders' engines, not started: those on the same weights share one copy.

    It makes them for contenders that enter later as well. It raises ModelNameError.
    """
    factory = EngineFactory(
        cache=config.models_folder,
        # Both sides of a battle may ask the same engine.
        max_waiting=max(64, 2 * config.battles_at_once),
        llama_cpp=config.llama_cpp,
    )

    def make(contender: ContenderConfig) -> Engine:
        key = contender.engine
        if key.adapter is not None and not key.model.startswith("openai:"):
            key = key._replace(adapter=str(config.adapter_folder(key.adapter)))
        return factory.make(key, api_key=config.key_of(contender))

    return make


def engines_for(config: Config, *, make: MakeEngine | None = None) -> dict[EngineKey, Engine]:
    """One engine for each model and adapter in the roster, not started. Raises ModelNameError."""
    make = make or engine_maker(config)
    return {key: make(c) for key, c in {c.engine: c for c in config.contenders}.items()}


async def _start(engines: Collection[Engine], stack: AsyncExitStack) -> None:
    """All at once; they are closed with the stack, also where one does not start."""
    for engine in engines:
        stack.push_async_callback(engine.close)
    await asyncio.gather(*(engine.start() for engine in engines))


def moderator_for(config: Config) -> Moderator | None:
    """What judges answers, if anything does. Raises ConfigError for a list without words."""
    if config.moderator == "words" and config.moderation_words:
        return WordModerator(read_words(config.moderation_words))
    if config.moderator == "openai":
        key = config.openai_api_key
        return RemoteModerator(
            base_url=config.openai_base_url or OPENAI,
            api_key=key.get_secret_value() if key else None,
        )
    return None


@asynccontextmanager
async def _open_store(
    config: Config, url: str, *, shards: Shards, durable: bool, instruments: Instruments
) -> AsyncIterator[Database]:
    """The bot's own database, which no other bot works with. Raises TwofoldError."""
    require_shared(shards, url=url)
    async with alone(url, shards=shards):
        cut_off = was_cut_off(url)
        opening = Database.open(
            url, key=config.database_key, durable=durable, timed=instruments.transacted
        )
        async with opening as store:
            if cut_off:
                await store.require_sound()
            if await store.imports.all():
                raise ConfigError(
                    "TWOFOLD_DATABASE names a collection of imported votes, which no bot may add "
                    "to. Set it to another path."
                )
            yield store


@asynccontextmanager
async def open_services(  # noqa: PLR0913 - what those who need their own may give
    config: Config,
    *,
    engines: dict[EngineKey, Engine] | None = None,
    make: MakeEngine | None = None,
    patiently: Patiently = simply,
    clock: Callable[[], datetime] = now,
    rng: random.Random | None = None,
    timer: Callable[[], float] = time.perf_counter,
    settings: Mapping[str, object] = MappingProxyType({}),
    durable: bool = True,
    instruments: Instruments | None = None,
) -> AsyncIterator[Services]:
    """Open the database, start the engines, build the services; close all at the end.

    `engines`, `make`, `patiently`, `clock`, `rng` and `timer` are given by those who need their
    own; `make` makes engines, those of tuned contenders that come while it runs too: without it
    none comes to `engines` that are given. `settings` hold in every guild then, whatever was set
    there. `durable` is as for `Database.open`; without `instruments` nobody sees what they count.
    The sides' coin is cryptographic by default. Raises TwofoldError if anything cannot open.
    """
    if config.training_export:
        log.warning("training exports are on", needs=TRAINING_NEEDS)
    rng = rng or random.SystemRandom()
    shards = config.shards or EVERY
    moderator = moderator_for(config)
    if engines is None:
        make = make or engine_maker(config)
        engines = engines_for(config, make=make)
    async with AsyncExitStack() as stack:
        instruments = instruments or Instruments()
        url = database_url(config.database_location)
        opening = _open_store(config, url, shards=shards, durable=durable, instruments=instruments)
        store = await stack.enter_async_context(opening)
        await _start(engines.values(), stack)
        if moderator is not None:
            stack.push_async_callback(moderator.close)
        roster = Roster(config.contenders, engines=engines, clock=clock, rng=rng)
        templates = library(config.templates)
        prompting: dict[str, PromptTemplate] = {
            **templates,
            Chat.name: Chat(system=config.system_prompt),
        }
        languages = Languages()
        budgets = BudgetService(
            spending=store.spending,
            prices={c.slug: c.price for c in config.contenders if c.price},
            budget=Budget(tokens=config.tokens_per_day, money=config.money_per_day),
            clock=clock,
            instruments=instruments,
        )
        answering = Answering(
            roster=roster,
            templates=prompting,
            languages=languages,
            budgets=budgets,
            rng=rng,
            deadline=config.deadline_seconds,
            moderator=moderator,
            timer=timer,
            instruments=instruments,
        )
        redactor = Redactor(more=presidio())
        guilds = GuildService(
            store=store.guilds,
            templates=templates,
            contenders=lambda: roster.contenders,
            config=config,
            clock=clock,
            instead=settings,
        )
        consent = ConsentService(members=store.members, guilds=guilds, clock=clock)
        context = ContextService(
            roster=roster,
            templates=prompting,
            agreed=consent.agreed,
            behind=store.battles.people_behind,
            redactor=redactor,
            tokens=config.context_tokens,
        )
        admission = Admission(config.battles_at_once, patiently=patiently)
        battles = BattleService(
            battles=store.battles,
            votes=store.votes,
            contenders=store.contenders,
            roster=roster,
            answering=answering,
            context=context,
            guilds=guilds,
            admission=admission,
            limits=BattleLimits(
                member=config.member_battles_per_minute,
                channel=config.channel_battles_per_minute,
                guild=config.guild_battles_per_minute,
            ),
            budgets=budgets,
            default_template=config.template,
            default_showing=config.showing,
            prompt_key=partial(prompt_key, redact=redactor.redact, one_of_many=False),
            languages=languages,
            clock=clock,
            shards=shards,
            instruments=instruments,
        )
        newcomers = NewcomerService(
            tunings=store.tunings,
            contenders=store.contenders,
            configured=config.contenders,
            templates=templates,
            learnt=lambda adapter: record.read(config.adapter_folder(adapter)),
            roster=roster,
            budgets=budgets,
            make=make,
            is_busy=battles.is_at_work,
            instruments=instruments,
            clock=clock,
        )
        await stack.enter_async_context(newcomers.watching())
        await battles.start()
        closing = ClosingService(
            battles=store.battles,
            ballots=store.ballots,
            votes=store.votes,
            guilds=guilds,
            clock=clock,
            shards=shards,
            instruments=instruments,
        )
        rating = RatingService(
            battles=store.battles,
            ballots=store.ballots,
            votes=store.votes,
            sightings=store.sightings,
            guilds=guilds,
            clock=clock,
            rng=rng,
        )
        serving = ServingService(
            url=url,
            config=config,
            guilds=guilds,
            redactor=redactor,
            templates=templates,
            clock=clock,
        )
        stack.push_async_callback(serving.close)
        insight = InsightService(store=store.arena, clock=clock)
        stack.push_async_callback(insight.close)
        insight.begin()
        identifying = Identifying(partial(identify_turn, url))
        stack.push_async_callback(identifying.close)
        gateway = Gateway(instruments.metrics)
        health = HealthService(
            store=store,
            roster=roster,
            admission=admission,
            gateway=gateway,
            lag=LoopLag(instruments.metrics),
            instruments=instruments,
            folder=grows_in(config),
            kept_out=newcomers.kept_out,
            clock=clock,
        )
        yield Services(
            config=config,
            store=store,
            roster=roster,
            newcomers=newcomers,
            templates=templates,
            guilds=guilds,
            battles=battles,
            catching_up=CatchingUpService(
                heard=store.heard, guilds=guilds, battles=battles, clock=clock
            ),
            voting=VotingService(
                battles=store.battles,
                votes=store.votes,
                sightings=store.sightings,
                guilds=guilds,
                redactor=redactor,
                clock=clock,
                instruments=instruments,
            ),
            closing=closing,
            rating=rating,
            consent=consent,
            retention=RetentionService(
                store=store.retention,
                guilds=guilds,
                hours=config.retention_hours,
                clock=clock,
                shards=shards,
            ),
            mydata=MyDataService(
                people=store.people,
                erasure=store.erasure,
                erased=Erased(config.home),
                clock=clock,
            ),
            serving=serving,
            insight=insight,
            pictures=Pictures(),
            recalling=RecallService(battles=store.battles, votes=store.votes),
            digests=DigestService(
                digests=store.digests,
                insight=insight,
                battles=store.battles,
                votes=store.votes,
                clock=clock,
            ),
            shards=shards,
            identifying=identifying,
            patiently=patiently,
            instruments=instruments,
            gateway=gateway,
            health=health,
        )
