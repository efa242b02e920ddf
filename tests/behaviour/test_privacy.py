"""What members are asked, told, given and rid of, in a simulated Discord."""

from __future__ import annotations

import gzip
import json
import sys
from collections import deque
from datetime import timedelta
from typing import TYPE_CHECKING

import discord
import pytest

from bot.client import TwofoldClient
from bot.errors import StorageError
from bot.retention import EVERY
from storage.records import (
    NOBODY,
    BattleState,
    Closing,
    Consent,
    Conversation,
    Purpose,
    Turn,
    Wiped,
)
from tests.behaviour.conftest import Town, texts
from tests.behaviour.test_chat import buttons
from tests.unit.records import NOON, Clock

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import simcord

    from storage.records import Battle
    from tests.behaviour.conftest import OpenTown

ASKED = ["Only run", "Help statistics", "Help training", "Read more"]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def town(open_town: OpenTown, clock: Clock) -> AsyncIterator[Town]:
    async with open_town(clock=clock) as opened:
        yield opened


async def setting(town: Town, key: str, value: object) -> None:
    await town.services.guilds.set(town.guild.id, key, value, by=NOBODY)


async def ask(town: Town, text: str = "where is the treasure?") -> Battle:
    prompt = await town.alice.send(town.lounge, text)
    return await town.services.store.battles.by_source(prompt.id)


async def stored(town: Town, battle: Battle) -> Battle:
    return await town.services.store.battles.get(battle.id)


async def press(
    town: Town, member: simcord.MemberActor, label: str = "Tie"
) -> list[simcord.ResponseMessage]:
    """What follows the answer to a press on the newest ballot."""
    return (await member.click(town.ballot(), label=label)).followups


async def consent(town: Town, member: simcord.MemberActor) -> Consent:
    return (await town.services.consent.position(member.id, town.guild.id)).consent


async def test_a_member_is_asked_once_after_the_first_press(town: Town) -> None:
    await ask(town)
    result = await town.bob.click(town.ballot(), label="Tie")
    assert "base model" in texts(result.response), "the press is answered first"
    (question,) = result.followups
    assert question.message.flags.ephemeral
    assert len(texts(question).splitlines()) == 3
    assert "24 hours later" in texts(question)
    assert buttons(question.message) == [ASKED]
    assert await consent(town, town.bob) is Consent.NONE
    assert not await press(town, town.bob, "A is better")
    assert await press(town, town.alice)


async def test_a_member_is_asked_after_the_first_ask(town: Town) -> None:
    first = await town.bob.slash(town.hall, "ask", prompt="anybody there?")
    assert "three" not in texts(first.followups[-1])
    assert buttons(first.followups[-1].message) == [ASKED]
    again = await town.bob.slash(town.hall, "ask", prompt="and now?")
    assert buttons(again.followups[-1].message) != [ASKED]


@pytest.mark.parametrize(
    ("cap", "offered"),
    [
        (Consent.NONE, None),
        (Consent.EVALUATE, ["Only run", "Help statistics", "Read more"]),
        (Consent.PUBLISH, [*ASKED[:3], "Allow publishing", "Read more"]),
    ],
)
async def test_nobody_is_asked_for_more_than_the_server_allows(
    town: Town, cap: Consent, offered: list[str] | None
) -> None:
    await setting(town, "consent_cap", cap.value)
    await ask(town)
    questions = await press(town, town.bob)
    assert [buttons(q.message) for q in questions] == ([[offered]] if offered else [])


@pytest.mark.parametrize("restarted", [False, True])
async def test_an_answer_is_stored_and_takes_the_place_of_the_question(
    town: Town, restarted: bool
) -> None:
    await ask(town)
    pressed = await town.bob.click(town.ballot(), label="Tie")
    if restarted:
        await town.env.restart_bot(TwofoldClient(town.services))
    await town.bob.click(pressed.followups[0], label="Help training")
    position = await town.services.consent.position(town.bob.id, town.guild.id)
    assert (position.here.consent, position.here.version) == (Consent.TRAIN, 1)
    assert position.everywhere is None
    (told,) = pressed.followups
    assert "kept for statistics and training" in texts(told)
    assert not buttons(told.message)


async def test_the_whole_text_is_one_press_away_and_fits(open_town: OpenTown) -> None:
    async with open_town(retention_hours=48, moderator="openai", openai_api_key="k") as town:
        await ask(town)
        pressed = await town.bob.click(town.ballot(), label="Tie")
        told = await town.bob.click(pressed.followups[0], label="Read more")
        assert told.ephemeral
        text = texts(told.response)
        for word in ("2 days, then", "Only run", "/mydata delete", "api.openai.com", "Version 1"):
            assert word in text
        assert buttons(pressed.followups[0].message) == [ASKED]


async def test_privacy_shows_what_holds_and_changes_it(town: Town, clock: Clock) -> None:
    await setting(town, "privacy_link", "https://example.org/privacy")
    await setting(town, "retention_hours", 6)
    shown = await town.bob.slash(town.hall, "privacy")
    assert shown.ephemeral
    text = texts(shown.response)
    for line in ("this server: only to run.**", "after 6 hours", "not chosen yet"):
        assert line in text
    here, everywhere, ways_on = buttons(shown.response.message)
    assert here == everywhere == ASKED[:3]
    assert ways_on == ["Read more", "This server's own text"]
    panel = shown.response
    await town.bob.click(panel, custom_id="twofold-privacy:1:everywhere:train:1")
    assert await consent(town, town.bob) is Consent.TRAIN
    await town.bob.click(panel, custom_id="twofold-privacy:1:here:evaluate:1")
    assert await consent(town, town.bob) is Consent.EVALUATE
    text = texts((await town.bob.slash(town.hall, "privacy")).response)
    day = discord.utils.format_dt(clock(), "d")
    assert f"for this server: for statistics ({day}, version 1" in text
    assert f"for everywhere: for statistics and training ({day}, version 1" in text


async def test_what_is_said_for_everywhere_answers_for_where_one_was_only_asked(
    town: Town,
) -> None:
    await ask(town)
    (question,) = await press(town, town.bob)
    assert question
    panel = (await town.bob.slash(town.hall, "privacy")).response
    await town.bob.click(panel, custom_id="twofold-privacy:1:everywhere:evaluate:1")
    assert await consent(town, town.bob) is Consent.EVALUATE
    await setting(town, "consent_cap", "none")
    assert await consent(town, town.bob) is Consent.NONE


async def test_privacy_in_direct_messages_is_about_everywhere(town: Town) -> None:
    user = town.env.create_user("dora")
    shown = await user.slash("privacy")
    assert buttons(shown.response.message) == [ASKED[:3], ["Read more"]]
    assert "in direct messages" in texts(shown.response)


def marked(message: discord.Message) -> list[list[str]]:
    rows = [c.children for c in message.components if isinstance(c, discord.ActionRow)]
    return [[b.label for b in row if b.style is discord.ButtonStyle.success] for row in rows]


async def test_what_holds_is_marked_also_where_nothing_was_chosen(town: Town) -> None:
    panel = (await town.bob.slash(town.hall, "privacy")).response
    assert marked(panel.message) == [["Only run"], ["Only run"], []]
    await town.bob.click(panel, custom_id="twofold-privacy:1:everywhere:train:1")
    assert marked(panel.message) == [["Help training"], ["Help training"], []]


async def test_only_run_everywhere_takes_back_what_a_server_was_allowed(town: Town) -> None:
    panel = (await town.bob.slash(town.hall, "privacy")).response
    await town.bob.click(panel, custom_id="twofold-privacy:1:here:train:1")
    await town.bob.click(panel, custom_id="twofold-privacy:1:everywhere:none:1")
    assert "for everywhere, and for every server where you had allowed more: " in texts(panel)
    assert await consent(town, town.bob) is Consent.NONE


async def test_where_nothing_is_kept_there_is_nothing_to_choose(town: Town) -> None:
    await setting(town, "consent_cap", "none")
    panel = (await town.bob.slash(town.hall, "privacy")).response
    assert "keeps nothing longer, so there is nothing to choose" in texts(panel)
    assert buttons(panel.message) == [["Read more"]]


async def test_a_choice_in_direct_messages_says_that_it_holds_everywhere(town: Town) -> None:
    user = town.env.create_user("dave")
    dave = town.guild.add_member(user)
    await user.send_dm("hello in private")
    pressed = await user.click(town.mine(user.dm_channel)[-1], label="Tie")
    (question,) = pressed.followups
    assert "What you choose here holds for every server too, unless" in texts(question)
    thanks = (await user.click(question, label="Help training")).response
    assert "It holds for every server too, unless" in texts(thanks)
    assert await consent(town, dave) is Consent.TRAIN


async def test_an_open_battle_tells_its_people_nothing_that_sets_it_apart(
    town: Town, clock: Clock
) -> None:
    battle = await ask(town)
    await press(town, town.alice)
    store = town.services.store
    copy = await store.battles.create(
        source_message_id=1,
        guild_id=battle.guild_id,
        channel_id=battle.channel_id,
        author_id=battle.author_id,
        conversation=battle.conversation,
        purpose=Purpose.MIRROR,
        mirror_of_id=battle.id,
        at=clock(),
    )
    counts = await town.services.mydata.counts(town.alice.id)
    assert (counts["battles"], counts["turns"]) == (1, 1)
    telling = {"purpose", "mirror_of_id", "votes_before"}
    data = json.loads(await town.services.mydata.export(town.alice.id))
    assert not any(telling & row.keys() for row in (*data["battles"], *data["votes"]))
    await store.battles.close(battle.id, because=Closing.TIME, at=clock())
    data = json.loads(await town.services.mydata.export(town.alice.id))
    told = {row["id"]: telling & row.keys() for row in data["battles"]}
    assert told == {battle.id: {"purpose", "mirror_of_id"}, copy.id: set()}
    assert all("votes_before" in row for row in data["votes"])


async def test_a_battle_that_nobody_agreed_to_is_closed_revealed_and_then_wiped(
    town: Town, clock: Clock
) -> None:
    await setting(town, "closing_hours", 100)
    battle = await ask(town)
    await press(town, town.bob)
    clock.now += timedelta(hours=23)
    await town.env.advance_time(61)
    assert (await stored(town, battle)).state is BattleState.OPEN
    clock.now += timedelta(hours=2)
    await town.env.advance_time(61)
    wiped = await stored(town, battle)
    assert (wiped.closed_because, wiped.wiped_because) == (Closing.RETENTION, Wiped.RETENTION)
    assert "treasure" not in repr(wiped)
    told = texts(town.ballot())
    assert all(a.contender in told for a in battle.answers)
    assert all(a.shown in told for a in battle.answers), "Discord's copy is whole"
    (vote,) = await town.services.store.votes.for_battle(battle.id)
    assert vote.voter_id < 0
    more = texts((await town.bob.click(town.ballot(), label="⋯")).response)
    assert "not kept any more" in more
    assert "shown in full" not in more


async def test_a_battle_that_all_agreed_to_is_kept_until_one_takes_it_back(
    town: Town, clock: Clock
) -> None:
    battle = await ask(town)
    await town.services.consent.give(town.alice.id, town.guild.id, Consent.EVALUATE, version=1)
    clock.now += timedelta(hours=25)
    await town.env.advance_time(61)
    kept = await stored(town, battle)
    assert kept.state is BattleState.CLOSED
    assert kept.conversation == battle.conversation
    await town.services.consent.give(town.alice.id, town.guild.id, Consent.NONE, version=1)
    clock.now += EVERY
    await town.env.advance_time(61)
    assert (await stored(town, battle)).wiped_because is Wiped.RETENTION


async def test_a_deleted_prompt_takes_its_battle_with_it(town: Town) -> None:
    battle = await ask(town)
    await press(town, town.bob)
    await town.alice.delete(town.lounge.history()[0])
    gone = await stored(town, battle)
    assert (gone.state, gone.wiped_because) == (BattleState.CANCELLED, Wiped.DELETED)
    assert "treasure" not in repr(gone)
    assert texts(town.ballot()) == (
        "The message that was answered here was deleted, and both answers with it."
    )
    assert not buttons(town.ballot())


async def test_a_deleted_message_is_forgotten_where_it_was_context(town: Town) -> None:
    first = await ask(town)
    second = await ask(town, "is it under the oak?")
    await town.alice.delete(town.lounge.history()[0])
    assert (await stored(town, first)).state is BattleState.CANCELLED
    later = await stored(town, second)
    assert (later.state, later.wiped_because) == (BattleState.CLOSED, Wiped.DELETED)
    assert "treasure" not in repr(later)
    late = await town.bob.click(town.ballot(), label="Tie")
    assert not await town.services.store.votes.for_battle(second.id)
    assert "closed" in texts(late.response)
    await town.env.advance_time(61)
    told = texts(town.ballot())
    assert "not kept any" in told
    assert all(answer.contender in told for answer in second.answers)
    assert not any(answer.shown in told for answer in second.answers)


async def test_a_deleted_ballot_ends_its_battle(town: Town) -> None:
    battle = await ask(town)
    await town.ballot().delete()
    await town.env.settle()
    gone = await stored(town, battle)
    assert (gone.state, gone.wiped_because) == (BattleState.CANCELLED, Wiped.DELETED)
    assert "treasure" not in repr(gone)


async def test_the_text_that_was_shown_is_the_one_that_is_agreed_to(town: Town) -> None:
    await ask(town)
    pressed = await town.bob.click(town.ballot(), label="Tie")
    service = town.services.consent
    service.texts[2] = service.texts[1].model_copy(update={"text": "Quite another text."})
    service.latest = 2
    (question,) = pressed.followups
    assert "Version 1" in texts((await town.bob.click(question, label="Read more")).response)
    await town.bob.click(question, label="Help training")
    assert (await service.position(town.bob.id, town.guild.id)).here.version == 1
    panel = (await town.bob.slash(town.hall, "privacy")).response
    assert "which is not the latest" in texts(panel)
    await town.bob.click(panel, custom_id="twofold-privacy:1:here:train:2")
    assert (await service.position(town.bob.id, town.guild.id)).here.version == 2
    await town.bob.click(panel, custom_id="twofold-privacy:1:here:train:2")


async def test_an_edited_prompt_is_marked_and_nothing_else(town: Town, clock: Clock) -> None:
    battle = await ask(town)
    prompt = town.lounge.history()[0]
    before = texts(town.ballot())
    await town.alice.edit(prompt, "where is the gold?")
    marked = await stored(town, battle)
    assert marked.edited_at == clock()
    assert marked.conversation == battle.conversation
    assert texts(town.ballot()) == before
    clock.now += timedelta(hours=1)
    await town.alice.edit(prompt, "where is the silver?")
    assert (await stored(town, battle)).edited_at == marked.edited_at


async def test_members_see_and_get_what_is_stored_about_them(town: Town) -> None:
    nothing = await town.bob.slash(town.hall, "mydata show")
    assert texts(nothing.response) == "Nothing is stored about you."
    await ask(town)
    await press(town, town.alice)
    shown = await town.alice.slash(town.hall, "mydata show")
    assert shown.ephemeral
    for words in ("1 prompt that was answered", "1 vote", "in this server: 1 prompt"):
        assert words in texts(shown.response)
    given = await town.alice.slash(town.hall, "mydata export")
    assert given.ephemeral
    (file,) = given.response.message.attachments
    data = json.loads(await file.read())
    assert data["member"] == str(town.alice.id)
    assert data["battles"][0]["prompt"] == "where is the treasure?"
    assert [turn["text"] for turn in data["turns"]] == ["where is the treasure?"]
    assert len(data["votes"]) == len(data["vote_events"]) == len(data["members"]) == 1


async def test_a_member_is_erased_after_being_asked(town: Town) -> None:
    battle = await ask(town)
    await press(town, town.alice)
    await press(town, town.bob)
    sure = await town.alice.slash(town.hall, "mydata delete")
    assert sure.ephemeral
    assert (await town.services.mydata.counts(town.alice.id))["votes"] == 1
    await town.alice.click(sure.response, label="Delete all of it")
    told = texts(sure.response)
    assert told.startswith("**Deleted**")
    assert "1 prompt that was answered" in told
    assert not any((await town.services.mydata.counts(town.alice.id)).values())
    assert (await stored(town, battle)).wiped_because is Wiped.ERASED
    assert "deleted" in texts(town.ballot())
    (vote,) = await town.services.store.votes.for_battle(battle.id)
    assert vote.voter_id == town.bob.id


async def test_a_failing_question_does_not_fail_the_press(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    battle = await ask(town)

    async def refuses(*_: object, **__: object) -> bool:
        raise StorageError("The disk is full.")

    monkeypatch.setattr(town.services.store.members, "ask", refuses)
    result = await town.bob.click(town.ballot(), label="Tie")
    assert "base model" in texts(result.response)
    assert not result.followups
    assert len(await town.services.store.votes.for_battle(battle.id)) == 1


async def test_a_rush_is_asked_bit_by_bit(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(town.env.bot.get_cog("PrivacyCog"), "_asked_at", deque(maxlen=1))
    for name, value in (("BURST", 1), ("WINDOW", 60.0)):
        monkeypatch.setattr(sys.modules["cogs.privacy"], name, value)
    await ask(town)
    first = await town.bob.click(town.ballot(), label="Tie")
    second = await town.alice.click(town.ballot(), label="Tie")
    assert "base model" in texts(second.response)
    assert (len(first.followups), len(second.followups)) == (1, 0)
    assert not await town.services.store.members.was_asked(town.alice.id, town.guild.id)
    await town.env.advance_time(60)
    assert len(second.followups) == 1


async def test_a_large_file_is_packed(town: Town) -> None:
    turn = Turn(author_id=town.alice.id, name="alice", text="much " * 2_700_000)
    await town.services.store.battles.create(
        source_message_id=1,
        guild_id=town.guild.id,
        channel_id=town.lounge.id,
        author_id=town.alice.id,
        conversation=Conversation(turns=(turn,), bot_name="Twofold"),
        purpose=Purpose.LIVE,
        at=NOON,
    )
    given = await town.alice.slash(town.hall, "mydata export")
    (file,) = given.response.message.attachments
    assert file.filename.endswith(".json.gz")
    assert json.loads(gzip.decompress(await file.read()))["turns"][0]["text"] == turn.text
