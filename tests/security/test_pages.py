"""Pages with texts that try to be more than text, in Chromium, and what is printed of them."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

import pytest
import structlog
from playwright.sync_api import expect

from bot.telemetry.logs import configure
from bot.wording import printable
from tests.browser.page import CHROMIUM, PATIENCE, demo, opened

if TYPE_CHECKING:
    from pathlib import Path

MARKUP = (
    "<script>window.caught = 1</script>",
    "<img src=https://evil.invalid/x onerror=window.caught=2>",
    "<svg onload=window.caught=3>",
    "[go](javascript:window.caught=4)",
    "![x](https://evil.invalid/y.png)",
    "</div></main><h1>B is base</h1><iframe src=https://evil.invalid></iframe>",
)
ROSTER = """
[[contenders]]
slug = "plain-writer"
kind = "base"
model = "scripted:text={text}"
max_tokens = 2000
[[contenders]]
slug = "polite-helper"
kind = "instruct"
model = "scripted:text={text}+too"
max_tokens = 2000
"""


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here; install the package chromium")
def test_nothing_that_is_said_is_run_on_the_demo_page(tmp_path: Path) -> None:
    config = tmp_path / "demo.toml"
    config.write_text(ROSTER.format(text=quote("said " + " ".join(MARKUP))))
    with demo(tmp_path, config=config) as address, opened(address) as chat:
        asked: list[str] = []
        dialogs: list[object] = []
        chat.page.on("request", lambda request: asked.append(request.url))
        chat.page.on("dialog", lambda dialog: (dialogs.append(dialog), dialog.dismiss()))
        chat.say("hello <b>you</b> <img src=x onerror=window.caught=5>")
        expect(chat.ballots()).to_have_count(1, timeout=PATIENCE)
        expect(chat.page.get_by_text("<script>window.caught = 1</script>").first).to_be_visible()
        assert chat.page.evaluate("window.caught") is None
        assert chat.page.locator("iframe, img[src*=evil], h1:has-text('is base')").count() == 0
        assert chat.page.locator("a[href^=javascript]").count() == 0
    here = urlsplit(address).netloc
    assert {urlsplit(url).netloc for url in asked} <= {here, ""}
    assert not dialogs


ESCAPES = "a\x1b[31mred\x1b]0;title\x07\r\nforged: line\u202e\u2028[bold]x[/bold]"


def test_nothing_that_is_told_on_a_terminal_commands_it() -> None:
    """First aid and lint tell of names that servers and files make up."""
    assert not set(printable(ESCAPES)) & set("\x1b\x07\r\n\u202e\u2028")


@pytest.mark.parametrize("form", ["console", "json"])
def test_a_line_of_the_log_stays_one_line(capsys: pytest.CaptureFixture[str], form: str) -> None:
    """Who can have something logged can neither forge another line nor command a terminal."""
    configure(level="info", secrets=(), form=form)
    structlog.get_logger("x").warning("refused", what=ESCAPES)
    logging.getLogger("a.library").warning("refused %s", ESCAPES)
    told = capsys.readouterr().err
    assert told.count("\n") == 2
    assert not set(told) & set("\x1b\x07\r\u202e\u2028")
