"""Writing an export: the rows, then a manifest that tells how they came about."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections import Counter, defaultdict
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import orjson

from bot import __version__
from bot.dataset.formats import FORMATS
from bot.dataset.gate import admit
from bot.dataset.select import LeftOut, Preference, judge
from bot.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Mapping
    from pathlib import Path
    from typing import IO

    from bot.dataset.pseudonyms import Pseudonyms
    from storage.records import Consent, VotedBattle

DATA = "train.jsonl"
MANIFEST = "manifest.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What an export is to be: its format, what for, how ids are hashed, what voters weigh.

    `redact` takes personal data out of a text, for guilds that want that. `schema` names the
    database's last migration.
    """

    format: str
    purpose: Consent
    pseudonyms: Pseudonyms
    weights: Mapping[int, float]
    redact: Callable[[str], str]
    schema: str


@dataclass
class _Tally:
    """What was read and written so far; battles by id.

    `went_on` are those of which a longer form has a row.
    """

    battles: int = 0
    votes: int = 0
    rows: list[int] = field(default_factory=list)
    left_out: Counter[LeftOut] = field(default_factory=Counter)
    gone: dict[LeftOut, list[int]] = field(default_factory=lambda: defaultdict(list))
    went_on: set[int] = field(default_factory=set)


async def write(
    battles: AsyncIterator[VotedBattle],
    plan: Plan,
    *,
    out: Path,
    progress: Callable[[int], None] = lambda _: None,
) -> tuple[dict[str, Any], list[int]]:
    """Write `train.jsonl` and `manifest.json` into the folder `out`.

    Returns the manifest and the ids of the battles that have a row. Rows are streamed, so
    memory does not grow with the texts. Each file appears whole or not at all. `progress`
    gets the number of battles read so far. Raises ConfigError where the folder cannot be
    written.
    """
    tally = _Tally()
    try:
        await asyncio.to_thread(out.mkdir, parents=True, exist_ok=True)
        with _whole(out / DATA) as (file, digest):
            async for line in _lines(battles, plan, tally, progress):
                file.write(line)
                digest.update(line)
        if not tally.rows:
            (out / DATA).unlink()  # loaders fail on a file without rows
        manifest = _manifest(plan, tally, digest.hexdigest())
        with _whole(out / MANIFEST) as (file, _):
            file.write(
                orjson.dumps(manifest, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
            )
    except OSError as error:
        raise ConfigError(
            f"{out} cannot be written: {error.strerror}. Choose another --out."
        ) from None
    return manifest, tally.rows


async def _lines(
    battles: AsyncIterator[VotedBattle],
    plan: Plan,
    tally: _Tally,
    progress: Callable[[int], None],
) -> AsyncIterator[bytes]:
    """A line for each battle that its voters decided; the others are counted by reason.

    Where the answers went on, only the longest that voters decided on have a line: others
    would be near-duplicates. So battles come with the newest first.
    """
    async for voted in battles:
        tally.battles += bool(voted.votes)
        tally.votes += len(voted.votes)
        progress(tally.battles)
        admitted = admit(voted, plan.purpose)
        verdict = (
            admitted
            if isinstance(admitted, LeftOut)
            else judge(admitted, plan.weights, redact=plan.redact)
        )
        covered = voted.battle.id in tally.went_on
        if voted.battle.parent_id and (covered or isinstance(verdict, Preference)):
            tally.went_on.add(voted.battle.parent_id)
        if covered and isinstance(verdict, Preference):
            verdict = LeftOut.CONTINUED
        if isinstance(verdict, Preference):
            tally.rows.append(voted.battle.id)
            row = FORMATS[plan.format](verdict, plan.pseudonyms)
            yield orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE)
            continue
        tally.left_out[verdict] += bool(voted.votes)
        if voted.exported:
            tally.gone[verdict].append(voted.battle.id)


def _manifest(plan: Plan, tally: _Tally, sha256: str) -> dict[str, Any]:
    return {
        "twofold": __version__,
        "schema": plan.schema,
        "format": plan.format,
        "purpose": plan.purpose.value,
        "linkable": plan.pseudonyms.linkable,
        "votes": tally.votes,
        "battles": tally.battles,
        "rows": len(tally.rows),
        "left_out": {reason.value: tally.left_out[reason] for reason in LeftOut},
        "gone": {
            reason.value: _named(plan.pseudonyms, tally.gone[reason])
            for reason in LeftOut
            if reason in tally.gone
        },
        "files": {DATA: {"rows": len(tally.rows), "sha256": sha256}},
    }


def _named(pseudonyms: Pseudonyms, battle_ids: list[int]) -> list[str] | int:
    """Battles by hash; where no earlier export has these hashes, only how many they are."""
    if not pseudonyms.linkable:
        return len(battle_ids)
    return [pseudonyms.of("battle", battle_id) for battle_id in battle_ids]


@contextmanager
def _whole(path: Path) -> Iterator[tuple[IO[bytes], hashlib._Hash]]:
    """A file that takes its name only when all of it is on disk."""
    unfinished = path.with_name(f".{path.name}.unfinished")
    try:
        with unfinished.open("wb") as file:
            yield file, hashlib.sha256()
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
