"""Which answer stood left and which right leaves no trace in an export."""

from __future__ import annotations

import asyncio
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from storage.records import Consent, Outcome, Purpose
from tests.unit.exports import export
from tests.unit.town import AUTHOR, GUILD, town

VOTERS = range(1, 4)
AUTHORS = (AUTHOR, AUTHOR + 1)
EXPORTS = (
    ("dpo", {"purpose": Consent.EVALUATE, "deciding": "every", "ties": "soft"}),
    ("dpo", {"chat": True, "both_bad": "soft"}),
    ("kto", {"ties": "desirable", "deciding": "weighted", "columns": ("weight",)}),
    ("reward", {"votes": "all", "continued": True}),
    ("sft", {}),
    ("openai", {"deciding": "unanimous"}),
)


@dataclass(frozen=True)
class Fight:
    """A battle and its votes: voter, choice, seconds, whether that voter saw it swapped."""

    texts: tuple[str, str]
    tokens: tuple[int, int]
    author: int
    guild: int | None
    purpose: Purpose
    mirrors: int | None
    votes: tuple[tuple[int, int | Outcome, float, bool], ...]


votes = st.tuples(
    st.sampled_from([0, 0, 0, 1, 1, Outcome.TIE, Outcome.BOTH_BAD]),
    st.sampled_from([0.5, 50.0, 50.0]),
    st.booleans(),
)
ballots = st.dictionaries(st.sampled_from(VOTERS), votes, min_size=1)
fights = st.builds(
    Fight,
    texts=st.sampled_from([*[("left", "right")] * 4, ("Same", "same ")]),
    tokens=st.tuples(st.sampled_from([0, 60]), st.sampled_from([5, 128])),
    author=st.sampled_from(AUTHORS),
    guild=st.sampled_from([GUILD, GUILD, None]),
    purpose=st.sampled_from([*[Purpose.LIVE] * 4, Purpose.CONTROL]),
    mirrors=st.sampled_from([None, None, None, 0, 1]),
    votes=ballots.map(lambda cast: tuple((voter, *vote) for voter, vote in cast.items())),
)
histories = st.lists(fights, min_size=6, max_size=12)
exceptions = st.dictionaries(
    st.tuples(st.sampled_from([*VOTERS, *AUTHORS]), st.sampled_from([0, GUILD])),
    st.sampled_from(Consent),
    max_size=2,
)


@settings(deadline=None, max_examples=8)
@given(histories, exceptions)
def test_swapping_the_sides_of_every_battle_leaves_every_export_as_it_is(
    history: list[Fight], said: dict[tuple[int, int], Consent]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        straight, swapped = (
            asyncio.run(_exports(Path(folder) / name, history, said, flipped=name == "swapped"))
            for name in ("straight", "swapped")
        )
    assert straight == swapped


async def _exports(
    home: Path, history: list[Fight], said: dict[tuple[int, int], Consent], *, flipped: bool
) -> list[dict[str, Any]]:
    """The rows, and what is told of them but how many were chosen on side A."""
    async with town(home, flipped=flipped) as t:
        await t.agree(*VOTERS, *AUTHORS)
        for (member, guild), scope in said.items():
            await t.agree(member, scope=scope, guild=guild)
        opened = []
        for fight in history:
            mirrors = opened and fight.mirrors is not None
            mirrored = opened[fight.mirrors % len(opened)] if mirrors else None
            battle = await t.battle(
                *fight.texts,
                tokens=fight.tokens,
                author=fight.author,
                guild=fight.guild,
                purpose=Purpose.MIRROR if mirrored else fight.purpose,
                mirrored=mirrored,
            )
            opened.append(battle)
            for voter, choice, after, swapped in fight.votes:
                await t.vote(battle, voter, choice, after=after, swapped=swapped)
        manifests = []
        for number, (format_name, options) in enumerate(EXPORTS):
            out = home / str(number)
            manifest = await export(t.store, out, format_name, **options)
            del manifest["balance"]["chosen_on_a"]
            manifests.append(manifest)  # it has the digests of the files
    return manifests
