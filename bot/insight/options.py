"""The choices of `Counting` as options of commands."""

from __future__ import annotations

import functools
import inspect
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from bot.errors import ConfigError
from bot.insight.counting import BothBad, Counting, Weights

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from bot.insight.arena import Arena
    from storage.arena import ArenaStore

_DAY = ["%Y-%m-%d"]
_WHICH = "Which votes"
NAMED = 20
"""So many names are told where another one was meant."""

ADD_SIMULATED = "There are votes of a simulated community: add --simulated to see them."

Collection = Annotated[
    str | None,
    typer.Option("--from", help="A collection that `twofold import` made, instead of the bot's."),
]
Guild = Annotated[
    list[int] | None,
    typer.Option(help="A server, by its id; repeat it.", rich_help_panel=_WHICH),
]
Topic = Annotated[
    list[str] | None,
    typer.Option(
        help="`chat`, `question`, `creative` or `code`; repeat it.", rich_help_panel=_WHICH
    ),
]
Template = Annotated[
    list[str] | None,
    typer.Option(help="The base model's prompt template; repeat it.", rich_help_panel=_WHICH),
]
Language = Annotated[
    list[str] | None,
    typer.Option(help="The prompts' language, such as `en`; repeat it.", rich_help_panel=_WHICH),
]
Since = Annotated[
    datetime | None,
    typer.Option(
        formats=_DAY, help="Battles that closed on this day or later.", rich_help_panel=_WHICH
    ),
]
Until = Annotated[
    datetime | None,
    typer.Option(
        formats=_DAY, help="Battles that closed on this day or earlier.", rich_help_panel=_WHICH
    ),
]
AuthorVotes = Annotated[
    bool, typer.Option(help="Count votes of who wrote the prompt.", rich_help_panel=_WHICH)
]
BothBadAs = Annotated[
    BothBad, typer.Option(help="What “both bad” is to a ranking.", rich_help_panel=_WHICH)
]
Weighing = Annotated[
    Weights,
    typer.Option(
        help="What a vote counts of a voter who gave n: 1/√n, or the same for all.",
        rich_help_panel=_WHICH,
    ),
]
Simulated = Annotated[
    bool,
    typer.Option("--simulated", help="Count simulated votes only.", rich_help_panel=_WHICH),
]


def counting_of(  # noqa: PLR0913 - every choice is an option
    *,
    guild: Guild = None,
    topic: Topic = None,
    template: Template = None,
    language: Language = None,
    since: Since = None,
    until: Until = None,
    author_votes: AuthorVotes = True,
    both_bad: BothBadAs = BothBad.TIE,
    weights: Weighing = Weights.CAPPED,
    simulated: Simulated = False,
) -> Counting:
    """The choices as one record; the order and repetition of names make no difference."""
    return Counting(
        guilds=tuple(sorted(set(guild or ()))),
        topics=tuple(sorted(set(topic or ()))),
        templates=tuple(sorted(set(template or ()))),
        languages=tuple(sorted(set(language or ()))),
        since=since.date() if since else None,
        until=until.date() if until else None,
        author_votes=author_votes,
        both_bad=both_bad,
        weights=weights,
        simulated=simulated,
    )


def counted(command: Callable[..., None]) -> Callable[..., None]:
    """A command whose `counting` comes from options: its own, and then those of `counting_of`."""
    own = inspect.signature(command, eval_str=True).parameters
    choices = inspect.signature(counting_of, eval_str=True).parameters

    @functools.wraps(command)
    def made(**given: object) -> None:
        chosen = {name: given.pop(name) for name in choices}
        command(counting=counting_of(**chosen), **given)  # type: ignore[arg-type]

    options = [*(one for name, one in own.items() if name != "counting"), *choices.values()]
    vars(made).pop("__wrapped__")  # whose options typer would read in place of these
    made.__annotations__ = {one.name: one.annotation for one in options}
    vars(made)["__signature__"] = inspect.Signature(options)
    return made


async def simulated_only(arena: ArenaStore, counting: Counting) -> bool:
    """Whether there is nothing but what is not asked for: closed battles of a simulation."""
    if counting.simulated or (await arena.extent()).closed:
        return False
    return bool((await arena.extent(simulated=True)).closed)


def require_known(arena: Arena, counting: Counting) -> None:
    """Raise ConfigError for a name that no battle has."""
    for what, chosen, known in (
        ("topic", counting.topics, arena.topics),
        ("template", counting.templates, arena.templates),
        ("language", counting.languages, arena.languages),
        ("server", counting.guilds, tuple(set(arena.guild.tolist()) - {0})),
    ):
        for name in chosen:
            if name not in known:
                told = f"There is no closed battle of the {what} {name}."
                raise ConfigError(f"{told} {_there(known)}")


def _there(known: Iterable[object]) -> str:
    names = [str(name) for name in sorted(known, key=str)]
    more = f" and {len(names) - NAMED:,} more" if len(names) > NAMED else ""
    return f"There are: {', '.join(names[:NAMED])}{more}." if names else "There is none of any."
