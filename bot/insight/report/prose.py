"""The sentences of a report."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bot.insight.counting import BothBad, Weights
from bot.insight.meanings import MEANINGS
from bot.insight.report import tables
from bot.insight.report.showing import Showing
from bot.insight.report.words import ahead, interval, moved_by, percent
from bot.wording import TOO_FEW, count
from storage.records import Kind

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bot.insight.report.page import Report
    from bot.insight.report.texts import ShownAnswer, ShownBattle
    from bot.insight.results import Agreeing, Blinding, Estimate, Leaderboard, Place

STEP = 20
"""Battles that are there without a script, and that are added at a time with one."""

EVEN = 0.5

LONGEST_TITLE = 120
"""Characters of a prompt that a closed battle shows."""

CONTENTS = (
    ("ranks", "Ranking"),
    ("where", "Where raw completion wins"),
    ("time", "Over time"),
    ("trust", "Can the votes be trusted?"),
    ("battles", "Battles"),
    ("method", "How this was counted"),
)


def told(report: Report) -> dict[str, Any]:
    """Everything that the page says in words, by the name that its template knows."""
    stats, board = report.stats, report.stats.leaderboard
    alarming = [effect for effect in stats.effects if effect.alarm]
    return {
        "title": "What the votes say",
        "collection": report.collection,
        "at": f"{report.at:%Y-%m-%d %H:%M} UTC",
        "simulated": board.counting.simulated,
        "headline": headline(board, report.base),
        "facts": list(_facts(board)),
        "board": board,
        "alarms": ", ".join(f"“{moved_by(effect.name)}”" for effect in alarming),
        "known_base": _known_base(stats.blinding),
        "contents": CONTENTS if board.votes else CONTENTS[-2:],
        "ranking_words": _ranking_words(board),
        "best_places": best_places(stats.topics),
        "wheres": [
            {
                "by": by,
                "table": tables.places(
                    f"by-{by}", by.capitalize(), f"Base models against others, by {by}", found
                ),
            }
            for by, found in (
                ("topic", stats.topics),
                ("language", stats.languages),
                ("template", stats.templates),
            )
            if len(found) > 1
        ],
        "effects": bool(stats.effects),
        "advice": [
            (moved_by(effect.name), f"{effect.meaning} {MEANINGS[effect.name].advice}")
            for effect in alarming
        ],
        "blinding": _blinding(stats.blinding) if stats.blinding else "",
        "agreement": _agreement(stats.agreement) if stats.agreement else "",
        "split": _split(report),
        "texts_words": _texts_words(report),
        "scriptless": _scriptless(len(report.texts.battles)),
        "choices": list(_choices(report)),
        "weights_words": _WEIGHTS[board.counting.weights],
        "footer": f"Made by Twofold on {report.at:%Y-%m-%d} at {report.at:%H:%M} UTC. "
        "This page loads nothing and sends nothing.",
    }


def headline(board: Leaderboard, base: Estimate | None) -> str:
    """Who is ahead, in a sentence."""
    if not board.votes:
        return "No vote is counted yet."
    if base is not None and base.known:
        several = sum(line.entrant.kind is Kind.BASE for line in board.lines) > 1
        return f"{'Base models are' if several else 'The base model is'} {ahead(base)}."
    told = [line for line in board.lines if line.told and line.ahead.known]
    if base is not None or not told:
        return f"{TOO_FEW.capitalize()} who is ahead."
    return f"{told[0].entrant.slug} is {ahead(told[0].ahead)}."


def best_places(topics: Sequence[Place]) -> str:
    """Where base models win by topic, or come closest to that."""
    told = [place for place in topics if place.ahead.known]
    if not told:
        return ""
    sure = ", ".join(place.name for place in told if place.ahead.low > EVEN)
    if sure:
        return f"Base models are surely ahead in {sure}."
    best = max(told, key=lambda place: place.ahead.value)
    return (
        "In no topic are base models surely ahead. They come closest in "
        f"{best.name}: {ahead(best.ahead)}."
    )


def asked(battle: ShownBattle) -> str:
    """How a battle is called: the beginning of what was answered."""
    text = " ".join(battle.turns[-1][1].split()) if battle.turns else ""
    if len(text) > LONGEST_TITLE:
        text = f"{text[:LONGEST_TITLE].rstrip()}…"
    return text or "(no text)"


def about(battle: ShownBattle) -> str:
    """When it was, on what, and how it fell."""
    fell = ", ".join(f"{answer.contender} {answer.votes}" for answer in battle.answers)
    parts = [battle.day, battle.topic, battle.language, f"votes: {fell}"]
    if battle.undecided:
        parts.append(f"neither {battle.undecided}")
    return " · ".join(filter(None, parts))


def votes_for(answer: ShownAnswer) -> str:
    """`base model · 3 votes`."""
    return f"{answer.kind} model · {count(answer.votes, 'vote')}"


def _facts(board: Leaderboard) -> Iterator[tuple[str, str]]:
    for name, number in (
        ("blind votes", board.votes),
        ("battles", board.battles),
        ("voters", board.voters),
        ("contenders", len(board.lines)),
    ):
        yield name, f"{number:,}"
    if board.first_day and board.last_day:
        days = [board.first_day.isoformat(), board.last_day.isoformat()]
        yield "days" if days[0] != days[1] else "day", " to ".join(dict.fromkeys(days))


def _ranking_words(board: Leaderboard) -> str:
    words = (
        "A likely range is right 95 times in 100. Where ranges of two contenders overlap, "
        "either may be the better one: that is why a place may be “1 to 3”."
    )
    untold = sum(not line.told for line in board.lines)
    if untold:
        few = f"{count(untold, 'contender')} {'has' if untold == 1 else 'have'}"
        words = f"{words} {few} too few votes to tell."
    return words


def _blinding(found: Blinding) -> str:
    asked = found.right + found.wrong + found.not_sure
    guesses = found.right + found.wrong
    words = (
        f"After voting, voters are asked which answer was the base model’s. Of {asked:,} answers "
        f"{found.not_sure:,} were “not sure”; of {count(guesses, 'guess', 'guesses')} "
        f"{found.right:,} were right."
    )
    if not found.guessed.known:
        return f"{words} There are too few to tell whether that is more than chance."
    words += (
        f" That is {percent(found.guessed.value)}, {interval(found.guessed)} likely, where chance "
        "gives half."
    )
    if found.index.known:
        index = found.index
        words += (
            f" Bang’s index is {_signed(index.value)} ({_signed(index.low)} to "
            f"{_signed(index.high)}): 0 is chance, 1 is always right, and between −0.2 and 0.2 "
            "is usually taken for blind."
        )
    return words


def _known_base(found: Blinding | None) -> str:
    """What has to be said of votes that were not as blind as they should be."""
    if found is None or not found.alarm:
        return ""
    return (
        "Voters often know which answer is the base model’s: "
        f"{percent(found.guessed.value)} of their guesses are right."
    )


def _agreement(found: Agreeing) -> str:
    words = (
        f"In {count(found.battles, 'battle')} with two votes or more, two voters said the same in "
        f"{percent(found.pairwise.value)} of all pairs"
    )
    words += f", {interval(found.pairwise)} likely." if found.pairwise.known else "."
    if found.alpha == found.alpha:
        words += (
            f" Krippendorff’s alpha is {_signed(found.alpha)}: 0 is what chance gives, 1 is "
            "always. Tastes differ, so a low one is no fault; it says how many votes it takes."
        )
    return words


def _signed(number: float) -> str:
    return f"{number:.2f}".replace("-", "−")


def _split(report: Report) -> str:
    agreement = report.stats.agreement
    if agreement is None or not agreement.split:
        return ""
    there = count(len(agreement.split), "battle")
    return (
        f"On {there} or more voters were divided evenly; none of them may be shown here, as not "
        "everybody in it agreed to that."
    )


def _texts_words(report: Report) -> str:
    if report.showing is Showing.NONE:
        return "This report was made without texts."
    found = len(report.texts.battles)
    if report.collection:
        words = "Texts are those of the imported collection."
    elif report.showing is Showing.PUBLISH:
        words = (
            "Here are only battles in which everybody agreed that their words may be published, "
            "and only the votes of members who did."
        )
    else:
        words = (
            "Here are only battles in which everybody agreed to statistics, and only the votes of "
            "members who did. They did not agree to more: do not publish this page."
        )
    if not found:
        return f"{words} There is none yet."
    words += " Names and ids are taken out."
    if report.texts.more:
        words += f" These are the newest {found:,}; older ones are left out."
    return words


def _scriptless(found: int) -> str:
    if found <= STEP:
        return "Searching and filtering need JavaScript, which is off here."
    return (
        f"These are the newest {STEP} of {found:,}. Searching, and seeing the others, needs "
        "JavaScript, which is off here."
    )


_WEIGHTS = {
    Weights.CAPPED: "A vote weighs less the more its voter gave: one of n votes counts 1/√n, so "
    "that nobody decides alone.",
    Weights.EQUAL: "Every vote weighs the same here, so that who votes most decides most.",
}


def _choices(report: Report) -> Iterator[tuple[str, str]]:
    counting = report.stats.leaderboard.counting
    if report.collection:
        yield "From", f"the imported collection {report.collection}"
    yield "Servers", ", ".join(map(report.guild, counting.guilds)) or "all"
    if counting.channels:
        yield "Channels", ", ".join(map(report.channel, counting.channels))
    yield "Templates", ", ".join(counting.templates) or "all"
    yield "Topics", ", ".join(counting.topics) or "all"
    yield "Languages", ", ".join(counting.languages) or "all"
    since = f"from {counting.since}" if counting.since else ""
    until = f"to {counting.until}" if counting.until else ""
    yield "Days", f"{since} {until}".strip() or "all"
    yield "Votes of authors", "counted" if counting.author_votes else "left out"
    both_bad = "count as ties" if counting.both_bad is BothBad.TIE else "are left out"
    yield "Votes for “both bad”", both_bad
    yield "Weights", "1/√n of a voter’s n votes" if counting.weights is Weights.CAPPED else "equal"
    if counting.style:
        yield "Style", "taken out of the ranking"
    yield (
        "Texts",
        {
            Showing.PUBLISH: "of those who agreed to be published",
            Showing.EVALUATE: "of those who agreed to statistics",
            Showing.NONE: "none",
        }[report.showing],
    )
