"""What members pressed and were told, against what the program has on the disk."""

from __future__ import annotations

import math
import re
import time
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .components import TEXT_DISPLAY, containers, walk
from .interactions import ACK_SECONDS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .interactions import Interaction
    from .program import Program
    from .world import Message

CONFIRM_SECONDS = 60.0
"""For a press that was acknowledged by a "thinking"."""
PARTS = ("a", "b", "tie", "both_bad")
CAST = re.compile(
    r"twofold:1:(?:vote|rate):(?P<battle>[0-9]+):(?P<part>a|b|tie|both_bad)(?::ab|:ba)?"
)
TOLD = re.compile(r"\*\*(A|B|tie|both bad)\*\*", re.IGNORECASE)

STANDING = """
WITH last AS (SELECT max(id) AS id FROM vote_events GROUP BY battle_id, voter_id),
said AS (
    SELECT 'vote' AS what, battle_id, voter_id, outcome, winner_answer_id FROM votes
    UNION ALL
    SELECT 'event', battle_id, voter_id, outcome, winner_answer_id FROM vote_events
    WHERE id IN (SELECT id FROM last) AND event != 'withdraw'
)
SELECT said.what, said.battle_id, said.voter_id, said.outcome, answers.shown
FROM said LEFT JOIN answers ON answers.id = said.winner_answer_id
"""
"""The votes and what the log says of them, as of one moment."""

Ballot = tuple[int, int]
"""A battle's id and a voter's."""


@dataclass(eq=False)
class Press:
    """A press on a ballot; `late` is how far behind the plan it was sent, in seconds."""

    interaction: Interaction
    late: float = 0.0
    cut_off_at: float = math.inf

    @property
    def ballot(self) -> Ballot:
        """Whose vote it is to be, and where."""
        return int(self._said["battle"]), self.interaction.user.id

    @property
    def part(self) -> str:
        """What was chosen: `a`, `b`, `tie` or `both_bad`."""
        return self._said["part"]

    @property
    def _said(self) -> re.Match[str]:
        known = CAST.fullmatch(self.interaction.data["custom_id"])
        if known is None:
            raise AssertionError(f"{self.interaction} is no vote")
        return known

    @property
    def sent_at(self) -> float:
        """When INTERACTION_CREATE left."""
        return self.interaction.dispatched_at

    @property
    def acknowledged_after(self) -> float | None:
        """Seconds until the first response came, None where none did."""
        return self.interaction.acknowledged_after

    @property
    def confirmed_at(self) -> float:
        """When a text came, and was answered with 200, that tells the voter what they chose.

        That is what makes a vote acknowledged: a "thinking" does not. Infinity without one.
        """
        said = (r for r in self.interaction.responses if self._confirms(r.text))
        return min((r.at for r in said), default=math.inf)

    def _confirms(self, text: str) -> bool:
        told = TOLD.search(text)
        return told is not None and told[1].lower().replace(" ", "_") == self.part

    @property
    def confirmed(self) -> bool:
        """Whether the voter was told that it is stored."""
        return self.confirmed_at < math.inf

    @property
    def cut_off(self) -> bool:
        """Whether the program was ended before it answered."""
        return self.cut_off_at < math.inf

    @property
    def pending(self) -> bool:
        """Whether a confirmation may still come."""
        patience = ACK_SECONDS if self.acknowledged_after is None else CONFIRM_SECONDS
        return not (self.confirmed or self.cut_off or self.interaction.age > patience)

    @property
    def over_at(self) -> float:
        """When it can have had its effect at the latest."""
        return min(self.confirmed_at, self.cut_off_at)


@dataclass
class Ledger:
    """Every press on the ballots of some battles."""

    presses: list[Press] = field(default_factory=list)
    texts: dict[int, dict[str, str]] = field(default_factory=dict)

    def opened(self, message: Message) -> int:
        """Note what a ballot shows on each side; returns its battle's id."""
        battle = battle_of(message)
        if battle is None:
            raise AssertionError(f"{message.text!r} is no ballot")
        shown = [
            [c["content"] for c in walk([one]) if c["type"] == TEXT_DISPLAY][-1]
            for one in containers(message)
        ]
        self.texts[battle] = dict(zip("ab", shown, strict=True))
        return battle

    def end(self) -> list[Press]:
        """Note that the program was ended; returns the presses that it left without an answer."""
        now = time.monotonic()
        left = [press for press in self.presses if press.pending]
        for press in left:
            press.cut_off_at = now
        return left

    def flaws(self, program: Program) -> list[str]:
        """Compare with the database, one sentence for each thing that is wrong.

        A voter may have pressed twice at once, or again before the answer came: then each of
        those may stand, but none that was over before another was sent and confirmed.
        """
        found = []
        if program.url.startswith("sqlite"):
            found = [f"the file: {row}" for row in program.rows("PRAGMA integrity_check")[0]]
            found.remove("the file: ok")
        standing, logged = self._choices(program)
        if standing != logged:
            found.append("the events do not add up to the votes")
        by_ballot: dict[Ballot, list[Press]] = defaultdict(list)
        for press in self.presses:
            by_ballot[press.ballot].append(press)
        for ballot, presses in by_ballot.items():
            there, may = standing.pop(ballot, None), possible(presses)
            if there not in may:
                told = f"{there} is stored where it must be one of {may}"
                found.append(f"battle {ballot[0]}, voter {ballot[1]}: {told}")
        return found + [f"{ballot}: a vote that nobody cast" for ballot in standing]

    def _choices(self, program: Program) -> tuple[dict[Ballot, str | None], ...]:
        """What stands in the battles that are noted, as the side whose text won; by the log too."""
        found: dict[str, dict[Ballot, str | None]] = {"vote": {}, "event": {}}
        for what, battle, voter, outcome, shown in program.rows(STANDING):
            if battle in self.texts:
                sides = [side for side, text in self.texts[battle].items() if text == shown]
                choice = (sides or [None])[0] if outcome == "win" else outcome
                found[what][battle, voter] = choice
        return found["vote"], found["event"]


def possible(presses: Iterable[Press]) -> set[str | None]:
    """What a voter's presses on one ballot may have left: as of a register that each writes."""
    every = list(presses)
    confirmed = [press.sent_at for press in every if press.confirmed]
    latest = max(confirmed, default=-math.inf)
    left: set[str | None] = {press.part for press in every if press.over_at >= latest}
    return left if confirmed else left | {None}


def battle_of(message: Message) -> int | None:
    """Return the battle whose ballot a message is, None where it has no buttons for votes."""
    ids = (str(c.get("custom_id")) for c in walk(message.components))
    known = next(filter(None, map(CAST.fullmatch, ids)), None)
    return int(known["battle"]) if known else None
