"""`twofold round`: its options, and what it says."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from bot.terminal import configured, err, out
from bot.training.recipe import Method

if TYPE_CHECKING:
    from bot.config import Config
    from bot.training.rounds import Round

LEAST = 100
"""With fewer new pairs an adapter learns the pairs and not what people like."""


def round_(
    contender: Annotated[
        str | None,
        typer.Option(
            help="Who is trained. Default: the newest tuned contender that answers, else the first "
            "base contender.",
            show_default=False,
        ),
    ] = None,
    method: Annotated[Method, typer.Option(help="As for `twofold train`.")] = Method.DPO,
    least: Annotated[int, typer.Option(min=1, help="New pairs that there must be.")] = LEAST,
    simulated: Annotated[
        int,
        typer.Option(
            min=0,
            help="Have simulated members vote on so many battles first, and learn from them alone.",
        ),
    ] = 0,
    seed: Annotated[int, typer.Option(min=0, help="Another seed, another adapter.")] = 0,
    *,
    anyway: Annotated[
        bool, typer.Option("--anyway", help="Let it enter although a gate does not hold.")
    ] = False,
) -> None:
    """Close the loop once: collect, export, train, evaluate, enter.

    From the votes that the contender has not learnt from yet a child of it is trained, compared
    with it on prompts that were held out, and entered into the arena, where it meets its
    parent and the instruct models, blind. It stays out where a gate does not hold: held-out
    votes must be predicted better than by chance, and its answers must not have collapsed. A
    bot that runs takes it up within a minute.

    A round that was broken off goes on where it was with the same command; of the options only
    --least and --anyway are looked at then. Its report is in `rounds/NUMBER/report.md` in the data
    folder.

    Examples: `twofold round`, `twofold round --simulated 300`
    """
    from bot.training.commands import require_libraries
    from bot.training.rounds import Asked, alone, begin, unfinished

    require_libraries()
    config = configured()
    with alone(config.home):
        one = unfinished(config.home)
        if one is None:
            asked = Asked(
                parent=contender or head_of_line(config),
                method=method,
                least=least,
                simulated=simulated,
                seed=seed,
                anyway=anyway,
            )
            one = begin(config.home, asked, at=datetime.now(UTC))
        else:
            err.print(f"Round {one.number} goes on where it was.")
            one.asked = one.asked.model_copy(update={"least": least, "anyway": anyway})
        run(config, one)


def run(config: Config, one: Round) -> None:
    """Do what is left of a round, and print its report. Raises TwofoldError."""
    from bot.training.report import report
    from bot.training.rounds import REPORT, Step, folder_of, save
    from bot.training.steps import STEPS

    for number, (step, do) in enumerate(STEPS.items(), start=1):
        if step in one.done:
            continue
        err.print(f"round {one.number}, {number} of {len(Step)}: {step.value}")
        began = time.monotonic()
        one.done[step] = do(config, one)
        one.seconds[step] = round(time.monotonic() - began, 1)
        save(config.home, one)
    text = report(config, one)
    place = folder_of(config.home, one) / REPORT
    place.write_text(text, "utf-8")
    out.print(text, markup=False, soft_wrap=True)
    err.print(f"The report is in {place}", soft_wrap=True)


def head_of_line(config: Config) -> str:
    """The newest tuned contender that answers and was trained here, else the first base one."""
    import asyncio

    from bot.training.parents import parent_of
    from storage.database import Database, database_url
    from storage.records import Standing

    async def answering() -> list[str]:
        opening = Database.open(database_url(config.database_location), key=config.database_key)
        async with opening as store:
            return [
                tuning.contender.slug
                for tuning in await store.tunings.all()
                if tuning.standing is Standing.ENTERED
            ]

    known = asyncio.run(answering())
    return parent_of(config, known[-1] if known else None).slug
