"""A simulated community: the same one again, apart from what people did, and gone on request."""

from __future__ import annotations

import json
import math
import sqlite3
from contextlib import aclosing, closing
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from bot import demo
from bot.app import open_services
from bot.client import TwofoldClient
from bot.config import Config
from bot.contenders import ContenderConfig
from bot.errors import ConfigError, StorageError
from bot.insight.counting import Counting
from bot.integrity import figures
from bot.simulation.nature import Nature
from bot.simulation.population import Spam, community
from bot.simulation.prompts import asked_in, prompts
from bot.simulation.simulating import DEMO_GUILD, Wanted, remove, simulate
from bot.simulation.truth import davidson
from storage.database import Database, database_url
from storage.records import Closing, Consent, Contender, Kind, Standing, Tuning
from storage.simulations import LAST_ID
from tests.unit.exports import export, rows
from tests.unit.records import NOON
from tests.unit.test_app import run
from tests.unit.town import AUTHOR, GUILD, town

if TYPE_CHECKING:
    from pathlib import Path

    from bot.simulation.simulating import Simulated

BATTLES = 20


async def simulated(home: Path, seed: int = 1, battles: int = BATTLES, **wanted: Any) -> Simulated:
    return await simulate(
        Config(home=home), Wanted(battles=battles, members=12, seed=seed, **wanted)
    )


def asked(home: Path, statement: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(home / "twofold.db")) as connection:
        return connection.execute(statement).fetchall()


def everything(home: Path) -> dict[str, list[tuple[Any, ...]]]:
    tables = asked(home, "SELECT name FROM sqlite_master WHERE type = 'table'")
    return {name: sorted(asked(home, f"SELECT * FROM {name}"), key=repr) for (name,) in tables}


async def test_the_same_seed_gives_the_same_rows_in_every_table(tmp_path: Path) -> None:
    one, two, other = (tmp_path / name for name in ("one", "two", "other"))
    told = [await simulated(home) for home in (one, two)]
    assert everything(one) == everything(two)
    assert told[0].to_json() == told[1].to_json()
    await simulated(other, seed=2)
    assert everything(one)["votes"] != everything(other)["votes"]


async def test_every_row_is_marked_and_has_an_id_that_discord_never_gives(tmp_path: Path) -> None:
    made = await simulated(tmp_path)
    assert asked(tmp_path, "SELECT DISTINCT simulated FROM battles") == [(1,)]
    assert asked(tmp_path, "SELECT DISTINCT simulated, consent FROM members") == [(1, "publish")]
    columns = {"battles": ("source_message_id", "channel_id", "author_id", "shown_message_id")}
    columns |= {"members": ("member_id",), "votes": ("voter_id",), "turns": ("author_id",)}
    for table, names in columns.items():
        for name in names:
            [(least, most)] = asked(tmp_path, f"SELECT min({name}), max({name}) FROM {table}")
            assert 0 < least <= most <= LAST_ID
    assert made.votes >= BATTLES
    assert made.happened.battles == BATTLES


async def test_all_sorts_of_battles_and_votes_are_there_and_all_have_closed(
    tmp_path: Path,
) -> None:
    await simulated(tmp_path, battles=150)
    found = dict(asked(tmp_path, "SELECT purpose, count(*) FROM battles GROUP BY 1"))
    assert set(found) == {"live", "mirror", "control"}
    assert asked(tmp_path, "SELECT DISTINCT state FROM battles") == [("closed",)]
    reasons = {reason for (reason,) in asked(tmp_path, "SELECT closed_because FROM battles")}
    assert {"votes", "time"} <= reasons
    assert {outcome for (outcome,) in asked(tmp_path, "SELECT outcome FROM votes")} == {
        "win",
        "tie",
        "both_bad",
    }
    for mark in ("guessed_at IS NOT NULL", "by_author", "swapped", "NOT blind"):
        assert asked(tmp_path, f"SELECT count(*) FROM votes WHERE {mark}") > [(0,)], mark
    events = {event for (event,) in asked(tmp_path, "SELECT event FROM vote_events")}
    assert events == {"cast", "change", "withdraw"}
    ran_on = """SELECT count(*) FROM answers WHERE tags LIKE '%"run_on"%'"""
    assert asked(tmp_path, ran_on) > [(9,)]


async def test_another_seed_adds_and_the_same_one_is_refused(tmp_path: Path) -> None:
    await simulated(tmp_path)
    with pytest.raises(ConfigError, match="seed 1 is there already"):
        await simulated(tmp_path)
    await simulated(tmp_path, seed=2)
    assert asked(tmp_path, "SELECT count(*) FROM battles WHERE purpose != 'mirror'") == [
        (2 * BATTLES,)
    ]
    assert asked(tmp_path, "SELECT count(*) FROM members") == [(24,)]


async def test_what_was_simulated_goes_and_nothing_else(tmp_path: Path) -> None:
    await _people(tmp_path)
    before = everything(tmp_path)
    await simulated(tmp_path)
    assert everything(tmp_path)["votes"] != before["votes"]
    removed = await remove(Config(home=tmp_path))
    assert (removed.battles >= BATTLES, removed.members) == (True, 12)
    after = everything(tmp_path)
    for name in {*before} - {"recounts", "sqlite_sequence", "contenders"}:
        assert after[name] == before[name], name
    assert {row[1] for row in after["contenders"]} == {"base", "instruct"}
    await simulated(tmp_path)


async def test_what_is_simulated_does_not_lapse_and_is_not_in_the_way_of_what_does(
    tmp_path: Path,
) -> None:
    await _people(tmp_path)
    await simulated(tmp_path)
    made = "SELECT prompt, author_id FROM battles WHERE simulated ORDER BY id"
    before = asked(tmp_path, made)
    async with open_services(_scripted(tmp_path)) as services:
        for guild in (DEMO_GUILD, GUILD):
            await services.store.guilds.update(guild, "consent_cap", "none", by=1, at=NOON)
        for number in range(1, 4):
            await services.store.battles.close(number, because=Closing.TIME, at=NOON)
        swept = await services.retention.sweep()
        erased = await services.store.erasure.erase(AUTHOR + 1, at=NOON)
    assert swept.battles == 3
    assert erased.rows["members"] == 1
    assert asked(tmp_path, made) == before
    assert asked(tmp_path, "SELECT min(voter_id) FROM votes WHERE voter_id > 0") < [(LAST_ID,)]


async def test_no_simulation_gets_among_the_battles_of_a_server(tmp_path: Path) -> None:
    await _people(tmp_path)
    with pytest.raises(ConfigError, match="3 battles of its own"):
        await simulated(tmp_path, guild_id=GUILD)
    assert asked(tmp_path, "SELECT count(*) FROM battles") == [(3,)]


async def test_what_a_bot_left_half_answered_comes_first(tmp_path: Path) -> None:
    await _people(tmp_path)
    with closing(sqlite3.connect(tmp_path / "twofold.db")) as connection, connection:
        connection.execute("UPDATE battles SET state = 'answering' WHERE id = 1")
    with pytest.raises(ConfigError, match="Start it once"):
        await simulated(tmp_path)


async def test_nothing_is_simulated_while_a_bot_runs(tmp_path: Path) -> None:
    async with open_services(_scripted(tmp_path)):
        with pytest.raises(StorageError, match="Another Twofold works on the database"):
            await simulated(tmp_path)


async def test_one_that_was_broken_off_leaves_only_marked_rows_that_no_bot_tells_of(
    tmp_path: Path,
) -> None:
    class Enough(Exception):
        pass

    def stop(done: int) -> None:
        if done == 10:
            raise Enough

    wanted = Wanted(battles=BATTLES, members=12, seed=1)
    with pytest.raises(Enough):
        await simulate(Config(home=tmp_path), wanted, progress=stop)
    for table in ("battles", "members"):
        assert asked(tmp_path, f"SELECT DISTINCT simulated FROM {table}") == [(1,)]
    async with open_services(_scripted(tmp_path)) as services:
        assert services.battles.unfinished == services.battles.unshown == ()
        assert await services.closing.unrevealed() == ()
    with pytest.raises(ConfigError, match="or a part of it"):
        await simulated(tmp_path)


async def test_exports_and_figures_have_the_one_or_the_other(tmp_path: Path) -> None:
    await _people(tmp_path)
    await simulated(tmp_path)
    for is_simulated, battles in ((False, 3), (True, None)):
        async with Database.open(database_url(tmp_path / "twofold.db")) as store:
            out = tmp_path / f"out-{is_simulated}"
            options = {"purpose": Consent.PUBLISH} if is_simulated else {}
            manifest = await export(store, out, "raw", simulated=is_simulated, **options)
            seen = store.seen.all(simulated=is_simulated)
            async with aclosing(seen) as votes:
                voters = {voter.voter_id async for voter in figures(votes)}
            counted = await store.census.voted(simulated=is_simulated)
        slugs = {row["contender"] for row in rows(out, "answers")}
        assert is_simulated == ("otter-base" in slugs) == ("base" not in slugs)
        assert all((voter <= LAST_ID) is is_simulated for voter in voters)
        assert manifest["source"]["kind"] == ("simulated" if is_simulated else "live")
        assert counted == (battles or counted)
        card = (out / "README.md").read_text("utf-8")
        assert ("Simulated, for trying things out" in card) is is_simulated
        assert ("--simulated" in card) is is_simulated
    assert counted == manifest["battles"] > 12


async def test_configured_contenders_can_be_had_instead(tmp_path: Path) -> None:
    wanted = Wanted(battles=5, members=5, seed=1, real=True, contenders=("plain", "polite"))
    config = _scripted(tmp_path)
    idle = ContenderConfig(slug="idle", kind=Kind.BASE, model="scripted:text=nothing")
    config = config.model_copy(update={"contenders": (*config.contenders, idle)})
    made = await simulate(config, wanted)
    assert made.happened.battles == 5
    assert set(made.truth.points) == {"plain", "polite"}
    assert all(map(math.isfinite, made.truth.points.values()))


def test_the_command_prints_what_is_true_and_refuses_a_second_time(tmp_path: Path) -> None:
    asking = ("simulate", "--battles", "8", "--members", "10", "--seed", "4", "--spam", "0.2")
    told = json.loads(run(tmp_path, *asking, "--json").stdout)
    assert (told["seed"], told["battles"], len(told["members"])) == (4, 8, 10)
    assert {member["spam"] for member in told["members"]} == {None, "one_side", "random"}
    again = run(tmp_path, *asking)
    assert (again.returncode, "--remove" in again.stderr) == (1, True)
    removed = run(tmp_path, "simulate", "--remove")
    assert "10 members are gone" in removed.stdout


async def test_the_demo_has_something_to_show_and_says_nothing_by_itself(tmp_path: Path) -> None:
    await simulated(tmp_path)
    async with (
        open_services(_scripted(tmp_path)) as services,
        demo._world(TwofoldClient(services)) as (env, _, channel),
    ):
        assert channel.guild.id == DEMO_GUILD
        board = await services.insight.leaderboard(Counting(guilds=(DEMO_GUILD,)))
        assert (board.counting.simulated, len(board.lines)) == (True, 5)
        await env.advance_time(180)
        assert channel.history() == []


def test_a_member_does_not_depend_on_how_many_there_are() -> None:
    kinds = {"base": Kind.BASE, "instruct": Kind.INSTRUCT}
    few, many = (community(5, members=n, kinds=kinds, nature=Nature(spam=0)) for n in (3, 30))
    assert few.members == many.members[:3]


def test_so_many_are_spammers_as_was_said() -> None:
    kinds = {"base": Kind.BASE, "instruct": Kind.INSTRUCT}
    people = community(5, members=50, kinds=kinds, nature=Nature(spam=0.2))
    found = [member.spam for member in people.members]
    assert [found.count(sort) for sort in Spam] == [5, 5]


def test_prompts_are_some_hundred_and_found_again_in_longer_texts() -> None:
    everything = prompts()
    assert len(everything) > 250
    assert len({prompt.language for prompt in everything}) == 3
    for prompt in everything:
        assert asked_in(f"a chat\nAda: {prompt.text}\nTwofold:") == prompt


def test_strengths_are_read_off_exact_chances() -> None:
    strong, nu = np.exp(np.array([-0.7, 0.2, 0.5])), 0.8
    total = strong[:, None] + strong + nu * np.sqrt(np.outer(strong, strong))
    met = 1 - np.eye(3)
    won = met * strong[:, None] / total
    tied = met * nu * np.sqrt(np.outer(strong, strong)) / total
    found, ties = davidson(won, tied)
    assert found == pytest.approx([-0.7, 0.2, 0.5])
    assert ties == pytest.approx(nu)


async def test_tuned_contenders_do_not_come_to_made_up_ones(tmp_path: Path) -> None:
    child = Contender(
        slug="child", kind=Kind.TUNED, model="scripted:", adapter="an-adapter", parent="plain"
    )
    async with town(tmp_path) as t:
        await t.store.tunings.record(
            Tuning(
                contender=child,
                method="dpo",
                dataset=None,
                adapter_sha256="ab",
                generation=1,
                trained_at=NOON,
                standing=Standing.ENTERED,
            )
        )
    await simulate(_scripted(tmp_path), Wanted(battles=30, members=6, seed=1))
    met = asked(
        tmp_path,
        "SELECT DISTINCT slug FROM answers JOIN contenders ON contender_id = contenders.id",
    )
    assert met
    assert ("child",) not in met


async def _people(home: Path) -> None:
    async with town(home) as t:
        await t.agree(AUTHOR, AUTHOR + 1)
        for _ in range(3):
            await t.vote(await t.battle(), AUTHOR + 1, 0)


def _scripted(home: Path) -> Config:
    roster = (
        ContenderConfig(slug="plain", kind=Kind.BASE, model="scripted:"),
        ContenderConfig(slug="polite", kind=Kind.INSTRUCT, model="scripted:"),
    )
    return Config(home=home, contenders=roster)
