"""A person tries the demo in Chromium: chats, votes as two members, looks, exports."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.browser.page import CHROMIUM, PATIENCE, demo, opened

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="no Chromium here; install the package chromium to run this test"
)

ROSTER = """
[[contenders]]
slug = "plain-writer"
kind = "base"
model = "scripted:delay=0.02"
[[contenders]]
slug = "polite-helper"
kind = "instruct"
model = "scripted:delay=0.02"
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "demo.toml"
    path.write_text(ROSTER)
    return path


def test_chat_vote_as_two_members_leaderboard_export(tmp_path: Path, config: Path) -> None:
    with demo(tmp_path, config=config) as address, opened(address) as chat:
        chat.say("which book should I read?")
        expect(chat.ballots()).to_have_count(1, timeout=PATIENCE)
        assert "plain-writer" not in chat.page.locator("main").inner_text()
        assert "You chose A." in chat.press("A is better")
        chat.press("Help training", then="for statistics and training")
        chat.become("bob")
        assert "plain-writer" not in chat.page.locator("main").inner_text()
        chat.press("A is better")
        chat.press("Help training", then="for statistics and training")
        chat.press("Not sure", then="was the instruct model: polite-helper")
        chat.command("leaderboard", then="No battle with votes has closed here yet")
        chat.become("alice")
        chat.press("⋯", then="Close and reveal: no more votes")
        chat.press("Close and reveal", then="Closed by the one who asked")
        expect(chat.ballots()).to_have_count(0, timeout=PATIENCE)
        chat.command("leaderboard", then="Too few votes to tell who is ahead")

    with closing(sqlite3.connect(tmp_path / "twofold.db")) as database:
        assert database.execute("SELECT count(*) FROM votes").fetchone() == (2,)
    command = [
        sys.executable,
        "-m",
        "bot.cli",
        "export",
        "--format",
        "dpo",
        "--chat",
        "--out",
        str(tmp_path / "out"),
    ]
    environment = {
        "TWOFOLD_HOME": str(tmp_path),
        "TWOFOLD_CONFIG": str(config),
        "TWOFOLD_TRAINING_EXPORT": "true",
        "PATH": "/usr/bin:/bin",
    }
    subprocess.run(command, env=environment, check=True, capture_output=True)
    (rows,) = (tmp_path / "out").glob("*.jsonl")
    (row,) = map(json.loads, rows.read_text().splitlines())
    assert row["prompt"] == [{"role": "user", "content": "which book should I read?"}]
    assert (row["votes_chosen"], row["votes_rejected"]) == (2, 0)


def test_a_second_demo_knows_the_votes_of_the_first(tmp_path: Path, config: Path) -> None:
    for count in (1, 2):
        with demo(tmp_path, config=config) as address, opened(address) as chat:
            chat.say("hello")
            expect(chat.ballots()).to_have_count(1, timeout=PATIENCE)
            chat.press("Tie")
        with closing(sqlite3.connect(tmp_path / "twofold.db")) as database:
            assert database.execute("SELECT count(*) FROM votes").fetchone() == (count,)
            assert database.execute("SELECT count(DISTINCT voter_id) FROM votes").fetchone() == (1,)


def test_three_dots_and_once_again(tmp_path: Path, config: Path) -> None:
    with demo(tmp_path, config=config) as address, opened(address) as chat:
        chat.say("hello")
        expect(chat.ballots()).to_have_count(1, timeout=PATIENCE)
        chat.press("⋯", then="Both answers are shown in full.")
        chat.page.get_by_role("button", name="Again", exact=True).click()
        expect(chat.ballots()).to_have_count(2, timeout=PATIENCE)


def test_lockstep_and_waiting_in_line(tmp_path: Path, config: Path) -> None:
    words = "+".join(f"word-{number}" for number in range(40))
    slow = config.read_text().replace("scripted:delay=0.02", f"scripted:text={words}&delay=0.1", 1)
    slow = slow.replace("scripted:delay=0.02", f"scripted:text=well+{words}&delay=0.1")
    config.write_text(f'showing = "lockstep"\nbattles_at_once = 1\n{slow}')
    with demo(tmp_path, config=config) as address, opened(address) as chat:
        chat.say("first")
        chat.say("second")
        for text in ("you are next", "are answering. You can vote when both are done", "word-39"):
            expect(chat.page.get_by_text(text).last).to_be_visible(timeout=PATIENCE)
        expect(chat.ballots()).to_have_count(2, timeout=PATIENCE)
