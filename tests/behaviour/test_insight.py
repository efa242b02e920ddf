"""What the votes say, in a simulated Discord: ranking, soundness, battles again."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import timedelta
from itertools import count, cycle
from typing import TYPE_CHECKING

import discord
import pytest

from bot.answers import utf16_length
from bot.insight import pictures
from storage.records import (
    Closing,
    Consent,
    Kind,
    Outcome,
    Purpose,
    Side,
    Wiped,
)
from tests.behaviour.conftest import BASE, INSTRUCT, Town, texts
from tests.behaviour.test_chat import TELLTALES, buttons
from tests.unit.records import NOON, Clock, answer, said, talk

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from datetime import datetime

    import simcord

    from storage.records import Battle
    from tests.behaviour.conftest import OpenTown

NUMBERS = count(10**17)
VOTERS = [2**60 + number for number in range(8)]
SLUGS = {Kind.BASE: BASE, Kind.INSTRUCT: INSTRUCT}
WON, LOST, TIE = 0, 1, Outcome.TIE
"""A vote for the base model's answer, one for the other, one for neither."""


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def town(open_town: OpenTown, clock: Clock) -> AsyncIterator[Town]:
    async with open_town(clock=clock) as opened:
        await agree(opened, *VOTERS)
        yield opened


async def agree(town: Town, *members: int) -> None:
    for member in members:
        await town.services.store.members.set_consent(member, Consent.TRAIN, version=1, at=NOON)


async def fought(
    town: Town,
    *choices: int | Outcome,
    voters: Sequence[int] = VOTERS,
    channel: int | None = None,
    closed: datetime | None = NOON,
    purpose: Purpose = Purpose.LIVE,
    text: str = "What is salt?",
    said_by_base: str = "a plain text",
    simulated: bool = False,
) -> Battle:
    """A battle with these votes; the base model stands on A and B in turns."""
    store, number = town.services.store, next(NUMBERS)
    battle = await store.battles.create(
        source_message_id=number,
        guild_id=town.guild.id,
        channel_id=channel or town.lounge.id,
        author_id=town.alice.id,
        conversation=talk(said(text, by=town.alice.id, name="alice")),
        purpose=purpose,
        simulated=simulated,
        at=NOON,
    )
    sides = sorted(Side, reverse=number % 2 == 1)
    answers = [
        replace(answer(side, id=index, shown=shown, kind=kind), id=0, contender=SLUGS[kind])
        for index, (side, kind, shown) in enumerate(
            zip(sides, SLUGS, (said_by_base, "a polite text"), strict=True)
        )
    ]
    opened = await store.battles.open(battle.id, answers, at=NOON)
    await store.battles.shown(battle.id, number)
    kinds, of_kind = [*SLUGS], {a.kind: a.id for a in opened.answers}
    for voter, choice in zip(voters, choices, strict=False):
        tied = isinstance(choice, Outcome)
        await store.votes.cast(
            battle_id=battle.id,
            voter_id=voter,
            outcome=choice if tied else Outcome.WIN,
            winner_answer_id=None if tied else of_kind[kinds[choice]],
            by_author=voter == town.alice.id,
            at=NOON,
        )
    if closed is not None:
        await store.battles.close(battle.id, because=Closing.TIME, at=closed)
        await store.battles.revealed(battle.id, at=closed)
    return await store.battles.get(battle.id)


async def community(town: Town, *, closed: datetime = NOON) -> None:
    """Ten battles in which the base model loses three times out of four."""
    votes = cycle((LOST, WON, LOST, LOST, LOST, TIE, LOST, WON))
    for _ in range(10):
        await fought(town, *(next(votes) for _ in range(7)), closed=closed)


def picture(message: discord.Message) -> discord.MediaGalleryItem:
    (gallery,) = [c for c in message.components if isinstance(c, discord.MediaGalleryComponent)]
    (item,) = gallery.items
    return item


async def leaderboard(town: Town, **options: object) -> discord.Message:
    result = await town.bob.slash(town.hall, "leaderboard", **options)
    assert result.ephemeral
    return result.response.message


async def stats(town: Town, member: simcord.MemberActor, **options: object) -> discord.Message:
    result = await member.slash(town.hall, "stats", **options)
    assert result.ephemeral
    return result.response.message


async def battle(
    town: Town,
    number: int,
    *,
    by: simcord.MemberActor | None = None,
    where: simcord.ChannelHandle | None = None,
) -> discord.Message:
    result = await (by or town.bob).slash(where or town.hall, "battle", number=number)
    assert result.ephemeral
    assert not result.response.message.mentions
    return result.response.message


async def test_a_leaderboard_is_a_picture_with_its_numbers_as_text(town: Town) -> None:
    await community(town)
    shown = await leaderboard(town)
    (file,) = shown.attachments
    assert (await file.read()).startswith(b"\x89PNG")
    item = picture(shown)
    assert item.media.url == file.url
    assert INSTRUCT in item.description
    said = texts(shown)
    assert f"**{INSTRUCT}** is ahead." in said
    assert "ahead in 7 of 10 votes, between" in said
    assert "Counted: 70 blind votes by at least 7 members on 10 closed battles." in said
    assert "points" not in said


async def test_a_moving_picture_shows_how_the_scores_went(town: Town) -> None:
    await community(town)
    await community(town, closed=NOON + timedelta(days=1))
    shown = await leaderboard(town, moving=True)
    (file,) = shown.attachments
    assert (await file.read()).startswith(b"GIF")
    assert picture(shown).description.startswith("Moving picture: Elo scores over 2 days")
    assert "Counted: 140 blind votes" in texts(shown)


async def test_simulated_members_are_said_to_be_and_make_room_for_real_ones(town: Town) -> None:
    await fought(town, *[LOST] * 7, simulated=True)
    assert "Simulated members" in texts(await leaderboard(town))
    assert "Simulated members" in texts(await stats(town, town.bob))
    await fought(town, WON)
    said = texts(await leaderboard(town))
    assert "Simulated" not in said
    assert "Counted: 1 blind vote" in said


async def test_exact_figures_are_an_option_away(town: Town) -> None:
    await community(town)
    said = texts(await leaderboard(town, exact=True))
    assert "points (" in said
    assert "times both bad" in said
    assert "Krippendorff's alpha" in texts(await stats(town, town.bob, exact=True))


async def test_nothing_to_rank_is_a_sentence_without_a_picture(town: Town) -> None:
    await fought(town, LOST, LOST, closed=None)
    for shown in (await leaderboard(town), await stats(town, town.bob)):
        assert not shown.attachments
        assert "closed" in texts(shown)
        assert BASE not in texts(shown)


async def test_few_voters_are_too_few_to_tell(town: Town) -> None:
    for _ in range(6):
        await fought(town, LOST, LOST)
    said = texts(await leaderboard(town))
    assert "Too few votes to tell who is ahead." in said
    assert "12 of 12 votes so far: too few votes to tell" in said


async def test_a_period_and_a_topic_narrow_what_is_counted(town: Town) -> None:
    today = town.env.now()
    await community(town, closed=today - timedelta(days=20))
    await fought(town, WON, LOST, closed=today - timedelta(days=2))
    assert "Counted: 2 blind votes" in texts(await leaderboard(town, period="7 days"))
    assert "Counted: 72 blind votes" in texts(await leaderboard(town, period="30 days"))
    assert "Choose a longer time, or all topics" in texts(
        await leaderboard(town, period="7 days", topic="code")
    )


async def test_votes_of_those_who_asked_can_be_left_out(town: Town) -> None:
    await agree(town, town.alice.id)
    for _ in range(3):
        await fought(town, LOST, WON, voters=[town.alice.id, *VOTERS])
    assert "Counted: 6 blind votes" in texts(await leaderboard(town))
    said = texts(await leaderboard(town, authors=False))
    assert "Counted: 3 blind votes" in said
    assert "Not counted: 3 by the prompt's author" in said


async def test_controls_are_not_in_a_ranking(town: Town) -> None:
    await community(town)
    await fought(town, LOST, purpose=Purpose.CONTROL)
    said = texts(await leaderboard(town))
    assert "Counted: 70 blind votes" in said
    assert "Not counted: 1 on control battles." in said


async def test_stats_say_whether_votes_are_sound_and_what_ones_own_say(town: Town) -> None:
    await agree(town, town.bob.id)
    await community(town)
    for _ in range(4):
        await fought(town, WON, LOST, LOST, voters=[town.bob.id, *VOTERS])
    shown = await stats(town, town.bob)
    said = texts(shown)
    assert said.startswith("### Stats\n")
    assert "**Side**: the answer seen first wins in" in said
    assert "**Agreement**: " in said
    assert (
        "**You**: 4 votes, others on the same battles said the same 0 of 4 times, "
        "for the base model 4 of 4 times." in said
    )
    assert picture(shown).description
    other = texts(await stats(town, town.admin))
    assert "**You**: no vote is kept as yours" in other


async def test_votes_for_the_side_read_first_raise_an_alarm(town: Town) -> None:
    for _ in range(12):
        await fought(town, *[(WON, LOST)[(next(NUMBERS) + 1) % 2]] * 8)  # whichever stands on A
    said = texts(await stats(town, town.bob))
    assert "⚠ Look into: side" in said
    assert "⚠ **Side**: the answer seen first wins in" in said


async def test_pictures_are_drawn_beside_the_event_loop(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads = []
    for name in ("picture_of_leaderboard", "picture_of_stats", "moving_picture"):
        draw = getattr(pictures, name)

        def watched(found: object, draw: object = draw, **more: object) -> bytes:
            threads.append(threading.current_thread())
            return draw(found, **more)

        monkeypatch.setattr(pictures, name, watched)
    await community(town)
    for _ in range(2):
        await leaderboard(town)
        await leaderboard(town, moving=True)
        await stats(town, town.bob)
    assert len(threads) == 3
    assert threading.main_thread() not in threads


async def test_a_closed_battle_is_shown_again_with_its_tally(town: Town) -> None:
    fight = await fought(town, LOST, LOST, WON)
    shown = await battle(town, fight.id)
    said = texts(shown)
    assert "alice asked: What is salt?" in said
    assert BASE in said
    assert INSTRUCT in said
    sides = {a.kind: a.side.upper() for a in fight.answers}
    assert f"**{sides[Kind.BASE]}** 1 vote" in said
    assert f"**{sides[Kind.INSTRUCT]}** 2 votes" in said
    (row,) = [c for c in shown.components if isinstance(c, discord.ActionRow)]
    (way,) = row.children
    where = f"{town.guild.id}/{town.lounge.id}/{fight.shown_message_id}"
    assert way.url == f"https://discord.com/channels/{where}"


async def test_an_open_battle_is_a_ballot_that_tells_nothing(town: Town) -> None:
    fight = await fought(town, LOST, LOST, closed=None)
    shown = await battle(town, fight.id)
    assert not TELLTALES.search(texts(shown))
    assert buttons(shown) == [["Vote at its message"]]
    boxes = [c for c in shown.components if isinstance(c, discord.Container)]
    assert [box.children[1].content for box in boxes] == [a.shown for a in fight.answers]
    assert len({box.accent_colour for box in boxes}) == 1


async def test_the_longest_battle_fits_with_its_prompt(town: Town) -> None:
    for closed in (None, NOON):
        fight = await fought(town, WON, closed=closed, text="salt " * 900, said_by_base="x" * 1800)
        assert utf16_length(texts(await battle(town, fight.id))) <= 4000


async def test_a_battle_is_for_who_can_see_its_channel(town: Town) -> None:
    for denied in ({"view_channel": False}, {"read_message_history": False}):
        hidden = {town.bob: discord.PermissionOverwrite(**denied)}
        room = town.guild.create_text_channel(next(iter(denied)), overwrites=hidden)
        await town.env.settle()
        fight = await fought(town, LOST, channel=room.id)
        said = texts(await battle(town, fight.id))
        assert said == f"There is no battle #{fight.id} here that you can look at."
        assert BASE in texts(await battle(town, fight.id, by=town.alice))


async def test_a_battle_of_a_private_thread_is_shown_in_that_thread_alone(town: Town) -> None:
    channel = town.env.bot.get_channel(town.lounge.id)
    thread = await channel.create_thread(name="between us")
    await thread.add_user(discord.Object(town.alice.id))
    await town.env.settle()
    (handle,) = town.lounge.threads
    assert thread.is_private()
    fight = await fought(town, LOST, channel=thread.id)
    assert "There is no battle" in texts(await battle(town, fight.id, by=town.admin))
    assert BASE in texts(await battle(town, fight.id, by=town.alice, where=handle))


async def test_what_cannot_be_shown_is_a_sentence(town: Town) -> None:
    store = town.services.store
    mirror = await fought(town, LOST, purpose=Purpose.MIRROR)
    cancelled = await fought(town, closed=None)
    await store.battles.cancel(cancelled.id, at=NOON)
    for number, says in (
        (10**6, "There is no battle #1000000 here"),
        (mirror.id, f"There is no battle #{mirror.id} here"),
        (cancelled.id, f"The message of battle #{cancelled.id} was deleted"),
    ):
        said = texts(await battle(town, number))
        assert said.startswith(says)
        assert "\n" not in said


async def test_a_battle_whose_texts_are_gone_says_so(town: Town, clock: Clock) -> None:
    fight = await fought(town, LOST)
    clock.now = NOON + timedelta(days=400)
    await town.services.retention.sweep()
    assert (await town.services.store.battles.get(fight.id)).wiped_because is Wiped.RETENTION
    said = texts(await battle(town, fight.id))
    assert said == f"The texts of battle #{fight.id} are not kept any more."


async def test_a_battle_of_another_server_is_not_known(town: Town) -> None:
    other = town.env.create_guild()
    room = other.create_text_channel("room")
    carol = other.add_member(town.env.create_user("carol"))
    await town.env.settle()
    fight = await fought(town, LOST)
    assert "There is no battle" in texts(await battle(town, fight.id, by=carol, where=room))
    await community(town)
    result = await carol.slash(room, "leaderboard")
    assert BASE not in texts(result.response)
