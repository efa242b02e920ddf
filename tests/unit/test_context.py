"""What of a conversation two contenders are given."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from bot.contenders import ContenderConfig
from bot.context import NEUTRAL_NAME, NOBODY, PLACEHOLDER, ContextService, continuing_answer
from bot.engines.scripted import ScriptedEngine
from bot.errors import BattleError
from bot.prompting import Chat, library
from bot.redaction import Redactor
from bot.roster import Roster
from storage.records import Continuing, Kind, Outcome
from tests.unit.records import NOON, battle, bot_said, said, talk, vote

TEMPLATES = {**library({}), "chat": Chat(system="Be kind.")}
ROSTER = (
    ContenderConfig(slug="plain", kind=Kind.BASE, model="scripted:", max_tokens=20),
    ContenderConfig(slug="polite", kind=Kind.INSTRUCT, model="scripted:text=x", max_tokens=20),
)


class Narrow(ScriptedEngine):
    """A model that cannot read much."""

    room = 60


def contexts(tokens: int, *, roster: Roster | None = None, agreed=(), behind=()) -> ContextService:
    roster = roster or roster_with(ScriptedEngine)

    async def who_agreed(members, guild_id):
        assert guild_id == 5
        return set(members) & set(agreed)

    async def whom_answered(message_ids):
        return {number: people for number, people in behind if number in message_ids}

    return ContextService(
        roster=roster,
        templates=TEMPLATES,
        agreed=who_agreed,
        behind=whom_answered,
        redactor=Redactor(),
        tokens=tokens,
    )


def roster_with(instruct: type[ScriptedEngine]) -> Roster:
    engines = {ROSTER[0].engine: ScriptedEngine(), ROSTER[1].engine: instruct()}
    return Roster(ROSTER, engines=engines, clock=lambda: NOON, rng=random.Random(1))


def context(tokens: int, *, instruct: type[ScriptedEngine] = ScriptedEngine):
    roster = roster_with(instruct)
    service = contexts(tokens, roster=roster)

    async def freeze(*turns, template="transcript"):
        return await service.freeze(talk(*turns), roster.contenders, template=template)

    def longest(conversation, template="transcript"):
        prompts = [TEMPLATES[name].render(conversation).prompt for name in (template, "chat")]
        return max(ScriptedEngine().count(prompt) for prompt in prompts)

    return freeze, longest


LONG_TALK = [said(f"message {n} with a few words", by=n % 3, name="abc"[n % 3]) for n in range(60)]


@pytest.mark.parametrize("tokens", [40, 100, 101, 102, 250])
async def test_as_many_turns_are_kept_as_both_sides_can_read(tokens: int) -> None:
    freeze, longest = context(tokens)
    frozen = await freeze(*LONG_TALK)
    kept = len(frozen.turns)
    assert 1 <= kept < 60
    assert frozen.turns == tuple(LONG_TALK[-kept:])
    assert longest(frozen) <= tokens
    assert longest(talk(*LONG_TALK[-kept - 1 :])) > tokens


async def test_what_fits_is_kept_whole() -> None:
    freeze, _ = context(100_000)
    assert await freeze(*LONG_TALK) == talk(*LONG_TALK)


async def test_the_prompt_stays_however_long_it_is() -> None:
    freeze, _ = context(50)
    prompt = said("word " * 4000)
    assert (await freeze(*LONG_TALK, prompt)).turns == (prompt,)


async def test_a_model_that_reads_less_decides_for_both() -> None:
    wide, _ = context(200)
    narrow, _ = context(200, instruct=Narrow)
    frozen = await narrow(*LONG_TALK)
    assert len(frozen.turns) < len((await wide(*LONG_TALK)).turns)
    its_prompt = TEMPLATES["chat"].render(frozen).prompt
    assert Narrow().count(its_prompt) <= Narrow.room - ROSTER[1].max_tokens


async def test_a_templates_own_text_counts() -> None:
    freeze, _ = context(400)
    short = await freeze(*LONG_TALK, template="urial")
    assert len(short.turns) < len((await freeze(*LONG_TALK)).turns)


MIXED = (
    said("one", by=1),
    said("two", by=2, name="bob"),
    bot_said("three"),
    said("four", by=3, name="carol"),
    said("five", by=1),
)


async def test_nothing_is_left_of_others_who_have_not_agreed() -> None:
    service = contexts(1000, agreed={3})
    left = await service.without_others(talk(*MIXED), guild_id=5, asked_by=1)
    assert [turn.text for turn in left.turns] == ["one", PLACEHOLDER, "three", "four", "five"]
    omitted = left.turns[1]
    assert (omitted.author_id, omitted.name, omitted.message_id) == (NOBODY, NEUTRAL_NAME, None)
    assert await service.without_others(left, guild_id=5, asked_by=1) == left


async def test_what_the_bot_answered_others_goes_with_them() -> None:
    answered = [replace(bot_said(f"to {who}"), message_id=who) for who in (1, 2, 3)]
    service = contexts(1000, agreed={3}, behind=[(1, {1}), (2, {1, 2}), (3, {3})])
    left = await service.without_others(
        talk(*answered, said("and now?", by=1)), guild_id=5, asked_by=1
    )
    assert [(t.text, t.message_id) for t in left.turns] == [
        ("to 1", 1),
        (PLACEHOLDER, None),
        ("to 3", 3),
        ("and now?", None),
    ]
    assert left.turns[1].is_bot


async def test_who_asks_about_anothers_message_agrees_for_themselves_alone() -> None:
    with pytest.raises(BattleError, match="whoever wrote that message"):
        await contexts(1000).without_others(talk(*MIXED), guild_id=5, asked_by=2)
    agreed = contexts(1000, agreed={1})
    left = await agreed.without_others(talk(*MIXED), guild_id=5, asked_by=2)
    assert [turn.text for turn in left.turns] == ["one", "two", "three", PLACEHOLDER, "five"]


BASE_WINS = [vote(1, Outcome.WIN, 1)]
INSTRUCT_WINS = [vote(1, Outcome.WIN, 2)]


@pytest.mark.parametrize(
    ("votes", "policy", "winner"),
    [
        ([], Continuing.WINNER, 2),
        ([vote(1, Outcome.TIE)], Continuing.WINNER, 2),
        (BASE_WINS, Continuing.WINNER, 1),
        ([*BASE_WINS, vote(2, Outcome.WIN, 2)], Continuing.WINNER, 2),
        (BASE_WINS, Continuing.INSTRUCT, 2),
        ([], Continuing.INSTRUCT, 2),
        (INSTRUCT_WINS, Continuing.BASE, 1),
        ([], Continuing.BASE, 1),
    ],
)
@pytest.mark.parametrize("swapped", [False, True])
def test_which_answer_a_conversation_goes_on_from(votes, policy, winner, swapped) -> None:
    assert continuing_answer(battle(swapped=swapped), votes, policy).id == winner


@pytest.mark.parametrize(
    ("policy", "goes_on"),
    [(Continuing.WINNER, 2), (Continuing.INSTRUCT, 2), (Continuing.BASE, 1)],
)
@pytest.mark.parametrize("swapped", [False, True])
def test_without_a_base_model_the_tuned_one_is_the_rawer(policy, goes_on, swapped) -> None:
    both = battle(swapped=swapped)
    tuned = tuple(
        replace(one, kind=Kind.TUNED) if one.kind is Kind.BASE else one for one in both.answers
    )
    assert continuing_answer(replace(both, answers=tuned), [], policy).id == goes_on
