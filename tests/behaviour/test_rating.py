"""The private queue, in a simulated Discord."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import discord
import pytest

from bot.answers import utf16_length
from bot.client import TwofoldClient
from bot.insight.counting import Counting
from bot.rating import Order, Rater
from storage.records import NOBODY, BattleState, Closing, Kind, Outcome, Purpose, Side
from tests.behaviour.conftest import Town, texts
from tests.behaviour.test_chat import TELLTALES, buttons
from tests.behaviour.test_closing import later
from tests.behaviour.test_more import asked
from tests.unit.records import Clock

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import simcord

    from storage.records import Vote
    from tests.behaviour.conftest import OpenTown

CHOICES = ["A is better", "B is better", "Tie", "Both bad"]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def town(open_town: OpenTown, clock: Clock) -> AsyncIterator[Town]:
    async with open_town(clock=clock) as opened:
        yield opened


async def rate(member: simcord.MemberActor, town: Town, **options: str) -> discord.Message:
    result = await member.slash(town.hall, "rate", **options)
    assert result.ephemeral
    return result.response.message


def boxes(message: discord.Message) -> list[str]:
    containers = [c for c in message.components if isinstance(c, discord.Container)]
    return [c.children[1].content for c in containers]


def dealt(message: discord.Message) -> int:
    """Which battle a private ballot is of, by its last button."""
    rows = [c for c in message.components if isinstance(c, discord.ActionRow)]
    return int(rows[0].children[-1].custom_id.split(":")[3])


async def the_vote(town: Town, battle_id: int, member: simcord.MemberActor) -> Vote:
    votes = await town.services.store.votes.for_battle(battle_id)
    return next(vote for vote in votes if vote.voter_id == member.id)


async def set_share(town: Town, share: int) -> None:
    await town.services.guilds.set(town.guild.id, "mirror_share", share, by=NOBODY)


def rater(town: Town, member: simcord.MemberActor) -> Rater:
    return Rater(guild_id=town.guild.id, member_id=member.id, may_read=lambda _: True)


async def test_an_empty_queue_says_so(town: Town) -> None:
    assert "nothing for you to rate right now" in texts(await rate(town.bob, town))


async def test_a_ballot_comes_with_its_prompt_and_tells_nothing(town: Town) -> None:
    battle = await asked(town)
    shown = await rate(town.bob, town)
    assert "alice asked: hello there" in texts(shown)
    assert buttons(shown) == [[*CHOICES, "Skip"]]
    assert not TELLTALES.search(texts(shown))
    assert f"#{battle.id}" not in texts(shown)
    assert sorted(boxes(shown)) == sorted(a.shown for a in battle.answers)
    seen = await town.services.store.sightings.get(battle.id, town.bob.id)
    expected = [battle.answer(side).shown for side in Side]
    assert boxes(shown) == (expected[::-1] if seen.swapped else expected)


async def test_sides_are_thrown_for_each_rater_and_votes_are_stored_by_answer(town: Town) -> None:
    swapped = set()
    for number in range(10):
        battle = await asked(town, f"message {number}")
        shown = await rate(town.bob, town)
        first = boxes(shown)[0]
        await town.bob.click(shown, label="A is better")
        vote = await the_vote(town, battle.id, town.bob)
        winner = next(a for a in battle.answers if a.id == vote.winner_answer_id)
        assert winner.shown == first
        assert vote.swapped is (winner.side is Side.B)
        assert vote.blind
        swapped.add(vote.swapped)
    assert swapped == {True, False}


async def test_the_guess_and_the_reveal_follow_below_the_same_answers(town: Town) -> None:
    battle = await asked(town)
    shown = await rate(town.bob, town)
    answers = boxes(shown)
    result = await town.bob.click(shown, label="Tie")
    assert "Which one is the base model" in texts(result.response.message)
    assert boxes(result.response.message) == answers
    assert buttons(result.response.message) == [[*CHOICES, "Next"], ["A", "B", "Not sure"]]
    (base,) = [a for a in battle.answers if a.kind is Kind.BASE]
    label = "AB"[answers.index(base.shown)]
    told = await town.bob.click(result.response.message, label=label)
    assert f"**{label}** was the base model" in texts(told.response.message)
    assert buttons(told.response.message)[0] == [*CHOICES, "Next"]
    assert boxes(told.response.message) == answers
    vote = await the_vote(town, battle.id, town.bob)
    assert vote.guessed_base_answer_id == base.id
    on = await town.bob.click(told.response.message, label="Next")
    assert "Nothing else needs your vote right now." in texts(on.response.message)
    assert buttons(on.response.message) == [["Next"]]
    await asked(town, "anything else?")
    assert boxes((await town.bob.click(on.response.message, label="Next")).response.message)


async def test_the_only_one_left_stays_when_it_is_skipped(town: Town) -> None:
    battle = await asked(town)
    shown = await rate(town.bob, town)
    skipped = (await town.bob.click(shown, label="Skip")).response.message
    assert "This is the only one left." in texts(skipped)
    assert (dealt(skipped), boxes(skipped)) == (battle.id, boxes(shown))
    assert buttons(skipped) == buttons(shown)
    await town.services.closing.close(battle.id, Closing.TIME)
    gone = (await town.bob.click(skipped, label="Skip")).response.message
    assert "Nothing else needs your vote right now." in texts(gone)


async def test_a_prompt_gets_the_room_that_the_answers_leave(town: Town) -> None:
    battle = await asked(town, "tell me " * 240)
    shown = texts(await rate(town.bob, town))
    assert shown.count("tell me") == 240
    assert "The whole conversation" not in shown
    later_one = await asked(town, "and now?")
    link = f"https://discord.com/channels/{town.guild.id}/{town.lounge.id}"
    shown = texts(await rate(town.bob, town))
    assert f"The whole conversation: {link}/{later_one.source_message_id}" in shown
    assert battle.source_message_id != later_one.source_message_id


async def test_a_prompt_that_is_cut_leads_to_the_whole(open_town: OpenTown) -> None:
    base = "scripted:text=" + "w" * 3000
    async with open_town(base=base, instruct=base.replace("w", "f"), max_tokens=950) as town:
        battle = await asked(town, "tell me " * 240)
        shown = texts(await rate(town.bob, town))
        assert f"/{town.lounge.id}/{battle.source_message_id}" in shown
        assert utf16_length(shown) <= 4000


async def test_who_has_both_ballots_is_told_by_each_as_it_shows_the_sides(town: Town) -> None:
    ways = set()
    for number in range(10):
        battle = await asked(town, f"message {number}")
        alone, public = await rate(town.bob, town), town.ballot()
        (base,) = [a.shown for a in battle.answers if a.kind is Kind.BASE]
        mine = await town.bob.click(alone, label="A is better")
        ours = await town.bob.click(public, label="B is better")
        for ballot, question in ((public, ours.response), (alone, mine.response.message)):
            told = await town.bob.click(question, label="Not sure")
            assert f"**{'AB'[boxes(ballot).index(base)]}** was the base model" in texts(
                told.response
            )
        ways.add(boxes(alone) == boxes(public))
    assert ways == {True, False}


async def test_an_old_ballot_with_other_sides_stores_nothing(town: Town) -> None:
    battle = await asked(town)
    old = await rate(town.bob, town)
    sides = town.services.store.sightings
    swapped = (await sides.get(battle.id, town.bob.id)).swapped
    await town.services.mydata.erase(town.bob.id)
    await sides.shown(battle.id, town.bob.id, swapped=not swapped, at=battle.created_at)
    refused = await town.bob.click(old, label="A is better")
    assert "This ballot is an old one. Type /rate for a new one." in texts(refused.response)
    assert not await town.services.store.votes.for_battle(battle.id)
    await town.services.mydata.erase(town.alice.id)
    gone = texts((await town.bob.click(old, label="A is better")).response)
    assert gone == "The texts of this battle are not kept any more, and its votes stay as they are."


async def test_a_vote_can_be_changed_and_taken_back_in_its_place(town: Town) -> None:
    battle = await asked(town)
    shown = await rate(town.bob, town)
    first = await town.bob.click(shown, label="A is better")
    changed = await town.bob.click(first.response, label="B is better")
    assert "Your earlier vote is replaced" in texts(changed.response)
    vote = await the_vote(town, battle.id, town.bob)
    chosen = next(a for a in battle.answers if a.id == vote.winner_answer_id)
    assert chosen.shown == boxes(shown)[1]
    told = await town.bob.click(changed.response, label="Not sure")
    undone = await town.bob.click(told.response, label="Undo")
    assert "taken back" in texts(undone.response)
    assert buttons(undone.response.message) == [[*CHOICES, "Next"]]
    assert not await town.services.store.votes.for_battle(battle.id)


async def test_the_fewest_votes_come_first_or_the_most_split(town: Town) -> None:
    few, split, agreed = [await asked(town, f"message {number}") for number in range(3)]
    ballots = {m.id: m for m in town.mine()}
    for battle, choices in ((split, ("A", "B")), (agreed, ("A", "A"))):
        for member, choice in zip((town.alice, town.admin), choices, strict=True):
            await member.click(ballots[battle.shown_message_id], label=f"{choice} is better")
    assert dealt(await rate(town.bob, town)) == few.id
    assert dealt(await rate(town.bob, town, order="most split")) == split.id
    third = await rate(town.bob, town)
    assert dealt(third) == agreed.id
    assert dealt((await town.bob.click(third, label="Skip")).response.message) == few.id


async def test_nothing_comes_twice_that_was_voted_on_or_withdrawn_from(town: Town) -> None:
    await asked(town)
    voted = await town.bob.click(town.ballot(), label="Tie")
    assert "nothing for you" in texts(await rate(town.bob, town))
    revealed = await town.bob.click(voted.response.message, label="Not sure")
    await town.bob.click(revealed.response.message, label="Undo")
    assert "nothing for you" in texts(await rate(town.bob, town))


@pytest.mark.parametrize("setting", ["account_days", "membership_days"])
async def test_who_may_not_vote_yet_is_told_before_anything_is_shown(
    town: Town, setting: str
) -> None:
    battle = await asked(town)
    shown = await rate(town.bob, town)
    await town.services.guilds.set(town.guild.id, setting, 365, by=NOBODY)
    refused = texts((await town.bob.click(shown, label="Tie")).response)
    assert "at least 365 days" in refused
    assert texts((await town.bob.slash(town.hall, "rate")).response) == refused
    assert texts((await town.bob.click(shown, label="Skip")).response) == refused
    await rate(town.alice, town)
    seen = await town.services.store.sightings.get(battle.id, town.alice.id)
    assert seen.shown_at is None


async def test_channels_that_a_member_cannot_read_are_left_out(town: Town) -> None:
    hidden = {town.bob: discord.PermissionOverwrite(view_channel=False)}
    unread = {town.bob: discord.PermissionOverwrite(read_message_history=False)}
    for name, overwrites in (("secret", hidden), ("closed", unread)):
        channel = town.guild.create_text_channel(name, overwrites=overwrites)
        await town.services.guilds.set(town.guild.id, "channels", [channel.id], by=NOBODY)
        await town.alice.send(channel, "just for some")
        assert town.mine(channel)
    assert "nothing for you" in texts(await rate(town.bob, town))


async def test_what_is_for_adults_stays_among_them(town: Town) -> None:
    bar = town.guild.create_text_channel("bar")
    town.env.bot.get_channel(bar.id).nsfw = True
    await town.services.guilds.set(town.guild.id, "channels", [bar.id], by=NOBODY)
    await town.alice.send(bar, "hello there")
    assert "nothing for you" in texts(await rate(town.bob, town))
    inside = await town.bob.slash(bar, "rate")
    assert boxes(inside.response.message)


async def test_an_author_rates_their_own_only_where_authors_vote(town: Town) -> None:
    battle = await asked(town)
    assert dealt(await rate(town.alice, town)) == battle.id
    await town.services.guilds.set(town.guild.id, "authors_vote", False, by=NOBODY)
    assert "nothing for you" in texts(await rate(town.alice, town))
    assert dealt(await rate(town.bob, town)) == battle.id


async def test_the_buttons_work_after_a_restart_with_the_sides_as_they_were(town: Town) -> None:
    battle = await asked(town)
    shown = await rate(town.bob, town)
    await town.env.restart_bot(TwofoldClient(town.services))
    await rate(town.bob, town)
    await town.bob.click(shown, label="B is better")
    vote = await the_vote(town, battle.id, town.bob)
    winner = next(a for a in battle.answers if a.id == vote.winner_answer_id)
    assert winner.shown == boxes(shown)[1]


async def test_a_battle_that_closed_meanwhile_says_so_and_leads_on(
    town: Town, clock: Clock
) -> None:
    await asked(town)
    shown = await rate(town.bob, town)
    await later(town, clock, timedelta(hours=24))
    late = await town.bob.click(shown, label="Tie")
    assert "takes no votes any more" in texts(late.response.message)
    assert "Next" in buttons(late.response.message)[0]


async def test_a_long_text_can_be_read_in_full_on_the_sides_as_dealt(open_town: OpenTown) -> None:
    words = "+".join(f"word-{number}" for number in range(400))
    async with open_town(base=f"scripted:text={words}", max_tokens=450) as town:
        await asked(town)
        shown = await rate(town.bob, town)
        assert buttons(shown)[1] == ["Full text A", "Full text B"]
        side = "AB"[[box.startswith("word-0") for box in boxes(shown)].index(True)]
        full = await town.bob.click(shown, label=f"Full text {side}")
        assert f"**{side}** in full" in texts(full.response)
        asked_back = await town.bob.click(shown, label="Tie")
        assert buttons(asked_back.response.message)[1] == ["Full text A", "Full text B"]
        told = await town.bob.click(asked_back.response, label="Not sure")
        assert ["Full text A", "Full text B"] in buttons(told.response.message)
        assert "word-399" in texts(full.response)


async def test_long_answers_stay_above_the_question(open_town: OpenTown) -> None:
    words = "+".join(f"word-{number}" for number in range(900))
    base = f"scripted:text={words}"
    async with open_town(base=base, instruct=base.replace("w", "f"), max_tokens=950) as town:
        await town.alice.send(town.lounge, "tell me " * 200)
        shown = await rate(town.bob, town)
        asked_for = await town.bob.click(shown, label="Tie")
        assert len(boxes(asked_for.response.message)) == 2
        assert utf16_length(texts(asked_for.response.message)) <= 4000


async def test_it_works_in_servers_only(town: Town) -> None:
    (command,) = [c for c in town.env.bot.tree.get_commands() if c.name == "rate"]
    assert command.guild_only


async def test_a_mirror_shows_what_was_preferred_on_the_other_sides(
    town: Town, clock: Clock
) -> None:
    original = await asked(town)
    shown = await rate(town.bob, town)
    before = boxes(shown)
    await town.bob.click(shown, label="A is better")
    await set_share(town, 50)
    clock.now += timedelta(minutes=11)
    found = [await rate(town.bob, town) for _ in range(12)]
    (mirrored,) = [message for message in found if boxes(message)]
    assert boxes(mirrored) == before[::-1]
    assert buttons(mirrored) == buttons(shown)
    mirror = await town.services.store.battles.get(dealt(mirrored))
    assert (mirror.purpose, mirror.mirror_of_id) == (Purpose.MIRROR, original.id)
    assert mirror.author_id == original.author_id
    assert mirror.conversation == original.conversation
    assert [a.shown for a in mirror.answers] == [a.shown for a in original.answers][::-1]
    told = await town.bob.click(mirrored, label="B is better")
    vote = await the_vote(town, mirror.id, town.bob)
    first = await the_vote(town, original.id, town.bob)
    chosen = next(a for a in mirror.answers if a.id == vote.winner_answer_id)
    preferred = next(a for a in original.answers if a.id == first.winner_answer_id)
    assert chosen.contender == preferred.contender
    assert vote.blind
    revealed = await town.bob.click(told.response.message, label="A")
    assert "Undo" in buttons(revealed.response.message)[-1], "as anywhere else"
    await later(town, clock, timedelta(minutes=1))
    closed = await town.services.store.battles.get(mirror.id)
    assert (closed.state, closed.closed_because) == (BattleState.CLOSED, Closing.VOTES)
    assert closed.revealed_at is not None
    await town.services.closing.close(original.id, Closing.TIME)
    await town.services.store.battles.close(original.id, because=Closing.TIME, at=clock.now)
    board = await town.services.insight.leaderboard(Counting(guilds=(town.guild.id,)))
    assert sum(line.wins for line in board.lines) == 1


async def test_a_mirror_takes_its_time(town: Town, clock: Clock) -> None:
    await asked(town)
    await town.bob.click(town.ballot(), label="A is better")
    await set_share(town, 50)
    clock.now += timedelta(minutes=9)
    dealing = town.services.rating.deal
    for number in range(12):
        assert await dealing(rater(town, town.bob), order=Order.FEWEST, number=number) is None


async def test_a_tie_is_never_mirrored(town: Town, clock: Clock) -> None:
    battle = await asked(town)
    await town.bob.click(town.ballot(), label="Tie")
    await set_share(town, 50)
    clock.now += timedelta(minutes=11)
    for number in range(12):
        dealing = town.services.rating.deal
        assert await dealing(rater(town, town.bob), order=Order.FEWEST, number=number) is None
    assert (await the_vote(town, battle.id, town.bob)).outcome is Outcome.TIE
