"""Results as they would be found in votes, for what tells of them."""

from __future__ import annotations

import math
from datetime import date, timedelta
from random import Random

from bot.insight.arena import Entrant
from bot.insight.counting import Counting
from bot.insight.results import (
    Agreeing,
    Blinding,
    Course,
    Effect,
    Estimate,
    Generation,
    Leaderboard,
    Line,
    Meeting,
    Place,
    Stats,
)
from storage.records import Kind

UNKNOWN = Estimate(math.nan, math.nan, math.nan)
FIRST = date(2026, 9, 1)
LONG = "a-rather-long-contender-name-v2.1-q4_k_m"
SLUGS = (
    ("gemma-270m-raw", Kind.BASE),
    ("smollm2-135m", Kind.INSTRUCT),
    ("gemma-270m-dpo-2026-10", Kind.TUNED),
    (LONG, Kind.BASE),
    ("gpt-4o-mini", Kind.INSTRUCT),
    ("WWWWWWWWWWWWWWWWWWWWMMMMMMMMMMMMMMMMMMMM", Kind.INSTRUCT),
    ("qwen3-0.6b-base.chatlog", Kind.BASE),
    ("x", Kind.TUNED),
    *((f"llama-3.2-{size}b-instruct", Kind.INSTRUCT) for size in (1, 3, 8)),
    *((f"olmo-2-{size}b-base", Kind.BASE) for size in (1, 7, 13, 32)),
    *((f"qwen3-{size}b-kto-{size}", Kind.TUNED) for size in (1, 2, 4)),
    ("claude-haiku", Kind.INSTRUCT),
    ("mistral-small-3.2-24b-instruct-2506-awq4", Kind.INSTRUCT),
    ("pythia-160m", Kind.BASE),
    ("pythia-410m", Kind.BASE),
)


def around(value: float, half: float) -> Estimate:
    return Estimate(value, max(0.0, value - half), min(1.0, value + half))


def line(slug: str, kind: Kind, score: float, half: float, *, told: bool = True) -> Line:
    share = 1 / (1 + 10 ** ((1000 - score) / 400))
    return Line(
        entrant=Entrant(slug=slug, kind=kind),
        score=Estimate(score, score - half, score + half),
        best=1,
        worst=2,
        ahead=around(share, half / 600),
        wins=round(200 * share),
        losses=200 - round(200 * share),
        ties=31,
        both_bad=12,
        battles=120,
        voters=41,
        told=told,
    )


def board(contenders: int, *, told: int | None = None, spread: float = 350) -> Leaderboard:
    """So many contenders, of which the last ones have too few votes."""
    random = Random(contenders)
    told = contenders if told is None else told
    lines = []
    for at, (slug, kind) in enumerate(SLUGS[:contenders]):
        score = 1000 + spread * (0.5 - at / max(1, contenders - 1))
        half = 40 + 60 * random.random()
        lines.append(line(slug, kind, score, half if at < told else math.nan, told=at < told))
    meetings = tuple(
        Meeting(
            first=first.entrant.slug,
            second=second.entrant.slug,
            ahead=around(1 / (1 + 10 ** ((second.score.value - first.score.value) / 400)), 0.12),
            wins=20,
            losses=12,
            undecided=3,
        )
        for at, first in enumerate(lines)
        for second in lines[at + 1 :]
        if random.random() < 0.8 or contenders < 4
    )
    return Leaderboard(
        counting=Counting(),
        lines=tuple(lines),
        meetings=meetings,
        votes=12_402,
        battles=2_511,
        voters=317,
        tie=0.2,
        not_counted={"not blind": 12},
        first_day=FIRST,
        last_day=FIRST + timedelta(days=60),
    )


def generation(entrant: Entrant, number: int, score: Estimate) -> Generation:
    over = around(0.6, 0.1) if number else None
    decided = 40 if number else 0
    return Generation(
        entrant=entrant, generation=number, score=score, over_parent=over, decided=decided
    )


def descent(lines: int, *, generations: int = 3) -> tuple[tuple[Generation, ...], ...]:
    """Lines that begin with the same base model; of the last one's last too little is known."""
    base = Entrant(slug="gemma-270m-raw", kind=Kind.BASE)
    found = []
    for number in range(lines):
        line = [generation(base, 0, Estimate(900, 870, 930))]
        for at in range(1, generations):
            unknown = number == lines - 1 > 0 and at == generations - 1
            score = UNKNOWN if unknown else Estimate(900 + at * 40, 850 + at * 40, 960 + at * 40)
            slug = f"gemma-270m-dpo-{number}{at}e3f9a1c"
            child = Entrant(slug=slug, kind=Kind.TUNED, parent=line[-1].entrant.slug)
            line.append(generation(child, at, score))
        found.append(tuple(line))
    return tuple(found)


def no_board() -> Leaderboard:
    return Leaderboard(
        counting=Counting(),
        lines=(),
        meetings=(),
        votes=0,
        battles=0,
        voters=0,
        tie=math.nan,
        not_counted={},
        first_day=None,
        last_day=None,
    )


def effect(name: str, value: Estimate, neutral: float = 0.5, harmless: float = 0.03) -> Effect:
    return Effect(
        name=name,
        meaning=f"Votes as they fall for {name}; neutral is what the models' own rates explain.",
        estimate=value,
        neutral=neutral,
        harmless=harmless,
        votes=900,
    )


EFFECTS = (
    effect("side", around(0.57, 0.02)),
    effect("length", around(0.61, 0.03), 0.585, 0.05),
    effect("markup", around(0.55, 0.07), 0.54, 0.05),
    effect("speed", UNKNOWN, 0.5, 0.05),
    effect("author", around(0.33, 0.12), 0.31, 0.1),
    effect("author_agreement", around(0.62, 0.09), 0.66, 0.1),
    effect("mirror", around(0.74, 0.08), 1.0, 0.4),
    effect("control_ties", around(0.41, 0.1), 1.0, 1.0),
    effect("control_side", around(0.52, 0.05), 0.5, 0.1),
)

BLINDING = Blinding(
    right=612,
    wrong=341,
    not_sure=207,
    guessed=around(0.64, 0.03),
    index=Estimate(0.23, 0.17, 0.29),
    preferred={
        "right": around(0.27, 0.04),
        "wrong": around(0.44, 0.05),
        "not sure": around(0.36, 0.07),
    },
)
AGREEMENT = Agreeing(alpha=0.31, pairwise=around(0.58, 0.04), battles=801, split=(4, 9))
CHANNELS = {
    12345678: AGREEMENT,
    23456789: Agreeing(alpha=0.12, pairwise=around(0.47, 0.1), battles=41, split=()),
    34567890: Agreeing(alpha=math.nan, pairwise=UNKNOWN, battles=1, split=()),
}
TOPICS = tuple(
    Place(name=name, ahead=ahead, votes=votes, battles=votes // 4)
    for name, ahead, votes in (
        ("creative", around(0.52, 0.06), 700),
        ("chat", around(0.38, 0.04), 1900),
        ("question", around(0.24, 0.05), 1100),
        ("code", around(0.18, 0.09), 240),
        ("unknown", Estimate(0.5, math.nan, math.nan), 6),
    )
)


def course(contenders: int, days: int) -> Course:
    random = Random(days)
    scores = {}
    for at, (slug, _) in enumerate(SLUGS[:contenders]):
        target = 200 * (0.5 - at / max(1, contenders - 1))
        score, begins, path = 1000.0, (at % 3) * days // 8, []
        for day in range(days):
            score += 0.08 * (1000 + target - score) + random.gauss(0, 9)
            path.append(score if day >= begins else math.nan)
        scores[slug] = tuple(path)
    return Course(days=tuple(FIRST + timedelta(days=day) for day in range(days)), scores=scores)


def stats(contenders: int = 3, days: int = 60) -> Stats:
    random = Random(1)
    return Stats(
        leaderboard=board(contenders),
        styled=None,
        effects=EFFECTS,
        blinding=BLINDING,
        agreement=AGREEMENT,
        channels=CHANNELS,
        topics=TOPICS,
        languages=TOPICS[1:3],
        templates=TOPICS[:1],
        course=course(contenders, days),
        votes_by_day=tuple(
            (FIRST + timedelta(days=day), round(40 + 30 * random.random()))
            for day in range(days)
            if day % 9
        ),
    )


def no_stats() -> Stats:
    return Stats(
        leaderboard=no_board(),
        styled=None,
        effects=(),
        blinding=None,
        agreement=None,
        channels={},
        topics=(),
        languages=(),
        templates=(),
        course=Course(days=(), scores={}),
        votes_by_day=(),
    )
