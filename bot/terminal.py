"""What the commands share: where they print, and the configuration that they begin with."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console

from bot.config import load
from bot.errors import ConfigError
from bot.telemetry.logs import configure

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.progress import Progress, ProgressColumn

    from bot.config import Config

    Advance = Callable[[int, int], None]

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)


def configured(**overrides: object) -> Config:
    """The configuration, with logs set up by it; `overrides` win. Raises ConfigError."""
    config = load(**overrides)
    configure(level=config.log_level, form=config.log_format, secrets=config.secrets)
    return config


def progress_of(*columns: str | ProgressColumn) -> Progress:
    """Bars on standard error, gone when they are done; nothing where that is no terminal."""
    from rich.progress import Progress  # noqa: PLC0415 - most commands show none

    return Progress(*columns, console=err, transient=True, disable=not err.is_terminal)


@contextmanager
def advancing(doing: str, *more: ProgressColumn) -> Iterator[Advance]:
    """A bar for what is counted as it goes; it is told how much is done, of how much."""
    from rich.progress import BarColumn, TimeRemainingColumn  # noqa: PLC0415 - as above

    with progress_of(doing, BarColumn(), *more, TimeRemainingColumn()) as bars:
        bar = bars.add_task("", total=None)
        yield lambda done, total: bars.update(bar, completed=done, total=total)


def database_of(config: Config, collection: str | None) -> str:
    """The URL of a collection that was imported, or of the bot's own database.

    It is for reading: raises ConfigError where there is none.
    """
    from bot.dataset.importing.collection import url_of  # noqa: PLC0415 - SQL takes a while
    from storage.database import database_url, file_of  # noqa: PLC0415

    if collection:
        return url_of(config, collection)
    url = database_url(config.database_location)
    file = file_of(url)
    if file is not None and not file.exists():
        raise ConfigError(
            f"There is no database {file}. Set TWOFOLD_HOME or TWOFOLD_DATABASE to where it is, "
            "or begin one with `twofold run` or `twofold demo`."
        )
    return url
