"""The pictures in the docs: `make pictures` takes them anew, from the demo with its real models."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from playwright.sync_api import expect

from tests.browser.page import PATIENCE, demo, opened

if TYPE_CHECKING:
    from tests.browser.page import Chat

PICTURES = Path(__file__).parents[2] / "docs" / "pictures"
PROMPT = "What should I cook tonight? I have eggs, rice and one tomato."
WIDTH, HEIGHT = 744, 860


def main() -> None:
    """Go through a battle as members do, and look at each step."""
    PICTURES.mkdir(exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as home,
        demo(Path(home), patience=180) as address,
        opened(address, width=WIDTH, height=HEIGHT) as chat,
    ):
        chat.say(PROMPT)
        expect(chat.ballots()).to_have_count(1, timeout=PATIENCE)
        take(chat, "ballot")
        chat.become("bob")
        chat.press("A is better")
        press(chat, "Help statistics", then="Thank you")
        take(chat, "consent")


def press(chat: Chat, label: str, *, then: str) -> None:
    """Press the newest button of that name and wait for what it brings."""
    chat.page.get_by_role("button", name=label, exact=True).last.click()
    expect(chat.page.get_by_text(then).last).to_be_visible(timeout=PATIENCE)


def take(chat: Chat, name: str) -> None:
    """Keep what is on the page."""
    chat.page.wait_for_timeout(500)
    chat.page.screenshot(path=PICTURES / f"{name}.png")


if __name__ == "__main__":
    main()
