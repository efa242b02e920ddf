"""Which votes become preferences, and why the others do not."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from statistics import fmean
from typing import TYPE_CHECKING

from bot.answers import normalised
from bot.dataset.anonymity import Anonymity
from bot.moderation import plain
from storage.records import BattleState, Outcome, Purpose

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from storage.records import Answer, Battle, VotedBattle


class LeftOut(StrEnum):
    """Why a battle that was voted on is not in a preference dataset."""

    RETENTION = "wiped_after_retention"
    DELETED = "prompt_deleted"
    ERASED = "member_erased"
    EDITED = "prompt_edited"
    NO_CONSENT = "no_consent"
    NO_VOTE = "no_vote_of_who_agreed"
    WITHDRAWN = "votes_withdrawn"
    NOT_BLIND = "no_blind_vote"
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
    """A battle that its voters decided blind: the better answer, the other, and the count.

    Its texts are as they may leave. `votes_not_blind` were given after the reveal and decided
    nothing. `weight` is the mean weight, from 0 to 1, of those who chose the better answer.
    """

    battle: Battle
    chosen: Answer
    rejected: Answer
    votes_chosen: int
    votes_rejected: int
    votes_tie: int
    votes_both_bad: int
    votes_not_blind: int
    weight: float


def judge(
    voted: VotedBattle, weights: Mapping[int, float], *, redact: Callable[[str], str] = str
) -> Preference | LeftOut:
    """The preference in a battle's blind votes: the outcome that most of their voters gave.

    `weights` are those of voters by id; one that is not there weighs 1. Texts go through
    `redact` where the guild wants that now, whatever it wanted when they were stored. There
    is no preference where that is a tie or both bad, where two outcomes share the lead,
    where an answer was hidden, or where both say the same.
    """
    battle = voted.battle
    if reason := _does_not_count(battle):
        return reason
    blind = [vote for vote in voted.votes if vote.blind]
    if not blind:
        return LeftOut.NOT_BLIND
    counts = Counter((vote.outcome, vote.winner_answer_id) for vote in blind)
    (leading, most), *others = counts.most_common(2)
    if others and others[0][1] == most:
        return LeftOut.SPLIT
    outcome, winner_id = leading
    if outcome is Outcome.TIE:
        return LeftOut.TIE
    if outcome is Outcome.BOTH_BAD:
        return LeftOut.BOTH_BAD
    redact = redact if voted.settings.get("redaction") else str
    leaving = Anonymity(battle.conversation, redact=redact).battle(battle)
    if len({normalised(answer.shown) for answer in leaving.answers}) == 1:
        return LeftOut.SAME_TEXT
    chosen = next(answer for answer in leaving.answers if answer.id == winner_id)
    rejected = next(answer for answer in leaving.answers if answer.id != winner_id)
    return Preference(
        battle=leaving,
        chosen=chosen,
        rejected=rejected,
        votes_chosen=most,
        votes_rejected=counts[Outcome.WIN, rejected.id],
        votes_tie=counts[Outcome.TIE, None],
        votes_both_bad=counts[Outcome.BOTH_BAD, None],
        votes_not_blind=len(voted.votes) - len(blind),
        weight=fmean(
            weights.get(vote.voter_id, 1.0) for vote in blind if vote.winner_answer_id == winner_id
        ),
    )


def _does_not_count(battle: Battle) -> LeftOut | None:
    """Why a battle is no preference, whatever its votes say."""
    if battle.purpose is not Purpose.LIVE:
        return LeftOut.NOT_LIVE
    if battle.state not in {BattleState.OPEN, BattleState.CLOSED}:
        return LeftOut.NOT_SHOWN
    if any(plain(answer) is None for answer in battle.answers):
        return LeftOut.HIDDEN
    return None
