"""Which votes become preferences, and why the others do not."""

from __future__ import annotations

import hashlib
from collections import Counter
from statistics import fmean
from typing import TYPE_CHECKING, NamedTuple

from bot.answers import CUT_SHORT, TRUNCATED, normalised
from bot.dataset.anonymity import anonymity_of
from bot.dataset.funnel import LeftOut, VoteLeftOut
from bot.dataset.policy import Deciding, Edits, Text, Undecided, Votes
from bot.moderation import plain
from storage.records import BattleState, Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from bot.dataset.anonymity import Anonymity
    from bot.dataset.policy import Policy
    from storage.records import Cast, VotedAnswer, VotedBattle

_ENDED_WELL = frozenset({BattleState.OPEN, BattleState.CLOSED})

EDIT = "edit"
"""In the place of a contender and its kind: a member wrote this text."""


class Candidate(NamedTuple):
    """A text that voters compared, as it may leave, and whose it is.

    `answer` is None for what a member wrote in an answer's place.
    """

    text: str
    contender: str
    kind: str
    fingerprint: str
    tags: tuple[str, ...]
    answer: VotedAnswer | None


class Counts(NamedTuple):
    """How the votes fell, seen from the chosen answer; `not_blind` ones decided nothing."""

    chosen: float = 0
    rejected: float = 0
    tie: float = 0
    both_bad: float = 0
    not_blind: int = 0


class Verdict(NamedTuple):
    """What voters said of two texts.

    For a win, `chosen` is the better one. For a tie and for both bad nobody chose: which of
    them is `chosen` is drawn by their texts, never by their sides. `said` are the
    counts as they decided: weighted, or of one vote, where that is the policy. `weight` is the mean
    weight, from 0 to 1, of those who said so.
    """

    battle: VotedBattle
    outcome: Outcome
    chosen: Candidate
    rejected: Candidate
    counts: Counts
    said: Counts
    weight: float
    anonymity: Anonymity


class Selector:
    """Judges battles by a policy.

    `weights` are those of voters by id; one that is not there weighs 1. `learnt` are the battles
    that the policy's tuned contender was trained on. Texts go through
    `redact` where the guild wants that now, whatever it wanted when they were stored.
    `votes_left_out` counts the votes that decided nothing.
    """

    def __init__(
        self,
        policy: Policy,
        *,
        weights: Mapping[int, float],
        learnt: Collection[int] = frozenset(),
        redact: Callable[[str], str] = str,
    ) -> None:
        self._policy = policy
        self._weights = weights
        self._learnt = learnt
        self._redact = redact
        self._since = policy.since.isoformat() if policy.since else ""
        self._until = policy.until.isoformat() if policy.until else "~"
        self.votes_left_out: Counter[VoteLeftOut] = Counter()

    def judge(self, voted: VotedBattle) -> list[Verdict] | LeftOut:
        """What the battle's votes say under the policy: one verdict, more of them, or none.

        There is more than one where each vote is its own, and where a voter wrote an answer
        anew. Otherwise the outcome that most of the counted voters gave decides, and nothing
        is decided where two outcomes share the lead.
        """
        if reason := self.unfit(voted):
            return reason
        votes = self._counted(voted.votes)
        if not votes:
            return LeftOut.NO_VOTE_LEFT
        decided = self._decided(voted, votes)
        anonymity = None
        verdicts: list[Verdict] = []
        if not isinstance(decided, LeftOut):
            anonymity = self.anonymity(voted)
            first = self._candidate(voted.answers[0], anonymity)
            second = self._candidate(voted.answers[1], anonymity)
            reason = self._not_a_pair(first, second)
            if reason is None:
                verdicts = self._verdicts(voted, votes, decided, (first, second), anonymity)
            else:
                decided = reason
        enough = decided is not LeftOut.FEW_VOTES
        if self._policy.edits is Edits.CHOSEN and voted.remarks and enough:
            verdicts += self._edits(voted, votes, anonymity or self.anonymity(voted))
        return verdicts or (decided if isinstance(decided, LeftOut) else LeftOut.EMPTY)

    def fits(self, verdict: Verdict) -> LeftOut | None:
        """Why a win's row is not wanted, by its two texts; None where it is."""
        policy, chosen, rejected = self._policy, verdict.chosen, verdict.rejected
        if policy.chosen_kinds and chosen.kind not in policy.chosen_kinds:
            return LeftOut.KIND
        if not policy.cut and chosen.answer is not None and self._is_cut(chosen.answer):
            return LeftOut.CUT
        if policy.length_ratio:
            shorter, longer = sorted((len(chosen.text), len(rejected.text)))
            if longer > policy.length_ratio * shorter:
                return LeftOut.LENGTH
        return None

    def unfit(self, voted: VotedBattle) -> LeftOut | None:
        """Why a battle is not looked at, whatever its votes say."""
        policy, answers = self._policy, voted.answers
        if voted.purpose not in policy.purposes:
            return LeftOut.NOT_LIVE
        if voted.state not in _ENDED_WELL:
            return LeftOut.NOT_SHOWN
        if not self._since <= voted.day <= self._until:
            return LeftOut.DATE
        if policy.contenders and not all(a.contender in policy.contenders for a in answers):
            return LeftOut.CONTENDER
        if voted.id in self._learnt:
            return LeftOut.LEARNT
        if policy.templates and not any(a.template in policy.templates for a in answers):
            return LeftOut.TEMPLATE
        return self._unfit_by_tags(answers)

    def _unfit_by_tags(self, answers: Sequence[VotedAnswer]) -> LeftOut | None:
        tags = answers[0].tags + answers[1].tags
        unwanted = self._policy.without_tags
        if tags and unwanted and any(_is_one_of(unwanted, tag) for tag in tags):
            return LeftOut.TAG
        if tags and any(plain(answer) is None for answer in answers):
            return LeftOut.HIDDEN
        return None

    def _counted(self, votes: Sequence[Cast]) -> Sequence[Cast]:
        if self._policy.votes is Votes.BLIND:
            votes = self._without(
                VoteLeftOut.NOT_BLIND, votes, [vote for vote in votes if vote.blind]
            )
        if not self._policy.author_votes:
            votes = self._without(
                VoteLeftOut.BY_AUTHOR, votes, [vote for vote in votes if not vote.by_author]
            )
        return votes

    def _without(
        self, reason: VoteLeftOut, votes: Sequence[Cast], kept: Sequence[Cast]
    ) -> Sequence[Cast]:
        if lost := len(votes) - len(kept):
            self.votes_left_out[reason] += lost
        return kept

    def _decided(self, voted: VotedBattle, votes: Sequence[Cast]) -> _Decided | LeftOut:
        """How the votes fell, and what leads."""
        policy = self._policy
        if len(votes) < policy.min_votes:
            return LeftOut.FEW_VOTES
        fell, said = self._tally(voted, votes)
        if policy.deciding is Deciding.EVERY:
            return _Decided(fell, fell, None)
        most = max(said)
        if said.count(most) > 1:
            return LeftOut.SPLIT
        leading = said.index(most)
        if policy.deciding is Deciding.UNANIMOUS and fell[leading] < len(votes):
            return LeftOut.NOT_UNANIMOUS
        if most < policy.min_agreement * sum(said):
            return LeftOut.LITTLE_AGREEMENT
        if leading == _TIE and policy.ties is Undecided.LEAVE_OUT:
            return LeftOut.TIE
        if leading == _BOTH_BAD and policy.both_bad is Undecided.LEAVE_OUT:
            return LeftOut.BOTH_BAD
        return _Decided(fell, said, leading)

    def _tally(
        self, voted: VotedBattle, votes: Sequence[Cast]
    ) -> tuple[list[int], Sequence[float]]:
        """The votes for the first answer, the second, a tie and both bad; and what they weigh."""
        fell = [0, 0, 0, 0]
        first, second = voted.answers[0].id, voted.answers[1].id
        weighted = self._policy.deciding is Deciding.WEIGHTED
        weights = [0.0, 0.0, 0.0, 0.0]
        for vote in votes:
            winner = vote.winner_answer_id
            if winner == first:
                index = _FIRST
            elif winner == second:
                index = _SECOND
            else:
                index = _TIE if vote.outcome == Outcome.TIE else _BOTH_BAD
            fell[index] += 1
            if weighted:
                weights[index] += self._weights.get(vote.voter_id, 1.0)
        return fell, weights if weighted else fell

    def _verdicts(
        self,
        voted: VotedBattle,
        votes: Sequence[Cast],
        decided: _Decided,
        candidates: tuple[Candidate, Candidate],
        anonymity: Anonymity,
    ) -> list[Verdict]:
        fell, said, leading = decided
        if leading not in {_FIRST, _SECOND} and _drawn(candidates[1]) < _drawn(candidates[0]):
            candidates, fell = candidates[::-1], [fell[1], fell[0], *fell[2:]]
            said = [said[1], said[0], *said[2:]]
        not_blind = 0
        if self._policy.votes is Votes.BLIND and len(votes) < len(voted.votes):
            not_blind = sum(not vote.blind for vote in voted.votes)
        verdicts = []
        for index in range(4) if leading is None else (leading,):
            turned = index == _SECOND
            chosen, rejected = reversed(candidates) if turned else candidates
            counts = Counts(fell[turned], fell[1 - turned], fell[_TIE], fell[_BOTH_BAD], not_blind)
            weighed = Counts(said[turned], said[1 - turned], said[_TIE], said[_BOTH_BAD])
            if leading is None:
                weighed = _ONE_VOTE[index]
            outcome = _OUTCOMES[index]
            weight = 1.0
            if self._weights:
                winner = chosen.answer.id if outcome is Outcome.WIN and chosen.answer else None
                weight = self._weight(votes, outcome, winner)
            verdict = Verdict(voted, outcome, chosen, rejected, counts, weighed, weight, anonymity)
            verdicts += [verdict] * (1 if leading is not None else fell[index])
        return verdicts

    def _weight(self, votes: Iterable[Cast], outcome: Outcome, winner_id: int | None) -> float:
        said = [v for v in votes if (v.outcome, v.winner_answer_id) == (outcome, winner_id)]
        return fmean(self._weights.get(v.voter_id, 1.0) for v in said) if said else 1.0

    def _edits(
        self, voted: VotedBattle, votes: Iterable[Cast], anonymity: Anonymity
    ) -> Iterable[Verdict]:
        """What those voters wrote is better than what they wrote it in the place of."""
        here = {answer.id: answer for answer in voted.answers}
        counted = {vote.voter_id for vote in votes}
        for remark in sorted(voted.remarks, key=lambda remark: remark.edit or ""):
            if remark.edit is None or remark.edited_answer_id is None:
                continue
            if remark.voter_id not in counted:
                continue
            edited = self._candidate(here[remark.edited_answer_id], anonymity)
            written = Candidate(anonymity.of(remark.edit), EDIT, EDIT, "", (), None)
            if self._not_a_pair(written, edited) is None:
                weight = self._weights.get(remark.voter_id, 1.0)
                yield Verdict(
                    voted,
                    Outcome.WIN,
                    written,
                    edited,
                    Counts(chosen=1),
                    Counts(chosen=1),
                    weight,
                    anonymity,
                )

    def _not_a_pair(self, first: Candidate, second: Candidate) -> LeftOut | None:
        if not first.text.strip() or not second.text.strip():
            return LeftOut.EMPTY
        if _begins(first.text) != _begins(second.text):
            return None
        same = normalised(first.text) == normalised(second.text)
        return LeftOut.SAME_TEXT if same else None

    def _candidate(self, answer: VotedAnswer, anonymity: Anonymity) -> Candidate:
        text = answer.raw if self._policy.text is Text.RAW else plain(answer) or ""
        return Candidate(
            anonymity.of(text),
            answer.contender,
            answer.kind,
            answer.fingerprint,
            answer.tags,
            answer,
        )

    def anonymity(self, voted: VotedBattle) -> Anonymity:
        """What makes the texts of a battle fit to leave."""
        redact = self._redact if voted.settings.get("redaction") else str
        return anonymity_of(voted.conversation, redact=redact)

    def _is_cut(self, answer: VotedAnswer) -> bool:
        tags = answer.tags
        return CUT_SHORT in tags or (TRUNCATED in tags and self._policy.text is Text.SHOWN)


_FIRST, _SECOND, _TIE, _BOTH_BAD = range(4)
_ONE_VOTE = (Counts(chosen=1), Counts(chosen=1), Counts(tie=1), Counts(both_bad=1))
_OUTCOMES = (Outcome.WIN, Outcome.WIN, Outcome.TIE, Outcome.BOTH_BAD)


class _Decided(NamedTuple):
    """Votes for the first answer, the second, a tie and both bad; what they weigh; which leads.

    None where each vote is its own.
    """

    fell: list[int]
    said: Sequence[float]
    leading: int | None


def _drawn(candidate: Candidate) -> bytes:
    """An order that neither sides nor lengths nor models have a part in."""
    return hashlib.blake2b(candidate.text.encode("utf-8", "replace"), digest_size=8).digest()


def _is_one_of(names: Iterable[str], tag: str) -> bool:
    """A name such as `leak` or `language` stands for all of its tags."""
    return any(tag == name or tag.startswith(f"{name}:") for name in names)


def _begins(text: str) -> str:
    """To tell most texts apart without reading them whole."""
    return text.lstrip()[:1].casefold()[:1]
