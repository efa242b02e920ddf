"""Presses on real ballots in a simulated Discord, votes in a real database."""

from __future__ import annotations

import random
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from bot.client import TwofoldClient
from storage.records import NOBODY, Closing, Outcome
from tests.behaviour.conftest import BASE, INSTRUCT, Town, texts

if TYPE_CHECKING:
    from storage.records import Battle


@pytest.fixture
async def battle(town: Town) -> Battle:
    prompt = await town.alice.send(town.lounge, "hello there")
    return await town.services.store.battles.by_source(prompt.id)


@pytest.mark.parametrize("label", ["A is better", "B is better", "Tie", "Both bad"])
async def test_a_press_is_stored_by_answer_and_asks_the_voter_alone(
    town: Town, battle: Battle, label: str
) -> None:
    result = await town.bob.click(town.ballot(), label=label)
    assert result.ephemeral
    told = texts(result.response)
    assert "Which one is the base model" in told
    assert BASE not in told
    assert INSTRUCT not in told
    (vote,) = await town.services.store.votes.for_battle(battle.id)
    winner = {a.side: a.id for a in battle.answers}.get(label[0].lower())
    assert vote.winner_answer_id == (winner if label.endswith("better") else None)
    assert vote.blind
    assert not vote.by_author
    assert BASE not in texts(town.ballot())


async def test_a_vote_can_be_changed_and_every_change_is_an_event(
    town: Town, battle: Battle
) -> None:
    await town.bob.click(town.ballot(), label="A is better")
    changed = await town.bob.click(town.ballot(), label="Both bad")
    assert "replaced" in texts(changed.response)
    await town.bob.click(town.ballot(), label="Both bad")
    (vote,) = await town.services.store.votes.for_battle(battle.id)
    assert vote.outcome is Outcome.BOTH_BAD
    assert vote.blind
    events = await town.services.store.votes.events(battle.id)
    assert [event.outcome for event in events] == [Outcome.WIN, Outcome.BOTH_BAD]


async def test_members_vote_side_by_side(town: Town, battle: Battle) -> None:
    await town.alice.click(town.ballot(), label="A is better")
    await town.bob.click(town.ballot(), label="B is better")
    votes = await town.services.store.votes.for_battle(battle.id)
    assert {vote.voter_id: vote.by_author for vote in votes} == {
        town.alice.id: True,
        town.bob.id: False,
    }


async def test_old_buttons_work_after_a_restart(town: Town, battle: Battle) -> None:
    await town.env.restart_bot(TwofoldClient(town.services))
    result = await town.bob.click(town.ballot(), label="A is better")
    assert "You chose **A**" in texts(result.response)
    assert len(await town.services.store.votes.for_battle(battle.id)) == 1


async def test_a_cancelled_battle_takes_no_votes(town: Town, battle: Battle) -> None:
    await town.services.battles.abandon(battle, reason="test")
    result = await town.bob.click(town.ballot(), label="A is better")
    assert result.ephemeral
    assert "no votes any more" in texts(result.response)
    assert not await town.services.store.votes.for_battle(battle.id)


async def test_a_closed_battle_tells_who_was_who(town: Town, battle: Battle) -> None:
    at = datetime.now(UTC)
    await town.bob.click(town.ballot(), label="A is better")
    await town.services.store.battles.close(battle.id, because=Closing.TIME, at=at)
    for member in (town.bob, town.alice):
        late = await member.click(town.ballot(), label="B is better")
        assert late.ephemeral
        assert "closed" in texts(late.response)
        assert BASE in texts(late.response)
    assert len(await town.services.store.votes.for_battle(battle.id)) == 1


RULES = {
    "authors_vote": (False, "whoever asked"),
    "account_days": (365, "accounts that are at least 365 days old"),
    "membership_days": (365, "members who joined at least 365 days ago"),
}


@pytest.mark.parametrize("setting", RULES)
async def test_a_server_says_who_may_vote(town: Town, battle: Battle, setting: str) -> None:
    value, told = RULES[setting]
    await town.services.guilds.set(town.guild.id, setting, value, by=NOBODY)
    refused = await town.alice.click(town.ballot(), label="A is better")
    assert refused.ephemeral
    assert told in texts(refused.response)
    assert not await town.services.store.votes.for_battle(battle.id)


async def test_others_hear_of_a_vote_once_the_voter_has_been_answered(
    town: Town, battle: Battle
) -> None:
    heard = []

    async def on_vote_cast(battle_id: int, votes: int) -> None:
        heard.append((battle_id, votes))

    town.env.bot.add_listener(on_vote_cast)
    await town.bob.click(town.ballot(), label="A is better")
    await town.alice.click(town.ballot(), label="Tie")
    await town.services.battles.abandon(battle, reason="test")
    await town.admin.click(town.ballot(), label="Tie")
    assert heard == [(battle.id, 1), (battle.id, 2)]


async def test_sides_are_thrown_by_coin(town: Town) -> None:
    sides = []
    for number in range(12):
        prompt = await town.alice.send(town.lounge, f"message {number}")
        battle = await town.services.store.battles.by_source(prompt.id)
        sides += [a.side for a in battle.answers if a.contender == BASE]
    assert len(set(sides)) == 2


async def test_leaderboard_counts_closed_battles_alone(town: Town) -> None:
    found = []
    for number in range(3):
        prompt = await town.alice.send(town.lounge, f"message {number}")
        battle = await town.services.store.battles.by_source(prompt.id)
        (plain,) = [a for a in battle.answers if a.contender == BASE]
        await town.alice.click(town.ballot(), label=f"{plain.side.upper()} is better")
        found.append(battle)
    empty = await town.alice.slash(town.lounge, "leaderboard")
    assert texts(empty.response).startswith("No battle with votes has closed here yet.")
    assert BASE not in texts(empty.response)
    await close(town, *found)
    told = await town.alice.slash(town.lounge, "leaderboard")
    assert told.ephemeral
    board = texts(told.response)
    assert f"{BASE}** · base model\n3 of 3 votes so far: too few votes to tell" in board
    assert board.index(BASE) < board.index(INSTRUCT)


async def test_leaderboard_leaves_out_what_was_said_after_the_reveal(
    town: Town, battle: Battle
) -> None:
    asked = await town.bob.click(town.ballot(), label="A is better")
    await town.bob.click(asked.response, label="Not sure")
    await town.bob.click(town.ballot(), label="B is better")
    await close(town, battle)
    told = texts((await town.bob.slash(town.lounge, "leaderboard")).response)
    assert "No battle with votes has closed" not in told
    assert "Not counted: 1 given after the reveal." in told
    assert "ahead in" not in told


async def test_a_press_by_a_slow_database_still_confirms(
    town: Town, battle: Battle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.modules["cogs._responding"], "WORK_FIRST_SECONDS", 0.0)
    result = await town.bob.click(town.ballot(), label="A is better")
    assert result.ephemeral
    assert "You chose **A**" in texts(result.response)
    assert len(await town.services.store.votes.for_battle(battle.id)) == 1


async def test_any_order_of_presses_leaves_each_members_last(town: Town, battle: Battle) -> None:
    rng = random.Random(3)
    last: dict[int, str] = {}
    for _ in range(25):
        voter = rng.choice([town.alice, town.bob, town.admin])
        label = rng.choice(["A is better", "B is better", "Tie", "Both bad"])
        await voter.click(town.ballot(), label=label)
        last[voter.id] = label
    by_id = {a.id: f"{a.side.upper()} is better" for a in battle.answers}
    names = {Outcome.TIE: "Tie", Outcome.BOTH_BAD: "Both bad"}
    votes = await town.services.store.votes.for_battle(battle.id)
    assert {v.voter_id: by_id.get(v.winner_answer_id) or names[v.outcome] for v in votes} == last


async def test_a_forged_press_from_another_server_is_refused(town: Town, battle: Battle) -> None:
    other = town.env.create_guild("elsewhere")
    channel = other.create_text_channel("far")
    await town.services.guilds.set(other.id, "channels", [channel.id], by=NOBODY)
    mallory = other.add_member(town.env.create_user("mallory"))
    await mallory.send(channel, "hello")
    foreign = town.ballot(channel)
    stored = town.env.backend.get_message(channel.id, foreign.id)
    _point_at(stored.components, battle.id)
    result = await mallory.click(foreign, label="A is better")
    assert "not known here" in texts(result.response)
    assert not await town.services.store.votes.for_battle(battle.id)


async def close(town: Town, *battles: Battle) -> None:
    for battle in battles:
        await town.services.store.battles.close(
            battle.id, because=Closing.TIME, at=datetime.now(UTC)
        )


def _point_at(components: list[dict[str, object]], battle_id: int) -> None:
    for component in components:
        if "custom_id" in component:
            outcome = component["custom_id"].rsplit(":", 1)[1]
            component["custom_id"] = f"twofold:1:vote:{battle_id}:{outcome}"
        _point_at(component.get("components", []), battle_id)
