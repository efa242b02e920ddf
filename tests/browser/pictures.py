"""The pictures in the docs: `make pictures` takes them anew, from the demo with its real models."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from playwright.sync_api import expect

from tests.browser.page import PATIENCE, demo, opened

if TYPE_CHECKING:
    from tests.browser.page import Chat

PICTURES = Path(__file__).parents[2] / "docs" / "pictures"
PROMPT = "What should I cook tonight? I have eggs, rice and one tomato."
OTHER = "What is a good name for a cat?"


def main() -> None:
    """Go through battles as members do, and look at each step."""
    with tempfile.TemporaryDirectory() as home:
        _of_votes(Path(home))
    with (
        tempfile.TemporaryDirectory() as home,
        demo(Path(home), patience=180) as address,
        opened(address, width=744, height=1300) as chat,
    ):
        _a_vote(chat)
        _its_end(chat)
        for command, words in (
            ("rate", "thrown for you alone"),
            ("privacy", "this server"),
            ("mydata show", "stored"),
            ("settings", "Settings of this server"),
        ):
            chat.command(command, then=words)
            take(chat, command.split()[0], words)
        chat.press("B is better", then="Which one is the base model")  # of the ballot of /rate
        chat.command("dataset", then="Dataset of this server")
        take(chat, "dataset", "Dataset of this server")


def _of_votes(home: Path) -> None:
    """What is made of a simulated community's votes, on Discord and on a page."""
    with (
        demo(home, "--community", patience=180) as address,
        opened(address, width=744, height=2000) as chat,
    ):
        chat.command("leaderboard", then="Leaderboard")
        take(chat, "leaderboard", "Leaderboard")
        chat.command("stats", then="Stats")
        take(chat, "stats", "Stats")
    report = home / "report"
    subprocess.run(
        [sys.executable, "-m", "bot.cli", "report", "--simulated", "--out", str(report)],
        env={**os.environ, "TWOFOLD_HOME": str(home)},
        check=True,
    )
    with opened((report / "index.html").as_uri(), width=1100, height=1300) as page:
        page.page.screenshot(path=PICTURES / "report.png")


def _a_vote(chat: Chat) -> None:
    for number, prompt in enumerate((OTHER, PROMPT), start=1):
        chat.say(prompt)
        expect(chat.ballots()).to_have_count(number, timeout=PATIENCE)
    take(chat, "ballot", "sides by coin")
    chat.become("bob")
    chat.press("A is better")
    take(chat, "guess", "Which one is the base model")
    take(chat, "consent", "Voting needs none of this")
    chat.press("Help statistics", then="kept for statistics")
    chat.press("A", then="So far,")
    take(chat, "reveal", "So far,")
    chat.press("Why?", then="One tap will do")
    take(chat, "why", "One tap will do")
    chat.press("More helpful", then="Why: more helpful")


def _its_end(chat: Chat) -> None:
    chat.become("alice")
    chat.press("B is better")
    chat.press("Not sure", then="You were not sure")
    chat.press("Help statistics", then="kept for statistics")
    chat.press("⋯", then="Close and reveal: no more votes")
    take(chat, "more", "Close and reveal: no more votes")
    chat.press("Close and reveal", then="Closed by the one who asked")
    take(chat, "closed", "Closed by the one who asked")


def take(chat: Chat, name: str, words: str) -> None:
    """Keep a picture of the newest message that has these words."""
    message = chat.page.locator("article").filter(has_text=words).last
    expect(message).to_be_visible(timeout=PATIENCE)
    message.scroll_into_view_if_needed()
    chat.page.mouse.move(0, 0)
    chat.page.wait_for_timeout(500)
    message.screenshot(path=PICTURES / f"{name}.png")


if __name__ == "__main__":
    main()
