"""A person reads a report in Chromium: with a mouse, by keyboard, on a phone, without scripts."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect, sync_playwright

from tests.browser.page import CHROMIUM, FLAGS
from tests.unit.fair import fair

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="no Chromium here; install the package chromium to run this test"
)

BATTLES = 26
SCHEMES = ("light", "dark")


def run(home: Path, *arguments: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "TWOFOLD_HOME": str(home)}
    return subprocess.Popen(
        [sys.executable, "-u", "-m", "bot.cli", *arguments],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("fair")
    asyncio.run(fair(made, battles=BATTLES))
    return made


@pytest.fixture(scope="module")
def file(home: Path) -> Path:
    written, _ = run(home, "report", "--out", str(home / "report")).communicate()
    return Path(written.strip())


@pytest.fixture(scope="module")
def browser(home: Path) -> Iterator[Browser]:  # after `home`: Playwright keeps a loop running
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield launched
        launched.close()


@contextmanager
def opened(browser: Browser, address: Path | str, **context: object) -> Iterator[Page]:
    """The page; what it asks for, says or breaks besides itself is a failure."""
    made = browser.new_context(**context)
    page = made.new_page()
    page.set_default_timeout(20_000)
    told: list[str] = []
    page.on("request", lambda request: told.append(request.url))
    page.on("console", lambda message: told.append(message.text))
    page.on("pageerror", lambda error: told.append(str(error)))
    page.on("dialog", lambda dialog: told.append(dialog.message))
    at = address.as_uri() if isinstance(address, Path) else address
    page.goto(at)
    yield page
    made.close()
    assert [line for line in told if line.partition("?")[0] != at.partition("?")[0]] == []


def first_column(page: Page, table: str) -> list[str]:
    return page.locator(f"#{table} tbody th > span:first-child").all_inner_texts()


def test_nothing_is_loaded_and_nothing_complains(browser: Browser, file: Path) -> None:
    with opened(browser, file) as page:
        expect(page.get_by_role("heading", level=1)).to_have_text("What the votes say")
        assert page.locator("figure svg[role=img]").count() >= 3
        for name in page.locator("figure svg").all():
            assert name.evaluate("it => it.querySelector('desc').textContent.length > 10")


def test_tables_are_sorted_by_mouse_and_by_keyboard(browser: Browser, file: Path) -> None:
    with opened(browser, file) as page:
        assert first_column(page, "ranking") == ["instruct", "base"]
        lost = page.locator("#ranking th", has_text="Lost")
        lost.get_by_role("button").click()
        expect(lost).to_have_attribute("aria-sort", "descending")
        assert first_column(page, "ranking") == ["base", "instruct"]
        assert page.locator("#ranking [aria-sort]").count() == 1
        lost.get_by_role("button").press("Enter")
        expect(lost).to_have_attribute("aria-sort", "ascending")
        assert first_column(page, "ranking") == ["instruct", "base"]
        name = page.locator("#ranking th", has_text="Contender").get_by_role("button")
        name.press("Space")
        assert first_column(page, "ranking") == ["base", "instruct"]


def test_search_finds_what_may_be_shown_and_nothing_else(browser: Browser, file: Path) -> None:
    with opened(browser, file) as page:
        told, battles = page.locator("#told"), page.locator("#battles-list .battle")
        expect(told).to_have_text(f"{BATTLES + 1} battles, newest first")
        expect(battles).to_have_count(20)
        page.get_by_role("button", name="Show 7 more").click()
        expect(battles).to_have_count(BATTLES + 1)
        expect(battles.nth(20).locator("summary")).to_be_focused()
        box = page.get_by_label("Search in prompts and answers")
        box.fill("COFFEE")
        expect(told).to_have_text("1 battle, newest first")
        battles.locator("summary").press("Enter")
        expect(battles.get_by_text("tea", exact=True)).to_be_visible()
        box.fill("secret")
        expect(told).to_contain_text("No battle is like that")
        box.fill("<script>alert(1)")
        expect(told).to_have_text("6 battles, newest first")
        page.get_by_role("button", name="Show all").click()
        expect(told).to_have_text(f"{BATTLES + 1} battles, newest first")
        page.get_by_label("Outcome").select_option(label="undecided")
        expect(told).to_have_text("1 battle, newest first")


def test_without_scripts_tables_and_the_newest_battles_are_there(
    browser: Browser, file: Path
) -> None:
    with opened(browser, file, java_script_enabled=False) as page:
        assert first_column(page, "ranking") == ["instruct", "base"]
        expect(page.locator("#battles-list .battle")).to_have_count(20)
        expect(page.get_by_text("needs JavaScript, which is off here")).to_be_visible()
        expect(page.locator("#find, #next")).to_have_count(2)
        for hidden in page.locator("#find, #next, th button").all():
            expect(hidden).to_be_hidden()
        newest = page.locator("#battles-list .battle").first
        newest.locator("summary").click()
        expect(newest.get_by_text("tea", exact=True)).to_be_visible()


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("width", [360, 1280])
def test_the_page_never_scrolls_sideways(
    browser: Browser, file: Path, width: int, scheme: str
) -> None:
    size = {"width": width, "height": 800}
    with opened(browser, file, viewport=size, color_scheme=scheme) as page:
        page.evaluate("document.querySelectorAll('details').forEach(it => it.open = true)")
        assert page.evaluate("document.documentElement.scrollWidth") == width


CONTRASTS = """
() => {
  const numbers = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const over = ([r, g, b, a = 1], below) =>
    [r, g, b].map((part, at) => a * part + (1 - a) * below[at]);
  const ground = (it) =>
    it ? over(numbers(getComputedStyle(it).backgroundColor), ground(it.parentElement))
      : [255, 255, 255];
  const light = (colour) => {
    const [r, g, b] = colour.map((part) => part / 255)
      .map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const found = [];
  for (const it of document.body.querySelectorAll("*:not(script):not(svg *):not(template)")) {
    const says = [...it.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
    if (!says && !it.matches("input")) continue;
    const behind = ground(it);
    const [one, other] = [light(over(numbers(getComputedStyle(it).color), behind)), light(behind)];
    const ratio = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
    found.push([ratio, it.tagName, it.className, it.textContent.slice(0, 40)]);
  }
  return found;
}
"""


@pytest.mark.parametrize("scheme", SCHEMES)
def test_every_text_stands_out_from_its_background(
    browser: Browser, file: Path, scheme: str
) -> None:
    with opened(browser, file, color_scheme=scheme) as page:
        found = page.evaluate(CONTRASTS)
    assert len(found) > 300
    assert [text for text in found if text[0] < 4.5] == []


def test_the_keyboard_reaches_everything_and_shows_where_it_is(
    browser: Browser, file: Path
) -> None:
    with opened(browser, file) as page:
        page.keyboard.press("Tab")
        skip = page.get_by_role("link", name="Skip to the report")
        expect(skip).to_be_focused()
        expect(skip).to_be_in_viewport()
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none"
        page.keyboard.press("Enter")
        expect(page.locator("main")).to_be_focused()
        page.keyboard.press("Tab")
        region = page.get_by_role("region", name="Ranking by blind votes")
        expect(region).to_be_focused()


def test_the_page_is_put_together_as_screen_readers_want_it(browser: Browser, file: Path) -> None:
    with opened(browser, file) as page:
        headings = page.locator("h1, h2, h3, h4").all()
        levels = [int(it.evaluate("it => it.tagName[1]")) for it in headings]
        assert levels[0] == 1
        assert all(after - before <= 1 for before, after in pairwise(levels))
        assert page.locator("html").get_attribute("lang") == "en"
        for role in ("banner", "navigation", "main", "contentinfo", "search"):
            expect(page.get_by_role(role)).to_have_count(1)
        tables = page.locator("table").count()
        assert page.locator("table > caption").count() == tables
        assert page.locator("th:not([scope])").count() == 0
        for field in page.locator("input, select").all():
            assert field.evaluate("it => it.labels.length") == 1
        ids = [it.get_attribute("id") for it in page.locator("[id]").all()]
        assert len(ids) == len(set(ids))
        links = page.locator("a").all()
        assert all(page.locator(str(link.get_attribute("href"))).count() == 1 for link in links)


@contextmanager
def served(home: Path, *arguments: str) -> Iterator[str]:
    program = run(home, "serve", "--port", "0", *arguments)
    try:
        yield program.stdout.readline().strip()
    finally:
        program.send_signal(signal.SIGINT)
        assert program.wait(timeout=30) == 0


def test_the_same_page_is_served_to_this_machine(browser: Browser, home: Path) -> None:
    with served(home) as address, opened(browser, address) as page:
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/", address)
        expect(page.locator("#told")).to_have_text(f"{BATTLES + 1} battles, newest first")


def test_elsewhere_the_printed_address_lets_in_and_no_other(browser: Browser, home: Path) -> None:
    with served(home, "--host", "0.0.0.0") as printed:
        address = re.sub(r"//[^:]+:", "//127.0.0.1:", printed)
        plain = address.partition("?")[0]
        assert re.search(r"\?token=[\w-]{40,}$", address)
        with opened(browser, address) as page:
            expect(page.get_by_role("heading", level=1)).to_have_text("What the votes say")
            assert page.url == plain
            page.reload()
            expect(page.get_by_role("heading", level=1)).to_have_text("What the votes say")
        stranger = browser.new_page()
        answer = stranger.goto(plain)
        assert answer.status == 401
        assert "needs its token" in stranger.locator("body").inner_text()
        stranger.close()
