"""VotingService: who may vote, casting and changing, and what the voter learns and adds.

A voter sees a battle's sides as they are stored, or swapped on a ballot that they got
alone; somebody may have both. So whoever asks says by `swapped` which ballot it goes with, and
names sides as they are there. `as_seen` goes from the one to the other; what is stored is
stored by answer.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypedDict, Unpack

from bot.eligibility import check_may_vote
from bot.errors import VoteRefused
from storage.records import BattleState, Choice, Kind, Outcome, Purpose, Reason, Side
from storage.votes import OwnWord

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from bot.governing import GuildService
    from bot.redaction import Redactor
    from bot.telemetry.instruments import Instruments
    from storage.battles import BattleStore
    from storage.records import Answer, Battle, Remark, Vote
    from storage.sightings import SightingStore
    from storage.votes import VoteStore

COMMENT_LIMIT = 300
"""Characters of a reason in the voter's own words."""

_UNKNOWN = "This ballot is not known here. Vote on a newer one."
_OLD = "This ballot is an old one. Type /rate for a new one."
_CLOSED = "This battle is closed and takes no votes any more."
_NO_VOTE = "You have no vote on this battle. Press a button under its answers first."
_CHANGED = "You have changed your vote since. Choose again."
_OVER = "This battle is over, and its votes stay as they are."
_WIPED = "The texts of this battle are not kept any more, and its votes stay as they are."
_EMPTY = "There was no text in it, so nothing was stored."
_LONG = f"A reason has {COMMENT_LIMIT} characters at the most. Shorten it and send it again."
_UNCHANGED = "That is the answer as it was, so nothing was stored."


@dataclass(frozen=True, slots=True, kw_only=True)
class Press:
    """A button pressed on a ballot: which, by whom, and where.

    `private` is whether the ballot was shown to this voter alone, in whatever channel, and
    `swapped` whether its sides are the other way round than stored.
    """

    battle_id: int
    choice: Choice
    voter_id: int
    voter_is_bot: bool
    guild_id: int | None
    channel_id: int
    account_created_at: datetime | None = None
    joined_at: datetime | None = None
    private: bool = False
    swapped: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnView:
    """A battle with the sides as on one member's ballot, and what they said and know of it.

    `right` of `guesses` of theirs found the base model so far, on all battles; both are
    counted once they are told.
    """

    battle: Battle
    swapped: bool
    told: bool
    vote: Vote | None = None
    remark: Remark | None = None
    right: int = 0
    guesses: int = 0

    @property
    def choice(self) -> Choice | None:
        """What was pressed."""
        if self.vote is None:
            return None
        if self.vote.outcome is not Outcome.WIN:
            return Choice(self.vote.outcome.value)
        won = next(a for a in self.battle.answers if a.id == self.vote.winner_answer_id)
        return Choice(won.side.value)

    @property
    def base(self) -> Answer | None:
        """The one answer of a base model; None where there are none or two."""
        bases = [a for a in self.battle.answers if a.kind is Kind.BASE]
        return bases[0] if len(bases) == 1 else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cast:
    """A vote on disk: what stands now, whether it replaced an earlier one, and how many stand.

    `own` has what was added to it once the voter is told. `unsaid` is whether a reason was
    given for the earlier one, which went with it, `enough` whether so many votes may
    close the battle.
    """

    own: OwnView
    changed: bool
    unsaid: bool
    votes: int
    enough: bool


class Page(TypedDict, total=False):
    """What a voter looks at: how the sides lie there, and the choice that it was made for.

    Without a choice, whatever was said there is about the vote that stands.
    """

    swapped: bool
    choice: Choice | None


class BattleClosed(VoteRefused):
    """The battle takes no votes any more; `own` is what this member may see of it."""

    def __init__(self, own: OwnView) -> None:
        super().__init__(_CLOSED)
        self.own = own


class VoteChanged(VoteRefused):
    """What was said is about another choice than the one that stands, which `own` has."""

    def __init__(self, own: OwnView) -> None:
        super().__init__(_CHANGED)
        self.own = own


class NothingWritten(VoteRefused):
    """What was handed in is empty, or what was there before."""


class VotingService:
    """Turns presses into votes, and keeps what is added to them.

    What is said on a page that was made for another choice than the one that stands is not
    stored: that raises VoteChanged.
    """

    def __init__(
        self,
        *,
        battles: BattleStore,
        votes: VoteStore,
        sightings: SightingStore,
        guilds: GuildService,
        redactor: Redactor,
        clock: Callable[[], datetime],
        instruments: Instruments,
    ) -> None:
        self._battles = battles
        self._votes = votes
        self._sightings = sightings
        self._guilds = guilds
        self._redactor = redactor
        self._clock = clock
        self._instruments = instruments

    async def cast(self, press: Press) -> Cast:
        """Store a press; when this returns, the vote is on disk.

        Raises BattleClosed, and VoteRefused where the battle is unknown, elsewhere or
        given up, the voter may not vote, or the ballot's sides are not those that they were
        shown last. A vote counts as blind while its voter has not been told the sides, of
        this battle or of one with the same answers. Where there is no base model to guess, they
        are told with their vote.
        """
        battle = await self._ballot(press)
        if battle.state is BattleState.CLOSED:
            raise await self._closed(battle, press)
        _check_kept(battle)
        if battle.state is not BattleState.OPEN:
            raise VoteRefused("This battle was given up and takes no votes any more.")
        settings = await self._guilds.settings(press.guild_id)
        check_may_vote(press, battle, settings, now=self._clock())
        outcome, winner = to_outcome(as_seen(battle, swapped=press.swapped), press.choice)
        with self._instruments.stage("cast"):
            cast = await self._votes.cast(
                battle_id=battle.id,
                voter_id=press.voter_id,
                outcome=outcome,
                winner_answer_id=winner,
                by_author=press.voter_id == battle.author_id,
                private=press.private,
                telling=not is_guessable(battle),
                at=self._clock(),
            )
        if cast is None:  # it ended meanwhile, and will not be open again
            return await self.cast(press)
        self._instruments.voted(outcome, changed=cast.changed)
        word = OwnWord(cast.vote)
        if cast.told:
            word = replace(await self._votes.word(battle.id, press.voter_id), vote=cast.vote)
        own = _view(battle, word, swapped=press.swapped)
        return Cast(
            own=own,
            changed=cast.changed,
            unsaid=cast.unsaid,
            votes=cast.votes,
            enough=battle.purpose is Purpose.MIRROR or cast.votes >= settings.closing_votes,
        )

    async def own(
        self,
        battle_id: int,
        voter_id: int,
        *,
        swapped: bool = False,
        choice: Choice | None = None,
    ) -> OwnView:
        """A member's own vote on a battle; raises VoteRefused where there is none."""
        battle, word = await self._voted(battle_id, voter_id)
        own = _view(battle, word, swapped=swapped)
        if choice not in {None, own.choice}:
            raise VoteChanged(own)
        return own

    async def guess(
        self, battle_id: int, voter_id: int, side: Side | None, **page: Unpack[Page]
    ) -> OwnView:
        """Store which side a voter takes for the base model's, and tell them.

        None is "not sure". Only a first guess counts, and only before they were told.
        Raises VoteRefused where there is no vote.
        """
        own = await self.own(battle_id, voter_id, **page)
        answer_id = None if side is None else own.battle.answer(side).id
        await self._votes.guess(battle_id, voter_id, answer_id, at=self._clock())
        return await self.own(battle_id, voter_id, swapped=own.swapped)

    async def open_to_remarks(self, battle_id: int, voter_id: int, **page: Unpack[Page]) -> OwnView:
        """As `own`; raises VoteRefused also where the texts are gone."""
        own = await self.own(battle_id, voter_id, **page)
        _check_kept(own.battle)
        return own

    async def explain(
        self, battle_id: int, voter_id: int, reason: Reason, **page: Unpack[Page]
    ) -> OwnView:
        """Add a reason to a vote.

        Raises VoteRefused where there is no vote or the texts are gone.
        """
        own = await self.open_to_remarks(battle_id, voter_id, **page)
        return await self._add(own, voter_id, reason=reason)

    async def comment(
        self, battle_id: int, voter_id: int, text: str, **page: Unpack[Page]
    ) -> OwnView:
        """Add a reason in the voter's own words, which go with one that was chosen already.

        Raises NothingWritten where there are none, VoteRefused where there are too many, and as
        `explain` does.
        """
        text = text.strip()
        if not text:
            raise NothingWritten(_EMPTY)
        if len(text) > COMMENT_LIMIT:
            raise VoteRefused(_LONG)
        own = await self.open_to_remarks(battle_id, voter_id, **page)
        reason = (own.remark and own.remark.reason) or Reason.OTHER
        kept = await self._fit_to_keep(text, own.battle)
        return await self._add(own, voter_id, reason=reason, comment=kept)

    async def improve(
        self,
        battle_id: int,
        voter_id: int,
        side: Side,
        text: str,
        *,
        was: str | None = None,
        **page: Unpack[Page],
    ) -> OwnView:
        """Store the answer on a side the way a voter would have it.

        `was` is what they were given to improve, if not what is shown. Raises NothingWritten
        where it is empty or as it was, VoteRefused where there is no vote or the texts are
        gone.
        """
        own = await self.open_to_remarks(battle_id, voter_id, **page)
        answer, text = own.battle.answer(side), text.strip()
        if not text:
            raise NothingWritten(_EMPTY)
        if text in {answer.shown.strip(), (was or "").strip()}:
            raise NothingWritten(_UNCHANGED)
        kept = await self._fit_to_keep(text, own.battle)
        return await self._add(own, voter_id, edited_answer_id=answer.id, edit=kept)

    async def undo(self, battle_id: int, voter_id: int, *, swapped: bool = False) -> OwnView:
        """Take a vote back with all that was added; raises VoteRefused where that cannot be."""
        own = await self.own(battle_id, voter_id, swapped=swapped)
        if not await self._votes.withdraw(battle_id, voter_id, at=self._clock()):
            await self.open_to_remarks(battle_id, voter_id)
            raise VoteRefused(_OVER)
        self._instruments.undone()
        return replace(own, vote=None, remark=None)

    async def readable(self, battle_id: int, member_id: int, *, swapped: bool = False) -> OwnView:
        """A battle that somebody voted on or got alone, for them to read whole.

        Raises VoteRefused where they did neither, or the texts are gone.
        """
        battle = await self._battles.get(battle_id)
        word = await self._votes.word(battle_id, member_id)
        seen = await self._sightings.get(battle_id, member_id)
        if battle is None or (word.vote is None and seen.shown_at is None):
            raise _no_vote(battle)
        _check_kept(battle)
        return _view(battle, word, swapped=swapped)

    async def opened_full_text(self, battle: Battle, member_id: int) -> None:
        """Note that a member has opened the full text of an answer, while that can matter."""
        if battle.state is BattleState.OPEN:
            await self._sightings.full_text(battle.id, member_id, at=self._clock())

    async def _ballot(self, press: Press) -> Battle:
        """The battle that was pressed on."""
        battle = await self._battles.get(press.battle_id)
        if battle is None or battle.guild_id != press.guild_id:
            raise VoteRefused(_UNKNOWN)
        if press.private and battle.state is BattleState.OPEN:
            seen = await self._sightings.get(battle.id, press.voter_id)
            # It is forgotten with all else of a member, who may then get it the other way round.
            if seen.shown_at is None or seen.swapped != press.swapped:
                raise VoteRefused(_OLD)
        if not press.private and battle.channel_id != press.channel_id:
            raise VoteRefused(_UNKNOWN)
        return battle

    async def _closed(self, battle: Battle, press: Press) -> BattleClosed:
        word = await self._votes.word(battle.id, press.voter_id)
        return BattleClosed(_view(battle, word, swapped=press.swapped))

    async def _voted(self, battle_id: int, voter_id: int) -> tuple[Battle, OwnWord]:
        battle = await self._battles.get(battle_id)
        word = await self._votes.word(battle_id, voter_id)
        if battle is None or word.vote is None:
            raise _no_vote(battle)
        return battle, word

    async def _fit_to_keep(self, text: str, battle: Battle) -> str:
        settings = await self._guilds.settings(battle.guild_id)
        return await self._redactor.text(text) if settings.redaction else text

    async def _add(self, own: OwnView, voter_id: int, **said: object) -> OwnView:
        """Store it, and look again; where vote or texts are others meanwhile, that refuses."""
        where = own.battle.id
        if await self._votes.remark(where, voter_id, at=self._clock(), of=own.vote, **said):
            return await self.own(where, voter_id, swapped=own.swapped)
        return await self.open_to_remarks(where, voter_id, swapped=own.swapped, choice=own.choice)


def is_guessable(battle: Battle) -> bool:
    """Whether voters are asked which answer is the base model's before they are told.

    Not where neither is. One model on both sides is asked about as well: as a check, it looks
    like any other battle.
    """
    first, second = battle.answers
    return first.contender == second.contender or Kind.BASE in {first.kind, second.kind}


def as_seen(battle: Battle, *, swapped: bool) -> Battle:
    """A battle with its answers on the sides where somebody sees them."""
    answers = (replace(a, side=turned(a.side, swapped=swapped)) for a in battle.answers)
    return replace(battle, answers=tuple(sorted(answers, key=lambda a: a.side)))


def turned(side: Side, *, swapped: bool) -> Side:
    """A stored side as somebody sees it, and one that they see as it is stored."""
    if not swapped:
        return side
    return Side.B if side is Side.A else Side.A


def to_outcome(battle: Battle, choice: Choice) -> tuple[Outcome, int | None]:
    """A choice by side as an outcome by answer: what is stored never names a side."""
    match choice:
        case Choice.A | Choice.B:
            return Outcome.WIN, battle.answer(Side(choice.value)).id
        case Choice.TIE:
            return Outcome.TIE, None
        case Choice.BOTH_BAD:
            return Outcome.BOTH_BAD, None


def _view(battle: Battle, word: OwnWord, *, swapped: bool) -> OwnView:
    return OwnView(
        battle=as_seen(battle, swapped=swapped),
        swapped=swapped,
        told=word.told,
        vote=word.vote,
        remark=word.remark,
        right=word.right,
        guesses=word.guesses,
    )


def _no_vote(battle: Battle | None) -> VoteRefused:
    """Where a battle is over, its votes may have become nobody's, and no other can be cast."""
    if battle is None or battle.state is BattleState.OPEN:
        return VoteRefused(_NO_VOTE)
    return VoteRefused(_OVER if battle.wiped_because is None else _WIPED)


def _check_kept(battle: Battle) -> None:
    if battle.wiped_because is not None:
        raise VoteRefused(_WIPED)
