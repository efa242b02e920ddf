"""What the votes say, as messages."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from bot.answers import utf16_length
from bot.insight.arena import Entrant
from bot.insight.counting import Counting
from bot.insight.meanings import MEANINGS
from bot.insight.results import (
    Agreeing,
    Blinding,
    Course,
    Effect,
    Estimate,
    Leaderboard,
    Line,
    Own,
    Place,
    Stats,
)
from cogs._render import figures
from cogs._render import leaderboard as boards
from cogs._render import stats as views
from storage.records import Kind
from tests.unit import found as examples

UNSURE = Estimate(0.5, math.nan, math.nan)
NOTHING = Own(votes=0, agreed=None, shared=0, right=0, guesses=0, base=None, decided=0)


def line(name: str = "wild", share: Estimate = UNSURE, **changes: Any) -> Line:
    whole = {
        "entrant": Entrant(slug=name, kind=Kind.BASE),
        "score": Estimate(1000, 900, 1100),
        "best": 1,
        "worst": 1,
        "ahead": share,
        "wins": 30,
        "losses": 20,
        "ties": 2,
        "both_bad": 3,
        "battles": 12,
        "voters": 9,
        "told": share.known,
    }
    return Line(**(whole | changes))


def board(*lines: Line, **changes: Any) -> Leaderboard:
    whole = {
        "counting": Counting(guilds=(1,)),
        "lines": lines,
        "meetings": (),
        "votes": 55 if lines else 0,
        "battles": 12,
        "voters": 9,
        "tie": 0.2,
        "not_counted": {},
        "first_day": None,
        "last_day": None,
    }
    return Leaderboard(**(whole | changes))


def stats(**changes: Any) -> Stats:
    whole = {
        "leaderboard": board(line()),
        "styled": None,
        "effects": (),
        "blinding": None,
        "agreement": None,
        "channels": {},
        "topics": (),
        "languages": (),
        "templates": (),
        "course": Course(days=(), scores={}),
        "votes_by_day": (),
    }
    return Stats(**(whole | changes))


def effect(name: str, estimate: Estimate, neutral: float = 0.5) -> Effect:
    return Effect(
        name=name, meaning="M.", estimate=estimate, neutral=neutral, harmless=0.03, votes=80
    )


@pytest.mark.parametrize(
    ("estimate", "says"),
    [
        (Estimate(0.7, 0.5, 0.9), "7 of 10 votes, between 5 and 9 likely"),
        (Estimate(0.62, 0.55, 0.69), "62 of 100 votes, between 55 and 69 likely"),
        (Estimate(0.52, 0.515, 0.525), "520 of 1,000 votes, between 515 and 525 likely"),
        (UNSURE, "too few votes to tell"),
    ],
)
def test_a_share_is_told_of_as_many_votes_as_are_known(estimate: Estimate, says: str) -> None:
    assert figures.likely(estimate) == says


def test_a_ranking_says_who_is_ahead_and_how_sure_that_is() -> None:
    found = board(
        line("tame", Estimate(0.7, 0.5, 0.9), wins=34, losses=16),
        line("wild", Estimate(0.3, 0.1, 0.5), best=2, worst=2, wins=16, losses=34),
        line("new", best=1, worst=3, wins=1, losses=0),
    )
    assert boards.head(found) == "### Leaderboard\n**tame** is ahead."
    body = boards.body(found)
    assert "**1. tame** · base model\nahead in 7 of 10 votes, between 5 and 9 likely\n" in body
    assert "**3. new** · base model\n1 of 1 vote so far: too few votes to tell\n" in body
    assert "Counted: 55 blind votes by at least 9 members on 12 closed battles." in body
    assert " %" not in body
    exact = boards.body(found, exact=True)
    assert "1000 points (900 to 1100) · ahead 70.0 % (50.0 % to 90.0 %)" in exact
    assert "34 won, 16 lost, 2 ties, 3 times both bad · 12 battles, 9 known voters" in exact


SHARE = "60 of 100 votes, between 50 and 70 likely"


def test_a_line_of_descent_says_what_each_generation_is_better_by() -> None:
    base, child, last = examples.descent(1)[0]
    unmet = replace(last, over_parent=UNSURE, decided=0, score=UNSURE)
    ranked = board(line("wild"), descent=((base, child, unmet),))
    said = boards.body(ranked).splitlines()
    at = said.index("**From generation to generation**")
    first, second = child.entrant.slug, last.entrant.slug
    assert said[at + 1 : at + 4] == [
        "gemma-270m-raw · 900 points (870 to 930)",
        f"→ {first} · 940 points (890 to 1000) · against gemma-270m-raw: {SHARE}",
        f"→ {second} · too few votes to tell · against {first}: they have not met yet",
    ]
    assert "against gemma-270m-raw: 60.0 % (50.0 % to 70.0 %)" in boards.body(ranked, exact=True)
    assert "over generations" in boards.alt(ranked)


def test_lines_of_descent_that_have_no_room_are_counted() -> None:
    many = board(line("wild"), descent=examples.descent(40, generations=5))
    body = boards.body(many)
    assert utf16_length(boards.head(many) + body) <= 4000
    for once in ("**From generation to generation**", "\ngemma-270m-raw · 900 points"):
        assert body.count(once) == 1
    told = body.count("→")
    assert told
    assert told % 4 == 0
    assert f"\n-# And {40 - told // 4} more lines of descent.\n" in body


def test_who_is_ahead_is_left_open_where_it_cannot_be_told() -> None:
    even = Estimate(0.5, 0.3, 0.7)
    one, other = line("one", even, worst=2), line("other", even, worst=2)
    assert "Too close to tell who is ahead: **one** or **other**." in boards.head(board(one, other))
    assert "place 1 to 2" in boards.body(board(one, other))
    behind = line("behind", Estimate(0.2, 0.1, 0.4), worst=3)
    assert "ahead: **one** or **other**." in boards.head(board(one, other, behind))
    assert "Too close to tell who is ahead." in boards.head(board(behind, behind))
    assert "Too few votes to tell who is ahead." in boards.head(board(line()))


def test_of_nothing_but_ties_no_share_is_told() -> None:
    nothing = Estimate(math.nan, math.nan, math.nan)
    tied = [line(name, nothing, worst=2, told=True, wins=0, losses=0) for name in ("one", "other")]
    assert "Too close to tell who is ahead: **one** or **other**." in boards.head(board(*tied))
    said = boards.body(board(*tied), exact=True)
    assert "0 of 0 votes so far: too few votes to tell\n-# 1000 points (900 to 1100)\n" in said
    assert "nan" not in said


def test_what_was_chosen_and_what_was_not_counted_is_said() -> None:
    counting = Counting(since=date(2026, 11, 3), topics=("code",), author_votes=False)
    found = board(line(), counting=counting, not_counted={"after the reveal": 4})
    assert "Since 3 November, topic: code, without the votes of those who asked" in boards.head(
        found
    )
    assert "-# Not counted: 4 after the reveal." in boards.body(found)
    assert "Choose a longer time" in boards.head(board(counting=counting))
    assert "No battle with votes has closed here yet" in boards.head(board())
    assert "No vote is counted yet.\n-# Not counted: 4 after" in boards.head(
        board(not_counted={"after the reveal": 4})
    )


def test_simulated_members_are_said_to_be() -> None:
    imagined = board(line(), counting=Counting(simulated=True))
    assert "-# Simulated members" in boards.body(imagined)
    assert "-# Simulated members" in views.body(stats(leaderboard=imagined), NOTHING)


@pytest.mark.parametrize("exact", [False, True])
def test_a_leaderboard_of_any_length_fits_into_a_message(exact: bool) -> None:
    share = Estimate(0.5, 0.4999, 0.5001)
    many = [
        line(f"{number}{'_' * 62}", share, wins=10**6, losses=10**6, worst=50)
        for number in range(10, 60)
    ]
    found = board(*many, votes=10**8, battles=10**7, not_counted={"after the reveal": 10**6})
    said = boards.head(found) + boards.body(found, exact=exact)
    assert utf16_length(said) <= 4000
    assert "contenders behind these." in said
    assert len(boards.alt(found)) <= 1024


def test_alarms_come_first_and_say_what_to_make_of_them() -> None:
    found = stats(
        effects=(
            effect("length", Estimate(0.61, 0.49, 0.71), neutral=0.58),
            effect("side", Estimate(0.62, 0.55, 0.69)),
            effect("mirror", UNSURE, neutral=1.0),
        )
    )
    assert views.head(found) == "### Stats\n⚠ Look into: side."
    first, *others = views.body(found, NOTHING).splitlines()
    assert first == (
        "⚠ **Side**: the answer seen first wins in 62 of 100 votes, between 55 and 69 likely; "
        "half is fair. A coin throws the sides, so the ranking stays fair, but it takes more "
        "votes to see who is ahead."
    )
    assert (
        "**Length**: the longer answer wins in 6 of 10 votes, between 5 and 7 likely; "
        "6 would be expected of these models."
    ) in others
    assert any("exchanged**: too few votes to tell, 80 votes so far" in other for other in others)


def test_sound_votes_and_few_votes_are_said_to_be() -> None:
    fair = effect("side", Estimate(0.5, 0.4, 0.6))
    assert "Nothing here looks wrong." in views.head(stats(effects=(fair,)))
    assert "Too few votes to tell." in views.head(stats(effects=(effect("side", UNSURE),)))
    assert "nothing to look into yet" in views.head(stats(leaderboard=board()))


def test_voters_who_see_through_the_blinding_are_an_alarm() -> None:
    found = Blinding(
        right=80,
        wrong=20,
        not_sure=1,
        guessed=Estimate(0.8, 0.68, 0.9),
        index=Estimate(0.6, 0.4, 0.8),
        preferred={"right": Estimate(0.31, 0.2, 0.4), "wrong": UNSURE},
    )
    said = views.body(stats(blinding=found), NOTHING)
    assert (
        "⚠ **Blinding**: the base model is found in 8 of 10 guesses, between 7 and 9 likely; "
        "half is chance, 1 was not sure. Members can often tell which is which; who was right "
        "preferred it 3 of 10 times, who was wrong 5 of 10."
    ) in said
    assert "Look into: blinding" in views.head(stats(blinding=found))
    blind = replace(found, index=Estimate(0.1, -0.1, 0.3))
    assert "⚠" not in views.body(stats(blinding=blind), NOTHING)


def test_agreement_names_split_battles_and_topics_where_raw_completion_wins() -> None:
    found = stats(
        agreement=Agreeing(
            alpha=0.214, pairwise=Estimate(0.6, 0.49, 0.71), battles=8, split=tuple(range(20))
        ),
        topics=(
            Place(name="creative", ahead=Estimate(0.62, 0.49, 0.71), votes=40, battles=9),
            Place(name="code", ahead=UNSURE, votes=4, battles=1),
        ),
    )
    said = views.body(found, NOTHING, exact=True)
    assert "two voters of a battle say the same 6 of 10 times, between 5 and 7 likely" in said
    assert "Evenly split: #0, #1, #2, #3, #4. `/battle` shows them." in said
    assert "Krippendorff's alpha 0.21, 8 battles" in said
    assert "**Raw completion** wins, of 10 votes by topic: creative 6." in said


def test_somebody_else_who_would_lead_without_style_is_named() -> None:
    plain, styled = (board(line(name, Estimate(0.7, 0.5, 0.9))) for name in ("long", "short"))
    said = views.body(stats(leaderboard=plain, styled=styled), NOTHING)
    assert "**With length and markup taken out**: **short** is ahead." in said
    assert "taken out" not in views.body(stats(leaderboard=plain, styled=plain), NOTHING)


def test_own_figures_are_of_what_is_kept() -> None:
    mine = Own(votes=14, agreed=0.71, shared=12, right=8, guesses=9, base=0.4, decided=10)
    (said,) = views.mine(mine)
    (early,) = views.mine(replace(mine, shared=2, agreed=1.0, decided=1, base=1.0))
    assert "the same 2 of 2 times" in early
    assert "for the base model 1 of 1 times" in early
    assert said == (
        "**You**: 14 votes, others on the same battles said the same 7 of 10 times, "
        "8 of 9 guesses right, for the base model 4 of 10 times."
    )
    assert "`/privacy`" in "".join(views.mine(NOTHING))


def test_the_longest_stats_fit_into_a_message() -> None:
    wide = Estimate(0.7, 0.6999, 0.7001)
    found = stats(
        effects=tuple(effect(name, wide) for name in MEANINGS),
        blinding=Blinding(
            right=10**6,
            wrong=10**6,
            not_sure=10**6,
            guessed=wide,
            index=wide,
            preferred={"right": wide, "wrong": wide},
        ),
        agreement=Agreeing(alpha=0.2, pairwise=wide, battles=10**6, split=tuple(range(10**6))),
        topics=tuple(
            Place(name=name, ahead=wide, votes=10**6, battles=10**6)
            for name in ("creative", "question", "code", "chat", "unknown")
        ),
    )
    mine = Own(votes=10**6, agreed=1, shared=10**6, right=9, guesses=9, base=1, decided=9)
    said = views.head(found) + views.body(found, mine, exact=True)
    assert 2000 < utf16_length(said) <= 4000
