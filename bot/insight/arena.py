"""The votes on closed battles as columns of numbers, and parts of them."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from storage.arena import BATTLE, VOTE
from storage.records import Kind, Purpose

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

A, B, TIE, BOTH_BAD = range(4)
"""What a vote said, by the sides of the battle."""

NO_GUESS, NOT_SURE, RIGHT, WRONG = range(-1, 3)
"""What a voter took for the base model's answer; no guess where there was not one to find."""

PURPOSES = tuple(Purpose)
NOBODY = -1
"""In the place of a voter who did not agree to be kept: each such vote is of somebody else."""

UNKNOWN = -1
"""Of what is a number and not known, as the characters of a text that was gone too soon."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entrant:
    """A contender that was in a battle. `parent` is what a tuned one was made of."""

    slug: str
    kind: Kind
    parent: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Arena:
    """Battles and the votes on them. Names come once, columns hold indexes into them.

    Columns of battles have a value for each battle, in the order of their ids; those of votes
    one for each vote, by battle. Columns of two are for sides A and B. `of` is a vote's
    battle, `voter` a number for each voter or NOBODY. `mirrors` is the battle that one shows
    again, or UNKNOWN where that is not here. `day` counts from 1970. `template` is the base
    model's. `took` is how many seconds a vote took, NaN where nobody knows. `ids` are the voters'
    own, by their number.
    """

    entrants: tuple[Entrant, ...]
    templates: tuple[str, ...]
    topics: tuple[str, ...]
    languages: tuple[str, ...]
    ids: NDArray[np.int64]
    # of battles
    battle: NDArray[np.int64]
    guild: NDArray[np.int64]
    channel: NDArray[np.int64]
    purpose: NDArray[np.int8]
    day: NDArray[np.int32]
    contender: NDArray[np.int16]
    template: NDArray[np.int16]
    topic: NDArray[np.int16]
    language: NDArray[np.int16]
    characters: NDArray[np.int32]
    markup: NDArray[np.int32]
    seconds: NDArray[np.float32]
    mirrors: NDArray[np.int32]
    goes_on: NDArray[np.bool_]
    # of votes
    of: NDArray[np.int32]
    voter: NDArray[np.int32]
    outcome: NDArray[np.int8]
    blind: NDArray[np.bool_]
    by_author: NDArray[np.bool_]
    swapped: NDArray[np.bool_]
    guess: NDArray[np.int8]
    took: NDArray[np.float32]

    def keep(
        self,
        *,
        battles: NDArray[np.bool_] | None = None,
        votes: NDArray[np.bool_] | None = None,
    ) -> Self:
        """The part with these battles and these votes; entrants and voters keep their numbers."""
        kept = np.ones(len(self.battle), bool) if battles is None else battles
        voted = kept[self.of] if votes is None else kept[self.of] & votes
        place = np.cumsum(kept, dtype=np.int32) - 1
        changed: dict[str, Any] = {name: getattr(self, name)[kept] for name in OF_BATTLES}
        changed |= {name: getattr(self, name)[voted] for name in OF_VOTES}
        changed["of"] = place[self.of[voted]]
        shown = changed["mirrors"]
        here = (shown != UNKNOWN) & kept[shown]
        changed["mirrors"] = np.where(here, place[shown], UNKNOWN).astype(np.int32)
        return replace(self, **changed)

    @property
    def first(self) -> NDArray[np.int16]:
        """Of each vote, the contender on A."""
        return self.contender[:, 0][self.of]

    @property
    def second(self) -> NDArray[np.int16]:
        """Of each vote, the contender on B."""
        return self.contender[:, 1][self.of]


OF_VOTES = ("of", "voter", "outcome", "blind", "by_author", "swapped", "guess", "took")
_NAMES = ("entrants", "templates", "topics", "languages", "ids")
OF_BATTLES = tuple(field.name for field in fields(Arena) if field.name not in {*OF_VOTES, *_NAMES})


class Gathering:
    """Makes an arena of the rows that the database hands over, a page after the other.

    Battles that were there before are passed over, so that pages may overlap.
    """

    def __init__(self, contenders: Mapping[int, Entrant]) -> None:
        self._contenders = dict(contenders)
        self._seen: set[int] = set()
        self._battles: list[NDArray[Any]] = []
        self._votes: list[NDArray[Any]] = []
        self._words: dict[str, dict[str | None, int]] = {
            name: {} for name in ("template", "topic", "language")
        }

    def name(self, contenders: Mapping[int, Entrant]) -> None:
        """Learn of contenders that came since."""
        self._contenders.update(contenders)

    def add(self, rows: Sequence[list[Any]]) -> None:
        """Take a page of rows in, each as `storage.arena.BATTLE` says."""
        new = [row for row in rows if row[0] not in self._seen]
        if not new:
            return
        self._seen.update(row[0] for row in new)
        at = dict(zip(BATTLE, zip(*new, strict=True), strict=True))
        battles = np.empty(len(new), _BATTLE)
        for name in ("id", "goes_on"):
            battles[name] = at[name]
        battles["guild"] = [number or 0 for number in at["guild_id"]]
        battles["channel"] = at["channel_id"]
        battles["purpose"] = [_PURPOSE[purpose] for purpose in at["purpose"]]
        battles["day"] = np.array(at["day"], "datetime64[D]").astype(np.int32)
        battles["mirrors"] = [number or 0 for number in at["mirror_of_id"]]
        for name in ("contender", "characters", "markup", "seconds"):
            battles[name][:, 0], battles[name][:, 1] = at[f"{name}_a"], at[f"{name}_b"]
        raw = [
            b if kind_b == Kind.BASE and kind_a != Kind.BASE else a
            for a, b, kind_a, kind_b in zip(
                at["template_a"], at["template_b"], at["kind_a"], at["kind_b"], strict=True
            )
        ]
        for name, words in (
            ("template", raw),
            ("topic", at["topic"]),
            ("language", at["language"]),
        ):
            battles[name] = [self._index(name, word) for word in words]
        self._battles.append(battles)
        self._votes.append(_votes(new))

    def arena(self) -> Arena:
        """All that was taken in so far."""
        battles = np.concatenate([np.empty(0, _BATTLE), *self._battles])
        battles.sort(order="id")
        votes = np.concatenate([np.empty(0, _VOTE), *self._votes])
        votes = votes[np.argsort(votes["battle"], kind="stable")]
        numbers = sorted(self._contenders, key=lambda number: self._contenders[number].slug)
        place = np.full(max(numbers, default=0) + 1, UNKNOWN, np.int16)
        place[numbers] = range(len(numbers))
        known = votes["voter"] > 0
        ids, voter = np.unique(votes["voter"][known], return_inverse=True)
        voters = np.full(len(votes), NOBODY, np.int32)
        voters[known] = voter
        shown = np.searchsorted(battles["id"], battles["mirrors"])
        shown[shown == len(battles)] = 0
        mirrors = np.full(len(battles), UNKNOWN, np.int32)
        if len(battles):
            here = battles["id"][shown] == battles["mirrors"]
            mirrors[here] = shown[here]
        return Arena(
            entrants=tuple(self._contenders[number] for number in numbers),
            templates=self._names("template"),
            topics=self._names("topic"),
            languages=self._names("language"),
            ids=ids,
            battle=battles["id"],
            contender=place[battles["contender"]],
            mirrors=mirrors,
            **{
                name: battles[name]
                for name in OF_BATTLES
                if name not in {"battle", "contender", "mirrors"}
            },
            of=np.searchsorted(battles["id"], votes["battle"]).astype(np.int32),
            voter=voters,
            **{name: votes[name] for name in OF_VOTES if name not in {"of", "voter"}},
        )

    def _index(self, what: str, word: str | None) -> int:
        words = self._words[what]
        return UNKNOWN if word is None else words.setdefault(word, len(words))

    def _names(self, what: str) -> tuple[str, ...]:
        return tuple(str(word) for word in self._words[what])


_PURPOSE = {purpose.value: index for index, purpose in enumerate(PURPOSES)}

_BATTLE = np.dtype(
    [
        ("id", np.int64),
        ("guild", np.int64),
        ("channel", np.int64),
        ("purpose", np.int8),
        ("day", np.int32),
        ("contender", np.int64, 2),
        ("template", np.int16),
        ("topic", np.int16),
        ("language", np.int16),
        ("characters", np.int32, 2),
        ("markup", np.int32, 2),
        ("seconds", np.float32, 2),
        ("mirrors", np.int64),
        ("goes_on", np.bool_),
    ]
)
_VOTE = np.dtype(
    [
        ("battle", np.int64),
        ("voter", np.int64),
        ("outcome", np.int8),
        ("blind", np.bool_),
        ("by_author", np.bool_),
        ("swapped", np.bool_),
        ("guess", np.int8),
        ("took", np.float32),
    ]
)


def _votes(rows: Sequence[list[Any]]) -> NDArray[Any]:
    given = [vote for row in rows for vote in row[-1]]
    votes = np.empty(len(given), _VOTE)
    if given:
        at = dict(zip(VOTE, zip(*given, strict=True), strict=True))
        votes["battle"] = np.repeat([row[0] for row in rows], [len(row[-1]) for row in rows])
        votes["voter"], votes["took"] = at["voter_id"], np.array(at["seconds"], np.float32)
        for name in ("outcome", "blind", "by_author", "swapped", "guess"):
            votes[name] = at[name]
    return votes
