"""Battles from the database through the work of an export to its files."""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING

from bot.dataset.formats import Making
from bot.dataset.formats.registry import FORMATS
from bot.dataset.select import Selector
from bot.dataset.work import Work
from storage.voted import AFTER_ALL

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from bot.dataset.delta import Delta
    from bot.dataset.files import Writer
    from bot.dataset.formats import Format
    from bot.dataset.request import Means, Request
    from storage.database import Database


def begin(
    request: Request,
    means: Means,
    *,
    weights: Mapping[int, float],
    learnt: Collection[int] = frozenset(),
    delta: Delta | None = None,
) -> tuple[Format, Work]:
    """The format and the work of an export; `weights` and `learnt` are as for `Selector`."""
    selector = Selector(
        request.policy, weights=weights, learnt=learnt, redact=means.redactor.redact
    )
    making = Making(
        policy=request.policy,
        selector=selector,
        pseudonyms=means.pseudonyms,
        templates=means.templates,
        chat=request.chat,
    )
    form = FORMATS[request.format](making)
    return form, Work(request, means, form=form, selector=selector, delta=delta)


async def read(
    store: Database,
    request: Request,
    form: Format,
    work: Work,
    writer: Writer,
    *,
    since: int = 0,
    before: int = AFTER_ALL,
    progress: Callable[[int], None] = lambda _: None,
) -> None:
    """Take the battles from `since` on and before `before`, newest first."""
    voted = store.voted.pages(
        format=request.format,
        purpose=request.purpose,
        guild_ids=request.policy.guilds,
        texts=form.texts,
        details=form.details,
        log=form.log,
        unvoted=form.every,
        simulated=request.policy.simulated,
        since=since,
        before=before,
    )
    async with aclosing(voted) as battles:
        async for page in battles:
            for battle in page:
                work.take(battle)
            work.write(writer)
            progress(work.funnel.battles)
    work.finish()
