"""Answers that a server does not want to see: found, concealed, and not lost."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from bot.answers import FENCE, SHOWN_LIMIT, utf16_length
from bot.check import check_all
from bot.config import Config, ContenderConfig
from bot.engines.moderation import RemoteModerator
from bot.errors import ConfigError, EngineError, EngineRefused
from bot.guilds import Moderation
from bot.moderation import (
    HIDDEN,
    WordModerator,
    concealed,
    judged,
    moderated,
    plain,
    read_words,
    spoiler,
)
from storage.records import Side
from tests.engines.fake_openai import FakeServer
from tests.unit.records import answer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

LIST = """\
# what nobody wants to read here
Darn
what the heck  # a phrase
f-word
don't
блин
畜生
"""


@pytest.fixture
def words(tmp_path: Path) -> WordModerator:
    path = tmp_path / "words.txt"
    path.write_text(LIST, "utf-8")
    return WordModerator(read_words(path))


UNFIT = [
    "Oh darn.",
    "**DARN**_it_",
    "_darn_",
    "Ｄａｒｎ",  # noqa: RUF001
    "da\u200brn",
    "What\nthe  *heck*",
    "the F-Word",
    "don’t",
    "блин!",
    "この畜生め",
]
FIT = [
    "",
    "darning socks, goddarned",
    "what the",
    "heck, the what",
    "the word f",
    "do not",
    "блины",
    "what nobody wants to read here",
]


@pytest.mark.parametrize(("text", "why"), [(t, ("words",)) for t in UNFIT] + [(t, ()) for t in FIT])
async def test_words_are_found_as_words(words: WordModerator, text: str, why: tuple) -> None:
    assert await words.judge([text, "fine"]) == [why, ()]


@pytest.mark.parametrize(("content", "fault"), [(None, "cannot be read"), ("# none\n\n", "empty")])
def test_a_list_without_words_is_refused(tmp_path: Path, content: str | None, fault: str) -> None:
    path = tmp_path / "words.txt"
    if content is not None:
        path.write_text(content)
    with pytest.raises(ConfigError, match=fault):
        read_words(path)


@given(st.text(alphabet="ab|`\n\\ \u2060🙂", min_size=1))
def test_no_text_gets_out_of_a_spoiler(text: str) -> None:
    behind = spoiler(text)
    inside = behind[2:-2]
    assert behind == f"||{inside}||"
    assert behind.find("||", 2) == len(behind) - 2
    assert inside.replace("\u2060", "") == text.replace("\u2060", "")


@given(st.text(alphabet="a|`\n🙂", min_size=1).map(lambda text: text * 300))
def test_a_spoiler_keeps_to_its_limit_and_closes_its_fences(text: str) -> None:
    behind = spoiler(text, limit=SHOWN_LIMIT)
    assert utf16_length(behind) <= SHOWN_LIMIT
    assert behind.count(FENCE) % 2 == 0
    assert behind.find("||", 2) == len(behind) - 2


CODE = "```c\nif (a || b) { c |= d; }\n```"


@pytest.mark.parametrize("text", ["fine", CODE, "|table|", "a ||spoiler|| in it", "||||"])
def test_what_is_behind_a_spoiler_comes_out_as_it_was(text: str) -> None:
    unfit = concealed(answer(Side.A, id=1), ["words"], whole=text, how=Moderation.SPOILER)
    assert plain(unfit) == text


def test_what_was_concealed_is_tagged_and_not_lost() -> None:
    before = replace(answer(Side.A, id=1, shown="darn it"), tags=("loop",))
    hidden = concealed(before, ["hate", "words"], whole="darn it", how=Moderation.HIDE)
    assert (hidden.shown, hidden.raw) == (HIDDEN, before.raw)
    assert hidden.tags == ("loop", "moderated:hate", "moderated:words")
    assert plain(hidden) is None
    long = concealed(before, ["words"], whole="darn " * 900, how=Moderation.SPOILER)
    assert long.tags == ("loop", "moderated:words", "truncated")
    assert moderated(long)
    assert plain(before) == "darn it"


@pytest.fixture
async def server() -> AsyncIterator[FakeServer]:
    far = FakeServer(unfit={"darn": ("hate", "hate/threatening"), "heck": ("violence",)})
    runner = await far.start()
    yield far
    await runner.cleanup()


@pytest.fixture
async def remote(server: FakeServer) -> AsyncIterator[RemoteModerator]:
    moderator = RemoteModerator(base_url=server.url, api_key="sk-secret")
    yield moderator
    await moderator.close()


async def test_both_texts_are_judged_in_one_request(
    remote: RemoteModerator, server: FakeServer
) -> None:
    verdict = await remote.judge(["darn", "fine"])
    assert verdict == [("hate", "hate/threatening"), ()]
    ((path, body),) = server.requests
    assert path == "/v1/moderations"
    assert body == {"model": "omni-moderation-latest", "input": ["darn", "fine"]}
    assert server.told[0]["Authorization"] == "Bearer sk-secret"


async def test_a_server_without_a_key_gets_none(server: FakeServer) -> None:
    moderator = RemoteModerator(base_url=server.url, api_key=None)
    await moderator.judge(["fine"])
    assert "sk-" not in str(server.told)
    await moderator.close()


async def test_what_may_pass_is_tried_again(remote: RemoteModerator, server: FakeServer) -> None:
    server.fail = [500, 429]
    assert await remote.judge(["heck"]) == [("violence",)]


@pytest.mark.parametrize(
    ("fail", "sentence"),
    [([401], "does not accept the key"), ([404], "knows no model"), ([500] * 9, "busy or down")],
)
async def test_where_nobody_can_judge_all_are_unfit(
    remote: RemoteModerator, server: FakeServer, fail: list[int], sentence: str
) -> None:
    server.fail = list(fail)
    with pytest.raises(EngineError, match=sentence) as told:
        await remote.judge(["fine"])
    assert "sk-secret" not in told.value.user_message
    server.fail = list(fail)
    assert await judged(remote, ["one", "two"]) == [("unavailable",)] * 2


async def test_a_server_that_is_away_or_mistaken_is_no_moderator(
    remote: RemoteModerator, server: FakeServer
) -> None:
    away = RemoteModerator(base_url="http://127.0.0.1:9/v1", api_key=None)
    assert await judged(away, ["one"]) == [("unavailable",)]
    assert await judged(None, ["one"]) == [("unavailable",)]
    server.fail, server.body = [400], "<html>no</html>"
    with pytest.raises(EngineRefused):
        await remote.judge(["one"])
    await away.close()


@pytest.mark.parametrize(
    "judgement", ["null", '{"results": [null]}', '{"results": [{"flagged": 1, "categories": 1}]}']
)
async def test_a_server_that_talks_nonsense_is_no_moderator(
    remote: RemoteModerator, server: FakeServer, judgement: str
) -> None:
    server.fail, server.body = [200] * 9, judgement
    server.headers = {"Content-Type": "application/json"}
    assert await judged(remote, ["one"]) == [("unavailable",)]


@pytest.mark.parametrize(
    ("settings", "missing"),
    [({"moderator": "words"}, "moderation_words"), ({"moderator": "openai"}, "OPENAI_API_KEY")],
)
def test_a_moderator_without_what_it_needs_is_refused(settings: dict, missing: str) -> None:
    with pytest.raises(ValidationError, match=missing):
        Config(**settings)


async def test_first_aid_asks_the_moderator(tmp_path: Path, server: FakeServer) -> None:
    roster = tuple(
        ContenderConfig(slug=kind, kind=kind, model="scripted:") for kind in ("base", "instruct")
    )
    here = {"home": tmp_path, "contenders": roster}
    config = Config(**here, moderator="openai", openai_base_url=server.url)
    assert {f.what: f.ok for f in await check_all(config)}["moderator"] is True
    assert [path for path, _ in server.requests] == ["/v1/moderations"]
    config = Config(**here, moderator="words", moderation_words=tmp_path / "none.txt")
    assert {f.what: f.ok for f in await check_all(config)}["moderator"] is False
