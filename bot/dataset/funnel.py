"""How many votes became how many rows, and why the others did not."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Any, Self


class LeftOut(StrEnum):
    """Why a battle that was voted on has no row, in the order in which it is asked."""

    RETENTION = "wiped_after_retention"
    DELETED = "prompt_deleted"
    ERASED = "member_erased"
    EDITED = "prompt_edited"
    NO_CONSENT = "no_consent"
    NO_VOTE = "no_vote_of_who_agreed"
    WITHDRAWN = "votes_withdrawn"
    NOT_LIVE = "not_live"
    NOT_SHOWN = "failed_or_cancelled"
    DATE = "outside_the_dates"
    CONTENDER = "contender_not_wanted"
    LEARNT = "learnt_from_already"
    TEMPLATE = "template_not_wanted"
    TAG = "tag_not_wanted"
    HIDDEN = "answer_hidden"
    NO_VOTE_LEFT = "no_vote_left"
    FEW_VOTES = "too_few_votes"
    SPLIT = "no_majority"
    NOT_UNANIMOUS = "not_unanimous"
    LITTLE_AGREEMENT = "too_little_agreement"
    TIE = "tie"
    BOTH_BAD = "both_bad"
    SAME_TEXT = "same_text"
    EMPTY = "empty_side"
    KIND = "chosen_kind_not_wanted"
    CUT = "chosen_cut_short"
    LENGTH = "lengths_too_different"
    NO_BASE_PROMPT = "no_base_prompt"
    NO_TEMPLATE = "template_not_there"
    CONTINUED = "continued"
    LEAK = "would_leak_between_splits"
    TOO_LONG = "too_long_for_the_model"


GONE = frozenset(list(LeftOut)[: list(LeftOut).index(LeftOut.NOT_LIVE)]) | {LeftOut.HIDDEN}
"""What takes back earlier rows. The other reasons are choices of one export."""


class VoteLeftOut(StrEnum):
    """Why a vote on a battle decided nothing there."""

    NO_CONSENT = "voter_has_not_agreed"
    NOT_BLIND = "not_blind"
    BY_AUTHOR = "by_the_author"
    UNDECIDED = "tie_or_both_bad"


@dataclass(slots=True)
class Counted:
    """Counts to which those of another process can be added."""

    def add(self, other: Self) -> None:
        """Take in what another process counted."""
        for one in fields(self):
            setattr(self, one.name, getattr(self, one.name) + getattr(other, one.name))


@dataclass(slots=True)
class Funnel(Counted):
    """Counts of one export: of votes and battles on its way in, of rows on its way out."""

    votes: int = 0
    battles: int = 0
    rows: int = 0
    votes_left_out: Counter[VoteLeftOut] = field(default_factory=Counter)
    left_out: Counter[LeftOut] = field(default_factory=Counter)

    def to_json(self) -> dict[str, Any]:
        """Every reason with its count, those that took nothing too."""
        return {
            "votes_left_out": {reason.value: self.votes_left_out[reason] for reason in VoteLeftOut},
            "left_out": {reason.value: self.left_out[reason] for reason in LeftOut},
        }


def plainly(reason: str) -> str:
    """A reason in words."""
    return reason.replace("_", " ")
