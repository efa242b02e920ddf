"""Nothing that reaches Discord before a vote tells the sides apart, but for their texts."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING

import pytest

from .blindness import Watch, both_ways, names_in, script, uneven
from .limits import RateLimits
from .table import Table, roster, table

if TYPE_CHECKING:
    from pathlib import Path

    from .blindness import Watched

OFF = RateLimits.off()
OFTEN = "".join(f"{who}_battles_per_minute = 1000\n" for who in ("member", "channel", "guild"))
# The base model is slow and runs on into somebody else's turn.
SLOW, QUICK = script("base", 40, delay=0.01, tail="%0Aalice:+and+then"), script("instruct", 40)

LINK = "The whole conversation"
BATTLES = 12


def check(at: Table, found: list[Watched]) -> None:
    """Every battle reads the same, and nothing in it differs between its sides."""
    first, *others = found
    for watched in others:
        assert watched.sent == first.sent
    for watched in found:
        assert uneven(watched) == []
        assert names_in(at, watched) == []


@pytest.mark.parametrize("showing", ["at_once", "lockstep"])
async def test_a_battle_reads_the_same_whichever_side_the_base_model_has(
    tmp_path: Path, showing: str
) -> None:
    config = f'showing = "{showing}"\n' + OFTEN + roster(SLOW, QUICK)
    async with table(tmp_path, config, limits=OFF) as at:
        watch = Watch(at)
        for way in (watch.mentioned, watch.commanded):
            found = await watch.many(way, both_ways)
            check(at, found)
            growing = [line for line in found[0].sent if "«a» so far" in line]
            assert bool(growing) is (showing == "lockstep")
            # The comparison does see a difference where there is one.
            assert len({watched.reveal for watched in found}) == 2


@pytest.mark.parametrize("words", [300, 1200])
async def test_full_texts_read_the_same(tmp_path: Path, words: int) -> None:
    config = OFTEN + roster(script("base", words, tail="%0Aalice:+no"), script("instruct", words))
    config = config.replace('kind = "', 'max_tokens = 4000\nkind = "')
    async with table(tmp_path, config, limits=OFF) as at:
        watch = Watch(at)
        found = await watch.many(watch.mentioned, both_ways)
        check(at, found)
        assert found[0].text.count("** in full") == 2


async def test_a_failure_reads_the_same_whoever_failed(tmp_path: Path) -> None:
    told = []
    for scripts in (("fail=99", ""), ("", "fail=99")):
        async with table(tmp_path / str(len(told)), roster(*scripts)) as at:
            told.append(await Watch(at).failed())
    assert told[0] == told[1]
    assert "could not answer" in told[0][-1]


async def test_a_control_reads_as_any_other_battle(tmp_path: Path) -> None:
    def enough(found: list[Watched]) -> bool:
        purposes = [watched.purpose for watched in found]
        return both_ways(found) and purposes.count("control") >= 2

    async with table(tmp_path, OFTEN + roster(), limits=OFF) as at:
        await at.program.set(at.channel.guild, "control_share", 50)
        watch = Watch(at)
        found = await watch.many(watch.mentioned, enough)
        check(at, found)


async def test_a_private_ballot_reads_the_same_and_so_does_a_mirror(tmp_path: Path) -> None:
    async with table(tmp_path, OFTEN + roster(SLOW, QUICK), limits=OFF) as at:
        watch = Watch(at)
        rater = watch.voter()
        rated = partial(watch.rated, rater)
        for _ in range(BATTLES):
            await at.ask()
        found = await watch.many(rated, lambda found: len(found) == BATTLES - 1)
        _make_old(at)
        await at.program.set(at.channel.guild, "mirror_share", 50)
        found += await watch.many(rated, both_ways)
        assert {watched.purpose for watched in found} == {"live", "mirror"}
        assert {watched.swapped for watched in found} == {True, False}
        # The first prompt has no conversation before it to link to; that tells no sides.
        first = [watched for watched in found if LINK not in "".join(watched.sent)]
        check(at, [watched for watched in found if watched not in first])
        if first:
            check(at, first)


def _make_old(at: Table) -> None:
    """Have what was voted on be ready to be shown again, mirrored."""
    with closing(sqlite3.connect(at.program.database, timeout=5.0)) as file, file:
        file.execute("UPDATE votes SET updated_at = '2026-01-01 00:00:00.000000'")
