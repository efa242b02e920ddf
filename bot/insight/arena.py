"""The votes on closed battles as columns of numbers, and parts of them."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from storage.arena import BATTLE, VOTE, Page
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
    again, or UNKNOWN where that is not here. `unranked` are those in which a tuned contender
    had learnt from the prompt. `day` counts from 1970. `template` is that of the base model,
    else of the tuned one. `took` is how many seconds a vote took, NaN where nobody knows. `ids`
    are the voters' own, by their number.
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
    unranked: NDArray[np.bool_]
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
        if kept.all():
            some = {name: getattr(self, name)[voted] for name in OF_VOTES}
            return self if voted.all() else replace(self, **some)
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
    """Makes an arena of the pages that the database hands over, one after the other.

    Battles that were there before are passed over, so that pages may overlap.
    """

    def __init__(self, contenders: Mapping[int, Entrant]) -> None:
        self._contenders = dict(contenders)
        self._seen: set[int] = set()
        self._voters: dict[int, int] = {}
        self._words: dict[str, dict[str, int]] = {
            name: {} for name in ("template", "topic", "language")
        }
        self._battles: list[_Columns] = []
        self._votes: list[_Columns] = []
        self.add(Page({name: [] for name in BATTLE}, {name: [] for name in VOTE}))

    def name(self, contenders: Mapping[int, Entrant]) -> None:
        """Learn of contenders that came since."""
        self._contenders.update(contenders)

    def add(self, page: Page) -> None:
        """Take a page in."""
        at = page.battles
        new = np.array([number not in self._seen for number in at["id"]], bool)
        self._seen.update(at["id"])
        kinds = zip(at["kind_a"], at["kind_b"], at["template_a"], at["template_b"], strict=True)
        raw = [second if _RAWNESS[b] > _RAWNESS[a] else first for a, b, first, second in kinds]
        battles: _Columns = {
            "battle": np.array(at["id"], np.int64),
            "guild": np.array(at["guild_id"], np.int64),
            "channel": np.array(at["channel_id"], np.int64),
            "purpose": np.array([_PURPOSE[purpose] for purpose in at["purpose"]], np.int8),
            "day": np.array(at["day"], "datetime64[D]").astype(np.int32),
            "template": self._indexes("template", raw),
            "topic": self._indexes("topic", at["topic"]),
            "language": self._indexes("language", at["language"]),
            "mirrors": np.array(at["mirror_of_id"], np.int64),
            "goes_on": np.array(at["goes_on"], bool),
            "unranked": np.array(at["unranked"], bool),
        }
        for name, type_ in (
            ("contender", np.int64),
            ("characters", np.int32),
            ("markup", np.int32),
            ("seconds", np.float32),
        ):
            battles[name] = np.column_stack(
                [np.array(at[f"{name}_{side}"], type_) for side in "ab"]
            )
        self._battles.append({name: column[new] for name, column in battles.items()})
        votes = self._given(page.votes)
        theirs = np.isin(votes["of"], battles["battle"][new])
        self._votes.append({name: column[theirs] for name, column in votes.items()})

    def arena(self) -> Arena:
        """All that was taken in so far."""
        battles = _in_order(self._battles, "battle")
        votes = _in_order(self._votes, "of")
        self._battles, self._votes = [battles], [votes]
        numbers = sorted(self._contenders, key=lambda number: self._contenders[number].slug)
        place = np.full(max(numbers, default=0) + 1, UNKNOWN, np.int16)
        place[numbers] = range(len(numbers))
        return Arena(
            entrants=tuple(self._contenders[number] for number in numbers),
            templates=tuple(self._words["template"]),
            topics=tuple(self._words["topic"]),
            languages=tuple(self._words["language"]),
            ids=np.fromiter(self._voters, np.int64, len(self._voters)),
            **battles
            | {
                "contender": place[battles["contender"]],
                "mirrors": _places(battles["mirrors"], battles["battle"]),
            },
            **votes | {"of": _places(votes["of"], battles["battle"])},
        )

    def _given(self, at: Mapping[str, list[Any]]) -> _Columns:
        voters = self._voters
        numbers = [
            voters.setdefault(voter, len(voters)) if voter > 0 else NOBODY
            for voter in at["voter_id"]
        ]
        return {
            "of": np.array(at["battle_id"], np.int64),
            "voter": np.array(numbers, np.int32),
            "outcome": np.array(at["outcome"], np.int8),
            "blind": np.array(at["blind"], bool),
            "by_author": np.array(at["by_author"], bool),
            "swapped": np.array(at["swapped"], bool),
            "guess": np.array(at["guess"], np.int8),
            "took": np.array(at["seconds"], np.float32),
        }

    def _indexes(self, what: str, words: Sequence[str | None]) -> NDArray[np.int16]:
        known = self._words[what]
        found = [known.setdefault(word, len(known)) if word else UNKNOWN for word in words]
        return np.array(found, np.int16)


_Columns = dict[str, "NDArray[Any]"]
_RAWNESS = {kind.value: kind.rawness for kind in Kind}
_PURPOSE = {purpose.value: index for index, purpose in enumerate(PURPOSES)}


def _in_order(parts: Sequence[_Columns], by: str) -> _Columns:
    """All parts as one, in the order of a column; what is in order already is not sorted."""
    whole = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    if (whole[by][1:] >= whole[by][:-1]).all():
        return whole
    order = np.argsort(whole[by], kind="stable")
    return {name: column[order] for name, column in whole.items()}


def _places(ids: NDArray[np.int64], of: NDArray[np.int64]) -> NDArray[np.int32]:
    """Where each id stands among others that are in order, or UNKNOWN."""
    found = np.searchsorted(of, ids).astype(np.int32)
    there = found < len(of)
    there[there] = of[found[there]] == ids[there]
    return np.where(there, found, UNKNOWN).astype(np.int32)
