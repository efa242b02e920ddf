"""The command line. Heavy libraries are imported by the command that needs them."""

from __future__ import annotations

import asyncio
import sys
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import structlog
import typer
from rich.table import Table
from rich.text import Text

from bot import __version__
from bot.dataset.commands import export
from bot.dataset.importing.command import import_files
from bot.dataset.lint.command import lint
from bot.errors import ConfigError, TwofoldError
from bot.insight.commands import leaderboard, stats
from bot.insight.options import Collection
from bot.insight.report.command import report, serve
from bot.keeping.commands import backup, restore, rollback
from bot.keeping.encrypting import encrypt
from bot.keeping.migrate import migrate
from bot.models import models_cli
from bot.simulation.commands import settle, simulate
from bot.terminal import configured, database_of, err, out
from bot.training.commands import train
from bot.training.rounding import round_
from bot.training.trying import try_adapter
from bot.wording import printable

if TYPE_CHECKING:
    from typing import Any

    from bot.config import Config
    from storage.erasure import Erasure

log = structlog.get_logger(__name__)

cli = typer.Typer(
    name="twofold",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    add_completion=False,
    help="Every message answered twice: by a base model and by an instruct model, blind.\n\n"
    "Start with `twofold demo`: it needs no account. `twofold run` is the Discord bot. "
    "Settings come from the environment, `.env` and `twofold.toml`, in this order.",
)
models_cli.command("try")(try_adapter)
cli.add_typer(models_cli, name="models")

Yes = Annotated[bool, typer.Option("--version", help="Print the version and leave.")]


@cli.callback(invoke_without_command=True)
def _root(version: Yes = False) -> None:  # noqa: FBT002 - typer's way to declare a flag
    if version:
        out.print(f"twofold {__version__}")
        raise typer.Exit


@cli.command()
def run(
    shards: Annotated[
        str | None,
        typer.Option(
            help="Which shards this process has, and of how many, such as `0-3/16`; others are "
            "for other processes on the same PostgreSQL database. Default: TWOFOLD_SHARDS, or all."
        ),
    ] = None,
) -> None:
    """Run the Discord bot.

    Needs DISCORD_TOKEN. Fetches and converts models that are not there yet.
    Ctrl-C or SIGTERM lets running battles end first.
    """
    from bot import client

    config = configured(**({"shards": shards} if shards else {}))
    client.required_token(config)
    _fetch_missing(config)
    asyncio.run(_serve_discord(config))


@cli.command()
def demo(
    *,
    community: Annotated[
        bool,
        typer.Option(
            "--community", help="Have a simulated community vote first, once: some seconds."
        ),
    ] = False,
) -> None:
    """Chat with both models in your browser: no account, no key, no GPU.

    One channel, three members to switch between, real models, a real database.
    Prints the address of the page; Ctrl-C ends it. With --community, /leaderboard and
    /stats have something to show from the first moment.
    """
    config = configured()
    _fetch_missing(config)
    if community:
        settle(config)
    asyncio.run(_serve_demo(config))


@cli.command()
def check(
    *,
    running: Annotated[
        bool,
        typer.Option("--running", help="Ask the bot that runs here instead; needs a metrics port."),
    ] = False,
) -> None:
    """Tell in one screen whether everything is in order, and what to do where not.

    The exit code is 1 where something is not, with --running as well, for containers and
    supervisors.
    """
    from bot import machine

    config = configured()
    table = Table("", "What", "How it is", box=None, pad_edge=False)
    if running:
        findings = machine.running(config)
    else:
        from bot.check import check_all

        findings = asyncio.run(check_all(config))
    for finding in findings:
        mark = {True: "[green]ok[/]", False: "[red]no[/]", None: "[yellow]--[/]"}[finding.ok]
        table.add_row(mark, *(Text(printable(said)) for said in (finding.what, finding.how)))
    out.print(table)
    if any(finding.ok is False for finding in findings):
        raise typer.Exit(1)


cli.command()(export)


cli.command("import")(import_files)


@cli.command()
def integrity(
    *,
    collection: Collection = None,
    simulated: Annotated[
        bool, typer.Option("--simulated", help="Of simulated members, instead of the others.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Print how much each voter's votes can be relied on. For the operator alone.

    Voters are keyed hashes, the doubtful ones first. Who has not agreed to statistics is
    not measured. The figures refuse nobody a vote; they become the weights of exports.
    """
    import orjson

    from bot.integrity import MEANINGS

    voters = asyncio.run(_integrity(configured(), collection, simulated=simulated))
    if as_json:
        typer.echo(orjson.dumps(voters, option=orjson.OPT_INDENT_2))
        return
    headings = map(_plain, MEANINGS)
    table = Table("voter", *headings, box=None, pad_edge=False, padding=(0, 1, 0, 0))
    table.columns[0].no_wrap = True
    for voter in voters:
        table.add_row(*(_cell(value) for value in voter.values()))
    out.print(table)
    for name, meaning in MEANINGS.items():
        out.print(f"{_plain(name)}: {meaning}", soft_wrap=True)


cli.command()(lint)


cli.command()(train)


cli.command()(simulate)


cli.command()(leaderboard)


cli.command()(stats)


cli.command()(report)


cli.command()(serve)


cli.command()(backup)


cli.command()(restore)


cli.command()(rollback)


cli.command()(encrypt)


cli.command()(migrate)


cli.command("round")(round_)


@cli.command()
def prompt(
    message: Annotated[str, typer.Argument(help="What a member writes.")],
    template: Annotated[
        str | None, typer.Option(help="A prompt template; without it the default one.")
    ] = None,
) -> None:
    """Print exactly what a base model would see of a message, and how many tokens that is.

    The prompt goes to standard output as it is, everything else to standard error.

    Example: `twofold prompt --template qa "Why is the sea salty?"`
    """
    from bot.console import token_counts
    from bot.prompting import library
    from storage.records import Conversation, Turn

    config = configured()
    templates = library(config.templates)
    name = template or config.template
    if name not in templates:
        raise ConfigError(f"There is no template {name}. Choose one of: {', '.join(templates)}.")
    turn = Turn(author_id=1, name="alice", text=message)
    rendering = templates[name].render(Conversation(turns=(turn,), bot_name="Twofold"))
    typer.echo(rendering.prompt, nl=False)
    err.print()
    err.print(f"template {name}: {templates[name].help}", markup=False, soft_wrap=True)
    for slug, count in token_counts(str(rendering.prompt), config).items():
        err.print(f"{slug}: {count} tokens", markup=False)
    if rendering.stops:
        stops = ", ".join(map(repr, rendering.stops))
        err.print(f"stops at: {stops}", markup=False, soft_wrap=True)


@cli.command()
def erase(
    member: Annotated[
        int | None, typer.Option(help="The member's id, as Discord shows it.", min=1)
    ] = None,
    *,
    again: Annotated[
        bool,
        typer.Option(
            "--again",
            help="Instead: everybody who was erased since the backup that a server's database "
            "was just brought back from. On every host, before the bot is started again.",
        ),
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask first.")] = False,
) -> None:
    """Erase everything about a member: every row, text and id, in one transaction.

    Tells what was erased, and which datasets that were written earlier hold rows of the
    member. It works while the bot runs; the file is then not written anew, but what was
    erased is overwritten in it, as soon as nobody reads what was there before.

    Example: `twofold erase --member 80351110224678912`
    """
    from bot.mydata import report
    from storage.simulations import LAST_ID

    if again is (member is not None):
        raise ConfigError("Name with --member who is to be erased, or say --again.")
    if member is None:
        config = configured()
        number = asyncio.run(_erase_again(config))
        out.print(f"Erased again: {number}")
        asyncio.run(_sweep(config))
        return
    if member <= LAST_ID:
        # Such a number stands in the texts of many, and what names a member is wiped.
        raise ConfigError(
            f"No member on Discord has so small an id as {member}. Simulated ones go all together: "
            "twofold simulate --remove"
        )
    config = configured()
    if not yes:
        typer.confirm(f"Erase everything about the member {member}, for good?", abort=True)
    erasure, alone = asyncio.run(_erase(config, member))
    for line in report(erasure):
        out.print(line, markup=False, soft_wrap=True)
    if not alone:
        out.print(
            "Twofold is running, so the database's file was not written anew; to shrink it too, "
            "run this again while Twofold is stopped.",
            soft_wrap=True,
        )
    asyncio.run(_sweep(config))


def main() -> None:
    """Entry point of the console script: every fault is a sentence and an exit code."""
    try:
        cli()
    except TwofoldError as error:
        err.print(f"twofold: {error.user_message}", markup=False, soft_wrap=True)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:
        log.debug("unexpected fault", exc_info=error)
        err.print(
            f"twofold: something unexpected went wrong ({type(error).__name__}). "
            "Run it again with TWOFOLD_LOG_LEVEL=debug to see where, and please report that.",
            markup=False,
            soft_wrap=True,
        )
        sys.exit(1)


def _fetch_missing(config: Config) -> None:
    from bot.console import fetch

    for model in dict.fromkeys(c.model for c in config.contenders):
        fetch(model, config=config, console=err)


async def _serve_discord(config: Config) -> None:
    from bot.app import open_services
    from bot.client import on_signals, serve
    from bot.config import environment
    from bot.memory import spared
    from bot.telemetry.watching import observing, watched
    from bot.training.datasets import sweeping
    from bot.training.schedule import scheduled

    stop = asyncio.Event()
    on_signals(stop.set)
    async with (
        spared(),
        observing(environment()) as instruments,
        open_services(config, instruments=instruments) as services,
        watched(services),
        scheduled(config),
        sweeping(config.home, services.store.exports),
    ):
        await serve(services, stop=stop)


async def _serve_demo(config: Config) -> None:
    from bot.app import engine_maker, open_services
    from bot.client import on_signals
    from bot.config import environment
    from bot.demo import Workshop, serve
    from bot.telemetry.watching import observing, watched

    stop = asyncio.Event()
    on_signals(stop.set)
    workshop = Workshop()
    make = engine_maker(config)
    async with (
        observing(environment()) as instruments,
        open_services(
            config,
            make=lambda contender: workshop.wrap(make(contender)),
            patiently=workshop.wait_for,
            instruments=instruments,
        ) as services,
        watched(services),
    ):
        await serve(services, workshop, stop=stop, announce=_announce)


def _announce(url: str) -> None:
    out.print(f"Twofold is ready: {url}", soft_wrap=True)
    out.print("Open it in a browser. Members: alice, bob, carol. Ctrl-C ends it.")


async def _integrity(
    config: Config, collection: str | None, *, simulated: bool
) -> list[dict[str, Any]]:
    from contextlib import aclosing

    from bot.dataset.importing.collection import as_agreed
    from bot.dataset.pseudonyms import Pseudonyms
    from bot.integrity import figures, told
    from storage.database import Database

    names = Pseudonyms.kept_in(config.home)
    async with (
        Database.open(database_of(config, collection), key=config.database_key) as store,
        aclosing(store.seen.all(simulated=simulated)) as votes,
    ):
        seen = as_agreed(votes) if collection else votes
        voters = [
            {"voter": names.of("voter", voter.voter_id)} | told(voter)
            async for voter in figures(seen)
        ]
    return sorted(voters, key=lambda voter: (voter["weight"], voter["voter"]))


def _plain(name: str) -> str:
    return name.replace("_", " ")


def _cell(value: Any) -> str:  # noqa: ANN401 - a name, a number, or a share with its n
    if isinstance(value, dict):
        return "" if value["share"] is None else f"{value['share']:.0%} of {value['n']}"
    return f"{value:.2f}" if isinstance(value, float) else str(value)


async def _erase(config: Config, member_id: int) -> tuple[Erasure, bool]:
    """What was erased, and whether the file was written anew: not where the bot works on it."""
    from bot.alone import alone
    from bot.errors import DatabaseTaken
    from bot.keeping.erased import Erased
    from bot.mydata import MyDataService
    from storage.database import Database, database_url, file_of

    url = database_url(config.database_location)
    async with AsyncExitStack() as stack:
        rewrites = True
        if file_of(url) is not None:
            try:
                await stack.enter_async_context(alone(url, wait_seconds=0))
            except DatabaseTaken:
                rewrites = False
        store = await stack.enter_async_context(Database.open(url, key=config.database_key))
        mine = MyDataService(
            people=store.people,
            erasure=store.erasure,
            erased=Erased(config.home),
            clock=lambda: datetime.now(UTC),
        )
        erasure = await mine.erase(member_id)
        if rewrites:
            overwritten = await store.erasure.rewrite_file()
            erasure = replace(erasure, overwritten=overwritten)
    return erasure, rewrites


async def _sweep(config: Config) -> None:
    """Take away what was made to train on of those who left."""
    from bot.training.datasets import sweep
    from bot.training.registering import opened

    async with opened(config) as store:
        await sweep(config.home, store.exports)


async def _erase_again(config: Config) -> int:
    from bot.alone import alone
    from bot.keeping.erased import erase_again
    from storage.database import Database, database_url

    url = database_url(config.database_location)
    opening = Database.open(url, key=config.database_key)
    async with alone(url, wait_seconds=0), opening as store:
        return len(await erase_again(store, config.home, at=datetime.now(UTC)))


if __name__ == "__main__":
    main()
