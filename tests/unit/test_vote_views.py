"""What a voter gets to see of battles that are not the usual ones."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from bot.answers import TRUNCATED
from bot.voting import OwnView, as_seen
from cogs import _views
from cogs._render import votes as vote_views
from storage.records import BattleState, Choice, Kind, Outcome, Purpose, Side, Wiped
from tests.unit.records import NOON, battle, vote

if TYPE_CHECKING:
    import discord

    from storage.records import Battle, Vote

GUESSED = replace(vote(5, Outcome.WIN, 1), guessed_at=NOON, guessed_base_answer_id=1)


def own(of: Battle, said: Vote | None = GUESSED, *, swapped: bool = False) -> OwnView:
    return OwnView(
        battle=as_seen(of, swapped=swapped), swapped=swapped, told=True, vote=said, guesses=4
    )


def text(view: discord.ui.LayoutView) -> str:
    return "\n".join(i.content for i in view.walk_children() if hasattr(i, "content"))


def buttons(view: discord.ui.LayoutView) -> dict[str, str]:
    return {i.item.label: i.item.custom_id for i in view.walk_children() if hasattr(i, "item")}


def control(kind: Kind) -> Battle:
    whole = battle(purpose=Purpose.CONTROL)
    same = (replace(a, kind=kind, contender="twin") for a in whole.answers)
    return replace(whole, answers=tuple(same))


@pytest.mark.parametrize("kind", Kind)
def test_the_same_model_on_both_sides_is_told_and_no_guess_counts(kind: Kind) -> None:
    told = text(vote_views.page(own(control(kind))))
    assert f"**A** and **B** were both the {kind} model: twin" in told
    assert "does not count" in told
    assert "right" not in told


def test_two_base_models_make_no_guess_right() -> None:
    whole = battle()
    both = tuple(replace(a, kind=Kind.BASE) for a in whole.answers)
    told = text(vote_views.page(own(replace(whole, answers=both))))
    assert told.count("was the base model") == 2
    assert "does not count" in told


def test_who_saw_the_sides_swapped_is_told_as_they_saw_them() -> None:
    told = vote_views.page(own(battle(), swapped=True))
    assert "You chose **B**." in text(told)
    assert "**B** was the base model" in text(told)
    assert "You guessed **B**: right." in text(told)
    assert buttons(told)["Fix it"] == "twofold:1:fix:1:b:ba:b"
    question = vote_views.page(replace(own(battle(), swapped=True), told=False))
    assert buttons(question) == {
        "A": "twofold:1:guess:1:a:ba:b",
        "B": "twofold:1:guess:1:b:ba:b",
        "Not sure": "twofold:1:guess:1:unsure:ba:b",
    }


@pytest.mark.parametrize("said", [GUESSED, None])
def test_a_closed_battle_whose_texts_are_gone_still_tells_who_was_who(said: Vote | None) -> None:
    whole = battle(state=BattleState.CLOSED)
    silent = tuple(replace(a, raw="", shown="", rendered="") for a in whole.answers)
    gone = replace(whole, answers=silent, author_id=0, wiped_because=Wiped.RETENTION)
    told = vote_views.closed(own(gone, said))
    assert vote_views.CLOSED in text(told)
    assert vote_views.WIPED in text(told)
    assert f"**{Side.A.upper()}** was the base model" in text(told)
    assert buttons(told) == {}


@pytest.mark.parametrize("swapped", [False, True])
def test_every_button_that_follows_a_ballot_says_how_its_sides_lie(*, swapped: bool) -> None:
    cut = tuple(replace(a, tags=(TRUNCATED,)) for a in battle().answers)
    seen = own(replace(battle(), answers=cut), swapped=swapped)
    pages = (replace(seen, told=False), seen)
    views = [*map(vote_views.page, pages), vote_views.reasons(seen)]
    ids = [custom_id for view in views for custom_id in buttons(view).values()]
    assert len(ids) == 15
    known = [_views.meant(custom_id) for custom_id in ids]
    assert {each.swapped for each in known} == {swapped}
    assert {each.action for each in known} == _views.ORIENTED - {"rate"}
    about = {each.action: each.choice for each in known}
    assert about == {a: seen.choice if a in _views.ABOUT_A_CHOICE else None for a in about}
    assert all(_views.id_of(*each[:3], **each.page) in ids for each in known)
    assert max(map(len, ids)) <= 40


@pytest.mark.parametrize("said", ["guess:7:unsure", "why:7", "reason:7:safer", "fix:7:a"])
@pytest.mark.parametrize("choice", [None, *Choice])
def test_an_id_without_a_choice_is_of_before_and_still_works(
    said: str, choice: Choice | None
) -> None:
    known = _views.meant(":".join(filter(None, ("twofold:1", said, "ba", choice))))
    assert (known.battle_id, known.swapped, known.choice) == (7, True, choice)
    assert known.page == ({"swapped": True} | ({"choice": choice} if choice else {}))


@pytest.mark.parametrize(
    "custom_id",
    [
        "twofold:1:guess:1:a",
        "twofold:1:undo:1",
        "twofold:1:rate:1:a",
        "twofold:1:rate:1:ab",
        "twofold:1:look:1:a:ab",
        "twofold:1:look:1:ab:ab",
        "twofold:1:vote:1:a:ba",
        "twofold:1:guess:1:a:bb",
        "twofold:1:guess:1:a:ba:c",
        "twofold:1:why:1:a:ab",
        "twofold:1:undo:1:ab:a",
        "twofold:1:rate:1:a:ab:a",
    ],
)
def test_an_id_with_too_little_or_too_much_about_sides_is_strange(custom_id: str) -> None:
    assert _views.meant(custom_id) is None
