"""`twofold leaderboard` and `twofold stats`: their options, and reading the votes."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from bot.errors import ConfigError
from bot.insight import options
from bot.insight.counting import Counting
from bot.terminal import configured, database_of, err, out, progress_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from rich.console import RenderableType

    from bot.config import Config
    from bot.insight.arena import Arena
    from bot.insight.results import Leaderboard
    from storage.database import Database

    _T = TypeVar("_T")

Style = Annotated[
    bool,
    typer.Option("--style", help="Take out what the length and the markup of answers do."),
]
Json = Annotated[
    bool, typer.Option("--json", help="Print JSON, for scripts: docs/leaderboard.md has its names.")
]


@options.counted
def leaderboard(
    *,
    contender: Annotated[
        list[str] | None,
        typer.Option(help="Only this one, and whom it met; repeat it.", show_default=False),
    ] = None,
    collection: options.Collection = None,
    counting: Counting,
    style: Style = False,
    as_json: Json = False,
) -> None:
    """Print who is ahead, and how sure that is.

    Counted are the blind votes on live battles that have closed. Scores are Bradley and Terry's
    with ties after Davidson, 400 points for ten to one; likely ranges are 95 % intervals that
    take the votes of one voter together.

    Example: `twofold leaderboard --topic code --since 2026-11-01`
    """
    from bot.insight.leaderboard import leaderboard as ranked
    from bot.insight.screens import leaderboard as shown

    board = asyncio.run(_found(configured(), collection, replace(counting, style=style), ranked))
    board = _only(board, contender or ())
    if as_json:
        _print_json(board)
    elif board.votes:
        _print(shown(board, met=bool(contender)))
    else:
        _print_none(board)


@options.counted
def stats(
    *,
    collection: options.Collection = None,
    counting: Counting,
    style: Style = False,
    as_json: Json = False,
) -> None:
    """Print whether the votes mean anything, and where base models win.

    What moves votes besides the models, whether voters know the base model, how far they agree,
    and how raw completion fares by topic, language and prompt template.

    Example: `twofold stats --json`
    """
    from bot.insight.screens import stats as shown
    from bot.insight.stats import stats as all_of

    found = asyncio.run(_found(configured(), collection, replace(counting, style=style), all_of))
    if as_json:
        _print_json(found)
    elif found.leaderboard.votes:
        _print(shown(found))
    else:
        _print_none(found.leaderboard)


async def _found(
    config: Config,
    collection: str | None,
    counting: Counting,
    find: Callable[[Arena, Counting], _T],
) -> _T:
    """What `find` makes of the votes that are chosen. Raises ConfigError for unknown names."""
    from storage.database import Database

    url = database_of(config, collection)
    async with Database.open(url, key=config.database_key) as store:
        arena = await _read(store, simulated=counting.simulated)
        if len(arena.battle):
            options.require_known(arena, counting)
        elif await options.simulated_only(store.arena, counting):
            err.print(options.ADD_SIMULATED)
    return find(arena, counting)


async def _read(store: Database, *, simulated: bool) -> Arena:
    from rich.progress import BarColumn, TextColumn, TimeRemainingColumn

    from bot.insight.arena import Gathering
    from bot.insight.kept import read

    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    with progress_of(*columns) as progress:
        extent = await store.arena.extent(simulated=simulated)
        task = progress.add_task("Reading the votes", total=extent.closed)
        return await read(
            store.arena,
            Gathering({}),
            simulated=simulated,
            advance=lambda battles: progress.advance(task, battles),
        )


def _only(board: Leaderboard, contenders: Sequence[str]) -> Leaderboard:
    """The lines of these contenders and their meetings. Raises ConfigError for unknown ones."""
    if not contenders:
        return board
    known = {line.entrant.slug for line in board.lines}
    for slug in contenders:
        if slug not in known:
            there = f"There are: {', '.join(sorted(known))}." if known else "There is none."
            raise ConfigError(f"No vote is counted on a contender {slug}. {there}")
    return replace(
        board,
        lines=tuple(line for line in board.lines if line.entrant.slug in contenders),
        meetings=tuple(
            met for met in board.meetings if not {met.first, met.second}.isdisjoint(contenders)
        ),
        descent=tuple(
            line for line in board.descent if any(one.entrant.slug in contenders for one in line)
        ),
    )


def _print(parts: Iterable[RenderableType]) -> None:
    for part in parts:
        out.print(part, soft_wrap=isinstance(part, str))


def _print_none(board: Leaderboard) -> None:
    out.print("No vote is counted: blind ones are once their battle has closed.")
    for reason, votes in board.not_counted.items():
        out.print(f"Not counted, {reason}: {votes:,}", soft_wrap=True)


def _print_json(found: object) -> None:
    import orjson

    from bot.insight.plain import plain

    typer.echo(orjson.dumps(plain(found), option=orjson.OPT_INDENT_2))
