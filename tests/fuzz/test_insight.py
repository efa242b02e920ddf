"""Any votes are counted, and any texts stand on a page as texts."""

from __future__ import annotations

import math
import warnings
from dataclasses import fields, is_dataclass
from datetime import date, timedelta
from functools import cache
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

import orjson
from hypothesis import given
from hypothesis import strategies as st

from bot.dataset.pseudonyms import Pseudonyms
from bot.insight.counting import BothBad, Counting, Weights
from bot.insight.course import course
from bot.insight.leaderboard import leaderboard
from bot.insight.own import own
from bot.insight.report.page import Report, page
from bot.insight.report.showing import Showing
from bot.insight.report.texts import ShownAnswer, ShownBattle, Texts
from bot.insight.stats import stats
from bot.insight.week import week
from cogs._render import layout
from cogs._render import leaderboard as board_views
from cogs._render import stats as stats_views
from storage.records import Kind, Purpose
from tests.fuzz.cases import fuzzed
from tests.fuzz.test_answers import shows
from tests.fuzz.texts import said
from tests.unit.arenas import GUESSES, OUTCOMES, arena, battle, vote
from tests.unit.found import no_stats
from tests.unit.records import NOON

if TYPE_CHECKING:
    from bot.insight.arena import Arena

SLUGS = ("base", "base-2", "instruct", "tuned", "x")
FIRST = date(2026, 11, 1)

votes = st.builds(
    vote,
    st.sampled_from([-2, -1, 1, 2, 3, 4, 2**62]),
    st.sampled_from(list(OUTCOMES)),
    blind=st.booleans(),
    by_author=st.booleans(),
    swapped=st.booleans(),
    guess=st.sampled_from(list(GUESSES)),
    seconds=st.none() | st.floats(0, 1e6),
)


def fought(cast: list[dict[str, Any]], **columns: Any) -> dict[str, Any]:
    """A battle of one contender with itself is a control, whoever stored it."""
    if columns["a"] == columns["b"]:
        columns["purpose"] = "control"
    return battle(*cast, **columns)


fights = st.builds(
    fought,
    st.lists(votes, max_size=5, unique_by=lambda one: one["voter_id"]),
    a=st.sampled_from(SLUGS),
    b=st.sampled_from(SLUGS),
    guild_id=st.integers(1, 2),
    channel_id=st.sampled_from([10, 11, 2**62]),
    purpose=st.sampled_from([*["live"] * 4, *map(str, Purpose)]),
    day=st.integers(0, 400).map(lambda days: (FIRST + timedelta(days=days)).isoformat()),
    topic=st.none() | st.sampled_from(["chat", "code", "new-topic"]),
    language=st.none() | st.sampled_from(["en", "xx"]),
    mirror_of_id=st.integers(0, 12),
    goes_on=st.integers(0, 1),
    unranked=st.integers(0, 1),
    template=st.sampled_from(["transcript", "raw", "one-that-is-gone"]),
    characters_a=st.integers(-1, 10**6),
    characters_b=st.sampled_from([0, 1, 100]),
    markup_a=st.integers(-1, 1000),
    seconds_a=st.floats(0, 1e5),
)
countings = st.builds(
    Counting,
    guilds=st.sampled_from([(), (1,), (3,)]),
    channels=st.sampled_from([(), (10,)]),
    templates=st.sampled_from([(), ("raw",)]),
    topics=st.sampled_from([(), ("code",), ("nothing",)]),
    since=st.none() | st.just(FIRST),
    until=st.none() | st.just(FIRST + timedelta(days=200)),
    author_votes=st.booleans(),
    both_bad=st.sampled_from(BothBad),
    weights=st.sampled_from(Weights),
    style=st.booleans(),
)


def _finite(found: Any) -> None:
    """NaN is where there are too few votes; nothing is without end."""
    if isinstance(found, float):
        assert not math.isinf(found)
    elif is_dataclass(found):
        for one in fields(found):
            _finite(getattr(found, one.name))
    elif isinstance(found, dict):
        for one in found.values():
            _finite(one)
    elif isinstance(found, tuple | list):
        for one in found:
            _finite(one)


@fuzzed("counting of votes", in_ci=40)
@given(
    there=st.lists(fights, max_size=12).map(lambda rows: arena(*rows)),
    counting=countings,
    exact=st.booleans(),
)
def test_any_votes_are_counted_and_told_of(there: Arena, counting: Counting, exact: bool) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        board = leaderboard(there, counting)
        found = stats(there, counting)
        mine = own(there, 1, counting)
        of_a_week = week(there, 10, FIRST, FIRST + timedelta(days=30))
        path = course(there, counting)
    for one in (board, found, mine, of_a_week, path):
        _finite(one)
    shows(layout.message(f"{board_views.head(board)}\n{board_views.body(board, exact=exact)}"))
    shows(
        layout.message(f"{stats_views.head(found)}\n{stats_views.body(found, mine, exact=exact)}")
    )
    assert 0 <= board.votes <= len(there.of)


plain = st.text(max_size=40)
answers = st.builds(
    ShownAnswer,
    contender=plain,
    kind=st.sampled_from(Kind),
    text=said | plain,
    votes=st.integers(0, 10**6),
)
shown = st.builds(
    ShownBattle,
    id=plain,
    day=st.just("2026-11-01") | plain,
    topic=st.none() | plain,
    language=st.none() | plain,
    turns=st.lists(st.tuples(plain, said | plain), max_size=3).map(tuple),
    answers=st.tuples(answers, answers),
    undecided=st.integers(0, 9),
)
NAMES = Pseudonyms(b"k" * 32, linkable=True)


class Reader(HTMLParser):
    """Counts what a browser would run or fetch."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.bad: list[str] = []
        self.data: list[str] = []
        self._in: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self._in = tag
        for name, value in attrs:
            own_kind = (value or "").startswith(("#", "data:", "https://", "."))
            if name.startswith("on") or (name in {"src", "href", "action"} and not own_kind):
                self.bad.append(f"{tag} {name}={value}")

    def handle_data(self, data: str) -> None:
        if self._in == "script" and data.strip().startswith(("[", "{")):
            self.data.append(data)


def reported(texts: list[ShownBattle], collection: str | None) -> Reader:
    """The page of a report with these texts, as a browser takes it."""
    made = page(
        Report(
            stats=no_stats(),
            base=None,
            texts=Texts(battles=tuple(texts), named=dict(enumerate(texts))),
            showing=Showing.PUBLISH,
            pseudonyms=NAMES,
            at=NOON,
            collection=collection,
        )
    )
    read = Reader()
    read.feed(made.html)
    read.close()
    return read


@cache
def tags() -> frozenset[str]:
    """All that the page itself has, where the texts are harmless."""
    first, second = (
        ShownAnswer(contender=name, kind=Kind.BASE, text="b", votes=votes)
        for votes, name in enumerate("ah")
    )
    battles = [
        ShownBattle(
            id=f"c{topic}",
            day="2026-11-01",
            topic=topic,
            language=language,
            turns=(("d", "e"), ("f", "g")),
            answers=(first, second),
            undecided=1,
        )
        for topic, language in (("chat", "en"), ("code", "de"))
    ]
    return frozenset(reported(battles, "theirs").tags)


@fuzzed("report page")
@given(texts=st.lists(shown, max_size=3), collection=st.none() | plain)
def test_any_text_stands_on_a_page_as_text(
    texts: list[ShownBattle], collection: str | None
) -> None:
    read = reported(texts, collection)
    assert read.bad == []
    assert set(read.tags) <= tags()
    assert read.tags.count("script") <= 2
    for data in read.data:
        orjson.loads(data.encode("utf-8", "surrogatepass"))
