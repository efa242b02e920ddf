"""What statistics find in a simulated community is what is true of it.

Its votes went through the services and the database, as everybody's do.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from bot.config import Config
from bot.insight.counting import Counting, Weights
from bot.insight.service import InsightService
from bot.integrity import figures
from bot.simulation.nature import Nature
from bot.simulation.population import Spam
from bot.simulation.simulating import Wanted, simulate
from storage.database import Database, database_url
from tests.unit.records import NOON

if TYPE_CHECKING:
    from pathlib import Path

    from bot.insight.results import Effect, Stats
    from bot.integrity import Integrity
    from bot.simulation.simulating import Simulated

BIASED, FAIR = 71, 72
"""Two servers: in the first, members lean to side A and some do not read."""


@dataclass(frozen=True)
class Found:
    """What is true of the biased community, and what statistics make of both."""

    true: Simulated
    stats: Stats
    fair: Stats
    voters: dict[int, Integrity]


async def _found(home: Path) -> Found:
    config = Config(home=home)
    biased = Nature(votes=7, side=0.5, side_spread=0.1, spam=0.12)
    true = await simulate(
        config, Wanted(battles=300, members=60, seed=11, guild_id=BIASED, nature=biased)
    )
    fair = Nature(votes=6, side=0, side_spread=0.1, spam=0)
    await simulate(config, Wanted(battles=100, members=40, seed=12, guild_id=FAIR, nature=fair))
    async with Database.open(database_url(home / "twofold.db")) as store:
        insight = InsightService(store=store.arena, clock=lambda: NOON)
        stats = [await insight.stats(Counting(guilds=(guild,))) for guild in (BIASED, FAIR)]
        async with aclosing(store.seen.all(simulated=True)) as votes:
            voters = {voter.voter_id: voter async for voter in figures(votes)}
    return Found(true, *stats, voters)


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Found:
    return asyncio.run(_found(tmp_path_factory.mktemp("simulated")))


def effect(stats: Stats, name: str) -> Effect:
    return next(effect for effect in stats.effects if effect.name == name)


def test_simulated_battles_are_ranked_where_there_are_no_others(found: Found) -> None:
    assert found.stats.leaderboard.counting.simulated


def test_known_strengths_are_recovered(found: Found) -> None:
    truth, board = found.true.truth, found.stats.leaderboard
    assert board.counting.weights is Weights.CAPPED
    for line in board.lines:
        assert line.score.spans(truth.points[line.entrant.slug]), line
        assert line.score.high - line.score.low < 200
    order = sorted(truth.points, key=lambda slug: -truth.points[slug])
    assert [line.entrant.slug for line in board.lines] == order
    for rank, slug in enumerate(order, start=1):
        line = next(line for line in board.lines if line.entrant.slug == slug)
        assert line.best <= rank <= line.worst
    assert board.tie == pytest.approx(truth.tie, abs=0.04)


def test_a_planted_side_bias_is_found_and_none_where_there_is_none(found: Found) -> None:
    side = effect(found.stats, "side")
    assert side.alarm
    assert side.estimate.spans(found.true.truth.first)
    assert found.true.truth.first > 0.58
    assert not effect(found.fair, "side").alarm


def test_the_votes_of_spammers_lose_weight(found: Found) -> None:
    people = found.true.community.members
    weights = {
        member.number: found.voters[found.true.first_member + member.number].weight
        for member in people
        if found.true.first_member + member.number in found.voters
    }
    spam = {member.number: member.spam for member in people}
    honest = [weight for number, weight in weights.items() if spam[number] is None]
    for sort, most in ((Spam.ONE_SIDE, 0.5), (Spam.RANDOM, 0.8)):
        theirs = [weight for number, weight in weights.items() if spam[number] is sort]
        assert sum(theirs) / len(theirs) < most
        assert max(theirs) < sorted(honest)[len(honest) // 4]


def test_guesses_and_the_places_of_base_models_are_what_they_are(found: Found) -> None:
    truth = found.true.truth
    assert found.stats.blinding.guessed.spans(truth.guessed)
    places = {place.name: place for place in found.stats.topics}
    for topic in ("creative", "code"):
        assert places[topic].ahead.spans(truth.base[topic])
    assert places["creative"].ahead.value > places["code"].ahead.value


def test_who_votes_again_on_a_mirror_mostly_says_the_same(found: Found) -> None:
    again = [voter.mirrors for voter in found.voters.values()]
    seen = sum(mirrors.n for mirrors in again)
    assert seen >= 20
    assert 0.5 < sum(mirrors.hits for mirrors in again) / seen < 0.95
