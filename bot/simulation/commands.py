"""`twofold simulate`: its options, and what it says."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from bot.terminal import configured, err, out, progress_of
from bot.wording import count

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bot.config import Config
    from bot.simulation.simulating import Simulated, Wanted

_DAY = ["%Y-%m-%d"]


def simulate(  # noqa: PLR0913 - every choice is an option
    *,
    battles: Annotated[int, typer.Option(min=1, max=100_000, help="How many prompts.")] = 1000,
    members: Annotated[int, typer.Option(min=2, max=10_000, help="How many vote.")] = 60,
    seed: Annotated[
        int, typer.Option(min=0, max=2**31, help="Another seed, another community.")
    ] = 1,
    votes: Annotated[
        float, typer.Option(min=1, max=60, help="Votes that a battle gets on average.")
    ] = 5.0,
    spam: Annotated[
        float, typer.Option(min=0, max=1, help="Share of members who press without reading.")
    ] = 0.06,
    side: Annotated[
        float,
        typer.Option(help="What standing on A is worth to the mean member, in log odds."),
    ] = 0.05,
    begin: Annotated[
        datetime | None,
        typer.Option(formats=_DAY, help="The first day. Default: 2026-01-05.", show_default=False),
    ] = None,
    weeks: Annotated[int, typer.Option(min=1, max=520, help="How long it takes them.")] = 4,
    guild: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="A server without battles of its own. Default: that of the demo.",
            show_default=False,
        ),
    ] = None,
    roster: Annotated[
        bool,
        typer.Option("--roster", help="Have the configured contenders answer, not made-up ones."),
    ] = False,
    readers: Annotated[
        bool,
        typer.Option(
            "--readers",
            help="Members who judge the texts alone: short, on topic, without repetition. They go "
            "with --roster.",
        ),
    ] = False,
    contender: Annotated[
        list[str] | None,
        typer.Option(help="Only these meet; repeat it.", show_default=False),
    ] = None,
    remove: Annotated[
        bool, typer.Option("--remove", help="Take all that was simulated away again, and no more.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print all that is true of the community, as JSON.")
    ] = False,
) -> None:
    """Make up a community whose preferences are known, and have it ask, vote and guess.

    For trying things out: all that shows votes has something to show then, and what statistics
    find can be compared with what is true. Members differ in taste, skill, habits and
    how busy they are; some are spammers. They go through the same program as people, and
    every row of theirs is marked: no ranking, figure or export has them together with
    people's. `twofold export --simulated` writes theirs alone.

    The same options give the same community and the same votes, but with --roster, where
    models answer. Another seed adds another community. Nothing can be simulated while the
    bot runs.

    Examples: `twofold simulate --battles 500 --members 40 --seed 7`, then
    `twofold leaderboard --simulated`; `twofold simulate --remove`
    """
    from bot.simulation.nature import Nature
    from bot.simulation.readers import NATURE
    from bot.simulation.simulating import BEGIN, DEMO_GUILD, Wanted

    config = configured()
    if remove:
        _remove(config)
        return
    wanted = Wanted(
        battles=battles,
        members=members,
        seed=seed,
        guild_id=guild or DEMO_GUILD,
        begin=begin.replace(tzinfo=UTC) if begin else BEGIN,
        days=7 * weeks,
        nature=replace(NATURE if readers else Nature(spam=spam, side=side), votes=votes),
        real=roster,
        readers=readers,
        contenders=tuple(contender or ()),
    )
    simulated = simulate_with_bar(config, wanted)
    if as_json:
        import orjson

        typer.echo(orjson.dumps(simulated.to_json(), option=orjson.OPT_INDENT_2))
        return
    out.print(_table(simulated))
    for line in _told(simulated):
        out.print(line, soft_wrap=True)


def settle(config: Config) -> None:
    """Have a small community in the demo's server, of the last weeks, unless there is one."""
    from bot.simulation.simulating import DAYS, AlreadyThere, Wanted

    begin = datetime.now(UTC) - timedelta(days=DAYS + 2)
    wanted = Wanted(battles=200, members=40, seed=1, begin=begin)
    with suppress(AlreadyThere):
        err.print("A simulated community votes first.")
        simulated = simulate_with_bar(config, wanted)
        told = f"{count(simulated.votes, 'vote')} were given"
        err.print(f"{told}. twofold simulate --remove takes them away.")


def simulate_with_bar(config: Config, wanted: Wanted) -> Simulated:
    """Simulate, with a bar on standard error where that is a terminal."""
    from rich.progress import BarColumn, MofNCompleteColumn, TimeRemainingColumn

    from bot.simulation.simulating import simulate as run

    columns = ("{task.description}", BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with progress_of(*columns) as shown:
        bar = shown.add_task("simulated battles", total=wanted.battles)
        return asyncio.run(
            run(config, wanted, progress=lambda asked: shown.update(bar, completed=asked))
        )


def _remove(config: Config) -> None:
    from bot.simulation.simulating import remove

    removed = asyncio.run(remove(config))
    out.print(
        f"{count(removed.battles, 'simulated battle')}, {count(removed.votes, 'vote')} and "
        f"{count(removed.members, 'member')} are gone. Nothing else was touched.",
        soft_wrap=True,
    )


def _table(simulated: Simulated) -> Table:
    """The contenders as they are, the best first."""
    people, points = simulated.community, simulated.truth.points
    table = Table("Contender", "Kind", "Points", box=None, pad_edge=False)
    table.columns[-1].justify = "right"
    for slug in sorted(points, key=lambda slug: -points[slug]):
        table.add_row(slug, people.kinds[slug].value, f"{points[slug]:.0f}")
    return table


def _told(simulated: Simulated) -> Iterator[str]:
    people, happened, truth = simulated.community, simulated.happened, simulated.truth
    spammers = sum(member.spam is not None for member in people.members)
    yield (
        "That is what rankings should find, within their intervals; the answer on A should get "
        f"{truth.first:.1%} of decided votes."
    )
    yield (
        f"{count(happened.battles, 'battle')}, {count(simulated.votes, 'vote')} and "
        f"{count(happened.guesses.total(), 'guess', 'guesses')} of "
        f"{count(len(people.members), 'member')}, of whom {spammers} do not read."
    )
    if happened.failed:
        yield f"{count(happened.failed, 'battle')} failed, as one of the models could not answer."
    yield (
        "Look at them with twofold leaderboard --simulated, twofold integrity --simulated and, in "
        "the demo's server, twofold demo. twofold simulate --remove takes them away."
    )
