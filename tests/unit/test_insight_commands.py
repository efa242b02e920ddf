"""`twofold leaderboard` and `twofold stats`, as somebody or a script runs them."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import sys
from contextlib import closing
from dataclasses import fields, replace
from io import StringIO
from typing import TYPE_CHECKING, Any

import pytest
from rich.console import Console

from bot.cli import main
from bot.insight import screens
from bot.insight.commands import _only
from bot.insight.counting import Counting
from bot.insight.results import Leaderboard, Stats
from storage.records import Closing, Outcome, Purpose
from tests.unit import found
from tests.unit.records import NOON
from tests.unit.town import GUILD, town

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

Run = "Callable[..., tuple[int, str, str]]"

VOTERS = range(100, 112)
DAY = NOON.date().isoformat()


async def votes(home: Path) -> None:
    """The instruct model wins 2 of 3 votes of a dozen voters; some votes are not counted."""
    async with town(home) as t:
        battles = [await t.battle(flipped=number % 2 == 0) for number in range(6)]
        mirror = await t.battle(purpose=Purpose.MIRROR, mirrored=battles[0])
        for index, battle in enumerate([*battles, mirror]):
            for voter in VOTERS:
                choice = Outcome.BOTH_BAD if voter == 111 else int((voter + index) % 3 > 0)
                await t.vote(battle, voter, choice)
        await t.vote(battles[0], battles[0].author_id, 1)
        await t.store.votes.guess(battles[0].id, 200, None, at=NOON)
        for battle in [*battles, mirror]:
            await t.store.battles.close(battle.id, because=Closing.TIME, at=NOON)
        await t.vote(await t.battle(), 100, 0)
    with closing(sqlite3.connect(home / "twofold.db")) as connection, connection:
        connection.execute("UPDATE battles SET topic = 'code', language = 'en' WHERE id < 4")
        connection.execute("UPDATE battles SET topic = 'chat' WHERE id >= 4")


@pytest.fixture(scope="module")
def voted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("home")
    asyncio.run(votes(home))
    return home


@pytest.fixture
def twofold(
    voted: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    def run(*arguments: str, home: Path = voted) -> tuple[int, str, str]:
        monkeypatch.setenv("TWOFOLD_HOME", str(home))
        monkeypatch.setenv("COLUMNS", "200")
        monkeypatch.setattr(sys, "argv", ["twofold", *arguments])
        with pytest.raises(SystemExit) as left:
            main()
        told = capsys.readouterr()
        return int(left.value.code or 0), told.out, told.err

    return run


def read(text: str) -> Any:
    def never(number: str) -> None:
        raise AssertionError(number)

    return json.loads(text, parse_constant=never)


def test_who_is_ahead_is_said_in_words_and_then_exactly(twofold) -> None:
    code, out, err = twofold("leaderboard")
    assert (code, err) == (0, "")
    first, second, *rest = out.splitlines()
    assert first.strip().startswith("1  instruct (instruct model): ahead in ")
    assert second.strip().startswith("2  base (base model): ahead in ")
    assert first.endswith(" likely")
    (row,) = [line.split() for line in rest if line.startswith("instruct")]
    assert row[-6:] == ["45", "22", "0", "6", "6", "13"]
    assert f"73 blind votes of 13 voters on 6 battles, {DAY} to {DAY}" in out
    assert "not counted: 12 mirror battles" in out


def test_scripts_get_every_figure_by_its_name(twofold) -> None:
    code, out, err = twofold("leaderboard", "--json")
    assert (code, err) == (0, "")
    board = read(out)
    assert list(board) == [field.name for field in fields(Leaderboard)]
    assert list(board["counting"]) == [field.name for field in fields(Counting)]
    best, worst = board["lines"]
    assert best["entrant"] == {"slug": "instruct", "kind": "instruct", "parent": None}
    assert best["score"]["low"] < best["score"]["value"] < best["score"]["high"]
    assert {name: best[name] for name in ("best", "worst", "wins", "losses", "told")} == {
        "best": 1,
        "worst": 1,
        "wins": 45,
        "losses": 22,
        "told": True,
    }
    assert worst["wins"] == 22
    assert board["votes"] == 73
    assert board["not_counted"] == {"mirror battles": 12}
    assert (board["first_day"], board["last_day"]) == (DAY, DAY)


def test_all_statistics_come_as_json_with_finite_numbers_or_null(twofold) -> None:
    code, out, _ = twofold("stats", "--json", "--guild", str(GUILD), "--topic", "code")
    assert code == 0
    found = read(out)
    assert list(found) == [field.name for field in fields(Stats)]
    counting = found["leaderboard"]["counting"]
    assert (counting["guilds"], counting["topics"]) == ([str(GUILD)], ["code"])
    assert [place["name"] for place in found["topics"]] == ["code"]
    assert {"name", "meaning", "estimate", "neutral", "harmless", "votes", "alarm"} == set(
        found["effects"][0]
    )
    assert set(found["channels"]) <= {"6"}
    assert found["votes_by_day"] == [[DAY, 37]]


def test_statistics_are_shown_with_what_they_mean(twofold) -> None:
    code, out, _ = twofold("stats")
    assert code == 0
    for words in (
        "What moves votes besides the models",
        "Base models against others, by topic",
        "Two voters of a battle say the same in ",
        "ahead in ",
    ):
        assert words in out


@pytest.mark.parametrize(
    ("options", "votes"),
    [
        (("--topic", "code"), 37),
        (("--topic", "code", "--topic", "chat"), 73),
        (("--language", "en", "--template", "transcript"), 37),
        (("--no-author-votes",), 72),
        (("--weights", "equal"), 73),
        (("--style",), 73),
        (("--since", DAY, "--until", DAY), 73),
        (("--until", "2020-01-01"), 0),
        (("--simulated",), 0),
    ],
)
def test_what_is_counted_can_be_chosen(twofold, options: tuple[str, ...], votes: int) -> None:
    code, out, _ = twofold("leaderboard", "--json", *options)
    assert (code, read(out)["votes"]) == (0, votes)


def test_both_bad_may_be_left_out_of_the_ranking(twofold) -> None:
    boards = [
        read(twofold("leaderboard", "--json", "--both-bad", how)[1]) for how in ("tie", "leave_out")
    ]
    assert [board["not_counted"].get("both answers bad") for board in boards] == [None, 6]
    assert boards[0]["tie"] > boards[1]["tie"]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--topic", "cod"), "no closed battle of the topic cod. There are: chat, code."),
        (("--template", "irc"), "of the template irc. There are: transcript."),
        (("--language", "xx"), "of the language xx. There are: en."),
        (("--guild", "9"), f"of the server 9. There are: {GUILD}."),
        (("--contender", "bass"), "on a contender bass. There are: base, instruct."),
        (("--from", "theirs"), "no collection theirs."),
    ],
)
def test_a_name_that_is_not_there_is_answered_with_those_that_are(
    twofold, options: tuple[str, ...], sentence: str
) -> None:
    code, out, err = twofold("leaderboard", *options)
    assert (code, out) == (1, "")
    assert sentence in err
    assert err.count("\n") == 1


def test_one_contender_is_shown_with_whom_it_met(twofold) -> None:
    _, out, _ = twofold("leaderboard", "--contender", "base")
    assert out.splitlines()[0].strip().startswith("2  base")
    assert "Who met whom, and how that went" in out


async def _nothing(home: Path, *, imagined: bool) -> None:
    async with town(home) as t:
        battle = await t.battle()
        await t.vote(battle, 11, 0)
        if imagined:
            await t.store.battles.close(battle.id, because=Closing.TIME, at=NOON)
    with closing(sqlite3.connect(home / "twofold.db")) as connection, connection:
        connection.execute("UPDATE battles SET simulated = ?", [imagined])


@pytest.mark.parametrize("command", ["leaderboard", "stats"])
def test_without_a_counted_vote_that_is_said(twofold, tmp_path: Path, command: str) -> None:
    asyncio.run(_nothing(tmp_path, imagined=False))
    code, out, err = twofold(command, home=tmp_path)
    assert (code, err) == (0, "")
    assert out == "No vote is counted: blind ones are once their battle has closed.\n"
    code, out, _ = twofold(command, "--json", home=tmp_path)
    assert code == 0
    assert read(out)


def test_simulated_votes_are_counted_by_themselves(twofold, tmp_path: Path) -> None:
    asyncio.run(_nothing(tmp_path, imagined=True))
    _, out, err = twofold("leaderboard", home=tmp_path)
    assert out.startswith("No vote is counted")
    assert "add --simulated" in err
    code, out, err = twofold("leaderboard", "--simulated", home=tmp_path)
    assert (code, err) == (0, "")
    assert "too few votes to tell" in out
    assert "1 simulated vote of 1 voter" in out


def test_lines_of_descent_are_a_table() -> None:
    console = Console(file=StringIO(), width=120)
    for part in screens.leaderboard(replace(found.board(3), descent=found.descent(1))):
        console.print(part)
    said = console.file.getvalue()
    (row,) = [line for line in said.splitlines() if line.startswith("→ gemma-270m-dpo-01e3f9a1c")]
    assert " ".join(row.split()[2:]) == "1 940 890 to 1,000 60 % 50 to 70 % 40"


def test_only_the_lines_of_descent_of_who_is_asked_for_are_told() -> None:
    one, other = found.descent(2)
    board = replace(found.board(3), descent=(one, other))
    tuned = replace(board.lines[2], entrant=one[-1].entrant)
    board = replace(board, lines=(*board.lines, tuned))
    assert _only(board, [one[-1].entrant.slug]).descent == (one,)
    assert _only(board, ["gemma-270m-raw"]).descent == (one, other)
