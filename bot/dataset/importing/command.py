"""`twofold import`: its options, and what it says."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bot.terminal import configured, out, progress_of
from bot.wording import count

if TYPE_CHECKING:
    from bot.config import Config
    from bot.dataset.importing.collection import Brought, Wanted


def import_files(
    files: Annotated[
        list[Path],
        typer.Argument(metavar="FILE", help="JSON, JSONL, CSV or Parquet; plain, gz or zst."),
    ],
    name: Annotated[
        str, typer.Option(help="The collection, which is made if needed.", show_default=False)
    ],
    licence: Annotated[
        str,
        typer.Option(help="The terms under which you have them, stored with them."),
    ],
    base: Annotated[
        list[str] | None,
        typer.Option(help="A base model in the files, by name; the others count as instruct."),
    ] = None,
    *,
    redact: Annotated[
        bool, typer.Option(help="Take personal data out of the texts before they are stored.")
    ] = True,
) -> None:
    """Bring votes that others collected into a collection, for rankings and exports.

    Understood are the preference sets of LMArena (140k, 100k, 55k, 33k), Open WebUI's
    export of feedback, and Twofold's own `arena` exports: give their `votes` and `pairs`
    together. A collection is a database of its own, never mixed with the bot's. Rows that
    cannot be used are counted by reason; a file that is there already adds nothing.

    Example: `twofold import feedbacks.json --name office --licence "internal use"`, then
    `twofold leaderboard --from office`
    """
    from bot.dataset.importing.collection import Wanted, told
    from bot.redaction import Redactor
    from bot.redaction.presidio import presidio

    wanted = Wanted(
        name=name,
        files=files,
        licence=licence,
        base=frozenset(base or ()),
        redact=Redactor(more=presidio()).redact if redact else str,
        at=datetime.now(UTC),
    )
    brought = asyncio.run(_bring(configured(), wanted))
    if brought is None:
        out.print(f"Nothing is new: these files are in the collection {name} already.")
        return
    new = f"{count(brought.battles, 'battle')} and {count(brought.votes, 'vote')}"
    out.print(f"{new} came into the collection {name}", soft_wrap=True)
    if brought.known:
        out.print(f"{count(brought.known, 'battle')} had come with an earlier file")
    if skipped := brought.skips.total():
        reasons = ", ".join(told(brought.skips))
        rows = count(brought.rows, "row")
        out.print(f"{skipped:,} of {rows} could not be used: {reasons}", soft_wrap=True)


async def _bring(config: Config, wanted: Wanted) -> Brought | None:
    from rich.progress import BarColumn, TextColumn, TimeRemainingColumn

    from bot.dataset.importing.collection import PASSES, bring

    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    with progress_of(*columns) as progress:
        size = sum(file.stat().st_size for file in wanted.files if file.is_file())
        task = progress.add_task("Reading", total=PASSES * size)
        return await bring(config, wanted, advance=lambda n: progress.advance(task, n))
