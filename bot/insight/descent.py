"""Lines of descent: what tuned contenders were trained from, and whether it got better."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from bot.insight.results import Estimate, Generation
from storage.records import Kind

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from bot.insight.arena import Entrant
    from bot.insight.results import Line, Meeting

_UNKNOWN = Estimate(math.nan, math.nan, math.nan)


def descent(
    entrants: Iterable[Entrant], lines: Iterable[Line], meetings: Iterable[Meeting]
) -> tuple[tuple[Generation, ...], ...]:
    """Each line of descent from where it begins to a ranked tuned contender without children.

    Whoever has a part in several lines is in each of them. The line whose last one has the
    highest score comes first, those without a score last.
    """
    known = {entrant.slug: entrant for entrant in entrants}
    ranked = {line.entrant.slug: line for line in lines}
    met = {(one.first, one.second): one for one in meetings}
    paths = {slug: _path(known[slug], known) for slug in ranked if known[slug].kind is Kind.TUNED}
    inner = {ancestor.slug for path in paths.values() for ancestor in path[:-1]}
    found = [
        tuple(_generation(at, path, ranked, met) for at in range(len(path)))
        for slug, path in sorted(paths.items())
        if slug not in inner and len(path) > 1
    ]
    return tuple(sorted(found, key=_lasts_score))


def _path(entrant: Entrant, known: Mapping[str, Entrant]) -> list[Entrant]:
    """From the first ancestor that is known to the entrant itself."""
    path = [entrant]
    while (parent := known.get(path[0].parent or "")) is not None and parent not in path:
        path.insert(0, parent)
    return path


def _generation(
    at: int,
    path: list[Entrant],
    ranked: Mapping[str, Line],
    met: Mapping[tuple[str, str], Meeting],
) -> Generation:
    entrant = path[at]
    line = ranked.get(entrant.slug)
    share, decided = _against(entrant.slug, path[at - 1].slug, met) if at else (None, 0)
    return Generation(
        entrant=entrant,
        generation=at,
        score=line.score if line is not None and line.told else _UNKNOWN,
        over_parent=share,
        decided=decided,
    )


def _against(
    child: str, parent: str, met: Mapping[tuple[str, str], Meeting]
) -> tuple[Estimate, int]:
    """The child's share of decided votes against its parent, and how many there are."""
    if (one := met.get((child, parent))) is not None:
        return one.ahead, one.wins + one.losses
    if (one := met.get((parent, child))) is not None:
        theirs = one.ahead
        own = Estimate(1 - theirs.value, 1 - theirs.high, 1 - theirs.low)
        return own, one.wins + one.losses
    return _UNKNOWN, 0


def _lasts_score(line: tuple[Generation, ...]) -> tuple[bool, float]:
    score = line[-1].score
    return not score.known, -score.value if score.known else 0.0
