"""Understanding rows, and a first look through all files before anything is stored.

It finds the votes that belong to one battle though they stand in several rows or files, and
the contenders. Of a battle that comes once only its hash is held, of a further vote a hundred
bytes.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bot.dataset.importing import lmarena, open_webui
from bot.dataset.importing.read import rows
from bot.dataset.importing.skips import Skip, Skipped

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from bot.dataset.importing.parts import Ballot, Found, Hashes
    from bot.dataset.importing.read import Row
    from storage.records import Kind


@dataclass
class Survey:
    """What there is in some files.

    `models` has every name that voters decided on, and its kind where a row tells that.
    `more` are the votes beyond the first row of battles that have several; `ballots` those of
    tables of votes, by their battle. `met` are those of `more` that were stored.
    """

    rows: int = 0
    skips: Counter[Skip] = field(default_factory=Counter)
    models: dict[str, Kind | None] = field(default_factory=dict)
    more: dict[int, list[Ballot]] = field(default_factory=lambda: defaultdict(list))
    ballots: dict[str, list[Ballot]] = field(default_factory=lambda: defaultdict(list))
    met: set[int] = field(default_factory=set)

    def add(self, found: Found, *, further: bool) -> None:
        """Note a battle; `further` where there was a row of it before."""
        if further:
            self.more[found.source] += found.votes
        for answer in found.answers:
            self.models[answer.model] = answer.kind or self.models.get(answer.model)

    def votes(self, found: Found) -> Iterator[Ballot]:
        """The votes on a battle, one a voter, where it is met for the first time; else none."""
        tabled = self.ballots.get(found.key)
        if not (tabled or found.votes) or found.source in self.met:
            return
        further = self.more.get(found.source)
        if further is not None:
            self.met.add(found.source)
        voters: set[int] = set()
        ballots = tabled or (*found.votes, *(further or ()))
        for ballot in sorted(ballots, key=_newest_first):
            if ballot.voter in voters:
                self.skips[Skip.AGAIN] += 1
            else:
                voters.add(ballot.voter)
                yield ballot


def _newest_first(ballot: Ballot) -> float:
    """Those without a time stay in the order of the file."""
    return -ballot.at.timestamp() if ballot.at else 0.0


def survey(files: Iterable[Path], hashes: Hashes, *, advance: Callable[[int], object]) -> Survey:
    """Look through all files. Raises ConfigError for one that cannot be read."""
    seen: set[int] = set()
    paired: set[str] = set()
    result = Survey()
    for row in _votes_first(files, advance):
        result.rows += 1
        try:
            if not isinstance(row, Skip) and lmarena.is_votes(row):
                key, ballot = lmarena.vote(row, hashes)
                result.ballots[key].append(ballot)
                continue
            met = understood(row, hashes)
        except Skipped as skipped:
            result.skips[skipped.reason] += 1
            continue
        except RecursionError:  # of a row that is nested deeper than any that is meant
            result.skips[Skip.BROKEN] += 1
            continue
        for found in met:
            if found.key in result.ballots:
                paired.add(found.key)
            elif not found.votes:
                result.skips[Skip.NO_WINNER] += 1
                continue
            result.add(found, further=found.source in seen)
            seen.add(found.source)
    result.skips[Skip.NO_PAIR] += sum(
        len(ballots) for key, ballots in result.ballots.items() if key not in paired
    )
    return result


def understood(row: Row | Skip, hashes: Hashes) -> list[Found]:
    """The battles of a row. Raises Skipped where there are none."""
    if isinstance(row, Skip):
        raise Skipped(row)
    if open_webui.is_feedback(row):
        return open_webui.battles(row, hashes)
    if lmarena.is_battle(row):
        return [lmarena.battle(row, hashes)]
    raise Skipped(Skip.SHAPE)


def _votes_first(files: Iterable[Path], advance: Callable[[int], object]) -> Iterator[Row | Skip]:
    """All rows; tables of votes before others, so that a battle finds its votes there."""

    def has_votes(file: Path) -> bool:
        first = next((row for row in rows(file) if not isinstance(row, Skip)), None)
        return first is not None and lmarena.is_votes(first)

    for file in sorted(files, key=has_votes, reverse=True):
        yield from rows(file, advance=advance)
