"""Which votes become preferences, and why the others do not."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from storage.records import BattleState, Outcome, Purpose

if TYPE_CHECKING:
    from storage.records import Answer, Battle, VotedBattle


MENTION = re.compile(r"<(@[!&]?|#)[0-9]{1,20}>")


class LeftOut(StrEnum):
    """Why a battle that was voted on is not in a preference dataset."""

    NOT_LIVE = "not_live"
    NOT_SHOWN = "failed_or_cancelled"
    TIE = "tie"
    BOTH_BAD = "both_bad"
    SPLIT = "no_majority"
    SAME_TEXT = "same_text"
    CONTINUED = "continued"


@dataclass(frozen=True, slots=True, kw_only=True)
class Preference:
    """A battle that its voters decided: the better answer, the other, and the count."""

    battle: Battle
    chosen: Answer
    rejected: Answer
    votes_chosen: int
    votes_rejected: int
    votes_tie: int
    votes_both_bad: int
    all_blind: bool


def judge(voted: VotedBattle) -> Preference | LeftOut:
    """The preference in a battle's votes: the outcome that most of its voters gave.

    There is none where that is a tie or both bad, where two outcomes share the
    lead, where both answers say the same, or where the votes on the longer answers
    that went on from these count instead: rows would be near-duplicates else.
    """
    battle = voted.battle
    if battle.purpose is not Purpose.LIVE:
        return LeftOut.NOT_LIVE
    if battle.state not in {BattleState.OPEN, BattleState.CLOSED}:
        return LeftOut.NOT_SHOWN
    if voted.continued:
        return LeftOut.CONTINUED
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
    if _normal(chosen.shown) == _normal(rejected.shown):
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
    )


def without_ids(text: str) -> str:
    """The text as it may leave the database: Discord's ids in mentions replaced."""
    return MENTION.sub(r"\1someone", text)


def _normal(text: str) -> str:
    return " ".join(without_ids(text).split()).casefold()
