"""The work of an export: battles go in, rows come out, and every loss is counted."""

from __future__ import annotations

import hashlib
from array import array
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, NamedTuple

from bot.dataset.balance import Balance
from bot.dataset.files import line_of
from bot.dataset.formats import Made
from bot.dataset.funnel import Funnel, LeftOut, VoteLeftOut
from bot.dataset.gate import Gate
from bot.dataset.logprobs import CHOSEN
from bot.dataset.splits import Splits

if TYPE_CHECKING:
    from bot.dataset.delta import Delta
    from bot.dataset.files import Writer
    from bot.dataset.formats import Format
    from bot.dataset.request import Means, Request
    from bot.dataset.select import Selector
    from storage.records import VotedBattle

ALL = "train"
"""The only split of formats that are not for training."""


class Part(NamedTuple):
    """What a part of an export came to, beside its rows."""

    funnel: Funnel
    balance: Balance
    splits: Counter[str]
    first_day: str
    last_day: str
    gone: dict[LeftOut, list[int]]
    battles: array[int]
    digests: array[int]


class Work:
    """One export on its way.

    `battles` are those that have rows, `digests` a number for each that changes with them;
    `gone` those that an earlier export has and this one has not.
    """

    def __init__(
        self,
        request: Request,
        means: Means,
        *,
        form: Format,
        selector: Selector,
        delta: Delta | None,
    ) -> None:
        policy = request.policy
        self.funnel = Funnel()
        self.balance = Balance()
        self.splits: Counter[str] = Counter()
        self.first_day = self.last_day = ""
        self.gone: dict[LeftOut, list[int]] = defaultdict(list)
        self.battles: array[int] = array("q")
        self.digests: array[int] = array("q")
        self.delta = delta
        self._longest = not policy.continued
        self._gate = None if means.collection else Gate(request.purpose, unvoted=form.every)
        self._scored = means.scored
        self._form = form
        self._selector = selector
        self._state = hashlib.sha256()
        splits = Splits(validation=policy.validation, test=policy.test, seed=policy.seed)
        self._split_of = splits.of
        self._went_on: set[int] = set()
        self._waiting: list[tuple[VotedBattle, str, Made]] = []

    @property
    def state(self) -> str:
        """The identity of what this export has rows of, and of the rows, in hex."""
        return self._state.hexdigest()

    def take(self, voted: VotedBattle) -> None:
        """Make rows of a battle, or count why there are none. Battles come newest first."""
        self.funnel.battles += bool(voted.votes) or self._form.every
        self.funnel.votes += len(voted.votes)
        made = self._made(voted)
        if isinstance(made, LeftOut):
            self._lose(voted, made)
            return
        split = ALL
        if self._form.splits and voted.bucket is not None:
            split = self._split_of(voted.bucket)
        self._waiting.append((voted, split, made))

    def write(self, writer: Writer) -> None:
        """Hand the rows of the battles that were taken to the writer."""
        if self._scored is not None:
            self._scored.fill([row for _, _, made in self._waiting for _, row in made.rows])
        for voted, split, made in self._waiting:
            if self._scored is not None and any(row[CHOSEN] is None for _, row in made.rows):
                self._lose(voted, LeftOut.TOO_LONG)  # trainers stop at a row without the number
            else:
                self._write(voted, split, made, writer)
        self._waiting.clear()

    def add(self, other: Part) -> None:
        """Take in the counts of another process, which had the battles before these."""
        self.funnel.add(other.funnel)
        self.balance.add(other.balance)
        self.splits += other.splits
        days = [day for day in (self.first_day, other.first_day) if day]
        self.first_day, self.last_day = min(days, default=""), max(self.last_day, other.last_day)
        for reason, ids in other.gone.items():
            self.gone[reason] += ids
        for battle_id, number in zip(other.battles, other.digests, strict=True):
            self._note(battle_id, number)

    def part(self) -> Part:
        """These counts, as they go to another process."""
        return Part(
            self.funnel,
            self.balance,
            self.splits,
            self.first_day,
            self.last_day,
            dict(self.gone),
            self.battles,
            self.digests,
        )

    def finish(self) -> None:
        """Count what only the end tells."""
        self.funnel.votes_left_out += self._selector.votes_left_out

    def _note(self, battle_id: int, number: int) -> None:
        self.battles.append(battle_id)
        self.digests.append(number)
        self._state.update(number.to_bytes(8, "big"))

    def _lose(self, voted: VotedBattle, reason: LeftOut) -> None:
        self.funnel.left_out[reason] += bool(voted.votes) or self._form.every
        if voted.exported:
            self.gone[reason].append(voted.id)

    def _made(self, voted: VotedBattle) -> Made | LeftOut:
        """The rows of a battle.

        Where the answers went on, only the longest that voters decided on have rows: others
        would be near-duplicates.
        """
        admitted = self._admitted(voted)
        made = admitted if isinstance(admitted, LeftOut) else self._form.made(admitted)
        if not self._form.splits:
            return made
        covered = voted.id in self._went_on
        if isinstance(made, Made) and covered and self._longest:
            made = LeftOut.CONTINUED
        if isinstance(made, Made) and voted.bucket is None:
            made = LeftOut.LEAK
        if voted.parent_id and (covered or isinstance(made, Made)):
            self._went_on.add(voted.parent_id)
        return made

    def _admitted(self, voted: VotedBattle) -> VotedBattle | LeftOut:
        """Consent comes first; what others collected is under their licence instead."""
        if self._gate is None:
            return voted
        admitted = self._gate.admit(voted)
        if not isinstance(admitted, LeftOut) and len(admitted.votes) < len(voted.votes):
            lost = len(voted.votes) - len(admitted.votes)
            self.funnel.votes_left_out[VoteLeftOut.NO_CONSENT] += lost
        return admitted

    def _write(self, voted: VotedBattle, split: str, made: Made, writer: Writer) -> None:
        lines = [(table, line_of(row)) for table, row in made.rows]
        whole = lines[0][1] if len(lines) == 1 else b"".join([line for _, line in lines])
        digest = hashlib.sha256(whole).digest()[:8]
        number = int.from_bytes(digest, "big") >> 1
        self._note(voted.id, number)
        if not self.first_day or voted.day < self.first_day:
            self.first_day = voted.day
        self.last_day = max(self.last_day, voted.day)
        for verdict in made.verdicts:
            self.balance.count(verdict)
        if self.delta is not None and not self.delta.wants(voted.id, number):
            return
        for table, line in lines:
            writer.write(table, split, line)
        self.funnel.rows += len(lines)
        self.splits[split] += len(lines)
