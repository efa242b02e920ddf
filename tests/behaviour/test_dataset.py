"""`/dataset` and `/export` in a simulated Discord."""

from __future__ import annotations

import asyncio
import io
import json
import sqlite3
import tempfile
import threading
import zipfile
from contextlib import closing, contextmanager
from datetime import timedelta
from itertools import count
from typing import TYPE_CHECKING

import datasets
import pytest

from bot.answers import utf16_length
from bot.dataset import parcel
from storage.records import NOBODY, Consent, Contender, Outcome
from tests.behaviour.conftest import Town, texts
from tests.unit import town as unit
from tests.unit.records import NOON, Clock, said, talk

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from datetime import datetime
    from pathlib import Path

    import simcord

    from storage.records import Battle
    from tests.behaviour.conftest import OpenTown

NONE, EVALUATE, TRAIN, PUBLISH = Consent
TIE = Outcome.TIE
NUMBERS = count(10_000)
ELSEWHERE = 77


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def town(open_town: OpenTown, clock: Clock) -> AsyncIterator[Town]:
    async with open_town(clock=clock, training_export=True) as opened:
        yield opened


async def allow(town: Town, *members: simcord.MemberActor, scope: Consent = TRAIN) -> None:
    for member in members:
        await unit.Town(town.services.store).agree(member.id, scope=scope)


async def fought(
    town: Town,
    text: str,
    *choices: tuple[simcord.MemberActor, int | Outcome],
    by: simcord.MemberActor | None = None,
    guild: int | None = None,
) -> Battle:
    """A battle with votes. 0 is the base model's answer, 1 the instruct model's."""
    author = by or town.alice
    store = town.services.store
    roster = [Contender(slug=kind.value, kind=kind, model="scripted:") for kind in unit.KINDS]
    await store.contenders.register(roster, at=NOON)
    world = unit.Town(store)
    world._numbers = NUMBERS
    spoken = talk(said(text, by=author.id, name=author.name))
    battle = await world.battle(
        f"plainly {text}",
        f"politely {text}",
        author=author.id,
        conversation=spoken,
        guild=guild or town.guild.id,
    )
    for voter, choice in choices:
        await world.vote(battle, voter.id, choice)
    return battle


async def overview(town: Town) -> str:
    shown = await town.admin.slash(town.lounge, "dataset")
    assert shown.ephemeral
    return texts(shown.response)


async def exported(town: Town, **options: str) -> simcord.InteractionResult:
    result = await town.admin.slash(town.lounge, "export", **options)
    assert result.ephemeral
    return result


async def refusal(town: Town, **options: str) -> str:
    result = await exported(town, **options)
    assert not result.response.message.attachments
    return texts(result.response)


async def unpacked(result: simcord.InteractionResult, place: Path) -> Path:
    (file,) = result.response.message.attachments
    with zipfile.ZipFile(io.BytesIO(await file.read())) as archive:
        archive.extractall(place)
    return place / file.filename.removesuffix(".zip")


def rows(folder: Path) -> list[dict[str, object]]:
    return [json.loads(line) for file in folder.glob("*.jsonl") for line in file.open()]


async def test_the_overview_counts_what_a_plain_recount_counts(town: Town) -> None:
    alice, bob, admin = town.alice, town.bob, town.admin
    await allow(town, alice, bob)
    await allow(town, admin, scope=EVALUATE)
    await fought(town, "one", (bob, 1), (alice, 1), (admin, 0))
    await fought(town, "two", (bob, 0))
    await fought(town, "three", (bob, TIE))
    await fought(town, "four", (bob, 1), by=admin)
    await fought(town, "five", (admin, 1))
    await fought(town, "six")
    await fought(town, "seven", (bob, 1), guild=ELSEWHERE)
    shown = await overview(town)
    assert "**7 votes → 2 pairs** for training" in shown
    assert "6 battles here, 5 of them with votes" in shown
    assert "Left out: 3 battles" in shown
    for reason in (
        "1 × voters called it a tie",
        "1 × somebody whose words it holds has not agreed to this use",
        "1 × nobody who voted has agreed to this use",
        "1 vote not counted: the voter has not agreed to this use",
    ):
        assert reason in shown
    assert "(3 members who wrote or voted)" in shown
    assert "training: 2 · statistics only: 1\n" in shown
    assert "asked for at most: training" in shown
    assert "Exports for training: on" in shown
    assert "Nothing of this server was ever exported." in shown
    assert not await town.services.store.exports.all()


async def test_a_single_reason_stands_with_its_number(town: Town) -> None:
    await allow(town, town.alice, town.bob)
    for text in ("one", "two"):
        await fought(town, text, (town.bob, TIE))
    shown = await overview(town)
    assert "Left out: 2 battles, voters called it a tie\n" in shown
    assert "2 battles with votes." in shown


async def test_lines_of_the_preview_are_short_enough_for_a_phone(town: Town) -> None:
    await allow(town, town.alice, town.bob)
    await fought(town, "three little words " * 20, (town.bob, 1))
    shown = await overview(town)
    for block in shown.split("```")[1::2]:
        assert max(map(len, block.splitlines())) <= 54


async def test_the_preview_shows_rows_as_they_would_leave(town: Town) -> None:
    await allow(town, town.alice, town.bob)
    hostile = f"alice asks <@{town.bob.id}>, ```js and @everyone ||so||"
    await fought(town, hostile, (town.bob, 1))
    shown = await town.admin.slash(town.lounge, "dataset")
    said = texts(shown.response)
    assert str(town.bob.id) not in said
    assert "alice" not in said
    (block,) = [part for part in said.split("-# ") if part.startswith("Chosen")]
    assert block.count("```") == 2
    assert "politely" in block
    assert not shown.response.message.mentions
    assert not shown.response.message.mention_everyone


async def test_the_largest_overview_fits_into_a_message(town: Town) -> None:
    await allow(town, town.alice, town.bob)
    for text in ("\N{PILE OF POO}" * 3000, "``" * 3000):
        await fought(town, text, (town.bob, 1))
    for choice in (TIE, Outcome.BOTH_BAD):
        await fought(town, "other", (town.bob, choice))
    await fought(town, "mine", (town.admin, 1))
    await fought(town, "theirs", (town.bob, 1), by=town.admin)
    shown = await overview(town)
    assert 1500 < utf16_length(shown) <= 4000
    assert shown.count("```") == 6


async def test_an_empty_server_is_told_what_there_is(town: Town) -> None:
    assert "**0 votes → 0 pairs**" in await overview(town)
    assert "Nobody has voted here yet" in await refusal(town)


async def test_the_file_loads_and_has_this_server_and_who_agreed_alone(
    town: Town, tmp_path: Path
) -> None:
    await allow(town, town.alice, town.bob)
    await fought(town, "mine", (town.bob, 1), (town.admin, 0))
    await fought(town, "unwilling", (town.bob, 1), by=town.admin)
    await fought(town, "faraway", (town.bob, 1), guild=ELSEWHERE)
    result = await exported(town)
    assert "**3 votes → 1 pair** for training, as `dpo`" in result.response.message.content
    assert "`gone`" in result.response.message.content
    folder = await unpacked(result, tmp_path / "zip")
    assert folder.name == "twofold-dpo-train"
    loaded = datasets.load_dataset(str(folder), cache_dir=str(tmp_path / "cache"))
    (row,) = [row for split in loaded.values() for row in split]
    assert (row["chosen"], row["rejected"]) == (" politely mine", " plainly mine")
    assert (row["votes_chosen"], row["votes_rejected"]) == (1, 0)
    manifest = json.loads((folder / "manifest.json").read_bytes())
    assert manifest["rows"] == 1
    assert (folder / "README.md").exists()
    everything = b"".join(p.read_bytes() for p in folder.glob("*") if p.is_file())
    for text in ("faraway", "unwilling", str(town.guild.id), str(town.bob.id)):
        assert text.encode() not in everything


@pytest.mark.parametrize(
    ("choice", "files"),
    [
        ("dpo chat", {"train"}),
        ("kto", {"train"}),
        ("sft", {"train"}),
        ("reward", {"train"}),
        ("openai", {"train"}),
    ],
)
async def test_each_format_is_handed_over(
    town: Town, tmp_path: Path, choice: str, files: set[str]
) -> None:
    await allow(town, town.alice, town.bob)
    await fought(town, "hello", (town.bob, 1))
    folder = await unpacked(await exported(town, format=choice, purpose="evaluate"), tmp_path)
    assert folder.name == f"twofold-{choice.replace(' ', '-')}-evaluate"
    found = {p.relative_to(folder).with_suffix("").as_posix() for p in folder.rglob("*.jsonl")}
    splits = {"validation": "train", "test": "train"}
    assert {splits.get(name, name) for name in found} == files


async def test_an_export_is_remembered_so_that_an_erasure_names_it(
    town: Town, tmp_path: Path, clock: Clock
) -> None:
    await allow(town, town.alice, town.bob)
    battle = await fought(town, "hello", (town.bob, 1))
    (row,) = rows(await unpacked(await exported(town), tmp_path))
    (kept,) = await town.services.store.exports.all()
    assert (kept.format, kept.purpose) == ("dpo", TRAIN)
    assert set(await town.services.store.exports.rows(kept.id)) == {battle.id}
    assert "Last export: `dpo` for training, 1 battle, <t:" in await overview(town)
    erasure = await town.services.mydata.erase(town.alice.id)
    assert [export.id for export in erasure.exports] == [kept.id]
    await fought(town, "later", (town.bob, 1), by=town.bob)
    clock.now += timedelta(minutes=2)
    folder = await unpacked(await exported(town), tmp_path / "later")
    manifest = json.loads((folder / "manifest.json").read_bytes())
    assert manifest["gone"] == {"member_erased": [row["battle"]]}


async def test_ids_join_with_no_other_servers_export(town: Town, tmp_path: Path) -> None:
    await allow(town, town.alice, town.bob)
    await fought(town, "here", (town.bob, 1))
    await fought(town, "there", (town.bob, 1), guild=ELSEWHERE)
    voters = []
    for number, guild in enumerate((town.guild.id, ELSEWHERE)):
        made = await town.services.serving.export(guild, format="arena", limit=10**7, by=NOBODY)
        with zipfile.ZipFile(io.BytesIO(made.data)) as archive:
            archive.extractall(tmp_path / str(number))
        (votes,) = tmp_path.joinpath(str(number)).glob("*/votes/*.jsonl")
        voters.append(json.loads(votes.read_text())["judge"])
    assert voters[0] != voters[1]


async def test_nothing_leaves_for_training_while_the_operator_has_it_off(
    open_town: OpenTown,
) -> None:
    async with open_town() as town:
        await allow(town, town.alice, town.bob)
        await fought(town, "hello", (town.bob, 1))
        shown = await overview(town)
        assert "**1 vote → 1 pair** for statistics" in shown
        assert "Exports for training: off" in shown
        for purpose in ("train", "publish"):
            told = await refusal(town, purpose=purpose)
            assert "Exports for training and publishing are off" in told
            assert "Discord's express permission" in told
        assert "for statistics" in (await exported(town)).response.message.content


async def test_nothing_leaves_for_what_members_are_not_asked(town: Town) -> None:
    await allow(town, town.alice, town.bob, scope=PUBLISH)
    await fought(town, "hello", (town.bob, 1))
    assert "not asked for that" in await refusal(town, purpose="publish")
    await town.services.guilds.set(town.guild.id, "consent_cap", "none", by=NOBODY)
    shown = await overview(town)
    assert "**1 vote → 0 pairs** for statistics" in shown
    assert "nothing: 2" in shown
    assert "not asked for that" in await refusal(town)


async def test_no_rows_are_told_with_the_reasons(town: Town) -> None:
    await allow(town, town.alice)
    await fought(town, "one", (town.bob, 1), by=town.bob)
    await fought(town, "two", (town.bob, 1))
    await fought(town, "three", (town.alice, TIE))
    told = await refusal(town)
    assert "None of 3 battles here can be in it: " in told
    assert "somebody whose words it holds has not agreed to this use (1)" in told
    assert "voters called it a tie (1)" in told
    assert not await town.services.store.exports.all()


async def test_what_is_too_large_is_told_with_the_operators_command(
    town: Town, monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    await allow(town, town.alice, town.bob)
    await fought(town, "hello", (town.bob, 1))
    command = f"--format dpo --chat --purpose train --guild {town.guild.id} --out FOLDER"
    monkeypatch.setattr(parcel, "MOST_BYTES", 1000)
    told = await refusal(town, format="dpo chat")
    assert "MiB, and Discord takes at most 0.0 here" in told
    assert f"`twofold export {command}`" in told
    clock.now += timedelta(minutes=2)
    monkeypatch.setattr(parcel, "MOST_BATTLES", 0)
    told = await refusal(town, format="dpo chat")
    assert "too much here for an export in Discord" in told
    assert command in told
    assert "too much to count" in await overview(town)
    assert not await town.services.store.exports.all()


async def test_a_server_has_an_export_a_minute(town: Town, clock: Clock) -> None:
    await allow(town, town.alice, town.bob)
    await fought(town, "hello", (town.bob, 1))
    await exported(town)
    clock.now += timedelta(seconds=20)
    assert "Try again in 40 seconds." in await refusal(town)
    clock.now += timedelta(seconds=40)
    assert (await exported(town)).response.message.attachments


@contextmanager
def locked(database: Path) -> Iterator[None]:
    """Another process writes, for which an export waits."""
    with closing(sqlite3.connect(database, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield


async def begun(town: Town) -> asyncio.Task[parcel.Parcel]:
    """Another server's export, under way."""
    making = town.services.serving.export(ELSEWHERE, limit=10**7, by=NOBODY)
    task = asyncio.ensure_future(making)
    for _ in range(10):  # as far as it comes without the database's lock
        await asyncio.sleep(0)
    return task


async def test_one_export_is_made_at_a_time(town: Town, tmp_path: Path) -> None:
    await allow(town, town.alice, town.bob)
    await fought(town, "hello", (town.bob, 1), guild=ELSEWHERE)
    await fought(town, "hello", (town.bob, 1))
    with locked(tmp_path / "twofold.db"):
        task = await begun(town)
        assert "Another export is being made just now." in await refusal(town)
    assert (await task).manifest["rows"] == 1
    assert (await exported(town)).response.message.attachments


async def test_stopping_breaks_an_export_off_and_leaves_no_file(
    town: Town, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "temporary"
    place.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    await allow(town, town.alice, town.bob)
    await fought(town, "hello", (town.bob, 1), guild=ELSEWHERE)
    with locked(tmp_path / "twofold.db"):
        task = await begun(town)
        stopping = asyncio.ensure_future(town.services.serving.close())
        await asyncio.sleep(0)
    await stopping
    with pytest.raises(parcel.NotServed, match="being restarted"):
        await task
    assert not list(place.iterdir())
    assert not await town.services.store.exports.all()
    assert "being restarted" in await refusal(town)


async def test_the_event_loop_does_none_of_it(open_town: OpenTown) -> None:
    threads = []

    class Watched(Clock):
        def __call__(self) -> datetime:
            threads.append(threading.current_thread())
            return super().__call__()

    async with open_town(clock=Watched(), training_export=True) as town:
        await allow(town, town.alice, town.bob)
        await fought(town, "hello", (town.bob, 1))
        for command in (overview, exported):
            threads.clear()
            await command(town)
            # The time of an export is asked for where it is made.
            assert any(thread is not threading.main_thread() for thread in threads)


async def test_a_fault_of_the_operators_machine_is_told_without_its_paths(
    town: Town, tmp_path: Path
) -> None:
    await allow(town, town.alice, town.bob)
    await fought(town, "hello", (town.bob, 1))
    (tmp_path / "export.key").write_bytes(b"short")
    told = await refusal(town)
    assert "could not be written on my side" in told
    assert str(tmp_path) not in told


async def test_others_do_not_see_them_and_nobody_does_in_direct_messages(town: Town) -> None:
    stranger = town.env.create_user("stranger")
    for command in ("dataset", "export"):
        assert command in town.admin.available_commands(town.lounge)
        assert command not in town.alice.available_commands(town.lounge)
        assert command not in stranger.available_commands()


async def test_others_are_refused_where_the_server_shows_them(town: Town) -> None:
    for command in await town.env.bot.tree.fetch_commands():
        if command.name in {"dataset", "export"}:
            town.guild.set_command_permissions(command, {town.guild.default_role: True})
    for name in ("dataset", "export"):
        result = await town.alice.slash(town.lounge, name)
        assert result.ephemeral
        assert "Only people who may manage this server" in texts(result.response)
        assert not result.response.message.attachments
