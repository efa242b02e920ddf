"""`twofold migrate`: another database, with all that was in this one."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from bot.errors import ConfigError
from bot.terminal import advancing, configured, out

if TYPE_CHECKING:
    from pydantic import SecretStr

    from storage.moving import Moved

SHOWN = 16
"""Of the hash, which nobody compares by hand further."""


def migrate(
    source: Annotated[
        str | None,
        typer.Option("--from", help="A path or URL. Default: TWOFOLD_DATABASE, or what it is."),
    ] = None,
    target: Annotated[
        str | None,
        typer.Option("--to", help="A path or URL. Default: TWOFOLD_DATABASE."),
    ] = None,
) -> None:
    """Copy a database into another one, such as a file into PostgreSQL, while the bot is stopped.

    All or nothing: what was copied is read back and compared before it counts. The database that
    is copied stays as it is. A URL given here is seen by who lists this machine's programs; one
    with a password belongs into TWOFOLD_DATABASE.

    Example: `twofold migrate --from ~/twofold.db --to postgresql://twofold@localhost/twofold`
    """
    from storage.database import database_url, file_of

    if source is None and target is None:
        raise ConfigError("Name with --from or with --to what TWOFOLD_DATABASE is not.")
    config = configured()
    here = database_url(config.database_location)
    old = here if source is None else database_url(source)
    new = here if target is None else database_url(target)
    file = file_of(old)
    if file is not None and not file.exists():
        raise ConfigError(f"There is no database {file}. Name the one to copy with --from.")
    moved = asyncio.run(_move(old, new, config.database_key))
    table = Table("table", "rows", "hash in both", box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.columns[1].justify = "right"
    for one in moved:
        table.add_row(one.table, f"{one.rows:,}", one.digest[:SHOWN] if one.rows else "")
    out.print(table)
    out.print(
        "All rows are the same in both. Set TWOFOLD_DATABASE to the new one; the old one has its "
        "texts still, so delete it once you are sure.",
        soft_wrap=True,
    )


async def _move(old: str, new: str, key: SecretStr | None) -> tuple[Moved, ...]:
    from rich.progress import MofNCompleteColumn

    from bot.alone import alone
    from storage.moving import move

    async with AsyncExitStack() as stack:
        for url in dict.fromkeys((old, new)):
            await stack.enter_async_context(alone(url, wait_seconds=0))
        bar = advancing("Copying and comparing rows", MofNCompleteColumn())
        return await move(old, new, keys=(key, key), advance=stack.enter_context(bar))
