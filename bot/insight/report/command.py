"""`twofold report` and `twofold serve`: their options."""

from __future__ import annotations

import asyncio
import secrets
import time
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bot.errors import ConfigError
from bot.insight import options
from bot.insight.counting import Counting
from bot.insight.report.showing import Showing
from bot.terminal import configured, database_of, err, out, progress_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from bot.config import Config
    from bot.insight.report.making import Maker

MOST = 2000
TOKEN_BYTES = 32

Texts = Annotated[
    Showing,
    typer.Option(
        help="Show the texts of battles in which everybody agreed to `publish`, or to `evaluate` "
        "for a page that stays private, or `none`."
    ),
]
Battles = Annotated[
    int, typer.Option(min=0, max=MOST, help="How many battles are shown, the newest first.")
]


@options.counted
def report(
    folder: Annotated[
        Path,
        typer.Option("--out", help="Folder for index.html; made if needed.", show_default=False),
    ],
    *,
    counting: Counting,
    texts: Texts = Showing.PUBLISH,
    battles: Battles = MOST,
    collection: options.Collection = None,
) -> None:
    """Write what the votes say as one page of HTML that loads nothing.

    Rankings with their pictures, what moves votes besides the models, where base models win,
    and the battles whose texts may be shown, to search through. Open it in a browser.

    Example: `twofold report --out report`
    """
    wanted = _Wanted(counting=counting, collection=collection, texts=texts, battles=battles)
    config = configured()
    _make_folder(folder)
    file = folder / "index.html"
    with _telling() as tell:
        html = asyncio.run(_page(config, wanted, tell))
        _write(file, html)
    out.print(str(file), markup=False, soft_wrap=True)


@options.counted
def serve(
    *,
    host: Annotated[
        str,
        typer.Option(help="The address to listen at. Any but this machine's own needs a token."),
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 8765,
    counting: Counting,
    texts: Texts = Showing.PUBLISH,
    battles: Battles = MOST,
    collection: options.Collection = None,
) -> None:
    """Serve the report as it stands now, for browsers, until Ctrl-C. It changes nothing.

    It may run beside the bot. On 127.0.0.1 it asks for nothing; on any other address it wants
    a token: TWOFOLD_SERVE_TOKEN, else one that is made and printed with the page's address.

    Example: `twofold serve --port 8765`
    """
    wanted = _Wanted(counting=counting, collection=collection, texts=texts, battles=battles)
    config = configured()
    asyncio.run(_serve(config, wanted, host=host, port=port))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wanted:
    counting: Counting
    collection: str | None
    texts: Showing
    battles: int


async def _page(config: Config, wanted: _Wanted, tell: Callable[[str], object]) -> str:
    async with _maker(config, wanted) as maker:
        return (await maker.make(tell)).html


async def _serve(config: Config, wanted: _Wanted, *, host: str, port: int) -> None:
    from bot.client import on_signals
    from bot.insight.report import serving
    from bot.telemetry.logs import configure

    known = config.serve_token.get_secret_value() if config.serve_token else None
    made = None if known or serving.is_loopback(host) else secrets.token_urlsafe(TOKEN_BYTES)
    if made:
        hidden = (*config.secrets, made)
        configure(level=config.log_level, form=config.log_format, secrets=hidden)
    stop = asyncio.Event()
    on_signals(stop.set)
    async with _maker(config, wanted, only_read=True) as maker:
        live = serving.Live(maker.make, clock=time.monotonic)
        served = serving.application(live.get, serving.Access(token=known or made))
        async with serving.serving(served, host=host, port=port) as bound:
            with _telling() as tell:
                await live.get(tell)
            out.print(serving.address(host, bound, token=made), markup=False, soft_wrap=True)
            await stop.wait()


@asynccontextmanager
async def _maker(
    config: Config, wanted: _Wanted, *, only_read: bool = False
) -> AsyncIterator[Maker]:
    from bot.app import now
    from bot.dataset.pseudonyms import Pseudonyms
    from bot.insight.report.making import Maker
    from bot.insight.report.texts import Reader
    from bot.insight.service import InsightService
    from bot.redaction import Redactor
    from bot.redaction.presidio import presidio
    from storage.database import Database

    url = database_of(config, wanted.collection)
    async with Database.open(url, key=config.database_key, only_read=only_read) as store:
        if await options.simulated_only(store.arena, wanted.counting):
            err.print(options.ADD_SIMULATED)
        yield Maker(
            insight=InsightService(store=store.arena, clock=now, strict=True),
            reader=Reader(
                voted=store.voted,
                pseudonyms=Pseudonyms.kept_in(config.home),
                redact=Redactor(more=presidio()).redact,
                showing=wanted.texts,
                free=wanted.collection is not None,
            ),
            counting=wanted.counting,
            limit=wanted.battles,
            clock=now,
            collection=wanted.collection,
        )


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise ConfigError(f"{folder} is a file. Name a folder with --out.") from None
    except OSError as error:
        raise ConfigError(
            f"The folder {folder} cannot be made ({error.strerror}). Choose another with --out."
        ) from None


def _write(file: Path, html: str) -> None:
    from bot.disk import write_whole

    try:
        write_whole(file, html.encode())
    except OSError as error:
        raise ConfigError(
            f"{file} cannot be written ({error.strerror}). Choose another folder with --out."
        ) from None


@contextmanager
def _telling() -> Iterator[Callable[[str], object]]:
    """Tells what is being done, on a terminal; gone when it is done."""
    from rich.progress import SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with progress_of(*columns) as shown:
        task = shown.add_task("Opening the database", total=None)
        yield lambda doing: shown.update(task, description=doing)
