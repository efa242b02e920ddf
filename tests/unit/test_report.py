"""The page of a report: whose texts are on it, that texts stay texts, and who may see it."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import re
import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import pytest
from aiohttp import ClientSession
from aiohttp.test_utils import TestClient, TestServer
from sqlalchemy import update
from typer.testing import CliRunner

from bot.cli import cli
from bot.config import Config
from bot.dataset.pseudonyms import Pseudonyms
from bot.errors import ConfigError, StorageError, TwofoldError
from bot.insight.counting import Counting
from bot.insight.report.making import Maker
from bot.insight.report.page import Page, Report
from bot.insight.report.page import page as make_page
from bot.insight.report.prose import best_places
from bot.insight.report.serving import FRESH, Access, Live, address, application, serving
from bot.insight.report.showing import Showing
from bot.insight.report.texts import Reader, Texts
from bot.insight.report.words import ahead
from bot.insight.results import Estimate, Place
from bot.insight.service import InsightService
from bot.redaction import Redactor
from bot.simulation.simulating import Wanted, simulate
from bot.wording import TOO_FEW
from storage.records import Closing, Consent, Outcome, Purpose, Wiped
from storage.schema import answers, battles, contenders
from tests.unit import found
from tests.unit.fair import HOSTILE, SECRETIVE, VOTERS, closed, fair
from tests.unit.records import NOON, said, talk
from tests.unit.town import AUTHOR, GUILD, Town, town

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

NAMES = Pseudonyms(b"k" * 32, linkable=True)
TOKEN = "a-token-of-enough-letters"
BYSTANDER = 2**60 + 50


def maker(at: Town, showing: Showing = Showing.PUBLISH, **counting: object) -> Maker:
    return Maker(
        insight=InsightService(store=at.store.arena, clock=lambda: NOON),
        reader=Reader(
            voted=at.store.voted, pseudonyms=NAMES, redact=Redactor().redact, showing=showing
        ),
        counting=Counting(**counting),
        limit=2000,
        clock=lambda: NOON,
    )


async def texts(at: Town, showing: Showing = Showing.PUBLISH, **counting: object) -> Texts:
    made = maker(at, showing, **counting)
    return await made.reader.read(await made.insight.arena(), made.counting, limit=made.limit)


def asked(found: Texts) -> list[str]:
    return [battle.turns[-1][1].removeprefix("Member 1 says: ") for battle in found.battles]


@pytest.fixture
async def at(tmp_path: Path) -> AsyncIterator[Town]:
    async with town(tmp_path) as made:
        await made.store.guilds.update(GUILD, "consent_cap", "publish", by=1, at=NOON)
        await made.agree(AUTHOR, *VOTERS, scope=Consent.PUBLISH)
        await made.agree(SECRETIVE, scope=Consent.EVALUATE)
        yield made


async def test_only_what_everybody_agreed_to_is_shown(at: Town) -> None:
    await closed(at, "for all")
    await closed(at, "for few", author=SECRETIVE)
    await closed(at, "for nobody", author=7)
    assert asked(await texts(at)) == ["for all"]
    assert asked(await texts(at, Showing.EVALUATE)) == ["for few", "for all"]
    assert asked(await texts(at, Showing.NONE)) == []


async def test_the_words_of_a_bystander_who_did_not_agree_keep_a_battle_off_the_page(
    at: Town,
) -> None:
    quoted = talk(
        said("my bank is called Nettle", by=BYSTANDER, name="Bob"),
        said("what do you make of that", by=AUTHOR, name="Alice"),
    )
    battle = await at.battle("Nettle it is", "quite", conversation=quoted)
    for voter in VOTERS:
        await at.vote(battle, voter, 0)
    await at.store.battles.close(battle.id, because=Closing.VOTES, at=NOON)
    for showing in (Showing.PUBLISH, Showing.EVALUATE):
        assert "Nettle" not in (await maker(at, showing).make()).html
    await at.agree(BYSTANDER, scope=Consent.PUBLISH)
    assert "Nettle" in (await maker(at).make()).html


async def test_what_a_server_does_not_let_members_publish_is_not_shown(at: Town) -> None:
    await closed(at, "for all")
    await at.store.guilds.update(GUILD, "consent_cap", "evaluate", by=1, at=NOON)
    assert asked(await texts(at)) == []


async def test_open_mirrored_wiped_and_edited_battles_are_not_shown(at: Town) -> None:
    await closed(at, "closed")
    open_one = await at.battle()
    await at.vote(open_one, VOTERS[0], 0)
    mirror = await at.battle(purpose=Purpose.MIRROR, mirrored=open_one)
    await at.vote(mirror, VOTERS[0], 0)
    await at.store.battles.close(mirror.id, because=Closing.VOTES, at=NOON)
    wiped, edited = await closed(at, "wiped"), await closed(at, "edited")
    await at.store.retention.wipe([wiped.id], Wiped.DELETED, at=NOON)
    await at.store.retention.edited(edited.source_message_id, at=NOON)
    assert asked(await texts(at)) == ["closed"]


async def test_only_votes_of_those_who_agreed_are_shown(at: Town) -> None:
    battle = await at.battle("base says", "instruct says")
    for voter, choice in ((VOTERS[0], 0), (VOTERS[1], 0), (SECRETIVE, 1), (VOTERS[2], Outcome.TIE)):
        await at.vote(battle, voter, choice)
    await at.store.battles.close(battle.id, because=Closing.VOTES, at=NOON)
    (shown,) = (await texts(at)).battles
    assert {answer.contender: answer.votes for answer in shown.answers} == {
        "base": 2,
        "instruct": 0,
    }
    assert (shown.undecided, shown.ahead) == (1, "base")


async def test_names_and_ids_are_taken_out(at: Town) -> None:
    battle = await closed(at, f"ask <@{AUTHOR}>", "Alice is right", f"see {AUTHOR}")
    (shown,) = (await texts(at)).battles
    assert shown.turns == (("Member 1", "Member 1 says: ask @someone"),)
    assert [answer.text for answer in shown.answers] == ["Member 1 is right", "see [id]"]
    assert shown.id == NAMES.of("battle", battle.id)


async def test_personal_data_is_replaced_where_the_server_wants_that(at: Town) -> None:
    await closed(at, "write to a@example.org")
    assert asked(await texts(at)) == ["write to a@example.org"]
    await at.store.guilds.update(GUILD, "redaction", value=True, by=1, at=NOON)
    assert asked(await texts(at)) == ["write to <EMAIL>"]


async def test_what_moderation_found_unfit_is_not_shown(at: Town) -> None:
    unfit = await closed(at, "unfit")
    await closed(at, "fit")
    tagged = update(answers).where(answers.c.id == unfit.answers[0].id)
    async with at.store._transactions.write() as connection:
        await connection.execute(tagged.values(tags=["moderated:words"]))
    assert asked(await texts(at)) == ["fit"]


async def test_texts_are_those_of_the_counted_battles_newest_first(at: Town) -> None:
    for number in range(4):
        await closed(at, f"number {number}")
    read = maker(at)
    arena = await read.insight.arena()
    two = await read.reader.read(arena, Counting(), limit=2)
    assert (asked(two), two.more) == (["number 3", "number 2"], True)
    four = await read.reader.read(arena, Counting(), limit=4)
    assert (len(four.battles), four.more) == (4, False)
    assert asked(await texts(at, topics=("code",))) == []
    assert asked(await texts(at, guilds=(GUILD + 1,))) == []
    assert len((await texts(at, guilds=(GUILD,))).battles) == 4


class Seen(HTMLParser):
    """What a browser would take for markup."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.inside: dict[str, list[str]] = {"script": [], "style": []}
        self._open = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._open = tag
        if tag in self.inside:
            self.inside[tag].append("")

    def handle_endtag(self, tag: str) -> None:  # noqa: ARG002 - the parser's signature
        self._open = ""

    def handle_data(self, data: str) -> None:
        if self._open in self.inside:
            self.inside[self._open][-1] += data


@pytest.fixture
async def page(tmp_path: Path) -> Page:
    await fair(tmp_path, battles=len(HOSTILE))
    async with town(tmp_path) as at:
        return await maker(at).make()


async def test_hostile_texts_stay_texts(page: Page) -> None:
    seen = Seen(page.html)
    assert [tag for tag, _ in seen.tags].count("script") == 2
    assert {tag for tag, _ in seen.tags}.isdisjoint({"img", "iframe", "object", "embed", "base"})
    attributes = {name for _, attrs in seen.tags for name in attrs}
    assert not {name for name in attributes if name.startswith("on") or name == "style"}
    links = {attrs["href"] for tag, attrs in seen.tags if tag in {"a", "link"}}
    assert all(link == "data:," or str(link).startswith("#") for link in links)
    assert "{{ 7 * 7 }} {% raw %}" in page.html
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f]", page.html)


async def test_hostile_names_stay_names(tmp_path: Path) -> None:
    await fair(tmp_path, battles=3)
    markup = HOSTILE[1]
    async with town(tmp_path) as at:
        async with at.store._transactions.write() as connection:
            for column in (contenders.c.slug, answers.c.template):
                named = update(column.table).values({column: markup + column.table.c.kind})
                await connection.execute(named)
            await connection.execute(update(battles).values(topic=markup, language=markup))
            other = update(battles).where(battles.c.id == 1)
            await connection.execute(other.values(topic=HOSTILE[0], language=HOSTILE[0]))
        made = replace(maker(at), collection=markup)
        page = await made.make()
    tags = [tag for tag, _ in Seen(page.html).tags]
    assert tags.count("script") == 2
    assert "img" not in tags
    assert tags.count("svg") >= 4


async def test_the_moving_picture_waits_until_it_is_asked_for(at: Town) -> None:
    await closed(at, "a day")
    assert "Watch the scores move" not in (await maker(at).make()).html, "nothing moves yet"
    await closed(at, "another day", when=NOON + timedelta(days=1))
    moving = Seen((await maker(at).make()).html).tags
    names = [tag for tag, _ in moving]
    shown = dict(moving)["img"]
    assert str(shown["src"]).startswith("data:image/gif;base64,R0lGOD")
    assert shown["alt"]
    assert "summary" in names[names.index("img") - 3 : names.index("img")]


async def test_the_data_block_has_the_texts_as_they_are(page: Page) -> None:
    data, _ = Seen(page.html).inside["script"]
    assert not re.search("[<>&\u2028]", data)
    prompts = {battle["turns"][-1][1] for battle in json.loads(data)}
    assert f"Member 1 says: number 0 about cats, {HOSTILE[0]}" in prompts
    assert "Member 1 says: number 3 about cats, ␛[31mred␛[0m \ufffd2J" in prompts


async def test_nothing_unpublished_and_no_id_is_anywhere_on_the_page(page: Page) -> None:
    for word in ("secret", "unfinished", "Alice", str(AUTHOR), *map(str, VOTERS)):
        assert word not in page.html


async def test_the_policy_allows_the_two_things_that_are_there_and_no_more(page: Page) -> None:
    seen = Seen(page.html)
    for what, text in (("style", seen.inside["style"][0]), ("script", seen.inside["script"][1])):
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{what}-src 'sha256-{digest}'" in page.policy
    policies = [attrs["content"] for tag, attrs in seen.tags if "http-equiv" in attrs]
    assert policies == [page.policy]
    assert page.policy.startswith("default-src 'none';")


async def test_what_the_votes_say_is_said(page: Page) -> None:
    assert "The base model is ahead in 3 of 10 votes, between" in page.html
    assert page.html.count('<th scope="row"') >= 2
    assert "tea or coffee" in page.html.split("Split battles")[1].split('id="battles"')[0]


async def test_the_same_votes_give_the_same_page(tmp_path: Path, page: Page) -> None:
    async with town(tmp_path) as at:
        assert await maker(at).make() == page


async def test_lines_of_descent_are_on_the_page(page: Page) -> None:
    assert "From generation to generation" not in page.html
    ranked = replace(found.board(5), descent=found.descent(2))
    report = Report(
        stats=replace(found.stats(), leaderboard=ranked),
        base=None,
        texts=Texts(),
        showing=Showing.NONE,
        pseudonyms=NAMES,
        at=NOON,
    )
    html = make_page(report).html
    assert "From generation to generation" in html
    assert "Score over generations" in html
    assert "→ gemma-270m-dpo-01e3f9a1c" in html


async def test_without_votes_there_is_a_page_that_says_so(at: Town) -> None:
    made = await maker(at).make()
    assert "No vote is counted yet." in made.html
    assert "nan" not in re.sub("<[^>]+>", "", made.html).lower().replace("finance", "")


async def test_a_name_that_no_battle_has_is_told(at: Town) -> None:
    await closed(at, "write a program")
    with pytest.raises(ConfigError, match="no closed battle of the topic codes"):
        await maker(at, topics=("codes",)).make()


def test_where_raw_completion_wins_is_said_or_where_it_comes_closest() -> None:
    def place(name: str, *share: float) -> Place:
        return Place(name=name, ahead=Estimate(*share), votes=50, battles=10)

    few = place("chat", 0.9, float("nan"), float("nan"))
    close, sure = place("creative", 0.48, 0.39, 0.57), place("code", 0.7, 0.6, 0.8)
    assert best_places([few]) == ""
    assert best_places([few, close]).endswith(
        "They come closest in creative: ahead in 5 of 10 votes, between 4 and 6 likely."
    )
    assert best_places([few, close, sure]) == "Base models are surely ahead in code."


def test_figures_are_said_in_votes() -> None:
    nan = float("nan")
    assert ahead(Estimate(0.31, 0.2, 0.43)) == "ahead in 3 of 10 votes, between 2 and 4 likely"
    assert ahead(Estimate(0.31, 0.29, 0.33)) == "ahead in 31 of 100 votes, between 29 and 33 likely"
    assert ahead(Estimate(0.31, nan, nan)) == TOO_FEW


HELLO = Page("<p>hello</p>", "default-src 'none'")


async def hello() -> Page:
    return HELLO


@pytest.fixture
async def behind_token() -> AsyncIterator[TestClient]:
    async with TestClient(TestServer(application(hello, Access(token=TOKEN)))) as client:
        yield client


@pytest.fixture
async def on_loopback() -> AsyncIterator[TestClient]:
    async with TestClient(TestServer(application(hello, Access()))) as client:
        yield client


async def test_on_this_machine_the_page_is_there_to_read_and_nothing_else(
    on_loopback: TestClient,
) -> None:
    answer = await on_loopback.get("/")
    assert (answer.status, await answer.text()) == (200, HELLO.html)
    assert answer.headers["Content-Security-Policy"] == (
        "default-src 'none'; frame-ancestors 'none'"
    )
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert (await on_loopback.head("/")).status == 200
    for method in ("post", "put", "delete", "patch", "options"):
        refused = await getattr(on_loopback, method)("/")
        assert (refused.status, refused.headers["Allow"]) == (405, "GET,HEAD")
    assert (await on_loopback.get("/../twofold.db")).status == 404


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost:8765", 200),
        ("127.0.0.1", 200),
        ("[::1]:8765", 200),
        ("evil.example", 421),
        ("127.0.0.1.evil.example:8765", 421),
    ],
)
async def test_a_name_that_leads_here_from_elsewhere_is_refused(
    on_loopback: TestClient, host: str, status: int
) -> None:
    assert (await on_loopback.get("/", headers={"Host": host})).status == status


async def test_without_the_token_nothing_is_told(behind_token: TestClient) -> None:
    for answer in (
        await behind_token.get("/"),
        await behind_token.get("/", params={"token": "wrong"}),
        await behind_token.get("/", headers={"Authorization": f"Basic {TOKEN}"}),
        await behind_token.get("/", headers={"Authorization": "Bearer \udce4"}),
        await behind_token.get("/", cookies={"twofold_report": TOKEN}),
        await behind_token.get("/nothing"),
        await behind_token.post("/"),
    ):
        assert answer.status == 401
        assert "hello" not in await answer.text()


async def test_the_token_is_taken_from_a_header(behind_token: TestClient) -> None:
    answer = await behind_token.get("/", headers={"Authorization": f"Bearer {TOKEN}"})
    assert await answer.text() == HELLO.html


async def test_the_token_in_an_address_becomes_a_cookie(behind_token: TestClient) -> None:
    first = await behind_token.get("/", params={"token": TOKEN})
    cookie = first.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert TOKEN not in cookie + await first.text()
    second = await behind_token.get("/", headers={"Host": "arena.example"})
    assert await second.text() == HELLO.html


async def test_no_log_has_the_token(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level("DEBUG")
    served = application(hello, Access(token=TOKEN))
    async with serving(served, host="127.0.0.1", port=0) as port, ClientSession() as client:
        for query in (f"token={TOKEN}", f"token={TOKEN}x", f"token={TOKEN}&\x01"):
            await client.get(f"http://127.0.0.1:{port}/?{query}")
    assert TOKEN not in caplog.text + "".join(capfd.readouterr())


async def test_a_database_that_does_not_answer_is_told_in_a_sentence() -> None:
    async def broken() -> Page:
        raise StorageError("The database is away.")

    async with TestClient(TestServer(application(broken, Access()))) as client:
        answer = await client.get("/")
        assert (answer.status, await answer.text()) == (503, "The database is away.\n")


async def test_a_page_is_made_anew_when_it_is_not_fresh() -> None:
    now, made = [0.0], []

    async def make(tell: object) -> Page:
        made.append(now[0])
        return HELLO

    live = Live(make, clock=lambda: now[0])
    for now[0] in (0, FRESH - 1, FRESH, FRESH + 1, 3 * FRESH):
        await live.get()
    assert made == [0, FRESH, 3 * FRESH]


async def test_what_is_taken_back_leaves_the_served_page(at: Town) -> None:
    await closed(at, "for all")
    now = [0.0]
    live = Live(maker(at).make, clock=lambda: now[0])
    assert "for all" in (await live.get()).html
    await at.agree(AUTHOR, scope=Consent.NONE)
    now[0] += 3600
    assert "for all" not in (await live.get()).html


async def test_new_votes_are_on_the_served_page(at: Town) -> None:
    now = [0.0]
    live = Live(maker(at).make, clock=lambda: now[0])
    assert "No vote is counted yet." in (await live.get()).html
    await closed(at, "news")
    now[0] += 3600
    assert "news" in (await live.get()).html


async def test_a_port_that_is_in_use_is_told() -> None:
    served = application(hello, Access())
    async with serving(served, host="127.0.0.1", port=0) as port:
        with pytest.raises(ConfigError, match=f"Port {port} is in use."):
            async with serving(application(hello, Access()), host="127.0.0.1", port=port):
                pass


def test_an_address_can_be_opened() -> None:
    assert address("127.0.0.1", 80) == "http://127.0.0.1:80/"
    assert address("::1", 80, token="a b") == "http://[::1]:80/?token=a%20b"
    assert "0.0.0.0" not in address("0.0.0.0", 80)


def run(*arguments: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(cli, arguments)
    if isinstance(result.exception, TwofoldError):
        return 1, result.stdout, result.exception.user_message
    return result.exit_code, result.stdout, result.stderr


@pytest.fixture
async def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    await fair(tmp_path, battles=2)
    monkeypatch.setenv("TWOFOLD_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_command_writes_one_file_and_prints_its_path(home: Path) -> None:
    assert run("report", "--out", "a/b") == (0, "a/b/index.html\n", "")
    assert [path.name for path in (home / "a/b").iterdir()] == ["index.html"]
    assert "hush" not in (home / "a/b/index.html").read_text()
    run("report", "--out", "a/b", "--texts", "evaluate")
    assert "hush" in (home / "a/b/index.html").read_text()


async def test_simulated_votes_are_in_no_report_that_does_not_ask_for_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TWOFOLD_HOME", str(tmp_path))
    await simulate(Config(home=tmp_path), Wanted(battles=8, members=6, seed=1))
    out = tmp_path / "index.html"
    told = await asyncio.to_thread(run, "report", "--out", str(tmp_path))
    assert "add --simulated" in told[2]
    assert "No vote is counted yet." in out.read_text()
    assert "heron-base" not in out.read_text()
    await asyncio.to_thread(run, "report", "--out", str(tmp_path), "--simulated")
    assert "heron-base" in out.read_text()


def test_what_is_served_is_not_brought_up_to_date(home: Path) -> None:
    with closing(sqlite3.connect(home / "twofold.db")) as file, file:
        file.execute("UPDATE alembic_version SET version_num = '0004'")
    before = (home / "twofold.db").read_bytes()
    assert "`twofold leaderboard` on it brings it up to date." in run("serve", "--port", "0")[2]
    assert (home / "twofold.db").read_bytes() == before


def test_what_cannot_be_done_is_told_in_a_sentence(home: Path) -> None:
    (home / "file").touch()
    assert run("report", "--out", "file")[2] == "file is a file. Name a folder with --out."
    assert run("report", "--out", "new", "--topic", "x")[2].startswith("There is no closed battle")
    assert run("report", "--out", "new", "--from", "x")[2].startswith("There is no collection x")
    assert run("serve", "--host", "192.0.2.1")[2].startswith("This machine has no address")


def test_a_token_that_can_be_guessed_is_refused(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TWOFOLD_SERVE_TOKEN", "1234")
    told = run("serve")[2]
    assert "16 characters or more" in told
    assert "1234" not in told
