"""Whether the votes mean anything, in words."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from bot.insight.meanings import MEANINGS
from bot.wording import TOO_FEW, count
from cogs._render import figures
from cogs._render import leaderboard as board_views

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bot.insight.results import Agreeing, Blinding, Effect, Own, Place, Stats

EMPTY = "There is nothing to look into yet: no battle with votes has closed here."
SPLIT = 5
"""Split battles that are named."""


def head(stats: Stats) -> str:
    """Whether there is anything to look into."""
    board = stats.leaderboard
    if not board.votes:
        return "\n".join((EMPTY, *board_views.small_print(board)))
    return f"### Stats\n{_verdict(stats)}"


def body(stats: Stats, own: Own, *, exact: bool = False) -> str:
    """A line for each finding, the member's own figures, and what was counted."""
    lines = [
        *(_effect(effect, exact=exact) for effect in _alarms_first(stats)),
        *_blind(stats.blinding, exact=exact),
        *_agreed(stats.agreement, exact=exact),
        *_raw(stats.topics),
        *_styled(stats),
        *mine(own),
        *board_views.small_print(stats.leaderboard),
    ]
    return "\n".join(lines)


def alt(stats: Stats) -> str:
    """What the picture is of, for who does not see it."""
    names = ", ".join(effect.name.replace("_", " ") for effect in stats.effects)
    return f"Shares of votes with likely ranges: {names}. The numbers follow as text."


def mine(own: Own) -> Iterator[str]:
    """What a member's own votes say."""
    if not own.votes:
        yield "**You**: no vote is kept as yours on a closed battle. What is kept: `/privacy`."
        return
    said = [count(own.votes, "vote")]
    if own.agreed is not None:
        said.append(
            "others on the same battles said the same "
            f"{figures.about(own.agreed, 'times', of=own.shared)}"
        )
    if own.guesses:
        said.append(f"{own.right:,} of {count(own.guesses, 'guess', 'guesses')} right")
    if own.base is not None:
        said.append(f"for the base model {figures.about(own.base, 'times', of=own.decided)}")
    yield f"**You**: {', '.join(said)}."


def _verdict(stats: Stats) -> str:
    found = [MEANINGS[effect.name].heading.lower() for effect in stats.effects if effect.alarm]
    if stats.blinding is not None and stats.blinding.alarm:
        found.append("blinding")
    if found:
        return f"⚠ Look into: {', '.join(dict.fromkeys(found))}."
    if any(effect.estimate.known for effect in stats.effects):
        return "Nothing here looks wrong."
    return "Too few votes to tell."


def _alarms_first(stats: Stats) -> list[Effect]:
    return sorted(stats.effects, key=lambda effect: not effect.alarm)


def _effect(effect: Effect, *, exact: bool) -> str:
    words = MEANINGS[effect.name]
    mark = "⚠ " if effect.alarm else ""
    if not effect.estimate.known:
        said = f"{TOO_FEW}, {count(effect.votes, 'vote')} so far"
    else:
        of = figures.out_of(effect.estimate)
        usual = "" if math.isnan(effect.neutral) else f"{round(effect.neutral * of):,}"
        share = words.share.format(figures.likely(effect.estimate, of=of))
        said = f"{share}; {words.neutral.format(usual)}"
    advice = f". {words.advice}" if effect.alarm else "."
    figure = f"\n-# {_exactly(effect)}" if exact else ""
    return f"{mark}**{words.heading}**: {said}{advice}{figure}"


def _exactly(effect: Effect) -> str:
    share, neutral = figures.percent(effect.estimate), figures.percent_of(effect.neutral)
    return f"{share} against {neutral}, {count(effect.votes, 'vote')}"


def _blind(blinding: Blinding | None, *, exact: bool) -> Iterator[str]:
    if blinding is None:
        return
    mark = "⚠ " if blinding.alarm else ""
    said = figures.likely(blinding.guessed, "guesses")
    if blinding.guessed.known:
        said = f"the base model is found in {said}; half is chance"
    were = "was" if blinding.not_sure == 1 else "were"
    unsure = f", {blinding.not_sure:,} {were} not sure" if blinding.not_sure else ""
    alarm = (
        f". Members can often tell which is which{_preferred(blinding)}" if blinding.alarm else ""
    )
    yield f"{mark}**Blinding**: {said}{unsure}{alarm}."
    if exact and blinding.index.known:
        index = blinding.index
        yield f"-# Bang's index {index.value:.2f} ({index.low:.2f} to {index.high:.2f})"


def _preferred(blinding: Blinding) -> str:
    right, wrong = (blinding.preferred.get(word) for word in ("right", "wrong"))
    if right is None or wrong is None:
        return ""
    return (
        f"; who was right preferred it {figures.about(right.value, 'times')}, "
        f"who was wrong {figures.about(wrong.value)}"
    )


def _agreed(agreeing: Agreeing | None, *, exact: bool) -> Iterator[str]:
    if agreeing is None:
        return
    said = figures.likely(agreeing.pairwise, "times")
    if agreeing.pairwise.known:
        said = f"two voters of a battle say the same {said}"
    yield f"**Agreement**: {said}."
    if agreeing.split:
        named = ", ".join(f"#{battle_id}" for battle_id in agreeing.split[:SPLIT])
        yield f"-# Evenly split: {named}. `/battle` shows them."
    if exact and not math.isnan(agreeing.alpha):
        battles = count(agreeing.battles, "battle")
        yield f"-# Krippendorff's alpha {agreeing.alpha:.2f}, {battles} with two votes or more"


def _styled(stats: Stats) -> Iterator[str]:
    """Whether somebody else would lead, were all answers as long and as plain as each other."""
    if stats.styled is not None:
        said = board_views.verdict(stats.styled)
        if said != board_views.verdict(stats.leaderboard):
            yield f"**With length and markup taken out**: {said}"


def _raw(topics: tuple[Place, ...]) -> Iterator[str]:
    """Where raw completion does best."""
    told = [place for place in topics if place.ahead.known]
    if told:
        of = figures.out_of(*(place.ahead for place in told))
        said = ", ".join(f"{place.name} {round(place.ahead.value * of)}" for place in told)
        yield f"**Raw completion** wins, of {of} votes by topic: {said}."
