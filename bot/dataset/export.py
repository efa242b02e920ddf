"""An export from the database to its record there: rows, files, manifest, card."""

from __future__ import annotations

import asyncio
import hashlib
from contextlib import ExitStack, aclosing
from typing import TYPE_CHECKING, Any

from bot.dataset import card, trainers
from bot.dataset.delta import Delta
from bot.dataset.files import Kind, Packing, Writer
from bot.dataset.funnel import plainly
from bot.dataset.halves import WORTH_IT, older_half
from bot.dataset.layout import CARD, MANIFEST, TOMBSTONES
from bot.dataset.manifest import left_in, manifest_of, to_bytes, written_by
from bot.dataset.reading import begin, read
from bot.disk import write_whole
from bot.errors import ConfigError
from bot.integrity import figures
from bot.wording import count

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping
    from datetime import datetime
    from pathlib import Path

    from bot.dataset.formats import Format
    from bot.dataset.request import Means, Request
    from bot.dataset.work import Work
    from storage.database import Database

SHOWN = 5
"""How many of the battles that are gone are named; the manifest has them all."""


async def export(
    store: Database,
    request: Request,
    means: Means,
    *,
    out: Path,
    at: datetime,
    progress: Callable[[int], None] = lambda _: None,
    check: Callable[[Mapping[str, Any]], None] = lambda _: None,
) -> dict[str, Any]:
    """Write what was voted on into the folder `out`, remember that, and return the manifest.

    Rows are streamed, so memory does not grow with the texts. Files appear whole or not at
    all; those that an earlier export left there and this one has not are removed. `gone` in
    the manifest are the battles that any earlier export of this format and purpose has a row
    of and that are not to be had any more, by reason. `progress` gets the number of battles
    read so far, `check` the manifest once all is written: what it raises keeps the export from
    being remembered. Raises ConfigError where the folder cannot be written or options do not
    go together, and StorageError.
    """
    weights: dict[int, float] = {}
    if request.policy.weighs:
        seen = store.seen.all(simulated=request.policy.simulated)
        async with aclosing(seen) as votes:
            weights = {voter.voter_id: voter.weight async for voter in figures(votes)}
    learnt = await store.tunings.learnt_from(request.policy.new_to)
    delta = await Delta.since(store, request, means) if request.since else None
    form, work = begin(request, means, weights=weights, learnt=learnt, delta=delta)
    try:
        await asyncio.to_thread(out.mkdir, parents=True, exist_ok=True)
        stale = await asyncio.to_thread(_replaceable, out, request)
        with ExitStack() as stack:
            border = await _border(store, request, means)
            older = None
            if border and means.url:
                half = older_half(
                    out, means.url, request, means, weights=weights, learnt=learnt, before=border
                )
                older = stack.enter_context(half)
            writer = stack.enter_context(Writer(out, form.tables, request.files))
            halves = 2 if older else 1
            await read(
                store,
                request,
                form,
                work,
                writer,
                since=border,
                progress=lambda n: progress(halves * n),
            )
            if older:
                await older.add_to(work, writer)
            manifest = await manifest_of(store, request, means, work, writer.finish())
        await asyncio.to_thread(_beside, out, manifest, means, work, form, stale)
    except OSError as error:
        raise ConfigError(
            f"{out} cannot be written: {error.strerror}. Choose another --out."
        ) from None
    check(manifest)
    await store.exports.record(
        format=request.format,
        purpose=request.purpose,
        manifest=manifest,
        sha256=hashlib.sha256(to_bytes(manifest)).hexdigest(),
        dataset=manifest["dataset"],
        rows=zip(work.battles, work.digests, strict=True),
        at=at,
    )
    return manifest


def _replaceable(out: Path, request: Request) -> list[str]:
    """What an earlier export left in the folder, which this one takes the place of.

    Raises ConfigError where that would destroy what is not to be had again.
    """
    earlier = left_in(out)
    stale = written_by(earlier)
    dataset = str(earlier.get("dataset"))
    if earlier and request.since is not None and dataset == request.since.get("dataset"):
        raise ConfigError(
            f"{out} holds the very export that --since names, and a delta would take its place. "
            "Choose another --out."
        )
    if not stale and (out / CARD).exists() and not (out / MANIFEST).exists():
        raise ConfigError(
            f"{out} has a {CARD} that no export wrote. Choose an empty folder for --out."
        )
    return stale


async def _border(store: Database, request: Request, means: Means) -> int:
    """Where to part the battles for two processes; 0 where one is enough or has to do.

    A delta and log-probabilities are made in order, one battle after the other.
    """
    if means.url is None or means.scored is not None or request.since is not None:
        return 0
    if request.files.kind is Kind.PARQUET or request.files.packing is Packing.ZST:
        return 0  # Arrow takes as much memory as a second process
    return await store.voted.halfway(
        request.policy.guilds, least=WORTH_IT, simulated=request.policy.simulated
    )


def _beside(
    out: Path,
    manifest: dict[str, Any],
    means: Means,
    work: Work,
    form: Format,
    stale: Collection[str],
) -> None:
    """Write what stands beside the rows, and take away what an earlier export left there."""
    files = dict(trainers.files(manifest))
    pictures = card.pictures()
    files |= pictures
    if work.delta is not None:
        lines = work.delta.tombstones(means.pseudonyms, work.gone)
        files[TOMBSTONES] = b"".join(lines)
    text = card.write(manifest, pictures=pictures, columns=form.tables, **means.about)
    files[CARD] = text.encode()
    for name, content in files.items():
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        write_whole(out / name, content)
    write_whole(out / MANIFEST, to_bytes(manifest))
    for name in set(stale) - manifest["files"].keys() - files.keys():
        (out / name).unlink(missing_ok=True)


def told(manifest: Mapping[str, Any]) -> Iterator[str]:
    """What to say of an export: how much came of how much, why not more, and what is gone."""
    yield (
        f"{count(manifest['votes'], 'vote')} on {count(manifest['battles'], 'battle')} → "
        f"{count(manifest['rows'], 'row')}"
    )
    for what, name in (("votes that decided nothing", "votes_left_out"), ("left out", "left_out")):
        for reason, number in manifest["funnel"][name].items():
            if number:
                yield f"  {what}: {number:,} × {plainly(reason)}"
    if since := manifest["since"]:
        changes = "{added} new, {changed} changed, {gone} gone, {unchanged} as they were"
        yield f"  battles since then: {changes.format_map(since)}"
    for reason, gone in manifest["gone"].items():
        if isinstance(gone, int):
            yield f"  gone since earlier exports: {gone} × {plainly(reason)}"
            continue
        more = "" if len(gone) <= SHOWN else f" and {len(gone) - SHOWN} more"
        named = ", ".join(gone[:SHOWN])
        yield f"  gone since earlier exports: {len(gone)} × {plainly(reason)}: {named}{more}"
