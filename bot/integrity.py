"""How much a voter's votes can be relied on, in figures: numbers in, numbers out.

They are for the operator and for the weights of exports: never shown in public, never a
reason to refuse a vote.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from bot.answers import SHOWN_LIMIT
from bot.dataset.gate import allowed
from bot.ranking import wilson
from storage.records import Choice, Consent, Outcome, Purpose, Side

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Sequence

    from storage.records import SeenVote

WORDS_PER_MINUTE = 238
"""Silent reading of English. Source: Brysbaert (2019), J. Mem. Lang. 109, 104047."""

SKIMMING = 4
"""How many times faster than reading skimming can be: near 1,000 words a minute nobody reads
any more. Source: Rayner et al. (2016), Psychol. Sci. Public Interest 17(1), 4-34."""

WORDS_PER_TOKEN = 0.75
CHARACTERS_PER_TOKEN = 4
"""Rules of thumb for English. Tokens are counted because texts may be wiped."""

BY_CHANCE = 1 / len(Choice)
"""How often who presses any of the four buttons at random agrees with another voter."""


MEANINGS = {
    "votes": "all votes of this voter",
    "one_side": "wins that went to the side which got most of them; chance gives a half",
    "longest_run": "most wins in a row for one side",
    "hasty": "votes on new answers sooner than both can be skimmed, at "
    f"{SKIMMING} × {WORDS_PER_MINUTE} words a minute",
    "agreement": "how often another voter gave the same outcome; chance gives a quarter",
    "mirrors": "the same said as in a blind vote before, when the battle came back with its "
    "sides changed",
    "control_ties": "ties where one contender answered twice",
    "weight": "what a vote counts in exports, from one side, hasty, agreement and mirrors, each "
    "read in the voter's favour",
}
"""Every figure in the order in which it is told."""


@dataclass(frozen=True, slots=True)
class Counted:
    """How many of `n` trials were hits; a trial may be one in part."""

    hits: float
    n: int

    @property
    def share(self) -> float | None:
        """Hits by trials; None where there were none."""
        return self.hits / self.n if self.n else None

    @property
    def low(self) -> float:
        """The least that the share is likely to be: the lower end of its 95 % interval."""
        return wilson(self.hits, self.n).low if self.n else 0.0

    @property
    def high(self) -> float:
        """The most that the share is likely to be: the upper end of its 95 % interval."""
        return wilson(self.hits, self.n).high if self.n else 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Integrity:
    """One voter's figures, each with the number of votes that it rests on.

    `one_side`: wins given to the side that got most of them, as the voter saw the sides;
    `longest_run` is how many of them came in a row. `hasty`: votes sooner than both
    answers can be skimmed, where neither was known before. `agreement`: how often
    another voter of the same live battle gave the same outcome. `mirrors`: the same said as
    in a blind vote before, of a battle with its sides changed. `control_ties`: ties where one
    contender answered twice.
    """

    voter_id: int
    votes: int
    one_side: Counted
    longest_run: int
    hasty: Counted
    agreement: Counted
    mirrors: Counted
    control_ties: Counted

    @property
    def weight(self) -> float:
        """From 0 to 1: what one of the voter's votes should count.

        The product of four factors. Sides: 1 while the coin that drew them may explain
        `one_side`, 0 for always the same. Time: from 1 down to a half for always hasty,
        since a poor answer can be plain at a glance. Agreement: 1 from what pressing at
        random would reach, 0 for never; taste may differ and is not a fault. Mirrors: the
        share itself. Each share is taken at that end of its 95 % interval which speaks
        for the voter, so that few votes tell little against anybody. Runs and control
        battles are left out: a share tells more than a run, and two samples of one
        contender can differ in earnest.
        """
        sides = 1 - 2 * max(0.0, self.one_side.low - 1 / 2)
        time = 1 - self.hasty.low / 2
        agreement = min(1.0, self.agreement.high / BY_CHANCE)
        return sides * time * agreement * self.mirrors.high


def integrity(votes: Sequence[SeenVote]) -> Integrity:
    """The figures of one voter, from that voter's votes in the order they were given."""
    sides = [vote.side for vote in votes if vote.side]
    live = [vote for vote in votes if vote.purpose is Purpose.LIVE]
    timed = [is_hasty(vote.seconds, vote.tokens) for vote in live if vote.seconds is not None]
    shared = [vote for vote in live if vote.others]
    controls = [vote.outcome for vote in votes if vote.purpose is Purpose.CONTROL]
    return Integrity(
        voter_id=votes[0].voter_id,
        votes=len(votes),
        one_side=Counted(max(sides.count(side) for side in Side), len(sides)),
        longest_run=max((len(list(run)) for _, run in groupby(sides)), default=0),
        hasty=_counted(timed),
        agreement=Counted(sum(vote.agreeing / vote.others for vote in shared), len(shared)),
        mirrors=_counted(vote.consistent for vote in votes if vote.consistent is not None),
        control_ties=_counted(outcome is Outcome.TIE for outcome in controls),
    )


def told(voter: Integrity) -> dict[str, float | dict[str, float | None]]:
    """Every figure by name; a share comes with the number of votes that it rests on."""
    values = ((name, getattr(voter, name)) for name in MEANINGS)
    return {
        name: {"share": value.share, "n": value.n} if isinstance(value, Counted) else value
        for name, value in values
    }


async def figures(votes: AsyncIterator[SeenVote]) -> AsyncIterator[Integrity]:
    """The figures of each voter, of votes that come by voter and in the order they were given.

    Counted are votes where the voter agreed to statistics; who did not is not measured.
    """
    mine: list[SeenVote] = []
    async for vote in votes:
        if mine and mine[0].voter_id != vote.voter_id:
            yield integrity(mine)
            mine = []
        if allowed(vote.said, vote.settings, Consent.EVALUATE):
            mine.append(vote)
    if mine:
        yield integrity(mine)


def is_hasty(seconds: float, tokens: Iterable[int]) -> bool:
    """Whether a vote came sooner than answers of so many tokens can be skimmed.

    Of each answer at most what a message shows is counted.
    """
    shown = sum(min(count, SHOWN_LIMIT // CHARACTERS_PER_TOKEN) for count in tokens)
    reading = shown * WORDS_PER_TOKEN / WORDS_PER_MINUTE * 60
    return seconds < reading / SKIMMING


def _counted(trials: Iterable[bool]) -> Counted:
    listed = list(trials)
    return Counted(sum(listed), len(listed))
