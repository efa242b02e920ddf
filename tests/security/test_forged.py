"""Presses that Discord would not let through, with custom ids that somebody made up."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import simcord

from cogs._views import ABOUT_A_CHOICE, ACTIONS, ORIENTED, id_of
from storage.records import NOBODY, Choice, Closing
from tests.behaviour.conftest import BASE, INSTRUCT, Town, texts
from tests.unit.records import NOON

if TYPE_CHECKING:
    import discord

    from storage.records import Battle

SECRETS = (BASE, INSTRUCT, "base model:", "instruct model:")
REPLAYED = {"vote", "rate", "guess", "undo", "continue", "close"}
"""What changes a battle or a vote that is open."""


def forged(battle_id: int) -> list[str]:
    """Every id that a button of a battle may have, the first part of each."""
    ids = []
    for action, parts in ACTIONS.items():
        part = next((str(part) for part in parts), None)
        swapped = False if action in ORIENTED else None
        ids.append(id_of(action, battle_id, part, swapped=swapped))
        if action in ABOUT_A_CHOICE:
            ids.append(id_of(action, battle_id, part, swapped=True, choice=Choice.A))
    return ids


async def pressed(
    town: Town, member: simcord.MemberActor, message: discord.Message, custom_id: str
) -> str:
    """What comes of a press on a button whose id was exchanged, in full."""
    stored = town.env.backend.get_message(message.channel.id, message.id)
    button = _first_button(stored.components)
    before, button["custom_id"] = button["custom_id"], custom_id
    result = await member.click(message, custom_id=custom_id)
    button["custom_id"] = before
    assert not result.modal, custom_id
    return texts(result.response)


def _first_button(components: list[dict[str, object]]) -> dict[str, object]:
    for component in components:
        if "custom_id" in component:
            return component
        if found := _first_button(component.get("components", [])):
            return found
    return {}


async def asked(town: Town, text: str = "a private question") -> Battle:
    prompt = await town.alice.send(town.lounge, text)
    return await town.services.store.battles.by_source(prompt.id)


async def far_ballot(town: Town) -> tuple[simcord.MemberActor, discord.Message]:
    """Somebody in another server, with a ballot of their own."""
    other = town.env.create_guild("elsewhere")
    channel = other.create_text_channel("far")
    await town.services.guilds.set(other.id, "channels", [channel.id], by=NOBODY)
    mallory = other.add_member(town.env.create_user("mallory"))
    await mallory.send(channel, "hello")
    return mallory, town.ballot(channel)


async def unchanged(town: Town, battle: Battle) -> bool:
    """Whether nobody has voted, and it is as it was."""
    now = await town.services.store.battles.get(battle.id)
    return now == battle and not await town.services.store.votes.for_battle(battle.id)


async def test_a_battle_of_another_server_tells_nothing_and_takes_nothing(town: Town) -> None:
    battle = await asked(town)
    mallory, ballot = await far_ballot(town)
    while any(answer.shown in texts(ballot) for answer in battle.answers):
        # Scripted models may say the same to both, and then it could not be told whose it is.
        battle = await asked(town)
    shown = town.mine()
    for custom_id in forged(battle.id):
        # Her own ballot may stay as it is, and scripted models may say the same to both.
        told = (await pressed(town, mallory, ballot, custom_id)).replace(texts(ballot), "")
        assert not any(answer.shown in told for answer in battle.answers), custom_id
        assert not any(secret in told for secret in (*SECRETS, "a private question")), custom_id
    assert await unchanged(town, battle)
    assert len(town.mine()) == len(shown), "nothing was answered again there"


async def test_who_has_not_voted_gets_no_page_of_somebody_else(town: Town) -> None:
    battle = await asked(town)
    await town.bob.click(town.ballot(), label="A is better")
    before = await town.services.store.votes.for_battle(battle.id)
    for action in sorted(ORIENTED):
        (custom_id, *_) = (i for i in forged(battle.id) if f":{action}:" in i)
        told = await pressed(town, town.admin, town.ballot(), custom_id)
        assert not any(secret in told for secret in SECRETS), custom_id
    assert await town.services.store.votes.for_battle(battle.id) == before


async def test_who_has_voted_is_not_told_the_sides_before_the_guess(town: Town) -> None:
    """A page of later, asked for early, would let a vote be changed with the sides known."""
    battle = await asked(town)
    await town.bob.click(town.ballot(), label="A is better")
    for action in ("look", "why", "reason"):
        (custom_id, *_) = (i for i in forged(battle.id) if f":{action}:" in i)
        told = await pressed(town, town.bob, town.ballot(), custom_id)
        assert not any(secret in told for secret in SECRETS), custom_id


async def test_what_one_member_gets_never_takes_the_place_of_what_all_see(town: Town) -> None:
    """A page that tells the sides, asked for from the ballot in the channel."""
    battle = await asked(town)
    question = await town.bob.click(town.ballot(), label="A is better")
    await town.bob.click(question.response, label="Not sure")
    before = texts(town.ballot())
    for action in sorted(ORIENTED - {"fix", "undo"}):
        (custom_id, *_) = (i for i in forged(battle.id) if f":{action}:" in i)
        await pressed(town, town.bob, town.ballot(), custom_id)
        assert texts(town.ballot()) == before, custom_id


async def test_a_closed_battle_takes_nothing_more(town: Town) -> None:
    battle = await asked(town)
    ballot = town.ballot()
    await town.bob.click(ballot, label="A is better")
    votes = town.services.store.votes
    before = await votes.for_battle(battle.id)
    await town.services.store.battles.close(battle.id, because=Closing.TIME, at=NOON)
    for custom_id in forged(battle.id):
        if custom_id.split(":")[2] in REPLAYED:
            await pressed(town, town.bob, ballot, custom_id)
            await pressed(town, town.admin, ballot, custom_id)
    after = await votes.for_battle(battle.id)
    assert [(v.voter_id, v.winner_answer_id) for v in after] == [
        (v.voter_id, v.winner_answer_id) for v in before
    ]


ODD = (
    *("vote:999999999999999999:a", "vote:9999999999999999999:a", f"vote:{'1' * 80}:a"),
    *("vote:-1:a", "vote:1e3:a", "vote:\uff11:a", "vote:1:a:ab", "vote:1:a b", "vote:1:__class__"),
    *("look:1", "guess:1:a:ba:base", "full:0:a", "drop:1", "vote:1:a' OR 1=1", "", ":::"),
)


async def test_an_odd_id_is_answered_in_a_sentence(town: Town) -> None:
    battle = await asked(town)
    for custom_id in (*(f"twofold:1:{odd}" for odd in ODD), "twofold:2:vote:1:a", "twofold::"):
        told = await pressed(town, town.bob, town.ballot(), custom_id)
        assert told.endswith("."), custom_id
        assert "went wrong" not in told, custom_id
    assert await unchanged(town, battle)


async def test_a_channel_of_another_server_cannot_be_chosen(town: Town) -> None:
    """Else a server's digest, or its battles, could be sent where its managers may not be."""
    far = town.env.create_guild("elsewhere").create_text_channel("far")
    for key in ("channels", "digests"):
        shown = await town.admin.slash(town.lounge, "settings", setting=key)
        custom_id = f"twofold-settings:1:set:{key}"
        with suppress(simcord.SetupError):  # what a real client would not offer
            await town.admin.select(shown.response, [far.id], custom_id=custom_id)
        await town.services.guilds.set(town.guild.id, key, [far.id], by=town.admin.id)
        await town.admin.slash(town.lounge, "settings")
        settings = await town.services.guilds.settings(town.guild.id)
        assert far.id not in getattr(settings, key)
