"""What follows a vote: guess, reveal, reasons, better texts, undoing; all in one message."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from bot.client import TwofoldClient
from bot.errors import VoteRefused
from storage.records import Closing, Reason, Side, Wiped
from tests.behaviour.conftest import BASE, INSTRUCT, Town, texts
from tests.behaviour.test_chat import TELLTALES, buttons

if TYPE_CHECKING:
    import simcord

    from storage.records import Battle, Remark
    from tests.behaviour.conftest import OpenTown

REVEALED = ["Why?", "Fix it", "Undo"]
CHANGED = "You have changed your vote since. Choose again."
GONE = "The texts of this battle are not kept any more, and its votes stay as they are."


async def asked(town: Town, text: str = "hello there") -> Battle:
    prompt = await town.alice.send(town.lounge, text)
    return await town.services.store.battles.by_source(prompt.id)


@pytest.fixture
async def battle(town: Town) -> Battle:
    return await asked(town)


async def voted(
    town: Town, member: simcord.MemberActor, label: str = "A is better"
) -> simcord.ResponseMessage:
    return (await member.click(town.ballot(), label=label)).response


async def told(
    town: Town, member: simcord.MemberActor, label: str = "A is better", guess: str = "Not sure"
) -> simcord.ResponseMessage:
    question = await voted(town, member, label)
    return (await member.click(question, label=guess)).response


def side_of(battle: Battle, contender: str) -> str:
    return next(a.side.upper() for a in battle.answers if a.contender == contender)


async def remark(town: Town, battle: Battle) -> Remark | None:
    return (await town.services.store.votes.word(battle.id, town.bob.id)).remark


async def test_the_question_tells_nothing_and_the_reveal_takes_its_place(
    town: Town, battle: Battle
) -> None:
    question = await voted(town, town.bob)
    assert buttons(question.message) == [["A", "B", "Not sure"]]
    assert not TELLTALES.search(texts(question).replace("the base model, the one", ""))
    reveal = (await town.bob.click(question, label="Not sure")).response
    assert reveal.id == question.id
    assert reveal.ephemeral
    assert buttons(reveal.message) == [REVEALED]
    for answer in battle.answers:
        (line,) = [row for row in texts(reveal).splitlines() if answer.contender in row]
        assert line.startswith(f"**{answer.side.upper()}** was the {answer.kind} model")


async def test_a_guess_is_told_right_or_wrong_with_the_voters_own_total(town: Town) -> None:
    said = []
    for contender in (BASE, INSTRUCT, BASE):
        battle = await asked(town, f"a question for {contender} {len(said)}")
        reveal = await told(town, town.bob, guess=side_of(battle, contender))
        said.append(next(row for row in texts(reveal).splitlines() if "guessed" in row))
    assert [row.split(": ")[1] for row in said] == [
        "right. So far, 1 of 1 right.",
        "wrong. So far, 1 of 2 right.",
        "right. So far, 2 of 3 right.",
    ]


async def test_a_vote_changed_before_the_reveal_is_blind_and_after_it_is_not(
    town: Town, battle: Battle
) -> None:
    votes = town.services.store.votes
    await voted(town, town.bob)
    question = await voted(town, town.bob, "Tie")
    assert [vote.blind for vote in await votes.for_battle(battle.id)] == [True]
    await town.bob.click(question, label="A")
    again = await voted(town, town.bob, "B is better")
    assert "You chose **B**. Your earlier vote is replaced." in texts(again)
    assert "You guessed **A**" in texts(again)
    assert buttons(again.message) == [REVEALED]
    assert [vote.blind for vote in await votes.for_battle(battle.id)] == [False]


@pytest.mark.parametrize(
    ("label", "choice", "asks", "reason"),
    [
        ("A is better", "a", "What was better about A?", "Funnier"),
        ("Tie", "tie", "What made it a tie?", "Equally funny"),
        ("Both bad", "both_bad", "What was bad about both?", "Not funny"),
    ],
)
async def test_a_reason_is_one_tap_and_can_be_changed(
    town: Town, battle: Battle, label: str, choice: str, asks: str, reason: str
) -> None:
    reveal = await told(town, town.bob, label)
    reasons = (await town.bob.click(reveal, label="Why?")).response
    assert reasons.id == reveal.id
    assert asks in texts(reasons)
    assert [len(row) for row in buttons(reasons.message)] == [5, 2]
    explained = (await town.bob.click(reasons, label=reason)).response
    assert f"Why: {reason.lower()}" in texts(explained)
    assert (await remark(town, battle)).reason is Reason.FUNNY
    reasons = (await town.bob.click(explained, label="Why?")).response
    back = (await town.bob.click(reasons, label="Back")).response
    assert texts(back) == texts(explained)
    reasons = (await town.bob.click(back, label="Why?")).response
    await town.bob.click(reasons, custom_id=f"twofold:1:reason:{battle.id}:shorter:ab:{choice}")
    assert (await remark(town, battle)).reason is Reason.SHORT


async def test_another_choice_takes_its_reason_along_and_says_so(
    town: Town, battle: Battle
) -> None:
    reasons = (await town.bob.click(await told(town, town.bob), label="Why?")).response
    await town.bob.click(reasons, label="Safer")
    changed = await voted(town, town.bob, "Tie")
    assert "Your earlier vote is replaced, its reason too." in texts(changed)
    assert "Why:" not in texts(changed)
    assert (await remark(town, battle)).reason is None


async def test_a_reason_in_ones_own_words(town: Town, battle: Battle) -> None:
    reasons = (await town.bob.click(await told(town, town.bob), label="Why?")).response
    form = await town.bob.click(reasons, label="In my words…")
    field = form.modal["components"][0]["component"]
    assert (field["max_length"], field.get("value", "")) == (300, "")
    said = await town.bob.submit_modal(form, {"text": "it *knows*\n@everyone"})
    assert "Why: “it \\*knows\\* @everyone”" in texts(said.response)
    assert said.response.id == reasons.id
    edits = [r.json for r in town.env.http_requests if r.path.endswith("/callback")]
    assert edits[-1]["data"]["allowed_mentions"]["parse"] == []
    stored = await remark(town, battle)
    assert (stored.reason, stored.comment) == (Reason.OTHER, "it *knows*\n@everyone")
    reasons = (await town.bob.click(said.response, label="Why?")).response
    form = await town.bob.click(reasons, label="In my words…")
    assert form.modal["components"][0]["component"]["value"] == "it *knows*\n@everyone"


async def test_fix_it_offers_the_better_answer_and_stores_what_becomes_of_it(
    town: Town, battle: Battle
) -> None:
    reveal = await told(town, town.bob, "B is better")
    form = await town.bob.click(reveal, label="Fix it")
    field = form.modal["components"][0]["component"]
    assert field["value"] == battle.answer(Side.B).shown
    fixed = await town.bob.submit_modal(form, {"text": "x" * 4000})
    assert fixed.response.id == reveal.id
    assert "Your text for **B** is stored." in texts(fixed.response)
    stored = await remark(town, battle)
    assert stored.edited_answer_id == battle.answer(Side.B).id
    assert stored.edit == "x" * 4000
    again = await town.bob.click(fixed.response, label="Fix it")
    assert again.modal["components"][0]["component"]["value"] == "x" * 4000


@pytest.mark.parametrize("label", ["Tie", "Both bad"])
async def test_without_a_winner_either_can_be_fixed(town: Town, battle: Battle, label: str) -> None:
    reveal = await told(town, town.bob, label)
    assert buttons(reveal.message) == [["Why?", "Fix A", "Fix B", "Undo"]]
    form = await town.bob.click(reveal, label="Fix A")
    fixed = await town.bob.submit_modal(form, {"text": "better"})
    other = await town.bob.click(fixed.response, label="Fix B")
    assert "takes the place of" in other.modal["components"][0]["description"]
    await town.bob.submit_modal(other, {"text": "best"})
    stored = await remark(town, battle)
    assert (stored.edited_answer_id, stored.edit) == (battle.answer(Side.B).id, "best")


@pytest.mark.parametrize("text", [None, "  \n "])
async def test_an_unchanged_or_empty_text_stores_nothing_and_is_told(
    town: Town, battle: Battle, text: str | None
) -> None:
    form = await town.bob.click(await told(town, town.bob), label="Fix it")
    text = battle.answer(Side.A).shown + "\n" if text is None else text
    refused = await town.bob.submit_modal(form, {"text": text})
    assert "so nothing was stored" in texts(refused.response)
    assert not refused.response.attachments
    assert await remark(town, battle) is None


async def test_a_reason_that_no_form_takes_is_not_stored(town: Town, battle: Battle) -> None:
    await told(town, town.bob)
    with pytest.raises(VoteRefused, match="300 characters at the most"):
        await town.services.voting.comment(battle.id, town.bob.id, "x" * 301)
    assert await remark(town, battle) is None


async def test_forms_can_be_handed_in_after_a_restart(town: Town, battle: Battle) -> None:
    reveal = await told(town, town.bob)
    fix = await town.bob.click(reveal, label="Fix it")
    why = await town.alice.click(
        (await town.alice.click(await told(town, town.alice), label="Why?")).response,
        label="In my words…",
    )
    await town.env.restart_bot(TwofoldClient(town.services))
    await town.alice.submit_modal(why, {"text": "it is warm"})
    fixed = await town.bob.submit_modal(fix, {"text": "better"})
    assert "Your text for **A** is stored." in texts(fixed.response)
    assert (await remark(town, battle)).edit == "better"
    stored = (await town.services.store.votes.word(battle.id, town.alice.id)).remark
    assert stored.comment == "it is warm"


async def test_what_could_not_be_stored_comes_back(
    town: Town, battle: Battle, monkeypatch: pytest.MonkeyPatch
) -> None:
    form = await town.bob.click(await told(town, town.bob), label="Fix it")
    await town.services.voting.undo(battle.id, town.bob.id)
    refused = await town.bob.submit_modal(form, {"text": "hours of work"})
    assert refused.ephemeral
    assert "no vote on this battle" in refused.response.content
    (file,) = refused.response.attachments
    assert await file.read() == b"hours of work"


async def test_undo_takes_the_vote_back_for_good(town: Town, battle: Battle) -> None:
    votes = town.services.store.votes
    reveal = await told(town, town.bob)
    undone = (await town.bob.click(reveal, label="Undo")).response
    assert undone.id == reveal.id
    assert "taken back" in texts(undone)
    assert buttons(undone.message) == []
    assert await votes.for_battle(battle.id) == ()
    again = await voted(town, town.bob)
    assert buttons(again.message) == [REVEALED]
    assert [vote.blind for vote in await votes.for_battle(battle.id)] == [False]


async def test_old_buttons_of_a_vote_that_was_taken_back_say_so(town: Town, battle: Battle) -> None:
    question = await voted(town, town.bob)
    await town.services.voting.undo(battle.id, town.bob.id)
    late = await town.bob.click(question, label="A")
    assert "no vote on this battle" in texts(late.response)
    assert BASE not in texts(late.response)


@pytest.mark.parametrize("path", ["Why?", "Fix it", "Why? Funnier", "Why? In my words…"])
async def test_what_is_added_to_an_earlier_choice_is_not_stored(
    town: Town, battle: Battle, path: str
) -> None:
    page = await told(town, town.bob)
    first, _, press = path.partition("? ")
    if press:
        page = (await town.bob.click(page, label=f"{first}?")).response
    await voted(town, town.bob, "B is better")
    await town.bob.click(page, label=press or path)
    assert texts(page).startswith(f"{CHANGED}\nYou chose **B**.")
    assert buttons(page.message) == [REVEALED]
    assert await remark(town, battle) is None
    form = await town.bob.click(page, label="Fix it")
    assert form.modal["components"][0]["component"]["value"] == battle.answer(Side.B).shown


async def test_a_guess_with_an_earlier_choice_is_asked_again(town: Town, battle: Battle) -> None:
    question = await voted(town, town.bob)
    await voted(town, town.bob, "B is better")
    await town.bob.click(question, label="A")
    assert texts(question).startswith(f"{CHANGED}\nYou chose **B**.")
    (vote,) = await town.services.store.votes.for_battle(battle.id)
    assert vote.guessed_at is None
    await town.bob.click(question, label="A")
    assert "You guessed **A**" in texts(question)


@pytest.mark.parametrize("field", ["Fix it", "In my words…"])
async def test_a_form_for_an_earlier_choice_gives_its_text_back(
    town: Town, battle: Battle, field: str
) -> None:
    page = await told(town, town.bob)
    if field != "Fix it":
        page = (await town.bob.click(page, label="Why?")).response
    form = await town.bob.click(page, label=field)
    await voted(town, town.bob, "Tie")
    late = await town.bob.submit_modal(form, {"text": "hours of work"})
    assert texts(page).startswith(f"{CHANGED}\nYou called it a **tie**.")
    (given_back,) = late.followups
    assert given_back.content.startswith(f"{CHANGED} Nothing was stored")
    assert await given_back.attachments[0].read() == b"hours of work"
    assert await remark(town, battle) is None


async def test_a_choice_made_anew_is_the_one_that_its_first_page_was_for(
    town: Town, battle: Battle
) -> None:
    reasons = (await town.bob.click(await told(town, town.bob), label="Why?")).response
    await voted(town, town.bob, "Tie")
    await voted(town, town.bob)
    await town.bob.click(reasons, label="Safer")
    assert (await remark(town, battle)).reason is Reason.SAFE


async def wiped(town: Town, battle: Battle, because: Wiped) -> None:
    if because is Wiped.DELETED:
        await town.alice.delete(town.lounge.history()[0])
    else:
        store = town.services.store
        await store.retention.wipe([battle.id], because, at=datetime.now(UTC))


@pytest.mark.parametrize("because", [Wiped.DELETED, Wiped.RETENTION])
async def test_once_the_texts_are_gone_every_press_says_so_and_votes_stay(
    town: Town, battle: Battle, because: Wiped
) -> None:
    alone = (await town.admin.slash(town.hall, "rate")).response
    question, reveal = await voted(town, town.bob), await told(town, town.alice)
    reasons = (await town.alice.click(await voted(town, town.alice), label="Why?")).response
    fix = await town.alice.click(reveal, label="Fix it")
    own_words = await town.alice.click(reasons, label="In my words…")
    votes = await town.services.store.votes.for_battle(battle.id)
    await wiped(town, battle, because)
    for page, label in ((reveal, "Why?"), (reveal, "Fix it"), (reveal, "Undo"), (reasons, "Safer")):
        assert texts((await town.alice.click(page, label=label)).response) == GONE
    for form in (fix, own_words):
        refused = await town.alice.submit_modal(form, {"text": "hours of work"})
        assert refused.response.content.startswith(GONE)
        assert await refused.response.attachments[0].read() == b"hours of work"
    assert await town.services.store.votes.for_battle(battle.id) == votes
    pressed = texts((await town.admin.click(alone, label="Tie")).response)
    answered = texts((await town.bob.click(question, label="A")).response)
    back = texts((await town.alice.click(reasons, label="Back")).response)
    for said in (pressed, answered, back):
        assert "texts" in said
        assert "not kept any more, and its votes stay as they are." in said
    assert "Press another button" not in answered + back
    assert len(await town.services.store.votes.for_battle(battle.id)) == len(votes)


async def test_who_has_no_vote_any_more_is_not_sent_to_a_battle_that_is_over(
    town: Town, battle: Battle
) -> None:
    question = await voted(town, town.bob)
    await town.services.voting.undo(battle.id, town.bob.id)
    at = datetime.now(UTC)
    await town.services.store.battles.close(battle.id, because=Closing.TIME, at=at)
    late = await town.bob.click(question, label="A")
    assert texts(late.response) == "This battle is over, and its votes stay as they are."


async def test_after_the_closing_the_guess_is_too_late_and_reasons_are_not(
    town: Town, battle: Battle
) -> None:
    question, reveal = await voted(town, town.bob), await told(town, town.alice)
    at = datetime.now(UTC)
    await town.services.store.battles.close(battle.id, because=Closing.TIME, at=at)
    late = (await town.bob.click(question, label="A")).response
    assert BASE in texts(late)
    assert "It closed before you guessed, so the guess does not count." in texts(late)
    assert "You guessed" not in texts(late)
    assert buttons(late.message) == [["Why?", "Fix it"]]
    refused = await town.alice.click(reveal, label="Undo")
    assert texts(refused.response) == "This battle is over, and its votes stay as they are."
    reasons = (await town.bob.click(late, label="Why?")).response
    await town.bob.click(reasons, label="Funnier")
    assert (await remark(town, battle)).reason is Reason.FUNNY


async def test_a_slow_database_changes_the_same_message(
    town: Town, battle: Battle, monkeypatch: pytest.MonkeyPatch
) -> None:
    question = await voted(town, town.bob)
    monkeypatch.setattr(sys.modules["cogs._responding"], "WORK_FIRST_SECONDS", 0.0)
    await town.bob.click(question, label="B")
    assert BASE in texts(question)


async def test_the_full_texts_are_offered_where_a_message_could_not_hold_them(
    open_town: OpenTown,
) -> None:
    words = "+".join(f"word-{number}" for number in range(400))
    async with open_town(base=f"scripted:text={words}", max_tokens=450) as town:
        battle = await asked(town)
        dots = await town.bob.click(town.ballot(), label="⋯")
        await town.bob.click(dots.response, label="Full text A")
        await voted(town, town.alice)
        reveal = await told(town, town.bob)
        votes = await town.services.store.votes.for_battle(battle.id)
        assert {vote.voter_id: vote.full_text for vote in votes} == {
            town.alice.id: False,
            town.bob.id: True,
        }
        assert buttons(reveal.message) == [REVEALED, ["Full text A", "Full text B"]]
        side = side_of(battle, BASE)
        full = await town.bob.click(reveal, label=f"Full text {side}")
        assert full.ephemeral
        assert full.response.id != reveal.id
        assert f"**{side}** in full" in texts(full.response)
        assert "word-399" in texts(full.response)


async def test_what_is_cut_on_the_ballot_is_fixed_whole(open_town: OpenTown) -> None:
    long = {"base": "scripted:tokens=500", "instruct": "scripted:tokens=480"}
    async with open_town(**long, max_tokens=1000) as town:
        battle = await asked(town)
        reveal = await told(town, town.bob)
        form = await town.bob.click(reveal, label="Fix it")
        offered = form.modal["components"][0]["component"]["value"]
        assert offered == town.services.battles.full_text(battle, Side.A)
        assert len(offered) > len(battle.answer(Side.A).shown)
        same = await town.bob.submit_modal(form, {"text": offered})
        assert "as it was" in texts(same.response)
        assert await remark(town, battle) is None
