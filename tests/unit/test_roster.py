"""Who meets whom."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from bot.contenders import ContenderConfig
from bot.engines.scripted import ScriptedEngine
from bot.errors import EngineAstray, EngineTimeout, EngineUnreachable
from bot.roster import FAILURES, FIRST_REST, REST, Roster, fingerprint, template_of
from storage.records import Kind, Side
from tests.unit.records import NOON

if TYPE_CHECKING:
    from collections.abc import Collection

    from bot.errors import EngineError


SLOW = EngineTimeout("It is slow.")


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
    engines = {c.engine: ScriptedEngine() for c in contenders}
    return Roster(contenders, engines=engines, clock=clock, rng=random.Random(5))


def fail(one: Roster, slug: str, times: int = FAILURES, error: EngineError = SLOW) -> None:
    (contender,) = [c for c in one.contenders if c.slug == slug]
    for _ in range(times):
        one.failed(contender, error)


WILD = ContenderConfig(slug="wild", kind=Kind.BASE, model="scripted:", temperature=1.5, weight=3)
TUNED = ContenderConfig(slug="tuned", kind=Kind.TUNED, model="scripted:")


def drawn(of: Roster, times: int = 400, allowed: Collection[str] = ()) -> Counter[str]:
    return Counter(c.slug for _ in range(times) for c in of.draw(allowed).values())


def test_one_base_contender_meets_one_other(clock: Clock) -> None:
    second = ContenderConfig(slug="second", kind=Kind.INSTRUCT, model="scripted:")
    for _ in range(50):
        kinds = [c.kind for c in roster(clock, WILD, second).draw().values()]
        assert kinds.count(Kind.BASE) == 1


def tuned(slug: str, parent: str, **options: float) -> ContenderConfig:
    return ContenderConfig(
        slug=slug, kind=Kind.TUNED, model="scripted:", adapter=slug, parent=parent, **options
    )


LINE = (tuned("child", "plain", weight=2), tuned("grandchild", "child"), tuned("other", "wild"))


def test_tuned_ones_meet_base_and_instruct_models_and_their_own_line_by_weight(
    clock: Clock,
) -> None:
    one = roster(clock, WILD, *LINE)
    times = 6000
    met = Counter(frozenset(c.slug for c in one.draw().values()) for _ in range(times))
    weights = {
        frozenset({first, second}): one_weight * other_weight
        for first, one_weight in {"plain": 1, "wild": 3}.items()
        for second, other_weight in {"polite": 1, "child": 2, "grandchild": 1, "other": 1}.items()
    }
    weights |= {frozenset({slug, "polite"}): 1 + (slug == "child") for slug in LINE_SLUGS}
    weights[frozenset({"child", "grandchild"})] = 2
    assert met.keys() == weights.keys()
    for pair, weight in weights.items():
        assert met[pair] / times == pytest.approx(weight / sum(weights.values()), abs=0.02)


LINE_SLUGS = tuple(config.slug for config in LINE)


def test_a_line_of_descent_may_be_all_that_a_guild_keeps_to(clock: Clock) -> None:
    one = roster(clock, WILD, *LINE)
    assert drawn(one, allowed={"child", "grandchild"}).keys() == {"child", "grandchild"}
    assert len(drawn(one, allowed={"grandchild", "other"})) == 6, "these two do not meet"


def test_a_tuned_one_meets_an_instruct_one_while_every_base_model_rests(clock: Clock) -> None:
    one = roster(clock, TUNED)
    fail(one, "plain")
    assert drawn(one).keys() == {"polite", "tuned"}
    fail(one, "tuned")
    assert drawn(one)["polite"] == 400


def test_both_sides_are_as_likely_for_the_base_contender(clock: Clock) -> None:
    one = roster(clock)
    sides = Counter(side for _ in range(400) for side, c in one.draw().items() if c.slug == "plain")
    assert 150 < sides[Side.A] < 250


def test_weights_say_how_often(clock: Clock) -> None:
    counts = drawn(roster(clock, WILD))
    assert 240 < counts["wild"] < 360
    assert counts["polite"] == 400


def test_a_share_of_the_draws_has_one_contender_on_both_sides(clock: Clock) -> None:
    one = roster(clock, WILD)
    pairs = [one.draw(control_share=20) for _ in range(1000)]
    controls = [pair[Side.A].slug for pair in pairs if pair[Side.A] == pair[Side.B]]
    assert 140 < len(controls) < 260
    assert set(controls) == {"plain", "polite", "wild"}
    assert all(pair[Side.A] != pair[Side.B] for pair in (one.draw() for _ in range(200)))


def test_three_failures_in_a_row_mean_a_rest(clock: Clock) -> None:
    one = roster(clock, WILD)
    fail(one, "wild", FAILURES - 1)
    one.answered(one.contenders[2])
    fail(one, "wild", FAILURES - 1)
    assert drawn(one)["wild"]
    fail(one, "wild", 1)
    assert not drawn(one)["wild"]


def test_after_its_rest_a_contender_is_tried_again(clock: Clock) -> None:
    one = roster(clock, WILD)
    fail(one, "wild")
    clock.now += FIRST_REST + timedelta(seconds=1)
    assert drawn(one)["wild"]
    fail(one, "wild", 1)
    assert not drawn(one)["wild"], "one more failure is enough then"
    clock.now += FIRST_REST + timedelta(seconds=1)
    assert not drawn(one)["wild"], "and it rests for longer"
    clock.now += REST
    one.answered(one.contenders[2])
    fail(one, "wild", 1)
    assert drawn(one)["wild"], "an answer makes it whole again"


def test_one_that_is_not_there_rests_at_once(clock: Clock) -> None:
    one = roster(clock, WILD)
    fail(one, "wild", 1, EngineAstray("It says nonsense."))
    assert drawn(one)["wild"]
    one.answered(one.contenders[2])
    away = EngineUnreachable("It is away.")
    away.after = 90.0
    fail(one, "wild", 1, away)
    clock.now += timedelta(seconds=89)
    assert not drawn(one)["wild"]
    clock.now += timedelta(seconds=2)
    assert drawn(one)["wild"]


def test_no_rest_is_longer_than_five_minutes(clock: Clock) -> None:
    one = roster(clock, WILD)
    for _ in range(9):
        fail(one, "wild")
        clock.now += REST
        assert drawn(one)["wild"]


def test_the_last_of_its_kind_is_never_left_out(clock: Clock) -> None:
    one = roster(clock)
    fail(one, "plain")
    assert drawn(one)["plain"] == 400


def test_a_guild_keeps_to_its_choice(clock: Clock) -> None:
    one = roster(clock, WILD, TUNED)
    assert drawn(one, allowed={"wild", "tuned"}).keys() == {"wild", "tuned"}
    assert drawn(one, allowed={"wild", "tuned", "long gone"}).keys() == {"wild", "tuned"}


@pytest.mark.parametrize("allowed", [(), ("long gone",), ("plain", "wild"), ("tuned",)])
def test_a_choice_that_makes_no_pair_is_no_restriction(
    clock: Clock, allowed: Collection[str]
) -> None:
    names = {"plain", "polite", "wild", "tuned"}
    assert drawn(roster(clock, WILD, TUNED), allowed=allowed).keys() == names


def test_rests_count_within_a_guilds_choice(clock: Clock) -> None:
    one = roster(clock, WILD, TUNED)
    fail(one, "wild")
    assert "wild" not in drawn(one, allowed={"plain", "wild", "tuned"})
    assert drawn(one, allowed={"wild", "tuned"})["wild"] == 400, "there is no other here"


def test_a_fingerprint_changes_with_what_it_stands_for(clock: Clock) -> None:
    plain, polite, wild = roster(clock, WILD).contenders
    changed = [
        replace(plain, model="path:/else"),
        replace(plain, revision="path:/weights#0123:float32"),
        replace(plain, base_url="http://127.0.0.1:1/v1"),
        wild,
    ]
    prints = {fingerprint(c, template="raw@1") for c in (plain, *changed)}
    assert len({*prints, fingerprint(plain, template="raw@2")}) == 6
    assert fingerprint(plain, template="x") == fingerprint(polite, template="x")


def test_a_contenders_own_template_wins(clock: Clock) -> None:
    own = ContenderConfig(slug="own", kind=Kind.INSTRUCT, model="scripted:", template="qa")
    plain, polite, third = roster(clock, own).contenders
    assert template_of(plain, default="irc") == "irc"
    assert template_of(polite, default="irc") == "chat"
    assert template_of(third, default="irc") == "qa"
