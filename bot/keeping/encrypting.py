"""`twofold encrypt`: the database under a key, under another one, or under none."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from pydantic import SecretStr

from bot.errors import ConfigError
from bot.terminal import advancing, configured, out

if TYPE_CHECKING:
    from bot.config import Config


def encrypt(
    file: Annotated[
        Path | None,
        typer.Argument(help="A backup, say. Default: the database and imported collections."),
    ] = None,
    *,
    undo: Annotated[
        bool, typer.Option("--undo", help="Instead: have them readable without the key again.")
    ] = False,
    old_key: Annotated[
        bool,
        typer.Option("--old-key", help="Ask for the key they have; the one that is set is new."),
    ] = False,
) -> None:
    """Encrypt the database with TWOFOLD_DATABASE_KEY, while the bot is stopped.

    `openssl rand -hex 32` makes a key. Keep a copy of it elsewhere: without it nobody reads the
    database again. All that is written is compared with what was there before it counts, and what
    was there is kept beside it under another name: delete it when all is well. Backups stay as
    they are; name one to encrypt it too, or delete it.

    Example: `twofold encrypt`
    """
    config = configured()
    key = config.database_key
    if key is None:
        raise ConfigError(
            "There is no key. Set TWOFOLD_DATABASE_KEY; `openssl rand -hex 32` makes one."
        )
    if undo and old_key:
        raise ConfigError("--undo takes the key that is set. Leave --old-key away.")
    was, new = (key, None) if undo else (_asked() if old_key else None, key)
    for each in _files(config) if file is None else [file]:
        out.print(asyncio.run(_rewritten(each, was, new)), markup=False, soft_wrap=True)
    if undo:
        out.print("Take TWOFOLD_DATABASE_KEY away now.")


def _asked() -> SecretStr:
    from storage.cipher import require_raw

    try:
        hide = sys.stdin.isatty()  # else it comes through a pipe
        said = typer.prompt("The key they have", hide_input=hide, err=True)
        return require_raw(SecretStr(said))
    except ValueError as error:
        raise ConfigError(f"That is not it: {error}.") from None


def _files(config: Config) -> list[Path]:
    from bot.dataset.importing.collection import collections
    from storage.database import database_url, file_of

    database = file_of(database_url(config.database_location))
    found = [file for file in (database, *collections(config)) if file and file.exists()]
    if not found:
        raise ConfigError(
            f"There is no database {database} yet. One that `twofold run` or `twofold demo` "
            "begins is encrypted while TWOFOLD_DATABASE_KEY is set."
        )
    return found


async def _rewritten(file: Path, was: SecretStr | None, key: SecretStr | None) -> str:
    """Do it where it is not done; a sentence about it. Raises StorageError."""
    from bot.alone import alone
    from storage.database import database_url
    from storage.encrypting import opens, rewrite

    if opens(file, key):
        return f"{file} is so already"
    async with alone(database_url(file), wait_seconds=0):
        with advancing("Writing and comparing rows") as advance:
            before = await rewrite(file, key=key, was=was, advance=advance)
    how = "is not encrypted any more" if key is None else "is encrypted with the key that is set"
    return f"{file} {how}. What was there before is now {before}: delete it when all is well"
