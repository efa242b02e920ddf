"""Who meets whom."""

from __future__ import annotations

import random
from collections import Counter
from datetime import timedelta

import pytest

from bot.config import ContenderConfig
from bot.engines.scripted import ScriptedEngine
from bot.roster import REST, Roster, fingerprint, template_of
from storage.records import Kind, Side
from tests.unit.records import NOON


class Clock:
    now = NOON

    def __call__(self) -> object:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def roster(clock: Clock, *extra: ContenderConfig) -> Roster:
    contenders = (
        ContenderConfig(slug="plain", kind=Kind.BASE, model="scripted:"),
        ContenderConfig(slug="polite", kind=Kind.INSTRUCT, model="scripted:"),
        *extra,
    )
    engines = {("scripted:", None): ScriptedEngine()}
    return Roster(contenders, engines=engines, clock=clock, rng=random.Random(5))


WILD = ContenderConfig(slug="wild", kind=Kind.BASE, model="scripted:", temperature=1.5, weight=3)
TUNED = ContenderConfig(slug="tuned", kind=Kind.TUNED, model="scripted:")


def drawn(of: Roster, times: int = 400) -> Counter[str]:
    return Counter(c.slug for _ in range(times) for c in of.draw().values())


def test_one_base_contender_meets_one_other(clock: Clock) -> None:
    for _ in range(50):
        kinds = [c.kind for c in roster(clock, WILD, TUNED).draw().values()]
        assert kinds.count(Kind.BASE) == 1


def test_both_sides_are_as_likely_for_the_base_contender(clock: Clock) -> None:
    one = roster(clock)
    sides = Counter(side for _ in range(400) for side, c in one.draw().items() if c.slug == "plain")
    assert 150 < sides[Side.A] < 250


def test_weights_say_how_often(clock: Clock) -> None:
    counts = drawn(roster(clock, WILD))
    assert 240 < counts["wild"] < 360
    assert counts["polite"] == 400


def test_three_failures_in_a_row_mean_a_rest(clock: Clock) -> None:
    one = roster(clock, WILD)
    wild = next(c for c in one.contenders if c.slug == "wild")
    one.failed(wild)
    one.failed(wild)
    one.answered(wild)
    one.failed(wild)
    one.failed(wild)
    assert drawn(one)["wild"]
    one.failed(wild)
    assert not drawn(one)["wild"]
    clock.now += REST + timedelta(seconds=1)
    assert drawn(one)["wild"]


def test_the_last_of_its_kind_is_never_left_out(clock: Clock) -> None:
    one = roster(clock)
    (plain,) = [c for c in one.contenders if c.slug == "plain"]
    for _ in range(3):
        one.failed(plain)
    assert drawn(one)["plain"] == 400


def test_a_fingerprint_changes_with_what_it_stands_for(clock: Clock) -> None:
    plain, polite, wild = roster(clock, WILD).contenders
    assert fingerprint(plain, template="raw@1") != fingerprint(plain, template="raw@2")
    assert fingerprint(plain, template="x") != fingerprint(wild, template="x")
    assert fingerprint(plain, template="x") == fingerprint(polite, template="x")


def test_a_contenders_own_template_wins(clock: Clock) -> None:
    own = ContenderConfig(slug="own", kind=Kind.INSTRUCT, model="scripted:", template="qa")
    plain, polite, third = roster(clock, own).contenders
    assert template_of(plain, default="irc") == "irc"
    assert template_of(polite, default="irc") == "chat"
    assert template_of(third, default="irc") == "qa"
