"""An export from the database to its record there: weights, rows, manifest."""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from bot.dataset.write import DATA, Plan, write
from bot.integrity import figures

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime
    from pathlib import Path

    from bot.dataset.pseudonyms import Pseudonyms
    from bot.redaction import Redactor
    from storage.database import Database
    from storage.records import Consent


SHOWN = 5
"""How many of the battles that are gone are named; the manifest has them all."""


async def export(
    store: Database,
    *,
    format: str,  # noqa: A002 - the option's own name
    purpose: Consent,
    pseudonyms: Pseudonyms,
    redactor: Redactor,
    out: Path,
    at: datetime,
    progress: Callable[[int], None] = lambda _: None,
) -> dict[str, Any]:
    """Write what was voted on into the folder `out`, remember that, and return the manifest.

    `gone` in it are the battles that any earlier export of this format and purpose has a
    row of and this one has not, by reason. Raises ConfigError where the folder cannot be
    written, and StorageError.
    """
    async with aclosing(store.voted.seen()) as votes:
        weights = {voter.voter_id: voter.weight async for voter in figures(votes)}
    plan = Plan(
        format=format,
        purpose=purpose,
        pseudonyms=pseudonyms,
        weights=weights,
        redact=redactor.redact,
        schema=await store.revision(),
    )
    async with aclosing(store.voted.all(format=format, purpose=purpose)) as battles:
        manifest, battle_ids = await write(battles, plan, out=out, progress=progress)
    await store.exports.record(
        format=format,
        purpose=purpose,
        manifest=manifest,
        sha256=manifest["files"][DATA]["sha256"],
        battle_ids=battle_ids,
        at=at,
    )
    return manifest


def told(manifest: dict[str, Any]) -> Iterator[str]:
    """What to say of an export: how much came of how much, why not more, and what is gone."""
    votes, battles, rows = (manifest[key] for key in ("votes", "battles", "rows"))
    yield f"{votes} votes on {battles} battles → {rows} rows"
    for reason, count in manifest["left_out"].items():
        if count:
            yield f"  left out: {count} × {_plain(reason)}"
    for reason, gone in manifest["gone"].items():
        if isinstance(gone, int):
            yield f"  gone since earlier exports: {gone} × {_plain(reason)}"
            continue
        more = "" if len(gone) <= SHOWN else f" and {len(gone) - SHOWN} more"
        named = ", ".join(gone[:SHOWN])
        yield f"  gone since earlier exports: {len(gone)} × {_plain(reason)}: {named}{more}"


def _plain(reason: str) -> str:
    return reason.replace("_", " ")
