"""`twofold backup`, `restore` and `rollback`: keeping what was voted."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bot.errors import ConfigError
from bot.terminal import advancing, configured, database_of, err, out
from bot.wording import count

if TYPE_CHECKING:
    from bot.config import Config

Yes = Annotated[bool, typer.Option("--yes", help="Do not ask first.")]


def backup(
    to: Annotated[
        Path | None,
        typer.Option("--out", help="The file. Default: a new one in `backups` in the data folder."),
    ] = None,
    *,
    keep: Annotated[
        int | None,
        typer.Option(min=1, help="Delete all but so many in `backups`, the oldest first."),
    ] = None,
) -> None:
    """Copy the database as it is now into one file, while the bot runs.

    Nobody waits for it, and every vote that was acknowledged before it began is in it. A backup
    has texts that are wiped from the database later: keep it as safe, and not for longer.

    Example: `twofold backup --keep 7`
    """
    from storage.backup import back_up

    config = configured()
    source = _file(config)
    folder = config.home / "backups"
    file = to or folder / f"twofold-{datetime.now(UTC):%Y-%m-%dT%H-%M-%SZ}.db"
    if file.exists():
        raise ConfigError(f"{file} is there already. Name another file with --out.")
    _make_folder(file.parent)
    with advancing("Copying") as advance:
        back_up(source, file, key=config.database_key, advance=advance)
    out.print(str(file), markup=False, soft_wrap=True)
    for old in sorted(folder.glob("twofold-*.db"))[:-keep] if keep else ():
        old.unlink()
        err.print(f"deleted {old.name}", markup=False, soft_wrap=True)


def restore(
    source: Annotated[Path, typer.Argument(help="A file that `twofold backup` made.")],
    *,
    yes: Yes = False,
) -> None:
    """Put a backup in the database's place, while the bot is stopped.

    The database that was there is kept beside it under another name. Members who had themselves
    erased since are erased again; what else was withdrawn since, such as a consent, is not known
    to a backup.

    Example: `twofold restore backups/twofold-2026-11-22T04-00-00Z.db`
    """
    config = configured()
    if not yes:
        typer.confirm(f"Put {source} in the place of the database?", abort=True)
    for line in asyncio.run(_restore(config, source)):
        out.print(line, markup=False, soft_wrap=True)


def rollback(
    revision: Annotated[str, typer.Argument(help="The last step to keep, such as `0005`.")],
    *,
    yes: Yes = False,
) -> None:
    """Make the database as an older Twofold left it, so that it can be installed again.

    A backup is made first. What only newer versions hold is lost from the database: docs/keeping.md
    has the list.

    Example: `twofold rollback 0005`
    """
    config = configured()
    if not yes:
        typer.confirm(f"Take the database back to {revision}?", abort=True)
    kept = asyncio.run(_go_back(config, revision))
    out.print(f"The database is as {revision} left it. Before: {kept}", soft_wrap=True)


async def _restore(config: Config, source: Path) -> list[str]:
    from bot.alone import alone
    from bot.keeping.erased import erase_again
    from storage.backup import back_up, put_in_place, remove
    from storage.database import Database, database_url

    to, key = _file(config, there=False), config.database_key
    url = database_url(config.database_location)
    copy = to.with_name(f"{to.name}.restoring")
    async with alone(url, wait_seconds=0):
        try:
            with advancing("Copying") as advance:
                await asyncio.to_thread(back_up, source, copy, key=key, advance=advance)
            # Whoever was erased is out of it before it counts as the database.
            async with Database.open(database_url(copy), key=key) as store:
                again = await erase_again(store, config.home, at=datetime.now(UTC))
                newest = await store.census.newest()
                battles, votes = await store.census.since(datetime.min.replace(tzinfo=UTC))
            before = put_in_place(copy, to)
        finally:
            remove(copy)
    lines = [f"{count(battles, 'battle')} and {count(votes, 'vote')} are there"]
    if newest is not None:
        lines.append(f"The newest of them is of {newest:%Y-%m-%d %H:%M} UTC")
    if again:
        lines.append(f"{count(len(again), 'member')} erased since then: erased again")
    if before:
        lines.append(f"What was there before is now {before}: delete it when all is well")
    return lines


async def _go_back(config: Config, revision: str) -> Path:
    from bot.alone import alone
    from storage.backup import back_up
    from storage.database import Database, database_url

    source, key = _file(config), config.database_key
    url = database_url(config.database_location)
    async with alone(url, wait_seconds=0):
        kept = config.home / "backups" / f"before-rollback-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.db"
        _make_folder(kept.parent)
        async with Database.open(url, key=key) as store:
            with advancing("Copying") as advance:
                await asyncio.to_thread(back_up, source, kept, key=key, advance=advance)
            await store.go_back(revision)
    return kept


def _file(config: Config, *, there: bool = True) -> Path:
    """The database's file. Raises ConfigError where a server has it."""
    from storage.database import database_url, file_of

    url = database_of(config, None) if there else database_url(config.database_location)
    file = file_of(url)
    if file is None:
        raise ConfigError(
            "A server has this database, and its own tools keep it: docs/postgresql.md tells how."
        )
    return file


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(
            f"The folder {folder} cannot be made ({error.strerror}). Make the one that it is to be "
            "in writable."
        ) from None
