"""Which votes become preferences, and why the others do not."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from statistics import fmean
from typing import TYPE_CHECKING

from bot.answers import normalised
from bot.moderation import plain
from storage.records import BattleState, Outcome, Purpose

if TYPE_CHECKING:
    from collections.abc import Mapping

    from storage.records import Answer, Battle, VotedBattle


MENTION = re.compile(r"<(@[!&]?|#)[0-9]{1,20}>")
EMOJI = re.compile(r"<a?(:\w{1,32}:)[0-9]{1,20}>")
SNOWFLAKE = re.compile(r"(?<![0-9])(?<![0-9][.,])[0-9]{17,20}(?![0-9])")
"""A bare number that may be an id, as in links to messages. Not a long fraction's digits."""


class LeftOut(StrEnum):
    """Why a battle that was voted on is not in a preference dataset."""

    RETENTION = "wiped_after_retention"
    DELETED = "prompt_deleted"
    ERASED = "member_erased"
    EDITED = "prompt_edited"
    NO_CONSENT = "no_consent"
    NO_VOTE = "no_vote_of_who_agreed"
    WITHDRAWN = "votes_withdrawn"
    NOT_LIVE = "not_live"
    NOT_SHOWN = "failed_or_cancelled"
    HIDDEN = "answer_hidden"
    TIE = "tie"
    BOTH_BAD = "both_bad"
    SPLIT = "no_majority"
    SAME_TEXT = "same_text"
    CONTINUED = "continued"


@dataclass(frozen=True, slots=True, kw_only=True)
class Preference:
    """A battle that its voters decided: the better answer, the other, and the count.

    `weight` is the mean weight, from 0 to 1, of those who chose the better answer.
    """

    battle: Battle
    chosen: Answer
    rejected: Answer
    votes_chosen: int
    votes_rejected: int
    votes_tie: int
    votes_both_bad: int
    all_blind: bool
    weight: float


def judge(voted: VotedBattle, weights: Mapping[int, float]) -> Preference | LeftOut:
    """The preference in a battle's votes: the outcome that most of its voters gave.

    `weights` are those of voters by id; one that is not there weighs 1. There is no
    preference where that is a tie or both bad, where two outcomes share the lead, where
    an answer was hidden, where both say the same, or where the votes on the longer answers
    that went on from these count instead: rows would be near-duplicates else.
    """
    battle = voted.battle
    if reason := _does_not_count(voted):
        return reason
    counts = Counter((vote.outcome, vote.winner_answer_id) for vote in voted.votes)
    (leading, most), *others = counts.most_common(2)
    if others and others[0][1] == most:
        return LeftOut.SPLIT
    outcome, winner_id = leading
    if outcome is Outcome.TIE:
        return LeftOut.TIE
    if outcome is Outcome.BOTH_BAD:
        return LeftOut.BOTH_BAD
    chosen = next(answer for answer in battle.answers if answer.id == winner_id)
    rejected = next(answer for answer in battle.answers if answer.id != winner_id)
    if len({normalised(said(answer) or "") for answer in battle.answers}) == 1:
        return LeftOut.SAME_TEXT
    return Preference(
        battle=battle,
        chosen=chosen,
        rejected=rejected,
        votes_chosen=most,
        votes_rejected=counts[Outcome.WIN, rejected.id],
        votes_tie=counts[Outcome.TIE, None],
        votes_both_bad=counts[Outcome.BOTH_BAD, None],
        all_blind=all(vote.blind for vote in voted.votes),
        weight=fmean(
            weights.get(vote.voter_id, 1.0)
            for vote in voted.votes
            if vote.winner_answer_id == winner_id
        ),
    )


def _does_not_count(voted: VotedBattle) -> LeftOut | None:
    """Why a battle is no preference, whatever its votes say."""
    if voted.battle.purpose is not Purpose.LIVE:
        return LeftOut.NOT_LIVE
    if voted.battle.state not in {BattleState.OPEN, BattleState.CLOSED}:
        return LeftOut.NOT_SHOWN
    if any(said(answer) is None for answer in voted.battle.answers):
        return LeftOut.HIDDEN
    return LeftOut.CONTINUED if voted.continued else None


def without_ids(text: str) -> str:
    """The text as it may leave the database: without Discord's ids.

    Mentions name `someone`, custom emoji only themselves, and any bare number of 17 to 20
    digits becomes `[id]`: that a few long numbers go too is the price of the promise.
    """
    text = MENTION.sub(r"\1someone", text)
    return SNOWFLAKE.sub("[id]", EMOJI.sub(r"\1", text))


def said(answer: Answer) -> str | None:
    """What people saw of an answer, without ids and spoiler bars; None where it was hidden."""
    text = plain(answer)
    return None if text is None else without_ids(text)
