"""The columns that say where a row comes from and how sure it is, in groups."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from bot.dataset.policy import Columns, Undecided
from storage.records import Outcome

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bot.dataset.formats import Making, Row, Spec
    from bot.dataset.select import Candidate, Counts, Verdict

WHICH: Mapping[str, Spec] = {"battle": "string"}

_OF_A_PAIR: Mapping[Columns, Mapping[str, Spec]] = {
    Columns.VOTES: {
        "votes_chosen": "int",
        "votes_rejected": "int",
        "votes_tie": "int",
        "votes_both_bad": "int",
        "votes_not_blind": "int",
    },
    Columns.MARGIN: {"margin": "float", "p_chosen": "float"},
    Columns.CONTENDERS: {
        "chosen_contender": "string",
        "rejected_contender": "string",
        "chosen_kind": "string",
        "rejected_kind": "string",
        "chosen_fingerprint": "string",
        "rejected_fingerprint": "string",
    },
    Columns.TAGS: {"chosen_tags": ["string"], "rejected_tags": ["string"]},
    Columns.WEIGHT: {"weight": "float"},
}

_OF_ONE: Mapping[Columns, Mapping[str, Spec]] = {
    Columns.CONTENDERS: {"contender": "string", "kind": "string", "fingerprint": "string"},
    Columns.TAGS: {"tags": ["string"]},
}


class Beside:
    """The columns that were asked for, in a fixed order."""

    def __init__(self, making: Making) -> None:
        self._pseudonyms = making.pseudonyms
        self._wanted = wanted = frozenset(making.policy.columns)
        self._votes, self._margin = Columns.VOTES in wanted, Columns.MARGIN in wanted
        self._contenders, self._tags = Columns.CONTENDERS in wanted, Columns.TAGS in wanted
        self._weight = Columns.WEIGHT in wanted
        self._soft = making.policy.ties is Undecided.SOFT

    def specs(self, *, pair: bool) -> dict[str, Spec]:
        """What the columns hold, in rows of two answers or in those of one."""
        specs = dict(WHICH)
        for group, columns in _OF_A_PAIR.items():
            if group in self._wanted:
                specs |= columns if pair else _OF_ONE.get(group, columns)
        return specs

    def of_pair(self, verdict: Verdict) -> Row:
        """The values in a row of two answers."""
        chosen, rejected = verdict.chosen, verdict.rejected
        row = self._of_both(verdict)
        if self._contenders:
            row["chosen_contender"] = chosen.contender
            row["rejected_contender"] = rejected.contender
            row["chosen_kind"] = chosen.kind
            row["rejected_kind"] = rejected.kind
            row["chosen_fingerprint"] = chosen.fingerprint
            row["rejected_fingerprint"] = rejected.fingerprint
        if self._tags:
            row["chosen_tags"] = chosen.tags
            row["rejected_tags"] = rejected.tags
        return self._weighed(row, verdict)

    def of_one(self, verdict: Verdict, candidate: Candidate) -> Row:
        """The values in a row of one answer."""
        row = self._of_both(verdict)
        if self._contenders:
            row["contender"] = candidate.contender
            row["kind"] = candidate.kind
            row["fingerprint"] = candidate.fingerprint
        if self._tags:
            row["tags"] = candidate.tags
        return self._weighed(row, verdict)

    def _of_both(self, verdict: Verdict) -> Row:
        row: Row = {"battle": self._pseudonyms.of("battle", verdict.battle.id)}
        counts = verdict.counts
        if self._votes:
            row["votes_chosen"] = counts.chosen
            row["votes_rejected"] = counts.rejected
            row["votes_tie"] = counts.tie
            row["votes_both_bad"] = counts.both_bad
            row["votes_not_blind"] = counts.not_blind
        if self._margin:
            row["margin"] = margin(verdict)
            row["p_chosen"] = p_chosen(verdict.said, soft=self._soft)
        return row

    def _weighed(self, row: Row, verdict: Verdict) -> Row:
        if self._weight:
            # In tenths: finer ones would tell which rows have a voter in common.
            row["weight"] = round(verdict.weight, 1)
        return row


def margin(verdict: Verdict) -> float:
    """By how much of what was counted the chosen answer leads: 2 against 1 is a third.

    0 where nobody won.
    """
    return _lead(verdict.said) if verdict.outcome is Outcome.WIN else 0.0


@lru_cache(maxsize=4096)
def _lead(said: Counts) -> float:
    n = said.chosen + said.rejected + said.tie + said.both_bad
    return round((said.chosen - said.rejected) / n, 4) if n else 0.0


@lru_cache(maxsize=4096)
def p_chosen(said: Counts, *, soft: bool) -> float:
    """How likely the next voter prefers the chosen answer.

    Laplace's rule of succession: one vote for each side is added, so that 2 against 1 is
    0.6. A vote for neither is half a vote for each where ties are `soft`.
    """
    tied = said.tie + said.both_bad if soft else 0
    n = said.chosen + said.rejected + tied
    return round((said.chosen + tied / 2 + 1) / (n + 2), 4)
