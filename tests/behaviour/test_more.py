"""What the button with the three dots opens, in a simulated Discord."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bot.client import TwofoldClient
from storage.records import BattleState, FinishReason
from tests.behaviour.conftest import BASE, Town, texts
from tests.behaviour.test_chat import TELLTALES, buttons

if TYPE_CHECKING:
    import simcord

    from storage.records import Battle
    from tests.behaviour.conftest import OpenTown

WORDS = "+".join(f"word-{number}" for number in range(400))
LONG = f"scripted:text=I+am+Claude.+{WORDS}"
SHORT = "scripted:text=Short+and+whole."


async def asked(town: Town, text: str = "hello there") -> Battle:
    prompt = await town.alice.send(town.lounge, text)
    return await town.services.store.battles.by_source(prompt.id)


async def newest(town: Town) -> Battle:
    return (await town.services.store.battles.by_shown_many([town.ballot().id])).popitem()[1]


async def dots(member: simcord.MemberActor, town: Town) -> simcord.ResponseMessage:
    result = await member.click(town.ballot(), label="⋯")
    assert result.ephemeral
    return result.response


async def test_where_nothing_was_cut_it_says_so(town: Town) -> None:
    await asked(town)
    told = await dots(town.bob, town)
    assert "Both answers are shown in full." in texts(told)
    assert buttons(told.message) == []


async def test_the_author_may_ask_again_and_others_see_no_such_button(town: Town) -> None:
    await asked(town)
    assert buttons((await dots(town.alice, town)).message) == [["Again", "Close and reveal"]]
    assert buttons((await dots(town.bob, town)).message) == []


@pytest.mark.parametrize("side", ["A", "B"])
async def test_a_full_text_is_masked_and_for_the_presser_alone(
    open_town: OpenTown, side: str
) -> None:
    other = LONG.replace("word-", "words-")
    async with open_town(base=LONG, instruct=other, max_tokens=450) as town:
        battle = await asked(town)
        opened = await dots(town.bob, town)
        assert buttons(opened.message) == [["Full text A", "Full text B"]]
        full = await town.bob.click(opened.message, label=f"Full text {side}")
        assert full.ephemeral
        told = texts(full.response)
        assert "-399" in told
        assert "-399" not in texts(town.ballot())
        assert "I am ▒▒▒" in told
        assert not TELLTALES.search(told)
        assert not await town.services.store.votes.for_battle(battle.id)


async def test_a_very_long_text_comes_as_a_file(open_town: OpenTown) -> None:
    words = "+".join(f"word-{number}" for number in range(900))
    async with open_town(base=f"scripted:text={words}", max_tokens=900) as town:
        battle = await asked(town)
        (side,) = [a.side for a in battle.answers if a.contender == BASE]
        opened = await dots(town.bob, town)
        full = await town.bob.click(opened.message, label=f"Full text {side.upper()}")
        (file,) = full.response.message.attachments
        assert file.filename == f"battle-{battle.id}-{side}.txt"
        content = (await file.read()).decode()
        assert content.startswith("word-0 ")
        assert content.endswith("word-899")


async def test_again_is_a_new_battle_for_the_same_prompt(town: Town) -> None:
    first = await asked(town)
    opened = await dots(town.alice, town)
    done = await town.alice.click(opened.message, label="Again")
    second = await newest(town)
    assert second.id != first.id
    assert second.parent_id is None
    assert second.conversation == first.conversation
    assert town.ballot().reference.message_id == first.source_message_id
    assert "Here are both answers." in texts(done.response)
    vote = await town.alice.click(town.ballot(), label="Tie")
    assert "Your vote is stored" in texts(vote.response)


@pytest.mark.parametrize("action", ["again", "continue"])
async def test_a_press_of_somebody_else_is_refused(town: Town, action: str) -> None:
    await asked(town)
    _rename(town, "more", action)
    refused = await town.bob.click(town.ballot(), label="⋯")
    assert "Only the one who asked" in texts(refused.followups[0])
    assert len(town.mine()) == 1


CUT = {"base": f"scripted:text={WORDS}", "instruct": SHORT}


async def test_continue_goes_on_where_an_answer_was_cut_short(open_town: OpenTown) -> None:
    async with open_town(**CUT, max_tokens=40) as town:
        first = await asked(town)
        opened = await dots(town.alice, town)
        assert buttons(opened.message) == [["Again", "Continue", "Close and reveal"]]
        await town.alice.click(opened.message, label="Continue")
        second = await newest(town)
        assert second.parent_id == first.id
        assert f"goes on from #{first.id}" in texts(town.ballot())
        for earlier, later in zip(first.answers, second.answers, strict=True):
            assert (earlier.side, earlier.contender) == (later.side, later.contender)
            if earlier.finish_reason is FinishReason.STOP:
                assert (later.raw, later.shown) == (earlier.raw, earlier.shown)
            else:
                assert later.raw.startswith(earlier.raw)
                assert later.raw.split() == [f"word-{number}" for number in range(80)]
                assert later.completion_tokens == 80


async def test_who_was_told_the_sides_is_not_blind_where_the_answers_go_on(
    open_town: OpenTown,
) -> None:
    async with open_town(**CUT, max_tokens=40) as town:
        await asked(town)
        asked_back = await town.bob.click(town.ballot(), label="Tie")
        await town.bob.click(asked_back.response, label="Not sure")
        opened = await dots(town.alice, town)
        await town.alice.click(opened.message, label="Continue")
        second = await newest(town)
        for member in (town.alice, town.bob):
            await member.click(town.ballot(), label="A is better")
        votes = await town.services.store.votes.for_battle(second.id)
        assert {vote.voter_id: vote.blind for vote in votes} == {
            town.alice.id: True,
            town.bob.id: False,
        }


async def test_where_nothing_was_cut_short_there_is_nothing_to_continue(town: Town) -> None:
    await asked(town)
    _rename(town, "more", "continue")
    refused = await town.alice.click(town.ballot(), label="⋯")
    assert "there is nothing to continue" in texts(refused.followups[0])


async def test_a_model_that_is_gone_cannot_go_on(open_town: OpenTown) -> None:
    async with open_town(**CUT, max_tokens=40) as town:
        await asked(town)
        roster = town.services.roster
        town.services.roster.contenders = tuple(c for c in roster.contenders if c.slug != BASE)
        opened = await dots(town.alice, town)
        refused = await town.alice.click(opened.message, label="Continue")
        assert "not here any more" in texts(refused.followups[0])
        assert len(town.mine()) == 1


async def test_again_after_the_prompt_was_deleted_says_so(town: Town) -> None:
    await asked(town)
    opened = await dots(town.alice, town)
    await town.alice.delete(town.lounge.history()[0])
    told = await town.alice.click(opened.message, label="Again")
    assert "deleted" in texts(told.followups[0])
    assert len(town.mine()) == 1


async def test_a_prompt_deleted_while_it_is_answered_again_cancels_that(
    open_town: OpenTown,
) -> None:
    async with open_town(base="scripted:fail=0") as town:
        await asked(town)
        opened = await dots(town.alice, town)
        engine = town.services.roster.engine(town.services.roster.contenders[0])
        engine._script = type(engine._script)(delay=60)
        await town.alice.click(opened.message, label="Again")
        await town.alice.delete(town.lounge.history()[0])
        assert len(town.mine()) == 1
        assert [b.state for b in await _all(town)] == [BattleState.CANCELLED] * 2


async def test_the_buttons_work_after_a_restart_and_when_an_hour_has_passed(town: Town) -> None:
    await asked(town)
    await dots(town.alice, town)
    await town.wait(hours=1)
    assert "shown in full" in texts(await dots(town.alice, town))
    await town.env.restart_bot(TwofoldClient(town.services))
    assert "shown in full" in texts(await dots(town.alice, town))
    vote = await town.alice.click(town.ballot(), label="A is better")
    assert "You chose **A**" in texts(vote.response)


async def test_a_button_of_another_version_is_told(town: Town) -> None:
    await asked(town)
    _rename(town, "twofold:1", "twofold:99")
    told = await town.bob.click(town.ballot(), label="A is better")
    assert told.ephemeral
    assert "from another version of me" in texts(told.response)


def _rename(town: Town, old: str, new: str) -> None:
    """Change what the ids of the ballot's buttons say, in the stored message itself."""
    stored = town.env.backend.get_message(town.lounge.id, town.ballot().id)
    for row in stored.components:
        for button in row.get("components", []):
            if "custom_id" in button:
                button["custom_id"] = button["custom_id"].replace(old, new)


async def _all(town: Town) -> list[Battle]:
    found = [await town.services.store.battles.get(number) for number in range(1, 5)]
    return [battle for battle in found if battle is not None]
