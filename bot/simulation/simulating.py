"""One community from its seed to the database, and all of them out of it again."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from bot.alone import alone
from bot.app import open_services
from bot.errors import ConfigError
from bot.simulation.chance import draws
from bot.simulation.engine import SimulatedEngine, Stopwatch
from bot.simulation.nature import Nature
from bot.simulation.plan import Clock, Plan, ids_for, settings_for
from bot.simulation.playing import Play
from bot.simulation.population import community
from bot.simulation.truth import truth
from bot.simulation.writing import HANDS, roster
from bot.wording import count
from storage.database import Database, database_url

if TYPE_CHECKING:
    from collections.abc import Callable

    from bot.config import Config
    from bot.contenders import EngineKey
    from bot.engines import Engine
    from bot.roster import Roster
    from bot.simulation.playing import Happened
    from bot.simulation.population import Community
    from bot.simulation.truth import Truth
    from storage.simulations import Removed

DEMO_GUILD = 1456074443980800005
"""The server of `twofold demo`, which has the same id every time."""

BEGIN = datetime(2026, 1, 5, tzinfo=UTC)
DAYS = 28

AT_ONCE = 16
"""Prompts that real models answer together: four times as many in the same time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is to be simulated. With `real`, the configured contenders answer.

    `readers` judge the texts alone, and by the same taste; `contenders` are those that meet.
    """

    battles: int
    members: int
    seed: int
    guild_id: int = DEMO_GUILD
    begin: datetime = BEGIN
    days: int = DAYS
    nature: Nature = field(default_factory=Nature)
    real: bool = False
    readers: bool = False
    contenders: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulated:
    """A community that is in the database now. `first_member` is the id of its first one."""

    community: Community
    happened: Happened
    truth: Truth
    first_member: int

    @property
    def votes(self) -> int:
        """All of them, on battles of every purpose."""
        return self.happened.votes.total() + self.happened.others

    def to_json(self) -> dict[str, Any]:
        """All that is known of it, as JSON has it."""
        return {
            "seed": self.community.seed,
            "battles": self.happened.battles,
            "failed": self.happened.failed,
            "votes": self.votes,
            "guesses": self.happened.guesses.total(),
            "truth": self.truth.to_json(),
            "contenders": {
                slug: {"kind": kind.value, "strength": self.community.strengths[slug]}
                for slug, kind in self.community.kinds.items()
            },
            "members": [
                {
                    "id": self.first_member + member.number,
                    "name": member.name,
                    "activity": member.activity,
                    "skill": member.skill,
                    "side": member.side,
                    "length": member.length,
                    "guess": member.guess,
                    "taste": dict(member.taste),
                    "spam": member.spam and member.spam.value,
                }
                for member in self.community.members
            ],
        }


class AlreadyThere(ConfigError):
    """There is a community of this seed."""


async def simulate(
    config: Config, wanted: Wanted, *, progress: Callable[[int], None] = lambda _: None
) -> Simulated:
    """Make a community, have it ask and vote, and tell what is true of it.

    `progress` gets how many prompts were asked. Raises ConfigError where that community is there
    already, where the server has battles of people, or where a bot has left some half-answered;
    StorageError while a bot runs.
    """
    url = database_url(config.database_location)
    opening = Database.open(url, key=config.database_key)
    async with alone(url, wait_seconds=0), opening as store:
        first_id = await _admitted(store, wanted)
    clock = Clock(wanted.begin)
    stopwatch = Stopwatch()
    apart: dict[str, Any] = {}
    if not wanted.real:
        config = config.model_copy(update={"contenders": roster()})
        apart = {"engines": _engines(config, stopwatch), "timer": stopwatch}
    plan = Plan(
        battles=wanted.battles,
        guild_id=wanted.guild_id,
        begin=wanted.begin,
        days=wanted.days,
        first_id=first_id,
        readers=wanted.readers,
        at_once=AT_ONCE if wanted.real else 1,
    )
    playing = open_services(
        config,
        clock=clock,
        rng=draws(wanted.seed, "services"),
        settings=settings_for(wanted.nature.votes) | {"contenders": wanted.contenders},
        durable=False,
        **apart,
    )
    async with playing as services:
        people = community(
            wanted.seed,
            members=wanted.members,
            kinds={contender.slug: contender.kind for contender in services.roster.contenders},
            strengths=_strengths(services.roster, wanted),
            nature=wanted.nature,
        )
        play = Play(services, people, plan, clock)
        happened = await play.run(progress)
    return Simulated(
        community=people,
        happened=happened,
        truth=truth(people, happened),
        first_member=play.first_member,
    )


async def remove(config: Config) -> Removed:
    """Take every simulated row out of the database. Raises StorageError while a bot runs."""
    url = database_url(config.database_location)
    opening = Database.open(url, key=config.database_key)
    async with alone(url, wait_seconds=0), opening as store:
        return await store.simulations.remove(at=datetime.now(UTC))


def _strengths(roster: Roster, wanted: Wanted) -> dict[str, float] | None:
    """What contenders are worth as such: to readers, nothing."""
    if wanted.readers:
        return dict.fromkeys((contender.slug for contender in roster.contenders), 0.0)
    return None if wanted.real else {slug: hand.strength for slug, hand in HANDS.items()}


def _engines(config: Config, stopwatch: Stopwatch) -> dict[EngineKey, Engine]:
    return {c.engine: SimulatedEngine(c.slug, stopwatch=stopwatch) for c in config.contenders}


async def _admitted(store: Database, wanted: Wanted) -> int:
    """The first id that is free, once nothing speaks against it."""
    theirs = await store.census.battles(wanted.guild_id)
    if theirs and wanted.guild_id != DEMO_GUILD:
        raise ConfigError(
            f"The server {wanted.guild_id} has {count(theirs, 'battle')} of its own, and simulated "
            "ones have no place among them. Leave --guild out: they go to the demo's server then."
        )
    if left := await store.simulations.interrupted():
        raise ConfigError(
            f"The bot was stopped in the middle of {count(left, 'battle')}. Start it once, so that "
            "it can tell those who wait, and simulate then."
        )
    if await store.imports.all():
        raise ConfigError(
            "TWOFOLD_DATABASE names a collection of imported votes, which nothing is added to. "
            "Set it to another path."
        )
    first = await store.simulations.begin(
        wanted.seed,
        guild_id=wanted.guild_id,
        ids=ids_for(wanted.battles, wanted.members),
        at=wanted.begin,
    )
    if first is None:
        raise AlreadyThere(
            f"The community of seed {wanted.seed} is there already, or a part of it. Take another "
            "--seed to add one, or take all of them away first: twofold simulate --remove"
        )
    if not first:
        raise ConfigError(
            "That is more than simulated ids are kept free for. Ask for fewer battles, or take "
            "the communities away that are there: twofold simulate --remove"
        )
    return first
