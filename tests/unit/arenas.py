"""Arenas for tests of insight: by a few readable battles, or many drawn by chance.

arena(battle(vote(1, "a"), vote(2, "tie"), topic="code"), battle(vote(1, "b")))
replace(drawn(), outcome=...)  # whole columns, to plant what is to be found
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from bot.insight.arena import NO_GUESS, NOBODY, PURPOSES, UNKNOWN, Arena, Entrant, Gathering
from storage.arena import BATTLE, VOTE, Page
from storage.records import Kind, Purpose

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

OUTCOMES = {"a": 0, "b": 1, "tie": 2, "both bad": 3}
GUESSES = {None: -1, "not sure": 0, "right": 1, "wrong": 2}

Row = dict[str, Any]
Vote = dict[str, Any]


def kind_of(slug: str) -> Kind:
    """Slugs tell the kind: `base-2` is a base model, `tuned` a tuned one, others are instruct."""
    begins = (kind for kind in Kind if slug.startswith(kind.value))
    return next(begins, Kind.INSTRUCT)


def vote(
    voter: int,
    outcome: str = "a",
    *,
    blind: bool = True,
    by_author: bool = False,
    swapped: bool = False,
    guess: str | None = None,
    seconds: float | None = 20.0,
) -> Vote:
    """A vote by the sides of the battle; voters below zero did not agree to be kept."""
    return {
        "voter_id": voter,
        "outcome": OUTCOMES[outcome],
        "blind": int(blind),
        "by_author": int(by_author),
        "swapped": int(swapped),
        "guess": GUESSES[guess],
        "seconds": seconds,
    }


def battle(*votes: Vote, a: str = "base", b: str = "instruct", **columns: Any) -> Row:
    """A battle with its votes. Columns are those of `storage.arena.BATTLE`.

    `template`, `characters`, `markup` and `seconds` go for both sides unless the one of a side
    is named, as `characters_b`.
    """
    both = {"template": "transcript", "characters": 100, "markup": 0, "seconds": 1.0}
    row: Row = {
        "guild_id": 1,
        "channel_id": 10,
        "purpose": "live",
        "day": "2026-11-01",
        "topic": None,
        "language": None,
        "mirror_of_id": 0,
        "goes_on": 0,
        "unranked": 0,
    }
    for name, value in both.items():
        row[f"{name}_a"] = row[f"{name}_b"] = columns.pop(name, value)
    return row | columns | {"slugs": (a, b), "votes": list(votes)}


def arena(*battles: Row) -> Arena:
    """An arena of these battles, with ids from 1 where none are given."""
    slugs = sorted({slug for row in battles for slug in row["slugs"]})
    number = {slug: index for index, slug in enumerate(slugs, start=1)}
    gathering = Gathering({number[slug]: Entrant(slug=slug, kind=kind_of(slug)) for slug in slugs})
    rows = [{"id": index} | row for index, row in enumerate(battles, start=1)]
    for row in rows:
        for side, slug in zip("ab", row["slugs"], strict=True):
            row |= {f"contender_{side}": number[slug], f"kind_{side}": kind_of(slug)}
    votes = [{"battle_id": row["id"]} | vote for row in rows for vote in row["votes"]]
    gathering.add(
        Page(
            {name: [row[name] for row in rows] for name in BATTLE},
            {name: [vote[name] for vote in votes] for name in VOTE},
        )
    )
    return gathering.arena()


def drawn(
    *,
    battles: int = 200,
    each: int = 5,
    voters: int = 40,
    slugs: tuple[str, ...] = ("base", "instruct"),
    strength: Mapping[str, float] | None = None,
    seed: int = 1,
) -> Arena:
    """Live battles of one base model against one other, with `each` blind votes on them.

    Votes are decided, and thrown with the contenders' `strength` in logits (0 where not
    named): by no side, length, or taste. Columns that chance does not concern are as `battle`
    has them; texts differ in length.
    """
    rng = np.random.default_rng(seed)
    entrants = tuple(Entrant(slug=slug, kind=kind_of(slug)) for slug in sorted(slugs))
    theta = np.array([(strength or {}).get(entrant.slug, 0.0) for entrant in entrants])
    raw = np.array([entrant.kind is Kind.BASE for entrant in entrants])
    pair = np.stack([rng.choice(np.flatnonzero(kind), battles) for kind in (raw, ~raw)], axis=1)
    contender = rng.permuted(pair, axis=1).astype(np.int16)
    of = np.repeat(np.arange(battles, dtype=np.int32), each)
    ahead = 1 / (1 + np.exp(theta[contender[:, 1]] - theta[contender[:, 0]]))
    votes = len(of)
    return Arena(
        entrants=entrants,
        templates=("transcript",),
        topics=("chat",),
        languages=("en",),
        ids=np.arange(1, voters + 1),
        battle=np.arange(1, battles + 1),
        guild=np.full(battles, 1),
        channel=np.full(battles, 10),
        purpose=np.full(battles, PURPOSES.index(Purpose.LIVE), np.int8),
        day=np.linspace(20_000, 20_060, battles).astype(np.int32),
        contender=contender,
        template=np.zeros(battles, np.int16),
        topic=np.zeros(battles, np.int16),
        language=np.zeros(battles, np.int16),
        characters=rng.integers(20, 900, (battles, 2), np.int32),
        markup=rng.integers(0, 9, (battles, 2), np.int32),
        seconds=rng.uniform(0.5, 9, (battles, 2)).astype(np.float32),
        mirrors=np.full(battles, UNKNOWN, np.int32),
        goes_on=np.zeros(battles, bool),
        unranked=np.zeros(battles, bool),
        of=of,
        voter=_voters(rng, battles, each, voters),
        outcome=(rng.random(votes) >= ahead[of]).astype(np.int8),
        blind=np.ones(votes, bool),
        by_author=np.tile(np.arange(each) == 0, battles),
        swapped=rng.random(votes) < 0.5,
        guess=np.full(votes, NO_GUESS, np.int8),
        took=np.full(votes, 20, np.float32),
    )


def _voters(rng: np.random.Generator, battles: int, each: int, voters: int) -> NDArray[np.int32]:
    """Nobody votes twice on a battle; all are equally keen."""
    if not voters:
        return np.full(battles * each, NOBODY, np.int32)
    first = rng.integers(0, voters, battles)[:, None]
    steps = np.cumsum(rng.integers(1, max(voters // each, 1) + 1, (battles, each)), axis=1)
    return ((first + steps) % voters).astype(np.int32).ravel()
