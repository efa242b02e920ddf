"""The demo as a person has it: the program in its own process, its page in Chromium."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from playwright.sync_api import (
    Locator,
    Page,
    TimeoutError,  # noqa: A004 - Playwright's own
    expect,
    sync_playwright,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
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
SOON, ATTEMPTS = 6_000, 10
"""Milliseconds until something that was done counts as turned away, and how often to do it."""


@dataclass
class Chat:
    """The channel page, used as a member uses it."""

    page: Page

    def say(self, text: str) -> None:
        """Write a message and send it."""

        def send() -> None:
            box = self.page.get_by_placeholder("Message #lounge")
            box.fill(text, timeout=SOON)
            self.page.get_by_role("button", name="Send", exact=True).click(timeout=SOON)

        self._insist(send, text)

    def ballots(self) -> Locator:
        """The `A is better` buttons, one a ballot."""
        return self.page.get_by_role("button", name="A is better")

    def press(self, label: str, *, then: str = "Your vote is stored") -> str:
        """Press the newest button of that name; return the page with what that brings."""
        button = self.page.get_by_role("button", name=label, exact=True).last
        self._insist(lambda: button.click(timeout=SOON), then)
        return self.page.locator("main").inner_text()

    def become(self, member: str) -> None:
        """Look at the channel as another member."""
        self.page.get_by_label("Viewing as").select_option(label=member)
        expect(self.page.get_by_text("Your vote is stored")).to_have_count(0, timeout=PATIENCE)

    def command(self, name: str, *, then: str) -> None:
        """Run a slash command, none of whose options are needed, for what it tells."""
        self._insist(lambda: self._command(name), then)

    def _command(self, name: str) -> None:
        mode = self.page.get_by_role("button", name="Exit command mode")
        if mode.is_visible():  # from the attempt before
            mode.click(timeout=SOON)
        box = self.page.get_by_placeholder("Message #lounge")
        box.fill(f"/{name}", timeout=SOON)
        self.page.get_by_role("option", name=f"/{name}").first.click(timeout=SOON)
        mode.wait_for(timeout=SOON)
        self.page.get_by_role("button", name="Send", exact=True).click(timeout=SOON)
        mode.wait_for(state="hidden", timeout=SOON)

    def _insist(self, act: Callable[[], None], then: str) -> None:
        """Do it until its words are there.

        What is done in the moment in which the page shows something new is turned away.
        """
        told = self.page.get_by_text(then).last
        for _ in range(ATTEMPTS):
            with suppress(TimeoutError):
                act()
            with suppress(TimeoutError):
                told.wait_for(timeout=SOON)
                return
        raise AssertionError(f"there is no “{then}” on the page")


@contextmanager
def demo(
    home: Path, *options: str, config: Path | None = None, patience: float = 60
) -> Iterator[str]:
    """Run `twofold demo`; gives the page's address. `patience` is in seconds."""
    environment = {**os.environ, "TWOFOLD_HOME": str(home)}
    if config is not None:
        environment["TWOFOLD_CONFIG"] = str(config)
    log = home / "demo.log"
    with log.open("w") as output:
        program = subprocess.Popen(
            [sys.executable, "-u", "-m", "bot.cli", "demo", *options],
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
