"""The demo as a person has it: the program in its own process, its page in Chromium."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from playwright.sync_api import Locator, Page, expect, sync_playwright

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CHROMIUM = (
    shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
)
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PATIENCE = 60_000
"""Milliseconds until something that should come counts as missing."""


@dataclass
class Chat:
    """The channel page, used as a member uses it."""

    page: Page

    def say(self, text: str) -> None:
        """Write a message and send it."""
        self.page.get_by_placeholder("Message #lounge").fill(text)
        self.page.get_by_role("button", name="Send", exact=True).click()

    def ballots(self) -> Locator:
        """The `A is better` buttons, one a ballot."""
        return self.page.get_by_role("button", name="A is better")

    def press(self, label: str) -> str:
        """Press a button of the newest ballot; return what only the voter sees."""
        self.page.get_by_role("button", name=label, exact=True).last.click()
        told = self.page.get_by_text("Your vote is stored").last
        expect(told).to_be_visible(timeout=PATIENCE)
        return self.page.locator("main").inner_text()

    def become(self, member: str) -> None:
        """Look at the channel as another member."""
        self.page.get_by_label("Viewing as").select_option(label=member)
        expect(self.page.get_by_text("Your vote is stored")).to_have_count(0, timeout=PATIENCE)

    def command(self, name: str) -> None:
        """Run a slash command, none of whose options are needed."""
        box = self.page.get_by_placeholder("Message #lounge")
        box.fill(f"/{name}")
        self.page.get_by_role("option", name=f"/{name}").first.click()
        mode = self.page.get_by_role("button", name="Exit command mode")
        expect(mode).to_be_visible(timeout=PATIENCE)
        self.page.get_by_role("button", name="Send", exact=True).click()
        expect(mode).to_be_hidden(timeout=PATIENCE)


@contextmanager
def demo(home: Path, *, config: Path | None = None, patience: float = 60) -> Iterator[str]:
    """Run `twofold demo`; gives the page's address. `patience` is in seconds."""
    environment = {**os.environ, "TWOFOLD_HOME": str(home)}
    if config is not None:
        environment["TWOFOLD_CONFIG"] = str(config)
    log = home / "demo.log"
    with log.open("w") as output:
        program = subprocess.Popen(
            [sys.executable, "-u", "-m", "bot.cli", "demo"],
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            yield _address(program, log, time.monotonic() + patience)
        finally:
            program.send_signal(signal.SIGINT)
            program.wait(timeout=30)


@contextmanager
def opened(address: str, *, width: int = 1100, height: int = 900) -> Iterator[Chat]:
    """The page in a headless browser."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_page(viewport={"width": width, "height": height})
        page.goto(address)
        yield Chat(page)
        browser.close()


def _address(program: subprocess.Popen[bytes], log: Path, until: float) -> str:
    while time.monotonic() < until:
        if found := re.search(r"http://127\.0\.0\.1:\d+/#\S+", log.read_text()):
            return found.group()
        if program.poll() is not None:
            break
        time.sleep(0.05)
    raise AssertionError(f"the demo did not come up:\n{log.read_text()}")
