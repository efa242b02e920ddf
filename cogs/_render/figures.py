"""Figures in the reader's words: "ahead in 7 of 10 votes, between 5 and 9 likely"."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.wording import TOO_FEW, count

if TYPE_CHECKING:
    from bot.insight.results import Estimate

LIKELY = "A likely range is right 19 times out of 20."


def out_of(*estimates: Estimate) -> int:
    """How many votes shares are told of: as many as the narrowest interval has room in."""
    widths = [estimate.high - estimate.low for estimate in estimates if estimate.known]
    narrowest = min(widths, default=1.0)
    return next((votes for votes in (10, 100) if narrowest * votes > 2), 1000)  # noqa: PLR2004


def likely(estimate: Estimate, what: str = "votes", *, of: int | None = None) -> str:
    """A share as a number out of `of` and the range that is likely, or that it is too soon."""
    if not estimate.known:
        return TOO_FEW
    of = of or out_of(estimate)
    value, low, high = (round(end * of) for end in (estimate.value, estimate.low, estimate.high))
    return f"{value:,} of {of:,} {what}, between {low:,} and {high:,} likely"


def by(voters: int) -> str:
    """Whose votes they are; of who did not agree to be kept nobody knows how many they are."""
    return f" by at least {count(voters, 'member')}" if voters else ""


def about(share: float, what: str = "", *, of: int = 10) -> str:
    """A share that nothing is claimed of, of no more votes than 10 and than there are."""
    of = min(of, 10)
    return f"{round(share * of)} of {of}{f' {what}' if what else ''}"


def percent(estimate: Estimate) -> str:
    """A share and its interval, exactly."""
    if not estimate.known:
        return f"{percent_of(estimate.value)} (no interval)"
    value, low, high = map(percent_of, (estimate.value, estimate.low, estimate.high))
    return f"{value} ({low} to {high})"


def percent_of(share: float) -> str:
    """A share, exactly."""
    return f"{100 * share:.1f} %"
