"""What moves votes besides the models: found where it was planted, and not where it was not."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from bot.insight.counting import Counting, Weights
from bot.insight.effects import effects
from tests.unit.arenas import arena, battle, drawn, vote

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from bot.insight.arena import Arena
    from bot.insight.results import Effect

EVEN = Counting(weights=Weights.EQUAL)
RNG = np.random.default_rng(7)


def found(votes: Arena, counting: Counting = EVEN) -> dict[str, Effect]:
    return {effect.name: effect for effect in effects(votes, counting)}


def leaning(votes: Arena, favoured: NDArray[np.bool_], share: float) -> Arena:
    """The same votes, thrown so that in this share they go to the favoured one of A and B."""
    hit = np.random.default_rng(3).random(len(votes.of)) < share
    return replace(votes, outcome=np.where(hit == favoured, 0, 1).astype(np.int8))


def test_a_planted_side_habit_raises_the_alarm_and_a_fair_coin_does_not() -> None:
    votes = drawn(battles=1000)
    for share, alarm in ((0.6, True), (0.5, False)):
        side = found(leaning(votes, ~votes.swapped, share))["side"]
        assert side.estimate.spans(share)
        assert side.estimate.value == pytest.approx(share, abs=0.02)
        assert (side.alarm, side.votes, side.neutral) == (alarm, 5000, 0.5)


def test_first_is_what_the_voter_saw_first_and_only_where_a_coin_put_it_there() -> None:
    votes = arena(
        battle(vote(1, "a"), vote(2, "b", swapped=True), vote(3, "a", swapped=True)),
        battle(vote(1, "b"), vote(2, "tie"), vote(3, "a", blind=False), goes_on=0),
        battle(vote(1, "b"), vote(2, "b"), vote(3, "b"), goes_on=1),
    )
    side = found(votes)["side"]
    assert (side.estimate.value, side.votes) == (0.5, 4)
    assert not side.alarm  # nobody can tell from three voters


def test_a_planted_taste_for_length_markup_and_speed_is_found_each_by_itself() -> None:
    votes = drawn(battles=1000)
    longer, marked, slower = (
        (column[:, 0] > column[:, 1])[votes.of]
        for column in (votes.characters, votes.markup, votes.seconds)
    )
    for name, favoured in (("length", longer), ("markup", marked), ("speed", ~slower)):
        by_name = found(leaning(votes, favoured, 0.6))
        assert [effect for effect in by_name if by_name[effect].alarm] == [name]
        assert by_name[name].neutral == pytest.approx(0.5, abs=0.02)
        assert by_name[name].estimate.value > 0.57


def test_a_better_model_with_longer_answers_is_no_taste_for_length() -> None:
    votes = drawn(battles=1000, strength={"instruct": 2.0})
    instruct_on_a = votes.contender[:, :1] == 1
    lengths = np.where(np.hstack([instruct_on_a, ~instruct_on_a]), 500, 100)
    often = RNG.random(len(lengths))[:, None] < 0.8
    always = found(replace(votes, characters=lengths.astype(np.int32)))["length"]
    mostly = found(
        replace(votes, characters=np.where(often, lengths, lengths[:, ::-1]).astype(np.int32))
    )["length"]
    for length in (always, mostly):
        assert length.estimate.value > 0.7
        assert length.neutral == pytest.approx(length.estimate.value, abs=0.02)
        assert not length.alarm
    assert always.neutral == pytest.approx(always.estimate.value)


def test_texts_of_unknown_or_the_same_length_say_nothing_of_length() -> None:
    votes = arena(
        battle(vote(1), characters_a=-1),
        battle(vote(1)),
        battle(vote(1), characters_a=900, seconds_a=None),
    )
    assert found(votes)["length"].votes == 1
    assert not {"speed", "markup"} & set(found(votes))


def test_a_mirror_is_the_same_said_of_sides_exchanged() -> None:
    told = vote(5, "a", blind=False)
    before = battle(vote(1, "a"), vote(2, "tie"), vote(3, "b"), vote(-4, "a"), told)

    def again(voter: int, outcome: str) -> dict[str, object]:
        shown = {"purpose": "mirror", "mirror_of_id": 1, "a": "instruct", "b": "base"}
        return battle(vote(voter, outcome, blind=False), **shown)

    seconds = ((1, "b"), (2, "tie"), (3, "b"), (-4, "b"), (5, "a"))
    votes = arena(before, *(again(voter, outcome) for voter, outcome in seconds))
    mirror = found(votes)["mirror"]
    assert (mirror.votes, mirror.neutral) == (3, 1.0)
    assert mirror.estimate.value == pytest.approx(2 / 3)


def test_voters_who_change_their_minds_raise_the_alarm() -> None:
    first = drawn(battles=200)
    for kept, alarm in ((0.9, False), (0.4, True)):
        again = RNG.random(len(first.of)) < kept
        turned = np.where(again, 1 - first.outcome, first.outcome)
        both = Twice.of(first, turned.astype(np.int8))
        mirror = found(both)["mirror"]
        assert mirror.votes == len(first.of)
        assert mirror.estimate.spans(float(again.mean()))
        assert mirror.alarm is alarm


class Twice:
    """Every battle of an arena, and its mirror."""

    @staticmethod
    def of(votes: Arena, outcome: NDArray[np.int8]) -> Arena:
        size = len(votes.battle)
        columns = {
            name: np.concatenate([getattr(votes, name)] * 2)
            for name in votes.__slots__
            if isinstance(getattr(votes, name), np.ndarray) and name != "ids"
        }
        columns["outcome"][len(outcome) :] = outcome
        columns["of"][len(outcome) :] += size
        columns["battle"][size:] += size
        columns["contender"][size:] = votes.contender[:, ::-1]
        columns["purpose"][size:] = 1
        columns["mirrors"][size:] = range(size)
        return replace(votes, **columns)


def test_control_battles_are_the_noise_floor_and_count_for_nothing_else() -> None:
    control = {"a": "instruct", "b": "instruct", "purpose": "control"}
    votes = arena(
        battle(vote(1, "tie"), vote(2, "a"), vote(3, "tie"), vote(4, "both bad"), **control),
        battle(vote(1, "a"), vote(2, "b", swapped=True), **control),
    )
    by_name = found(votes)
    assert set(by_name) == {"control_ties", "control_side"}
    assert by_name["control_ties"].estimate.value == pytest.approx(2 / 6)
    assert by_name["control_side"].estimate.value == 1
    assert not by_name["control_ties"].alarm


def test_authors_who_lean_to_the_base_model_stand_out_against_others() -> None:
    votes = drawn(battles=1000)
    raw_on_a = (votes.contender[:, 0] == 0)[votes.of]
    for share, alarm in ((0.8, True), (0.5, False)):
        lean = leaning(votes, raw_on_a, share)
        mixed = np.where(votes.by_author, lean.outcome, votes.outcome)
        author = found(replace(votes, outcome=mixed))["author"]
        assert author.estimate.spans(share)
        assert author.neutral == pytest.approx(0.5, abs=0.03)
        assert (author.alarm, author.votes) == (alarm, 1000)


def test_authors_are_compared_even_where_their_votes_are_left_out() -> None:
    votes = drawn(battles=100)
    without = found(votes, replace(EVEN, author_votes=False))
    assert without["author"] == found(votes)["author"]
    assert without["side"].votes == 400


def test_authors_are_measured_by_what_others_say_and_others_by_each_other() -> None:
    votes = arena(
        battle(vote(1, "a", by_author=True), vote(2, "a"), vote(3, "b")),
        battle(vote(1, "b", by_author=True), vote(2, "a"), vote(3, "a"), vote(4, "tie")),
        battle(vote(1, "a", by_author=True), vote(2, "a"), vote(3, "tie")),
    )
    agreement = found(votes)["author_agreement"]
    assert (agreement.estimate.value, agreement.neutral) == (1 / 4, 1 / 2)
    assert agreement.votes == 2  # in the last battle nobody else can be agreed with
    assert found(votes)["author"].votes == 3


def test_authors_of_their_own_mind_stand_out_where_others_agree() -> None:
    votes = drawn(battles=500)
    plain = leaning(votes, (votes.battle % 2 == 0)[votes.of], 0.9)
    assert not found(plain)["author_agreement"].alarm
    contrary = np.where(plain.by_author, 1 - plain.outcome, plain.outcome)
    agreement = found(replace(plain, outcome=contrary.astype(np.int8)))["author_agreement"]
    assert agreement.alarm
    assert agreement.estimate.spans(0.9 * 0.1 * 2)
    assert agreement.neutral == pytest.approx(0.82, abs=0.02)


def test_without_votes_there_are_no_effects() -> None:
    assert effects(arena(), Counting()) == ()
    assert effects(arena(battle(), battle(vote(1, blind=False))), Counting()) == ()
    assert found(arena(battle(vote(1, "tie")))) == {}


def test_voters_who_are_not_known_give_a_figure_without_an_interval() -> None:
    side = found(drawn(battles=50, voters=0))["side"]
    assert side.votes == 250
    assert np.isnan(side.estimate.low)
    assert not side.alarm
