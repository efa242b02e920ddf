"""What models write, from the completion to the message: always something that Discord takes."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from hypothesis import given
from hypothesis import strategies as st

from bot import answers
from bot.answers import SHOWN_LIMIT, finish, utf16_length, visible
from bot.closing import result_of
from bot.growth import Growth
from bot.guilds import Moderation
from bot.insight.topics import TOPICS, topic_of
from bot.languages import Languages
from bot.leaks import mask
from bot.moderation import HIDDEN, WordModerator, concealed, plain
from bot.prompting import Chat, Frame, Framed, library
from bot.rating import Dealt, Order
from bot.redaction import Redactor
from bot.voting import OwnView
from cogs._choices import ID as PRIVACY_ID
from cogs._render import battles as battle_views
from cogs._render import votes as vote_views
from cogs._render.settings import KNOWN
from cogs._views import id_of, meant
from storage.records import (
    BattleState,
    Choice,
    Closing,
    Consent,
    FinishReason,
    Outcome,
    Purpose,
    Reason,
    Remark,
    Side,
)
from tests.fuzz.cases import fuzzed
from tests.fuzz.texts import completions, said, snowflakes
from tests.unit.hostile import conversations, names
from tests.unit.records import NOON, battle, vote
from tests.wire.components import spoken
from tests.wire.errors import ApiError
from tests.wire.validate import check_message
from tests.wire.world import COMPONENTS_V2

if TYPE_CHECKING:
    from discord.ui import LayoutView

    from storage.records import Answer, Battle, Conversation

SLUGS = ("zz-first-of-two", "zz-second-of-two")
TEMPLATES = library({})
REDACTOR = Redactor()
LANGUAGES = Languages()

reasons = st.sampled_from(FinishReason)


def shows(view: LayoutView) -> str:
    """What a view says; fails where Discord would not take it."""
    body = {"components": view.to_components(), "flags": COMPONENTS_V2}
    try:
        check_message(body, {})
    except ApiError as error:
        raise AssertionError(*map(str, error.flaws)) from None
    return spoken(body)


@st.composite
def battles(draw: st.DrawFn) -> Battle:
    """A battle in some state, with answers that were finished from arbitrary completions."""
    conversation = draw(conversations)
    made = battle(
        id=draw(snowflakes),
        swapped=draw(st.booleans()),
        state=draw(st.sampled_from([BattleState.OPEN, BattleState.CLOSED])),
        purpose=draw(st.sampled_from(Purpose)),
        conversation=conversation,
    )
    how = draw(st.sampled_from([None, Moderation.SPOILER, Moderation.HIDE]))
    heard = " ".join(turn.text for turn in conversation.turns)
    return replace(
        made,
        answers=tuple(
            _answered(draw, answer, heard, how, slug)
            for answer, slug in zip(made.answers, SLUGS, strict=True)
        ),
        guild_id=draw(st.none() | snowflakes),
        channel_id=draw(snowflakes),
        shown_message_id=draw(st.none() | snowflakes),
        parent_id=draw(st.none() | snowflakes),
        opened_at=NOON,
        closed_at=NOON,
        closed_because=draw(st.sampled_from(Closing)),
    )


def _answered(
    draw: st.DrawFn, answer: Answer, heard: str, how: Moderation | None, slug: str
) -> Answer:
    raw = draw(completions)
    reason = draw(reasons)
    tidied = finish(
        raw,
        finish_reason=reason,
        ran_on=draw(st.booleans()),
        heard=heard,
        speakers=draw(st.lists(names, max_size=3)),
    )
    assert utf16_length(tidied.shown) <= SHOWN_LIMIT
    assert not tidied.shown or visible(tidied.shown)
    made = replace(
        answer,
        contender=slug,
        raw=raw,
        # A side without a visible text is drawn again, and never shown.
        shown=tidied.shown or "…",
        tags=tidied.tags,
        finish_reason=reason,
    )
    return concealed(made, ["words"], whole=made.shown, how=how) if how else made


@fuzzed("answers")
@given(battles(), st.booleans(), st.sampled_from(Choice), st.text(max_size=300), st.data())
def test_any_completion_becomes_messages_that_discord_takes(
    of: Battle, swapped: bool, choice: Choice, comment: str, data: st.DataObject
) -> None:
    prompt = of.conversation.prompt
    for asked in (None, prompt):
        unrevealed = shows(battle_views.ballot(of, asked=asked))
        shows(battle_views.shown(result_of(of), asked=asked))
        shows(battle_views.closed(result_of(of), asked=asked))
        assert not [slug for slug in SLUGS if slug in unrevealed]
    dealt = Dealt(of, swapped)
    assert not [
        slug for slug in SLUGS if slug in shows(battle_views.rate(dealt, order=Order.SPLIT))
    ]
    shows(battle_views.more(of, by_author=data.draw(st.booleans())))
    shows(battle_views.recalled(result_of(of)))
    _check_own(of, swapped, choice, comment, data)
    for answer in of.answers:
        text = plain(answer)
        assert (text is None) == (answer.shown == HIDDEN)
        told = battle_views.full_text(
            of,
            answer.side,
            answers.finish(
                answer.raw, finish_reason=answer.finish_reason, ran_on=False, limit=200_000
            ).shown
            or "…",
        )
        if told.view:
            shows(told.view)
        else:
            assert told.file is not None


def _check_own(
    of: Battle, swapped: bool, choice: Choice, comment: str, data: st.DataObject
) -> None:
    """The message that a voter gets, told or not, with whatever they added."""
    winner = next((a.id for a in of.answers if a.side.value == choice.value), None)
    cast = vote(7, Outcome.WIN if winner else Outcome(choice.value), winner)
    guess = data.draw(st.sampled_from([*[a.id for a in of.answers], None]))
    remark = Remark(
        battle_id=of.id,
        voter_id=7,
        at=NOON,
        reason=data.draw(st.none() | st.sampled_from(Reason)),
        comment=comment or None,
        edited_answer_id=data.draw(st.none() | st.sampled_from([a.id for a in of.answers])),
        edit=comment or None,
    )
    asked = OwnView(battle=of, swapped=swapped, told=False, vote=cast)
    question = shows(vote_views.page(asked))
    assert not [slug for slug in SLUGS if slug in question]
    guessed = replace(cast, guessed_at=NOON, guessed_base_answer_id=guess)
    told = replace(asked, told=True, vote=guessed, remark=remark, guesses=1, right=1)
    for view in (vote_views.page, vote_views.reasons, vote_views.guessed, vote_views.closed):
        shows(view(told))
    shows(vote_views.undone(told))


@fuzzed("growing")
@given(conversations, st.lists(st.tuples(st.sampled_from(Side), completions), max_size=10))
def test_answers_that_grow_never_tell_more_of_one(
    of: Conversation, pieces: list[tuple[Side, str]]
) -> None:
    growth = Growth(heard=of.prompt.text, changed=lambda _: None)
    template = TEMPLATES["transcript"]
    parses = {Side.A: template.parse, Side.B: Chat(system="").parse}
    take = {side: growth.begin(side, parse) for side, parse in parses.items()}
    before: dict[Side, str] = {}
    for side, piece in pieces:
        take[side](piece)
        texts = growth.texts()
        if texts is None:
            continue
        shows(battle_views.growing(texts, asked=of.prompt))
        lengths = {len(text.removesuffix(f"\n{answers.FENCE}")) for text in texts.values()}
        assert len(lengths) == 1 or any(answers.FENCE in text for text in texts.values())
        assert texts != before
        before = texts


@fuzzed("tidying")
@given(completions, said, reasons, st.booleans(), st.lists(names, max_size=3))
def test_any_text_is_tidied_masked_judged_and_told_apart(
    text: str, heard: str, reason: FinishReason, ran_on: bool, speakers: list[str]
) -> None:
    made = finish(text, finish_reason=reason, ran_on=ran_on, heard=heard, speakers=speakers)
    assert utf16_length(made.shown) <= SHOWN_LIMIT
    assert made.shown.count("```") % 2 == 0
    again, leaks = mask(made.shown, heard=heard)
    assert not leaks or again != made.shown
    assert topic_of(text) in {None, *TOPICS}
    moderator = WordModerator([heard, "words"])
    asyncio.run(moderator.judge([text, made.shown]))


@fuzzed("languages")
@given(completions, conversations)
def test_any_text_has_a_language_or_none(text: str, of: Conversation) -> None:
    LANGUAGES.sure(text)
    asyncio.run(LANGUAGES.unlike(text, of))


@fuzzed("redaction")
@given(completions)
def test_what_was_redacted_is_not_found_again(text: str) -> None:
    once = REDACTOR.redact(text)
    assert REDACTOR.redact(once) == once


frames = st.builds(
    Frame,
    help=st.just("x"),
    preamble=st.text(max_size=20),
    person=said.map(lambda text: f"{text[:20]}{{name}}: {{text}}"),
    bot=st.just("") | said.map(lambda text: f"{text[:20]}{{text}}"),
    cue=said.map(lambda text: f"{text[:20]}:"),
    stops=st.lists(st.text(min_size=1, max_size=5), max_size=3).map(tuple),
    quote=st.sampled_from(["", '"', "«"]),
)
templates = st.one_of(
    st.sampled_from(list(TEMPLATES.values())),
    st.just(Chat(system="be brief")),
    st.builds(Framed, st.just("own"), frames),
)


@fuzzed("templates")
@given(templates, conversations, completions)
def test_any_conversation_is_written_and_any_completion_read(
    template: Any, of: Conversation, completion: str
) -> None:
    rendering = template.render(of)
    assert all(rendering.stops)
    parsed = template.parse(completion)
    assert len(parsed.text) <= len(completion) or template.name == "own"
    assert template.render(of) == rendering


look_alikes = st.one_of(
    st.from_regex(r"\Atwofold:[0-9]:[a-z]{1,9}:[0-9]{1,20}(:[a-z_]{1,9}){0,4}\Z"),
    st.builds(
        ":".join,
        st.lists(
            st.sampled_from(
                ["twofold", "1", "2", "vote", "rate", "guess", "fix", "a", "b", "tie", "ab", "ba"]
            )
            | st.text(max_size=5),
            max_size=7,
        ),
    ),
    st.from_regex(r"\Atwofold-(privacy|settings):1:[a-z]{1,9}(:[a-z_0-9]{1,9}){0,3}\Z"),
    st.text(max_size=100),
)


@fuzzed("custom ids")
@given(look_alikes, st.data())
def test_an_id_is_read_as_it_was_written_or_not_at_all(custom_id: str, data: st.DataObject) -> None:
    if known := meant(custom_id):
        action, number, part, swapped, choice = known
        again = id_of(action, number, part, swapped=swapped, choice=choice)
        assert meant(again) == known
        assert len(again) <= 100
    if (privacy := PRIVACY_ID.fullmatch(custom_id)) and privacy["scope"]:
        assert privacy["scope"] in set(Consent)
    KNOWN.fullmatch(custom_id)
