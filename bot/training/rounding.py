"""`twofold round`: its options, and what it says."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from bot.errors import TwofoldError
from bot.terminal import configured, err, out
from bot.training.recipe import Method  # noqa: TC001 - Typer reads it

if TYPE_CHECKING:
    from bot.config import Config
    from bot.training.rounds import Round

LEAST = 150
"""With fewer new pairs too few are held out to tell whether it helped."""


def round_(
    contender: Annotated[
        str | None,
        typer.Option(
            help="Who is trained. Default: the newest tuned contender that answers, else the first "
            "base contender.",
            show_default=False,
        ),
    ] = None,
    method: Annotated[
        Method | None, typer.Option(help="As for `twofold train`.", show_default=False)
    ] = None,
    least: Annotated[int, typer.Option(min=1, help="New pairs that there must be.")] = LEAST,
    simulated: Annotated[
        int,
        typer.Option(
            min=0,
            help="Have simulated members vote on so many battles first, and learn from them alone.",
        ),
    ] = 0,
    seed: Annotated[
        int | None,
        typer.Option(
            min=0, max=2**32 - 1, help="Another seed, another adapter.", show_default=False
        ),
    ] = None,
    *,
    anyway: Annotated[
        bool, typer.Option("--anyway", help="Let it enter although a gate does not hold.")
    ] = False,
    afresh: Annotated[
        bool, typer.Option("--afresh", help="Give up a round that was broken off; begin another.")
    ] = False,
) -> None:
    """Close the loop once: collect, export, train, evaluate, enter.

    From the votes that the contender has not learnt from yet a child of it is trained, compared
    with it on prompts that were held out, and entered into the arena, where it meets base
    and instruct models and its parent, blind. It stays out where a gate does not hold: held-out
    votes must be predicted better than by chance, and its answers must not have collapsed. A
    bot that runs takes it up within a minute.

    A round that was broken off goes on where it was with the same command; once its votes are
    exported, of the options only --anyway is looked at. Its report is in `rounds/NUMBER/report.md`
    in the data folder.

    Examples: `twofold round`, `twofold round --simulated 500`
    """
    from bot.training.commands import require_libraries
    from bot.training.rounds import Asked, alone, begin, save, unfinished
    from bot.training.starting import method_of
    from bot.training.steps import freshen, require_possible

    require_libraries()
    os.nice(19)  # a bot on the same machine comes first
    config = configured()
    asked = Asked(
        parent=contender or head_of_line(config, simulated=bool(simulated)),
        method=method or method_of(config),
        least=least,
        simulated=simulated,
        seed=seed,
        anyway=anyway,
    )
    require_possible(config, asked)
    with alone(config.home):
        one = unfinished(config.home, simulated=bool(simulated))
        if one is not None and afresh:
            one.given_up = True
            save(config.home, one)
            one = None
        if one is None:
            one = begin(config.home, asked, at=datetime.now(UTC))
        else:
            err.print(f"Round {one.number} goes on where it was.")
            freshen(config, one)
            one.go_on(asked)
        run(config, one)


def run(config: Config, one: Round) -> None:
    """Do what is left of a round, and print its report. Raises TwofoldError."""
    from pathlib import Path

    from bot.training.rounds import Step, save
    from bot.training.steps import STEPS

    for number, (step, do) in enumerate(STEPS.items(), start=1):
        if step in one.done:
            continue
        err.print(f"round {one.number}, {number} of {len(Step)}: {step.value}")
        began = time.monotonic()
        one.done[step] = do(config, one)
        one.seconds[step] = round(time.monotonic() - began, 1)
        save(config.home, one)
    place = Path(one.done[Step.REPORT]["file"])
    out.print(place.read_text("utf-8"), markup=False, soft_wrap=True)
    err.print(f"The report is in {place}", soft_wrap=True)


def head_of_line(config: Config, *, simulated: bool) -> str:
    """The newest tuned contender that answers and can be trained further, else the first base one.

    None from which somebody has left, as its children could never forget either; and, unless
    the round is `simulated` itself, none that learnt from made-up votes.
    """
    import asyncio

    from bot.training.parents import parent_of
    from bot.training.registering import opened
    from storage.records import Standing

    configured = {contender.slug for contender in config.contenders}

    async def answering() -> list[str]:
        async with opened(config) as store:
            fit = [one for one in await store.tunings.all() if one.stale_since is None]
        return [
            one.contender.slug
            for one in fit
            if one.standing is Standing.ENTERED or one.contender.slug in configured
        ]

    for slug in reversed(asyncio.run(answering())):
        with suppress(TwofoldError):
            parent = parent_of(config, slug)
            made_up = parent.learnt and parent.learnt.dataset.policy.get("simulated")
            if simulated or not made_up:
                return slug
    return parent_of(config, None).slug
